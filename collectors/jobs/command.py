"""Run a command as if nobody watched it, and keep the end of what it says on stderr.

The command has our stdin and stdout, and its stderr is passed on as it comes.
What we are told to do, it is told to do. No shell is involved.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from types import FrameType

from collectors.jobs.ending import NOT_EXECUTABLE, NOT_FOUND, Ended

TAIL_BYTES = 192 * 1024
"""How much of stderr is kept."""

_PASSED_ON = tuple(
    getattr(signal, name)
    for name in ("SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2")
    if hasattr(signal, name)
)
_BY_KERNEL = 0x80
"""``si_code`` of a signal that no process sent, as by Ctrl-C: the terminal told the child too."""
_LOOK_EVERY_S = 0.5
_GRACE_S = 10.0
"""How long a command that was asked to end has before it is killed."""
_LINGER_S = 0.5
"""How long stderr may stay silent after the command has ended: others may hold it open for ever."""
_LONGEST_LINGER_S = 10.0


def run_command(
    argv: Sequence[str],
    *,
    tail_bytes: int = TAIL_BYTES,
    timeout_s: float | None = None,
    keep_stdout: bool = False,
) -> Ended:
    """Run it to its end. Raises nothing for what the command does, or is.

    After ``timeout_s`` it is asked to end, and killed where it does not. To be called
    in the main thread, as signals are handled while it runs.
    """
    began = time.monotonic()
    with _Orders(timeout_s) as orders:
        try:
            child = subprocess.Popen(
                list(argv), stdout=subprocess.PIPE if keep_stdout else None, stderr=subprocess.PIPE
            )
        except (OSError, ValueError) as error:
            found = not isinstance(error, FileNotFoundError | NotADirectoryError)
            return Ended(
                returncode=NOT_EXECUTABLE if found else NOT_FOUND,
                duration_s=time.monotonic() - began,
                not_started=f"{argv[0]}: {getattr(error, 'strerror', None) or error}",
            )
        streams = [(child.stderr, 2)] + ([(child.stdout, 1)] if keep_stdout else [])
        tails = [
            _Tail(stream.fileno(), tail_bytes, to) for stream, to in streams if stream is not None
        ]

        def begin() -> None:
            for tail in tails:
                tail.start()

        orders.pass_to(child, begin)
        for tail, (stream, _) in zip(tails, streams, strict=True):
            tail.stop()
            assert stream is not None
            stream.close()
    return Ended(
        returncode=child.returncode,
        duration_s=time.monotonic() - began,
        stderr=tails[0].kept,
        left_out=tails[0].left_out,
        orders=tuple(orders.seen),
        timed_out_s=timeout_s if orders.timed_out else None,
        stdout=tails[1].kept if keep_stdout else b"",
    )


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Signals that would end this process wait until the end of the block."""
    ending = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ending)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Orders:
    """Signals for us, passed on to the child. One that was ignored stays ignored, for both."""

    def __init__(self, timeout_s: float | None = None) -> None:
        self.seen: list[int] = []
        self.timed_out = False
        self._timeout_s = timeout_s
        self._child: subprocess.Popen[bytes] | None = None
        self._waiting: list[int] = []
        self._before: dict[int, object] = {}

    def __enter__(self) -> _Orders:
        for number in _PASSED_ON:
            if signal.getsignal(number) not in (signal.SIG_IGN, None):
                self._before[number] = signal.signal(number, self._take)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def pass_to(self, child: subprocess.Popen[bytes], begin: Callable[[], None]) -> None:
        """Wait for the child's end, passing on what comes; ``begin`` is called first."""
        self._child = child
        for number in self._waiting:
            self._send(number)
        with self._blocked() as wanted:
            begin()
            ends = None if self._timeout_s is None else time.monotonic() + self._timeout_s
            while child.poll() is None:
                if ends is not None and time.monotonic() >= ends:
                    ends = self._end(child)
                if not hasattr(signal, "sigtimedwait"):
                    time.sleep(0.02)
                    continue
                left_s = _LOOK_EVERY_S if ends is None else max(0.0, ends - time.monotonic())
                told = signal.sigtimedwait(wanted, min(_LOOK_EVERY_S, left_s))
                if told is None or told.si_signo == signal.SIGCHLD:
                    continue
                if told.si_code == _BY_KERNEL:
                    self.seen.append(told.si_signo)
                else:
                    self._send(told.si_signo)

    def _end(self, child: subprocess.Popen[bytes]) -> float:
        """Ask a command to end whose time is over, the second time without asking."""
        with contextlib.suppress(OSError):
            child.send_signal(signal.SIGKILL if self.timed_out else signal.SIGTERM)
        self.timed_out = True
        return time.monotonic() + _GRACE_S

    @contextlib.contextmanager
    def _blocked(self) -> Iterator[set[signal.Signals]]:
        """Signals are waited for rather than handled: that tells where they come from."""
        wanted = {signal.Signals(number) for number in self._before} | {signal.SIGCHLD}
        if not hasattr(signal, "sigtimedwait"):
            yield wanted
            return
        before = signal.pthread_sigmask(signal.SIG_BLOCK, wanted)
        try:
            yield wanted
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def _take(self, number: int, _frame: FrameType | None) -> None:
        if self._child is None:
            self._waiting.append(number)
        else:
            self._send(number)

    def _send(self, number: int) -> None:
        self.seen.append(number)
        if self._child is not None:
            with contextlib.suppress(OSError):
                self._child.send_signal(number)


