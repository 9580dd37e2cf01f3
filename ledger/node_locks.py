"""One at a time: processes that ask the same node at once cost it one probe.

A lock ends with the process that holds it, however that ends. Where there can
be none (a file system without locks), everyone goes on without.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import threading
from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

from ledger.translation import translated


class NodeLocks(ABC):
    """Locks by node name, shared by all who use one ledger."""

    @abstractmethod
    def take(self, name: str) -> bool:
        """Take a lock, without waiting; False where another has it."""

    @abstractmethod
    def give_back(self, name: str) -> None:
        """End a lock that was taken."""

    @abstractmethod
    def close(self) -> None:
        """End all locks."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class FileLocks(NodeLocks):
    """A locked file a node, in a folder. The files stay: removing one would race with its lock."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held: dict[str, int | None] = {}

    def take(self, name: str) -> bool:
        """Take a lock, without waiting."""
        try:
            self._folder.mkdir(exist_ok=True)
            path = self._folder / f"{quote(name, safe='')[:200]}.lock"
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError:
            self._held[name] = None
            return True
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            return False
        except OSError:
            os.close(file)
            self._held[name] = None
            return True
        self._held[name] = file
        return True

    def give_back(self, name: str) -> None:
        """End a lock."""
        file = self._held.pop(name, None)
        if file is not None:
            os.close(file)

    def close(self) -> None:
        """End all locks."""
        for name in list(self._held):
            self.give_back(name)


class ServerLocks(NodeLocks):
    """Advisory locks of a PostgreSQL server, for machines that share a ledger.

    They belong to one transaction, and all end with it once the last is given
    back: a lock of a session would stay behind in a pooler's hands, which gives
    the session to the next client.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._connection: Connection | None = None
        self._lock = threading.Lock()
        self._held: set[str] = set()

    def take(self, name: str) -> bool:
        """Take a lock, without waiting."""
        with self._lock, translated("locking a node"):
            if self._connection is None:
                self._connection = self._engine.connect()
                # It may be idle for as long as a node takes to answer.
                self._connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
            found = self._connection.execute(
                text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": _key(name)}
            ).scalar()
            if found:
                self._held.add(name)
            return bool(found)

    def give_back(self, name: str) -> None:
        """End a lock, at the latest when the others that were taken with it are given back."""
        with self._lock:
            self._held.discard(name)
            if not self._held:
                self._end()

    def close(self) -> None:
        """End all locks."""
        with self._lock:
            self._held.clear()
            self._end()

    def _end(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            # Where the connection is lost, so are the locks.
            with contextlib.suppress(SQLAlchemyError):
                connection.close()


def _key(name: str) -> int:
    digest = hashlib.sha256(f"runledger probe {name}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)
