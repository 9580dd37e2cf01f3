"""Database errors in this package's terms: what a caller can do about them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from ledger.errors import (
    Damaged,
    LedgerError,
    NotADatabase,
    Unavailable,
)

_FULL_OR_BROKEN = ("disk is full", "disk i/o error", "no space left")
_BUSY = ("database is locked", "database table is locked", "lock timeout", "locking protocol")
_DAMAGED = ("malformed", "could not decode to utf-8")
_NOT_WRITABLE = ("unable to open", "readonly", "permission denied")


Says = Callable[[BaseException, str, str], LedgerError | None]
"""An error, what was being done, and the error's first line, in our terms; None for others'."""

DRIVERS: list[Says] = []
"""Each database whose errors need words of their own adds what says them."""


@contextlib.contextmanager
def translated(what: str) -> Iterator[None]:
    """Database errors as this package's: `Unavailable` (try again), `Damaged`, `NotFound`."""
    try:
        yield
    except LedgerError:
        raise
    except Exception as error:
        known = _translate(error, what)
        if known is None:
            raise
        raise known from error


def _translate(error: Exception, what: str) -> LedgerError | None:
    import sqlalchemy.exc
    from pysqlite3 import dbapi2

    original = getattr(error, "orig", None) or error
    text = str(original).strip().splitlines()[0] if str(original).strip() else repr(original)
    own = next(filter(None, (say(original, what, text) for say in DRIVERS)), None)
    general = (dbapi2.Error, sqlalchemy.exc.DBAPIError, sqlalchemy.exc.TimeoutError, OSError)
    if own is None and not isinstance(error, general):
        return None
    lowered = text.lower()
    if "not a database" in lowered:
        return NotADatabase(f"{what}: {text}", remedy="name a ledger, or restore a backup of it")
    if any(word in lowered for word in _DAMAGED):
        return Damaged(f"{what}: {text}", remedy="run `runledger verify`, or restore a backup")
    if any(word in lowered for word in _BUSY):
        return Unavailable(f"{what}: the ledger is busy ({text})", remedy="try again")
    if any(word in lowered for word in _FULL_OR_BROKEN):
        return Unavailable(
            f"{what}: {text}",
            remedy="make room or repair the disk, then try again: "
            "the same events are stored only once",
        )
    if own is not None:
        return own
    if isinstance(error, OSError) or any(word in lowered for word in _NOT_WRITABLE):
        return Unavailable(
            f"{what}: {text}", remedy="check that the file and its folder can be written"
        )
    if isinstance(error, sqlalchemy.exc.TimeoutError):
        return Unavailable(f"{what}: all connections are in use", remedy="try again")
    return LedgerError(f"{what}: {text}")
