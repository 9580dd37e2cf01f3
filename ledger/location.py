"""Where a ledger lives: a path or URL, understood, and shown without its password."""

from __future__ import annotations

import re
from pathlib import Path

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from ledger.errors import InvalidLocation

_POSTGRES = ("postgresql", "postgres")
_MEANT_AS_URL = re.compile(r"(?:postgres(?:ql)?|sqlite)(?:\+\w+)?:(?!//)", re.IGNORECASE)
_HIDDEN = "***"
_UNUSABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def locate(location: str | Path) -> URL:
    """The database URL for a path or URL; a plain path means SQLite.

    Raises `InvalidLocation`, in words that repeat nothing of what may be a
    password.

    >>> locate("runs/ledger.db").database
    'runs/ledger.db'
    """
    text = str(location)
    if _UNUSABLE.search(text):
        raise InvalidLocation(
            "the ledger's path or URL holds a control character, or bytes that are not UTF-8: "
            "correct it"
        )
    if "://" not in text:
        if _MEANT_AS_URL.match(text):
            raise InvalidLocation(
                f"a database URL begins with {text.partition(':')[0]}://; "
                "a file of that name is ./NAME"
            )
        return _sqlite(URL.create("sqlite", database=text))
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise InvalidLocation(
            "not a database URL",
            remedy="write postgresql://USER@HOST:PORT/DATABASE, or a SQLite path",
        ) from None
    backend = url.get_backend_name()
    if backend in _POSTGRES:
        return _postgres(text, url)
    if backend != "sqlite":
        raise InvalidLocation(
            f"{backend!r} is not supported", remedy="use a SQLite path or a postgresql:// URL"
        )
    if url.host or url.username:
        raise InvalidLocation("a SQLite URL is sqlite:///relative/path or sqlite:////absolute/path")
    if url.query:
        raise InvalidLocation(
            "a SQLite URL takes no options", remedy="leave out what follows the ?"
        )
    return _sqlite(url.set(drivername="sqlite"))


def _sqlite(url: URL) -> URL:
    if not url.database or url.database == ":memory:":
        raise InvalidLocation("a ledger needs a file: an in-memory database cannot be durable")
    return url


def _postgres(text: str, url: URL) -> URL:
    # What is after an "@" or "/" of the password itself would be taken for the
    # host, and be shown.
    authority, _, rest = text.partition("://")[2].partition("/")
    if authority.count("@") > 1 or "@" in rest:
        raise InvalidLocation(
            "a URL with an @ too many: in user and password write %40 for @, %2F for /, %25 for %"
        )
    return url.set(drivername="postgresql+psycopg")


def has_password(url: URL) -> bool:
    """Whether a password stands in a URL, in either of the places it may be in."""
    return bool(url.password) or any(_secret(key) for key in url.query)


def shown(url: URL) -> str:
    """The ledger's file, or its URL without a password."""
    if url.get_backend_name() == "sqlite" and url.database:
        return url.database
    hidden = {key: _HIDDEN for key in url.query if _secret(key)}
    return url.update_query_dict(hidden).render_as_string(hide_password=True)


def _secret(key: str) -> bool:
    return "password" in key.lower()
