"""What a forked child must not share with its parent: connections, and locks of other threads."""

from __future__ import annotations

import contextlib
import os
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from sqlalchemy import Engine

_T = TypeVar("_T")


def after_fork(owner: _T, action: Callable[[_T], None]) -> None:
    """Have ``action(owner)`` run in forked children, for as long as ``owner`` lives."""
    reference = weakref.ref(owner)

    def run() -> None:
        living = reference()
        if living is not None:
            action(living)

    os.register_at_fork(after_in_child=run)


class Turn:
    """One thread at a time; a forked child begins with a turn that nobody holds.

    The thread that held its parent's is not in it.
    """

    def __init__(self) -> None:
        self._renew()
        after_fork(self, Turn._renew)

    def _renew(self) -> None:
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def taken(self) -> Iterator[None]:
        """Wait for the turn, and have it while the context is open."""
        with self._lock:
            yield


def forget_connections(engine: Engine) -> None:
    """Have forked children neither use nor close their parent's connections."""
    kept: list[Any] = []  # never closed: not even by being collected

    def forget(engine: Engine) -> None:
        kept.append(engine.pool)
        with contextlib.suppress(Exception):
            engine.dispose(close=False)

    after_fork(engine, forget)
