"""A ledger in a SQLite file, with the settings that durability needs.

The driver is `pysqlite3`, which carries a current SQLite whatever the system
has. It is in autocommit mode: transactions are ours.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, create_engine, text
from sqlalchemy.engine import URL
from sqlalchemy.pool import NullPool, QueuePool, StaticPool

from ledger.backends.forking import forget_connections
from ledger.backends.protocol import BUSY_TIMEOUT_S, Backend
from ledger.errors import InvalidLocation, NotFound
from ledger.new_files import linked, remove_database
from ledger.node_locks import FileLocks
from ledger.rows import Row

_ROWS_AT_A_TIME = 100
_NAMED_AT_MOST = 3
_NO_ROOM = (10, 13, 14)
"""I/O error, full, cannot open: SQLite's codes for a disk too full to be read as usual."""


class Sqlite(Backend):
    """A SQLite file."""

    name = "sqlite"
    mark = "?"
    begin = "BEGIN IMMEDIATE"

    def __init__(self, url: URL, *, create: bool, readonly: bool) -> None:
        self._path = path = Path(str(url.database))
        if not path.exists():
            if not create:
                raise NotFound(
                    f"no ledger at {path.absolute()}",
                    remedy="name the one you mean with --ledger, or make one with "
                    "`runledger init` (with a runledger.toml: `runledger upgrade`)",
                )
            _check_folder(path)
        elif path.is_dir():
            raise InvalidLocation(f"{path} is a folder", remedy="name the ledger's file")
        elif not path.is_file() or path.is_relative_to("/proc"):
            raise InvalidLocation(f"{path} is no ordinary file", remedy="name the ledger's file")
        elif path.stat().st_size == 0:
            raise NotFound(
                f"no ledger at {path.absolute()}, only an empty file",
                remedy="restore a backup, or remove it and run `runledger init`",
            )

        def open_to_write() -> Any:
            connection = _opened(path, "mode=rwc" if create else "mode=rw")
            # Before journal_mode: the first WAL header must already be synced this way.
            connection.execute("PRAGMA synchronous = EXTRA")
            if _may_change(connection, create=create):
                connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA recursive_triggers = ON")
            connection.execute("PRAGMA trusted_schema = OFF")
            return connection

        def open_to_read() -> Any:
            from pysqlite3 import dbapi2

            # Readers and writers agree by files beside the ledger. Who may not write
            # cannot make them, or would leave them in the owner's way. Where there
            # are none there is no writer, and the file alone is the whole ledger.
            alone = not _may_write(path) and not _in_use(path)
            connection = _opened(path, "mode=ro&immutable=1" if alone else "mode=rw")
            try:
                connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone()
            except dbapi2.OperationalError as error:
                connection.close()
                if error.sqlite_errorcode & 0xFF not in _NO_ROOM:
                    raise
                # No room for those files: an exclusive reader does without them, and nobody
                # who writes is there, or they would be there too.
                connection = _opened(path, "mode=rw")
                connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            connection.execute("PRAGMA trusted_schema = OFF")
            connection.execute("PRAGMA query_only = ON")
            return connection

        # The pool is named because SQLAlchemy would take a URL without a file for an
        # in-memory database and close the connections of other threads. Readers
        # open afresh each time: what held for read-only media may not hold later.
        if readonly:
            self.engine = _engine(url, open_to_read, poolclass=NullPool)
        else:
            self.engine = _engine(url, open_to_write, poolclass=QueuePool, max_overflow=-1)
        forget_connections(self.engine)

    @staticmethod
    def make(url: URL, fill: Callable[[Backend], None]) -> None:
        """Fill a file under another name, bring it to the disk once, and give it its name."""
        path = Path(str(url.database))
        if path.exists() or path.is_symlink():
            return
        _check_folder(path)
        part = path.with_name(f".{path.name}.part-{os.getpid()}-{threading.get_ident()}")
        remove_database(part)
        try:
            fill(_Unseen(url.set(database=str(part)), part))
            with contextlib.suppress(FileExistsError):  # someone else was quicker
                # Without links it is made in place: a rename could take another's name.
                linked(part, path)
        finally:
            remove_database(part)

    def commit(self, connection: Any) -> None:
        """The transaction is ours, and so is its end."""
        connection.cursor().execute("COMMIT")

    def insert(self, cursor: Any, rows: Sequence[Row]) -> None:
        """Many rows to a statement: SQLite keeps what it needs to undo each one."""
        one = f"({', '.join('?' * len(Row._fields))})"
        for start in range(0, len(rows), _ROWS_AT_A_TIME):
            part = rows[start : start + _ROWS_AT_A_TIME]
            cursor.execute(
                f"INSERT INTO events ({', '.join(Row._fields)}) "
                f"VALUES {', '.join([one] * len(part))}",
                tuple(chain.from_iterable(part)),
            )

    @contextlib.contextmanager
    def migrating(self) -> Iterator[Connection]:
        """The file's one write lock."""
        with self.engine.connect() as connection:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.exec_driver_sql("COMMIT")
            except BaseException:
                connection.invalidate()
                raise

    def in_the_way(self, tables: set[str]) -> set[str]:
        """All of them: a file is one program's."""
        return tables

    def definitions(self, connection: Connection) -> dict[str, str]:
        """The statements that made it, blanks aside in those that SQLAlchemy wrote."""
        return _definitions(connection)

    def fresh_definitions(self, make: Callable[[Connection], None]) -> dict[str, str]:
        """In memory, and once in a process: they are always the same."""
        return _made_in_memory(make)

    def not_writable(self) -> str:
        """A file is writable for those whom its mode lets: that is for each to find out."""
        return ""

    def broken_parts(self) -> list[str]:
        """What SQLite finds wrong with its file, indexes included."""
        with self.engine.connect() as connection:
            check = text(f"PRAGMA integrity_check({_NAMED_AT_MOST})")
            return [line for line in connection.execute(check).scalars() if line != "ok"]

    def node_locks(self) -> FileLocks:
        """Files beside the ledger."""
        return FileLocks(Path(f"{self._path}-probing"))

    def size_bytes(self) -> int:
        """The file and its write-ahead log."""
        files = (self._path, Path(f"{self._path}-wal"))
        return sum(file.stat().st_size for file in files if file.exists())

    def copy(self, part: Path) -> bool:
        """Its mode too: what only its owner may read stays so."""
        # Nobody else's file, and for nobody else's eyes before it has its mode.
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
        with (
            contextlib.closing(_opened(part, "mode=rw")) as target,
            contextlib.closing(self.engine.raw_connection()) as source,
        ):
            # In one step: writers then cannot make it start over.
            source.driver_connection.backup(target, pages=-1)
            # A copy has no writers: all of it in the one file.
            target.execute("PRAGMA journal_mode = DELETE")
        shutil.copymode(self._path, part)
        return True


