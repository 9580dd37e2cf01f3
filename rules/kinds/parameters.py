"""How many trials and seeds next, or: is this proposal acceptable?"""

from __future__ import annotations

from typing import Any

import msgspec

from ledger.payloads import ParametersDecided
from rules.facts.advice import advise
from rules.facts.budget import budget_fact
from rules.facts.parameters import (
    History,
    Numbers,
    history,
    last_run_fact,
    note_facts,
    numbers_for,
)
from rules.facts.proposals import judge_proposal
from rules.kinds.kind import Decided, Draft, Kind, Question, Stakes, findings
from rules.rulebook import Rulebook
from rules.ruleset import Fired
from rules.state import State

_PROPOSAL_VERDICTS = ("rejected", "needs_human", "clamped")
"""What a proposal may come to beside accepted; worst first."""


class Proposal(msgspec.Struct, frozen=True, kw_only=True):
    """What someone asked for; what is no number is part of what is judged."""

    trials: Any = None
    seed_count: Any = None
    proposer: str = ""
    rationale: str = ""
    event: str | None = None


class ParametersQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """How many trials and seeds next, or: is this proposal acceptable?"""

    study: str | None = None
    scope: dict[str, Any] | None = None
    step: str | None = None
    proposal: Proposal | None = None


class Parameters(Kind):
    """The next run's numbers; with a ``proposal`` in the question, the answer to it."""

    name = "parameters"
    payload = ParametersDecided
    question = ParametersQuestion

    def judge(self, rules: Rulebook, question: Question, state: State, at_us: int) -> Draft:
        scope = {str(key): str(value) for key, value in (question.get("scope") or {}).items()}
        study = question.get("study")
        found = history(state, study, scope, at_us, rules.fleet)
        (speaking,) = rules.fired([last_run_fact(found)])
        fired = rules.all_fired(note_facts(found, study))
        counted = found.last.counted if found.last is not None else None
        rule, effect = (
            "no_history",
            {"trials": "default_trials", "seed_count": "default_seed_count"},
        )
        if speaking:
            rule, effect = speaking[0].rule.name, speaking[0].rule.effect
            fired = [speaking[0], *fired]
        numbers = numbers_for(effect, rules.policy, counted)
        step = question.get("step")
        configured = None if step is None else rules.fleet.step(str(step))
        timeout_s = None if configured is None else configured.timeout_s
        advice, second = advise(rules.policy, state, found, numbers, timeout_s)
        if rules.policy.tuning.rule == "second_opinion" and second is not None:
            rule, numbers = "second_opinion", second
        outcome: dict[str, Any] = {
            "trials": numbers.trials,
            "seed_count": numbers.seed_count,
            "rule": rule,
            "advice": advice,
        }
        verdict = "proposed"
        proposal = question.get("proposal")
        if proposal is not None:
            verdict, said = _judge_proposal(rules, proposal, state, found, numbers, at_us, outcome)
            fired += said
            if outcome["applied"] is not None:
                numbers = Numbers(outcome["trials"], outcome["seed_count"])
        if step is not None:
            facts = budget_fact(
                "next_budget",
                state,
                rules.policy,
                str(step),
                timeout_s,
                numbers.trials,
                numbers.seed_count,
            )
            fired += rules.all_fired(facts)
        return Draft(verdict, findings(fired), outcome)

    def effect(self, decided: Decided) -> Any:
        outcome = decided.outcome
        numbers = outcome["trials"], outcome["seed_count"]
        return decided.verdict, *numbers, outcome.get("applied")

    def answer(self, decided: Decided) -> Any:
        outcome = decided.outcome
        if "clause" in outcome:
            return decided.verdict
        return outcome["trials"], outcome["seed_count"]

    def stakes(self, decided: Decided) -> Stakes:
        outcome = decided.outcome
        if outcome.get("applied", outcome) is None:
            return Stakes()  # a proposal that does not pass asks for nothing
        return Stakes(trials=outcome["trials"], seeds=outcome["trials"] * outcome["seed_count"])


def _judge_proposal(
    rules: Rulebook,
    proposal: dict[str, Any],
    state: State,
    found: History,
    next_: Numbers,
    at_us: int,
    outcome: dict[str, Any],
) -> tuple[str, list[Fired]]:
    judged = judge_proposal(proposal, state, rules.policy, found, next_, at_us)
    (fired,) = rules.fired([judged.fact])
    said = [each.rule.effect["verdict"] for each in fired]
    verdict = next((each for each in _PROPOSAL_VERDICTS if each in said), "accepted")
    clause = "within_bounds"
    if verdict in said:
        clause = judged.clauses[fired[said.index(verdict)].rule.name]
    outcome["requested"] = judged.requested
    outcome["clause"] = clause
    outcome["applied"] = None
    if proposal.get("extra"):
        outcome["ignored"] = list(proposal["extra"])
    outcome["next"] = {"trials": next_.trials, "seed_count": next_.seed_count}
    if verdict in ("accepted", "clamped"):
        outcome["applied"] = {
            "trials": judged.applied.trials,
            "seed_count": judged.applied.seed_count,
        }
        outcome |= outcome["applied"]
    return verdict, fired
