"""What is shown of a decision on parameters, proposals included."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ledger.payloads import DecisionPayload
from rules.kinds import PARAMETERS, Decided
from runledger.kinds.shown import NEEDS_PERSON, NO_GO, Block, Line, Said, Shown, Verdict


class Expected(Said, kw_only=True):
    """The numbers, the rule that spoke, and for a proposal the answer to it."""

    trials: int | None = None
    seed_count: int | None = None
    rule: str | None = None
    requested: dict[str, str | int | float | bool] | None = None
    applied: dict[str, int] | None = None
    clause: str | None = None
    next: dict[str, int] | None = None


class ShownParameters(Shown):
    """The numbers of the next run, or the answer to a proposal and the clause that decided."""

    kind = PARAMETERS
    verdicts = {
        "proposed": Verdict("PROPOSED", "plain"),
        "accepted": Verdict("ACCEPTED", "good"),
        "clamped": Verdict("ACCEPTED, CLAMPED", "poor"),
        "rejected": Verdict("REJECTED", "bad", NO_GO),
        "needs_human": Verdict("A PERSON MUST DECIDE", "unsure", NEEDS_PERSON, "needs a person"),
    }
    expects = Expected
    cut = ("trials", "seed_count", "rule", "applied")

    def heading(self, decision: DecisionPayload) -> str | None:
        clause = decision.outcome.get("clause")
        return None if clause is None else f"by {clause}"

    def above(self, decision: DecisionPayload) -> Iterable[Block]:
        outcome = decision.outcome
        not_applied = decision.verdict in ("rejected", "needs_human")
        numbers = outcome.get("next", outcome) if not_applied else outcome
        if {"trials", "seed_count"} <= set(numbers):
            yield Line(f"{_size(numbers)}  (rule: {outcome.get('rule')})")
        for advice in outcome.get("advice", ()):
            text = advice.get("text") if isinstance(advice, dict) else advice
            if text:
                yield Line(text, wrap="advice: ")

    def effect(self, decided: Decided) -> str:
        return f"{decided.verdict}: {_size(decided.outcome)}"

    def answer(self, decided: Decided) -> str:
        return decided.verdict if "clause" in decided.outcome else _size(decided.outcome)

    def listed(self, outcome: dict[str, Any]) -> list[str]:
        if not {"trials", "seed_count", "rule"} <= set(outcome):
            return []
        return [f"{_size(outcome)} ({outcome['rule']})"]

    def result(self, outcome: dict[str, Any]) -> str:
        trials, seeds = _number(outcome.get("trials")), _number(outcome.get("seed_count"))
        return f"{trials} trials of {seeds} seeds (rule {outcome.get('rule', '?')})"

    def numbers(self, outcome: dict[str, Any]) -> str:
        trials, seeds = outcome.get("trials"), outcome.get("seed_count")
        if trials is None and seeds is None:
            return "–"
        return f"{_number(trials)} × {_number(seeds)}"


def _size(numbers: dict[str, Any]) -> str:
    return f"{numbers['trials']:,} trials x {numbers['seed_count']:,} seeds"


def _number(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else "–"
