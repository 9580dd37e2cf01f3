"""What happened to runs: steps, jobs, trials and what they yielded."""

from __future__ import annotations

from typing import Literal

from ledger.payloads._base import (
    Amount,
    Count,
    Identifier,
    Integer,
    Json,
    Number,
    Outcome,
    Payload,
    Pci,
)


class RunStarted(Payload, frozen=True, kw_only=True):
    """A run began; ``scope`` is what makes runs comparable (data set, bounds, …).

    ``requested`` and ``effective`` are the parameters asked for and those that
    reached the program: a pipeline may drop some silently. ``accepts`` are the
    keys that the program knows.
    """

    event_type = "run_started"

    pipeline: Identifier | None = None
    study: Identifier | None = None
    scope: Json | None = None
    trials: Count | None = None
    seed_count: Count | None = None
    nodes: tuple[Identifier, ...] | None = None
    timeout_s: Amount | None = None
    requested: Json | None = None
    effective: Json | None = None
    accepts: tuple[Identifier, ...] | None = None


class RunFinished(Payload, frozen=True, kw_only=True):
    """A run ended, well or not."""

    event_type = "run_finished"

    outcome: Outcome
    reason: str | None = None
    duration_s: Amount | None = None


class StepStarted(Payload, frozen=True, kw_only=True):
    """A pipeline step began (which one is the event's ``step`` attribute).

    ``requested``, ``effective`` and ``accepts`` as in ``run_started``, of this step's program.
    """

    event_type = "step_started"

    outcome: Outcome | None = None
    reason: str | None = None
    duration_s: Amount | None = None
    requested: Json | None = None
    effective: Json | None = None
    accepts: tuple[Identifier, ...] | None = None


class StepFinished(Payload, frozen=True, kw_only=True):
    """A pipeline step ended; one that preflight stopped is ``aborted`` by that verdict.

    Such a step (``reason`` begins with ``no_go``, or is ``unknown``) never ran.
    """

    event_type = "step_finished"

    outcome: Outcome | None = None
    reason: str | None = None
    duration_s: Amount | None = None


class JobFinished(Payload, frozen=True, kw_only=True):
    """A job ended well on its ``attempt``-th try."""

    event_type = "job_finished"

    job: Identifier
    attempt: Count
    node: Identifier | None = None
    pci: Pci | None = None
    duration_s: Amount | None = None

    def default_subject(self) -> str | None:
        return super().default_subject() or f"job/{self.job}"


class JobFailedWithTraceback(Payload, frozen=True, kw_only=True):
    """A job failed; stored before anyone tries again.

    ``fingerprint`` is stable across line numbers, addresses and paths, so that
    the same fault on two machines is recognised as one.
    """

    event_type = "job_failed_with_traceback"

    job: Identifier
    attempt: Count
    exception: Identifier
    message: str
    traceback: str
    will_retry: bool
    fingerprint: Identifier
    node: Identifier | None = None
    pci: Pci | None = None
    index: Count | None = None
    gpu_state: Json | None = None

    def default_subject(self) -> str | None:
        return super().default_subject() or f"job/{self.job}"


class StudyDefined(Payload, frozen=True, kw_only=True):
    """What a study searches: its space, which way is better, and on what (``scope``).

    ``space`` maps each parameter to its distribution (``type``: ``float``,
    ``int`` or ``categorical``, with ``low``, ``high``, ``step``, ``log`` or
    ``choices``). ``fingerprint`` is the SHA-256 over all of it: see
    ``docs/optuna-persistence.md``.
    """

    event_type = "study_defined"

    study: Identifier
    space: Json
    directions: tuple[Literal["minimize", "maximize"], ...]
    fingerprint: Identifier
    scope: Json | None = None

    def default_subject(self) -> str | None:
        return f"study/{self.study}"


class TrialStarted(Payload, frozen=True, kw_only=True):
    """An Optuna trial was asked for; a finished one is a ``trial_completed``."""

    event_type = "trial_started"

    study: Identifier
    number: Count
    params: Json | None = None
    node: Identifier | None = None
    pci: Pci | None = None

    def default_subject(self) -> str | None:
        return f"study/{self.study}"


class TrialCompleted(Payload, frozen=True, kw_only=True):
    """A finished Optuna trial; values beyond the finite are ``"inf"``, ``"-inf"``, ``"nan"``."""

    event_type = "trial_completed"

    study: Identifier
    number: Count
    state: Literal["COMPLETE", "PRUNED", "FAIL"]
    params: Json
    values: tuple[Number | Literal["inf", "-inf", "nan"], ...] | None = None
    duration_s: Amount | None = None
    survivors: Count | None = None
    seed_count: Count | None = None
    node: Identifier | None = None
    pci: Pci | None = None

    def default_subject(self) -> str | None:
        return f"study/{self.study}"


class SurvivorsCounted(Payload, frozen=True, kw_only=True):
    """What a search yielded; ``trials`` were asked for, ``completed_trials`` ran to a result."""

    event_type = "survivors_counted"

    trials: Count
    completed_trials: Count
    seed_count: Count
    survivors: Count
    study: Identifier | None = None
    scope: Json | None = None
    unique_survivors: Count | None = None
    seed_start: Integer | None = None
    seeds_covered: Count | None = None
    jobs_expected: Count | None = None
    jobs_ok: Count | None = None

    def default_subject(self) -> str | None:
        return f"study/{self.study}" if self.study else None