class _Unseen(Sqlite):
    """A file that is being filled under another name: nobody waits for it, no crash leaves it."""

    def __init__(self, url: URL, path: Path) -> None:
        def opened() -> Any:
            connection = _opened(path, "mode=rwc")
            connection.execute("PRAGMA synchronous = OFF")
            # From the start: a journal of its own would be one more file to make and remove.
            connection.execute("PRAGMA journal_mode = WAL")
            return connection

        self.engine = _engine(url, opened, poolclass=StaticPool)


def _engine(url: URL, creator: Callable[[], Any], **options: Any) -> Any:
    from pysqlite3 import dbapi2

    return create_engine(url, module=dbapi2, creator=creator, **options)


def _opened(path: Path, options: str) -> Any:
    from pysqlite3 import dbapi2

    return dbapi2.connect(
        f"{path.absolute().as_uri()}?{options}",
        uri=True,
        timeout=BUSY_TIMEOUT_S,
        isolation_level=None,
        check_same_thread=False,
    )


def _definitions(connection: Connection) -> dict[str, str]:
    query = "SELECT type, name, sql FROM sqlite_schema WHERE substr(name, 1, 7) <> 'sqlite_'"
    return {
        f"{kind} {name}": " ".join(sql.split()) if kind in ("table", "index") else sql
        for kind, name, sql in connection.execute(text(query))
    }


@cache
def _made_in_memory(make: Callable[[Connection], None]) -> dict[str, str]:
    engine = _engine(URL.create("sqlite"), _opened_in_memory, poolclass=StaticPool)
    try:
        with engine.connect() as connection:
            make(connection)
            return _definitions(connection)
    finally:
        engine.dispose()


def _opened_in_memory() -> Any:
    from pysqlite3 import dbapi2

    return dbapi2.connect(":memory:", isolation_level=None, check_same_thread=False)


def _check_folder(path: Path) -> None:
    if not path.parent.is_dir():
        raise NotFound(f"no folder {path.parent} to create the ledger in", remedy="make it first")


def _may_change(connection: Any, *, create: bool) -> bool:
    """Whether the file is a ledger, or may become one: another program's stays as it is."""
    names = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema")}
    return names >= {"events", "alembic_version"} if names else create


def _may_write(path: Path) -> bool:
    return os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)


def _in_use(path: Path) -> bool:
    """Whether someone has a SQLite file open, or left it without folding its log back."""
    log = Path(f"{path}-wal")
    return log.exists() and (log.stat().st_size > 0 or Path(f"{path}-shm").exists())
