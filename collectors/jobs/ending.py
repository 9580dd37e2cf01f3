"""How a command ended, in words that name the cause. No I/O."""

from __future__ import annotations

import shlex
import signal
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from collectors.jobs.result import Failure
from collectors.jobs.stderr import cleaned, last_lines, last_python_error
from ledger.text.secrets import redact_words

NOT_FOUND = 127
NOT_EXECUTABLE = 126
TIMED_OUT = 124

# By somebody's order; what is on stderr then is the talk of before.
_ORDERS = frozenset({signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT})
_WORDS = {NOT_FOUND: "command not found", NOT_EXECUTABLE: "cannot be executed"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """One run of a command.

    ``returncode`` as `subprocess` has it: negative for a signal. ``stderr`` is
    the end of what it said there, of which ``left_out`` bytes are missing in
    front. ``orders`` are the signals that it was sent through us, or by the
    terminal. ``not_started`` says why it never ran, ``timed_out_s`` after how long we
    ended it. ``stdout`` is its end where it was asked for. ``failure`` is what its own
    result says.
    """

    returncode: int
    duration_s: float
    stderr: bytes = b""
    left_out: int = 0
    orders: tuple[int, ...] = field(default=())
    not_started: str | None = None
    timed_out_s: float | None = None
    stdout: bytes = b""
    failure: Failure | None = None

    @property
    def exit_code(self) -> int:
        """What a shell would say: 128 + n for signal n, 124 for a timeout.

        1 where the command itself found nothing wrong with a result that says it failed.
        """
        if self.timed_out_s is not None:
            return TIMED_OUT
        if self.returncode == 0 and self.failure is not None:
            return 1
        return self.returncode if self.returncode >= 0 else 128 - self.returncode

    @property
    def may_be_tried_again(self) -> bool:
        """Whether it failed by itself: nobody ordered its end, and it could begin."""
        ordered = _ORDERS.intersection(self.orders)
        return not (self.ok or ordered or self.not_started is not None)

    @property
    def ok(self) -> bool:
        """Whether it ended well."""
        return self.returncode == 0 and self.timed_out_s is None and self.failure is None


class Told(NamedTuple):
    """A failed command in words, not yet redacted; ``is_python``: by its own traceback."""

    exception: str
    message: str
    traceback: str
    is_python: bool


def told(ended: Ended, argv: Sequence[str], secrets: Sequence[str] = ()) -> Told:
    """What to say of a command that failed.

    The exception is that of the last Python traceback on stderr where there is
    one, else the signal or the exit code. A command that was killed by somebody's
    order says so, whatever it had logged before. Of the command line itself
    ``secrets`` and what follows options such as ``--token`` are left out here.
    """
    command = shlex.join(redact_words(argv, secrets))
    if ended.not_started is not None:
        message = f"{_WORDS.get(ended.returncode, 'not started')}: {ended.not_started}"
        return Told(f"ExitCode {ended.returncode}", message, f"$ {command}\n{message}\n", False)
    text = cleaned(ended.stderr)
    if ended.left_out:
        # The first line is half a line, and may be half a secret.
        text = f"[… {ended.left_out} bytes left out …]\n{text.partition(chr(10))[2]}"
    return _named(ended, text, f"$ {command}\n{text}")


def _named(ended: Ended, text: str, traceback: str) -> Told:
    if ended.timed_out_s is not None:
        return Told("Timeout", f"no end after {ended.timed_out_s:g} s", traceback, False)
    if ended.failure is not None and (ended.returncode == 0 or not text.strip()):
        return _by_result(ended.failure, traceback)
    by_signal = -ended.returncode if ended.returncode < 0 else 0
    ending = _ending(ended)
    if by_signal in _ORDERS:
        return Told(signal_name(by_signal), ending, traceback, False)
    error = last_python_error(text)
    if error is not None:
        exception, message = error
        message = message if ended.returncode == 1 else f"{message} ({ending})".strip()
        return Told(exception, message, traceback, True)
    exception = signal_name(by_signal) if by_signal else f"ExitCode {ended.returncode}"
    said = last_lines(text)
    message = f"{ending}: {said}" if said else f"{ending}, and nothing on stderr"
    return Told(exception, message, traceback, False)


def _by_result(failure: Failure, traceback: str) -> Told:
    """In the words of the job's own result; by its traceback, where it holds one."""
    whole = f"{traceback}\n{failure.traceback}" if failure.traceback else traceback
    error = last_python_error(failure.traceback)
    if error is not None:
        return Told(*error, whole, True)
    return Told(failure.kind, failure.message, whole, False)


def _ending(ended: Ended) -> str:
    code = ended.returncode
    if code < 0:
        text = f"ended by signal {-code} ({signal_name(-code)})"
    else:
        text = f"exit code {code}"
        if code > 128 and (name := signal_name(code - 128)).startswith("SIG"):
            text += f" ({name})"
        elif code in _WORDS:
            text += f" ({_WORDS[code]})"
    orders = [signal_name(order) for order in ended.orders if order != -code]
    return f"{text} after {', '.join(orders)}" if orders else text


def signal_name(number: int) -> str:
    """``SIGKILL`` for 9; ``signal 99`` for what has no name."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
