"""Run a command under guard: its failure is stored before anything else happens."""

from __future__ import annotations

import itertools
import os
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from collectors.jobs import Ended, Reporter, describe, redact, run_command, told
from collectors.jobs.command import undisturbed
from collectors.jobs.result import Failure, failure_in, in_file

if TYPE_CHECKING:
    from tenacity import RetryCallState

_INTERPRETER = re.compile(r"(?:(?:ba|da|z)?sh|(?:python|pypy|perl|ruby|node)[0-9.]*)\Z")


class Attempts(NamedTuple):
    """How often a command is run: the number of its first attempt, and how many more.

    ``wait_s`` passes between two. ``will_retry``: the caller tries again after
    the last one.
    """

    first: int = 1
    retries: int = 0
    wait_s: float = 1.0
    will_retry: bool = False


def execute(
    argv: Sequence[str],
    reporter: Reporter,
    attempts: Attempts,
    *,
    run: Callable[[Sequence[str]], Ended] = run_command,
    talk: Callable[[str], object] = lambda text: None,
) -> int:
    """Run ``argv`` until it ends well or is not tried again; returns its exit code.

    What was ordered to end, or could not begin, is not tried again. ``talk`` is told
    of each attempt that is followed by another, and of how the last of several ended.
    """
    from tenacity import Retrying, retry_if_result, stop_after_attempt, wait_fixed

    def tell(state: RetryCallState, *, will_retry: bool) -> Ended:
        assert state.outcome is not None
        ended: Ended = state.outcome.result()
        attempt = attempts.first + state.attempt_number - 1
        with undisturbed():
            _tell(reporter, argv, ended, attempt=attempt, will_retry=will_retry)
        return ended

    def tell_before_the_next(state: RetryCallState) -> None:
        ended = tell(state, will_retry=True)
        attempt = attempts.first + state.attempt_number - 1
        talk(f"{_outcome(attempt, attempts, ended)}; again in {attempts.wait_s:g} s")

    last: list[RetryCallState] = []
    retrying = Retrying(
        before=last.append,
        retry=retry_if_result(lambda ended: ended.may_be_tried_again),
        stop=stop_after_attempt(attempts.retries + 1),
        wait=wait_fixed(attempts.wait_s),
        before_sleep=tell_before_the_next,
        retry_error_callback=lambda state: state.outcome,
    )
    retrying(run, argv)
    ended = tell(last[-1], will_retry=attempts.will_retry)
    if attempts.retries:
        talk(_outcome(attempts.first + last[-1].attempt_number - 1, attempts, ended))
    return ended.exit_code


def _outcome(attempt: int, attempts: Attempts, ended: Ended) -> str:
    how = "ended well"
    if ended.timed_out_s is not None:
        how = f"had no end after {ended.timed_out_s:g} s"
    elif not ended.ok:
        how = f"failed (exit code {ended.exit_code})"
    return f"attempt {attempt} of {attempts.first + attempts.retries} {how}"


class Watch(NamedTuple):
    """How a command is run: ends after ``timeout_s``; its result is looked for at ``result``.

    That is ``json:PATH`` or ``stdout``.
    """

    timeout_s: float | None = None
    result: str | None = None

    def run(self, argv: Sequence[str]) -> Ended:
        """One attempt."""
        began_s = time.time()
        on_stdout = self.result == "stdout"
        ended = run_command(argv, timeout_s=self.timeout_s, keep_stdout=on_stdout)
        if self.result is None or ended.not_started is not None:
            return ended
        found: str | Failure = ended.stdout.decode("utf-8", "replace")
        if not on_stdout:
            found = in_file(self.result.removeprefix("json:"))(began_s)
        failure = found if isinstance(found, Failure) else failure_in(found)
        return replace(ended, failure=failure)


def _tell(
    reporter: Reporter, argv: Sequence[str], ended: Ended, *, attempt: int, will_retry: bool
) -> None:
    if ended.ok:
        reporter.finished(attempt=attempt, duration_s=ended.duration_s)
        return
    failure = told(ended, argv, reporter.secrets)
    captured = describe(
        failure.exception,
        failure.message,
        failure.traceback,
        secrets=reporter.secrets,
        names=reporter.job.names,
        # Without frames, an exit code alone would make one fault of all programs'.
        place="" if failure.is_python else job_name(argv),
    )
    reporter.failed(captured, attempt=attempt, will_retry=will_retry)


def job_name(argv: Sequence[str]) -> str:
    """A name for a job that was given none: that of its program, or of its script.

    >>> job_name(["/usr/bin/python3", "/srv/train.py", "--lr", "1"]), job_name(["make", "all"])
    ('train.py', 'make')
    >>> job_name(["env", "HF_TOKEN=s3cr3t", "python3.11", "train.py"])
    'train.py'
    """
    words = list(argv)
    while len(words) > 1 and os.path.basename(words[0]) == "env":
        # What env sets is no name, and may be a secret.
        rest = itertools.dropwhile(lambda word: "=" in word or word.startswith("-"), words[1:])
        words = list(rest) or words[:1]
    names = [os.path.basename(word) or word for word in words[:2]]
    is_script = len(names) == 2 and _INTERPRETER.match(names[0])
    name = names[1] if is_script and not words[1].startswith("-") else names[0]
    printable = "".join(letter if letter.isprintable() else "?" for letter in redact(name))
    return printable.strip()[:200] or "command"
