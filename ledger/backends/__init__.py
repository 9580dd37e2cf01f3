"""The databases that can hold a ledger, each a module behind one protocol.

What differs between them is here and nowhere else; a third would be one more
module in `BACKENDS`. The rest of the package sees a `Backend`, and what is
above the package sees none of it.
"""

from __future__ import annotations

from sqlalchemy.engine import URL

from ledger.backends.postgres import Postgres
from ledger.backends.protocol import Backend
from ledger.backends.sqlite import Sqlite

__all__ = ["BACKENDS", "Backend", "connect", "kind_of"]

BACKENDS: tuple[type[Backend], ...] = (Sqlite, Postgres)


def kind_of(url: URL) -> type[Backend]:
    """The kind of database at a URL that `ledger.location.locate` gave."""
    return next(kind for kind in BACKENDS if kind.name == url.get_backend_name())


def connect(url: URL, *, create: bool, readonly: bool = False) -> Backend:
    """The database at ``url``; raises `NotFound` where it is missing and ``create`` is not set."""
    return kind_of(url)(url, create=create, readonly=readonly)
