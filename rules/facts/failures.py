"""Facts about failed jobs, and which of them weigh on a card."""

from __future__ import annotations

from itertools import groupby

from rules.causes import WEIGHING
from rules.folds.context import Context
from rules.ladder import Standing
from rules.ruleset import Fact
from rules.state import Failure, State


def failure_facts(state: State, context: Context, at_us: int) -> list[tuple[Failure, Fact]]:
    """A fact for each failure within the window that happened on a known card."""
    oldest = at_us - context.window_us
    return [
        (
            failure,
            Fact(
                kind="failure",
                subject=failure.card,
                features={
                    "says": failure.says,
                    **{
                        f"near_{kind}": kind in failure.near
                        for kind in ("smu", "gpu", "oom", "lost")
                    },
                },
                show={"job": failure.event},
                evidence=(failure.event,),
            ),
        )
        for failure in state.failures
        if failure.card and failure.time_us > oldest
    ]


def weighing(
    state: State, context: Context, at_us: int, causes: list[tuple[Failure, str]]
) -> dict[str, list[Failure]]:
    """By card, the failures that are the card's own: of its cause, and not common to nodes."""
    oldest = at_us - context.window_us
    limit = context.policy.gpu.common_traceback_nodes
    common = {
        fingerprint
        for fingerprint, nodes in state.fingerprints.items()
        if sum(time_us > oldest for time_us in nodes.values()) >= limit
    }
    found: dict[str, list[Failure]] = {}
    for failure, cause in causes:
        if cause in WEIGHING and failure.fingerprint not in common:
            found.setdefault(failure.card, []).append(failure)
    return found


def counting(failures: list[Failure], standing: Standing, context: Context) -> list[Failure]:
    """The failures since the card was last reinstated.

    Clean probes reinstate a card that failures had put on watch before them; to
    a card that was not on watch they do nothing.
    """
    limit = context.policy.gpu.watch_after_job_failures
    kept: list[Failure] = []
    for clean_us, before in groupby(failures, key=lambda each: each.clean_us):
        kept += [each for each in before if each.when > standing.failures_from]
        if clean_us is not None and len(kept) >= limit:
            kept = []
    return kept
