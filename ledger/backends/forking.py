"""What a forked child must not share with its parent: connections, and locks of other threads."""

from __future__ import annotations

import contextlib
import os
import weakref
from collections.abc import Callable
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


def forget_connections(engine: Engine) -> None:
    """Have forked children neither use nor close their parent's connections."""
    kept: list[Any] = []  # never closed: not even by being collected

    def forget(engine: Engine) -> None:
        kept.append(engine.pool)
        with contextlib.suppress(Exception):
            engine.dispose(close=False)

    after_fork(engine, forget)
