"""Database errors in this package's terms: what a caller can do about them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from ledger.errors import (
    Damaged,
    InvalidLocation,
    LedgerError,
    NotADatabase,
    NotFound,
    Unavailable,
)

_FULL_OR_BROKEN = ("disk is full", "disk i/o error", "no space left")
_BUSY = ("database is locked", "database table is locked", "lock timeout", "locking protocol")
_DAMAGED = ("malformed", "could not decode to utf-8")
_NOT_WRITABLE = ("unable to open", "readonly", "permission denied")


@contextlib.contextmanager
def translated(what: str) -> Iterator[None]:
    """Database errors as this package's: `Unavailable` (try again), `Damaged`, `NotFound`."""
    import sqlalchemy.exc
    from pysqlite3 import dbapi2

    try:
        yield
    except LedgerError:
        raise
    except (dbapi2.Error, sqlalchemy.exc.DBAPIError, sqlalchemy.exc.TimeoutError, OSError) as error:
        raise _translate(error, what) from error
    except Exception as error:
        if type(error).__module__.startswith("psycopg"):
            raise _translate(error, what) from error
        raise


def _translate(error: BaseException, what: str) -> LedgerError:
    original = getattr(error, "orig", None) or error
    text = str(original).strip().splitlines()[0] if str(original).strip() else repr(original)
    lowered = text.lower()
    if "not a database" in lowered:
        return NotADatabase(f"{what}: {text}; name a ledger, or restore a backup of it")
    if any(word in lowered for word in _DAMAGED):
        return Damaged(f"{what}: {text}; run `runledger verify`, or restore a backup")
    if any(word in lowered for word in _BUSY):
        return Unavailable(f"{what}: the ledger is busy ({text}); try again")
    if any(word in lowered for word in _FULL_OR_BROKEN):
        return Unavailable(
            f"{what}: {text}; make room or repair the disk, then try again: "
            "the same events are stored only once"
        )
    if type(original).__module__.startswith("psycopg"):
        return _translate_postgres(original, what, text)
    if isinstance(error, OSError) or any(word in lowered for word in _NOT_WRITABLE):
        return Unavailable(f"{what}: {text}; check that the file and its folder can be written")
    if type(error).__name__ == "TimeoutError":
        return Unavailable(f"{what}: all connections are in use; try again")
    return LedgerError(f"{what}: {text}")


def _translate_postgres(error: BaseException, what: str, text: str) -> LedgerError:
    import psycopg

    if isinstance(error, psycopg.OperationalError):
        # What fails while connecting has no class of its own.
        if 'database "' in str(error) and "does not exist" in str(error):
            return NotFound(f"{what}: {text}; create the database first (createdb)")
        if "authentication failed" in str(error) or 'role "' in str(error):
            return InvalidLocation(
                f"{what}: {text}; check user and password (PGPASSWORD, ~/.pgpass)"
            )
        return Unavailable(f"{what}: {text}; check the server and try again")
    if isinstance(
        error, (psycopg.errors.InsufficientPrivilege, psycopg.errors.ReadOnlySqlTransaction)
    ):
        return Unavailable(f"{what}: {text}; check that this user may write on this server")
    return LedgerError(f"{what}: {text}")
