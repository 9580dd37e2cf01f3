"""Work that may block, in a daemon thread of its own, away from the event loop.

A name server, a program named in the user's SSH configuration or a file that
never answers then holds up neither the other nodes (asyncio's few shared
threads would) nor the end of the program. Sets no time limit: the caller
does, and whatever programs the thread had started are ended with it.
"""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


async def off_loop(work: Callable[[], T]) -> T:
    """What ``work`` returns or raises; cancelled, it is left behind and its programs are killed."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[T] = loop.create_future()

    def tell(settle: Callable[[], None]) -> None:
        if not answer.done():
            settle()

    def run() -> None:
        try:
            found = work()
        except Exception as error:  # handed to the waiting coroutine
            problem = error
            settle = lambda: answer.set_exception(problem)  # noqa: E731
        else:
            settle = lambda: answer.set_result(found)  # noqa: E731
        try:
            loop.call_soon_threadsafe(tell, settle)
        except RuntimeError:
            return  # the loop has closed meanwhile: nobody waits any more

    thread = threading.Thread(target=run, name="runledger-reach", daemon=True)
    thread.start()
    try:
        return await answer
    finally:
        if thread.is_alive() and thread.native_id is not None:
            for pid in list(_started_by(Path(f"/proc/self/task/{thread.native_id}"))):
                _kill(pid)


def _started_by(task: Path) -> Iterator[int]:
    """The children of one thread and theirs, innermost first; none where no list is kept."""
    try:
        children = [int(pid) for pid in (task / "children").read_text().split()]
    except OSError:
        return
    for pid in children:
        for inner in Path(f"/proc/{pid}/task").glob("*"):
            yield from _started_by(inner)
        yield pid


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return
