"""How a command ended, in words that name the cause. No I/O."""

from __future__ import annotations

import shlex
import signal
from collections.abc import Sequence
from dataclasses import dataclass, field

from collectors.jobs.redact import redact_words
from collectors.jobs.stderr import cleaned, last_lines, last_python_error

NOT_FOUND = 127
NOT_EXECUTABLE = 126

# By somebody's order; what is on stderr then is the talk of before.
_ORDERS = frozenset({signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT})
_WORDS = {NOT_FOUND: "command not found", NOT_EXECUTABLE: "cannot be executed"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """One run of a command.

    ``returncode`` as `subprocess` has it: negative for a signal. ``stderr`` is
    the end of what it said there, of which ``left_out`` bytes are missing in
    front. ``orders`` are the signals that it was sent through us, or by the
    terminal. ``not_started`` says why it never ran.
    """

    returncode: int
    duration_s: float
    stderr: bytes = b""
    left_out: int = 0
    orders: tuple[int, ...] = field(default=())
    not_started: str | None = None

    @property
    def exit_code(self) -> int:
        """What a shell would say: 128 + n for signal n."""
        return self.returncode if self.returncode >= 0 else 128 - self.returncode

    @property
    def ok(self) -> bool:
        """Whether it ended well."""
        return self.returncode == 0


def told(ended: Ended, argv: Sequence[str], secrets: Sequence[str] = ()) -> tuple[str, str, str]:
    """Exception, message and traceback of a command that failed, not yet redacted.

    The exception is that of the last Python traceback on stderr where there is
    one, else the signal or the exit code. A command that was killed by somebody's
    order says so, whatever it had logged before.
    """
    command = shlex.join(redact_words(argv, secrets))
    if ended.not_started is not None:
        message = f"{_WORDS.get(ended.returncode, 'not started')}: {ended.not_started}"
        return f"ExitCode {ended.returncode}", message, f"$ {command}\n{message}\n"
    text = cleaned(ended.stderr)
    if ended.left_out:
        # The first line is half a line, and may be half a secret.
        text = f"[… {ended.left_out} bytes left out …]\n{text.partition(chr(10))[2]}"
    exception, message = _named(ended, text)
    return exception, message, f"$ {command}\n{text}"


def _named(ended: Ended, text: str) -> tuple[str, str]:
    by_signal = -ended.returncode if ended.returncode < 0 else 0
    ending = _ending(ended)
    if by_signal in _ORDERS:
        return signal_name(by_signal), ending
    error = last_python_error(text)
    if error is not None:
        exception, message = error
        return exception, message if ended.returncode == 1 else f"{message} ({ending})".strip()
    exception = signal_name(by_signal) if by_signal else f"ExitCode {ended.returncode}"
    said = last_lines(text)
    return exception, f"{ending}: {said}" if said else f"{ending}, and nothing on stderr"


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