class _Lines:
    """Finished lines of a stream, without what was written over within a line.

    A progress bar writes over its line thousands of times: none of that may
    push the one line out that tells why the command failed.
    """

    def __init__(self, longest: int) -> None:
        self.unfinished = b""
        self._longest = longest

    def take(self, data: bytes) -> bytes:
        """The lines that ``data`` finishes; of the unfinished one the newest text is kept."""
        *lines, last = (self.unfinished + data).split(b"\n")
        self.unfinished = _newest(last)[-self._longest :]
        return b"".join(_newest(line.rstrip(b"\r")) + b"\n" for line in lines)


def _newest(line: bytes) -> bytes:
    """What a terminal shows of a line; a carriage return at its end has nothing after it yet."""
    body, end = (line[:-1], line[-1:]) if line.endswith(b"\r") else (line, b"")
    return body.rpartition(b"\r")[2] + end


class _Tail:
    """Passes a stream on to one of ours, and keeps its end."""

    def __init__(self, source: int, limit: int, to: int = 2) -> None:
        self._to = to
        self.left_out = 0
        self._source = source
        self._limit = limit
        self._chunks: deque[bytes] = deque()
        self._held = 0
        self._lines = _Lines(limit)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._pump, name="runledger-stderr", daemon=True)

    @property
    def kept(self) -> bytes:
        return b"".join((*self._chunks, self._lines.unfinished))

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Read what is there still, and end."""
        self._stopping.set()
        self._thread.join()

    def _pump(self) -> None:
        heard = True
        ends = None
        while ends is None or time.monotonic() < ends:
            if ends is None and self._stopping.is_set():
                ends = time.monotonic() + _LONGEST_LINGER_S
            pause_s = 0.1 if ends is None else _LINGER_S
            if not select.select([self._source], [], [], pause_s)[0]:
                if ends is not None:
                    return
                continue
            data = os.read(self._source, 65536)
            if not data:
                return
            self._keep(data)
            heard = heard and _passed_on(data, self._to)

    def _keep(self, data: bytes) -> None:
        data = self._lines.take(data)
        if not data:
            return
        self._chunks.append(data)
        self._held += len(data)
        while self._held - len(self._chunks[0]) >= self._limit:
            gone = self._chunks.popleft()
            self._held -= len(gone)
            self.left_out += len(gone)


def _passed_on(data: bytes, to: int) -> bool:
    """Write all of it to our stderr or stdout; False once nobody reads that."""
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(to, view) :]
        except BlockingIOError:
            select.select([], [to], [])
        except OSError:
            return False
    return True
