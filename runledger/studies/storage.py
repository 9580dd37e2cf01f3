"""Existing Optuna storages, opened so that nothing in them changes.

A file (SQLite or Optuna's journal) is copied first and the copy is read, and
brought up to date there where an older Optuna wrote it. A database server is
read in sessions that it holds to reading itself. What is no storage is
refused with words that say what it is.
"""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runledger.studies import snapshot
from runledger.studies.errors import BusyStorage, MissingStorage, UnusableStorage

if TYPE_CHECKING:
    from optuna.storages import BaseStorage

COPY_WAIT_S = 15.0
"""How long a writer may keep us from copying its file."""

_UPGRADE = """
import sys
from optuna.storages import RDBStorage
RDBStorage(sys.argv[1], skip_compatibility_check=True, skip_table_creation=True).upgrade()
"""
_TABLES = frozenset({"studies", "trials", "version_info"})
_NO_STORAGE = "is no Optuna storage"
_IN_MEMORY = "a storage in memory ends with its program: nothing can be read"


@contextmanager
def opened(location: str) -> Iterator[tuple[BaseStorage, bool]]:
    """The storage at a path or URL, and whether its times are naive in the writer's zone.

    (A journal keeps UTC; Optuna gives its times naive in this process's zone.)
    Raises `UnusableStorage`, `MissingStorage` or `BusyStorage`.
    """
    path = _path_of(location)
    if path is None:
        server = _server_storage(location)
        try:
            yield server, True
        finally:
            server.engine.dispose()
        return
    _check_file(path)
    with tempfile.TemporaryDirectory(prefix="runledger-optuna-") as folder:
        copied = Path(folder, "storage")
        _copy(path, copied)
        with copied.open("rb") as file:
            start = file.readline(1 << 20)
        if start.startswith(snapshot.MAGIC):
            storage = _sqlite_storage(copied, path)
            try:
                yield storage, True
            finally:
                storage.engine.dispose()
        elif _is_journal(start):
            yield _journal_storage(copied, path), False
        else:
            raise UnusableStorage(f"{path} {_NO_STORAGE}: {_what_else(path)}")


def _path_of(location: str) -> Path | None:
    """The file that a path or SQLite URL names, None for a server's URL."""
    from urllib.parse import unquote, urlsplit

    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    if location == ":memory:":
        raise UnusableStorage(_IN_MEMORY)
    if "://" not in location or Path(location).exists():
        return Path(location).expanduser()
    try:
        url = make_url(location)
    except (ArgumentError, ValueError):
        raise UnusableStorage(
            "the storage's URL cannot be read", remedy="write dialect://…"
        ) from None
    if url.get_backend_name() != "sqlite":
        return None
    database = url.database or ""
    if database.startswith("file:"):
        database = unquote(urlsplit(database).path)
    if not database or database == ":memory:":
        raise UnusableStorage(_IN_MEMORY)
    return Path(database)


def _check_file(path: Path) -> None:
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise MissingStorage(f"no such file: {path}") from None
    except (OSError, ValueError) as error:
        raise UnusableStorage(f"{path} cannot be read: {error}") from None
    if not stat.S_ISREG(status.st_mode):
        kind = "a folder" if stat.S_ISDIR(status.st_mode) else "no regular file"
        raise UnusableStorage(f"{path} {_NO_STORAGE}: it is {kind}")
    if status.st_size == 0:
        raise UnusableStorage(f"{path} is an empty file: no study was ever written to it")


