"""Progress on stderr, and only on a terminal."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def progress(what: str, every_s: float = 0.2) -> Iterator[Callable[[int], None]]:
    """Yields a function to call with a count as work goes on."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    shown = time.monotonic()
    wrote = False

    def advance(count: int) -> None:
        nonlocal shown, wrote
        now = time.monotonic()
        if now - shown >= every_s:
            shown, wrote = now, True
            sys.stderr.write(f"\r{what}: {count:,}\x1b[K")
            sys.stderr.flush()

    try:
        yield advance
    finally:
        if wrote:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