def _copy(path: Path, copied: Path) -> None:
    # A journal lies beside the file itself, not beside a link to it.
    arguments = [os.path.realpath(path), str(copied), str(COPY_WAIT_S)]
    done = subprocess.run(
        [sys.executable, "-I", snapshot.__file__, *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    if done.returncode == snapshot.BUSY:
        raise BusyStorage(f"{path} is being written to without a pause", remedy="try again later")
    if done.returncode:
        reason = done.stderr.decode(errors="replace").strip().splitlines()
        raise UnusableStorage(f"{path} cannot be copied: {reason[-1] if reason else 'no reason'}")


def _what_else(path: Path) -> str:
    """What a file is that is neither an SQLite database nor an Optuna journal."""
    for suffix in ("-journal", "-wal", "-shm"):
        owner = path.with_name(path.name.removesuffix(suffix))
        if path.name.endswith(suffix) and owner.is_file():
            return f"it belongs to {owner}, which is read with it: name that one"
    return "neither SQLite nor an Optuna journal"


def _is_journal(line: bytes) -> bool:
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return isinstance(entry, dict) and "op_code" in entry


def _journal_storage(copied: Path, path: Path) -> BaseStorage:
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    try:
        return JournalStorage(JournalFileBackend(str(copied)))
    except Exception as error:  # whatever a damaged journal makes Optuna raise
        raise UnusableStorage(f"{path} is a damaged Optuna journal: {_words(error)}") from error


def _sqlite_storage(copied: Path, path: Path) -> Any:
    """The copy as Optuna reads it: a hot journal undone, the schema brought up to date."""
    import sqlite3
    from contextlib import closing

    try:
        with closing(sqlite3.connect(copied)) as connection:
            rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            tables = {str(name) for (name,) in rows}
            damage = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.DatabaseError as error:
        raise UnusableStorage(f"{path} is a damaged SQLite file: {error}") from error
    if damage != "ok":
        raise UnusableStorage(f"{path} is a damaged SQLite file: {damage}")
    _check_tables(tables, str(path))
    return _rdb_storage(f"sqlite:///{copied}", str(path), {}, upgrade=True)


def _server_storage(location: str) -> Any:
    from sqlalchemy import create_engine, inspect
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import NoSuchModuleError, SQLAlchemyError

    url = make_url(location.replace("postgres://", "postgresql://", 1))
    shown = url.render_as_string(hide_password=True)
    options: dict[str, Any] = {}
    if url.get_backend_name() == "postgresql":
        if url.drivername == "postgresql":
            url = url.set(drivername="postgresql+psycopg")
        # The caller's own options stay as they are; what is ours is set once connected.
        options["pool_events"] = [(_hold_to_reading, "connect")]
        if "connect_timeout" not in url.query:
            options["connect_args"] = {"connect_timeout": 10}
    try:
        engine = create_engine(url, **options)
        tables = set(inspect(engine).get_table_names())
        engine.dispose()
    except (ImportError, NoSuchModuleError) as error:
        raise UnusableStorage(
            f"{shown} needs a database driver that is not installed ({_words(error)})",
            remedy="for PostgreSQL: pip install 'runledger[postgres]'",
        ) from error
    except SQLAlchemyError as error:
        raise UnusableStorage(f"{shown} cannot be opened: {_words(error)}") from error
    _check_tables(tables, shown)
    full = url.render_as_string(hide_password=False)
    return _rdb_storage(full, shown, options, upgrade=False)


def _hold_to_reading(connection: Any, _record: Any) -> None:
    """Have every transaction of a driver's connection begin as a reading one."""
    if hasattr(connection, "read_only"):  # psycopg
        connection.read_only = True
        connection.prepare_threshold = None  # a pooler would leave them to others
    elif hasattr(connection, "set_session"):  # psycopg2
        connection.set_session(readonly=True)
    else:
        cursor = connection.cursor()
        cursor.execute("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY")
        cursor.close()
        connection.commit()


def _check_tables(tables: set[str], shown: str) -> None:
    if not tables:
        raise UnusableStorage(f"{shown} {_NO_STORAGE}: the database is empty")
    missing = sorted(_TABLES - tables)
    if missing:
        raise UnusableStorage(
            f"{shown} {_NO_STORAGE}: the database has no table {missing[0]!r} "
            f"(it has {', '.join(sorted(tables)[:5])}…)"
        )


def _rdb_storage(url: str, shown: str, options: dict[str, Any], *, upgrade: bool) -> Any:
    from optuna.storages import RDBStorage
    from sqlalchemy.exc import SQLAlchemyError

    try:
        storage = RDBStorage(
            url, engine_kwargs=options, skip_compatibility_check=True, skip_table_creation=True
        )
        current, (head, known) = storage.get_current_version(), _versions(storage)
        if current not in known:
            raise UnusableStorage(
                f"{shown} was written by a newer Optuna (schema {current}, known up to {head}): "
                "pip install -U optuna"
            )
        if current != head:
            if not upgrade:
                raise UnusableStorage(
                    f"{shown} was written by an older Optuna (schema {current}): "
                    "run `optuna storage upgrade --storage URL` on it first"
                )
            _upgrade(url, shown)
    except UnusableStorage:
        raise
    except (SQLAlchemyError, RuntimeError, AssertionError, KeyError, ValueError) as error:
        raise UnusableStorage(f"{shown} cannot be read by Optuna: {_words(error)}") from error
    return storage


_known_versions: list[tuple[str, frozenset[str]]] = []


def _versions(storage: Any) -> tuple[str, frozenset[str]]:
    """The newest schema that this Optuna knows, and all of them: it reads its files for each."""
    if not _known_versions:
        _known_versions.append((storage.get_head_version(), frozenset(storage.get_all_versions())))
    return _known_versions[0]


def _upgrade(url: str, shown: str) -> None:
    """Bring the copy up to date, in a process of its own.

    Optuna's migrations set up logging for the whole process they run in, and
    disable every logger that is there.
    """
    done = subprocess.run(
        [sys.executable, "-I", "-W", "ignore", "-c", _UPGRADE, url],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    if done.returncode:
        reason = done.stderr.decode(errors="replace").strip().splitlines()
        raise UnusableStorage(
            f"{shown} cannot be read by Optuna: {reason[-1] if reason else 'no reason'}"
        )


def _words(error: Exception) -> str:
    """An error's own first line, without the statement that SQLAlchemy adds."""
    original = getattr(error, "orig", None) or error
    lines = str(original).strip().splitlines()
    return lines[0] if lines else type(original).__name__
