"""Every kind of fact that rules look at, and every feature it has: type, unit, meaning.

The one place where features are declared. The rules are checked against it,
`docs/facts.md` and `docs/rules.md` are made from it, and facts carry nothing
else. What is not known of a subject is left out of its fact. Longer than most:
it is one list.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

import msgspec

from ledger.event_checks import nearest
from rules.conditions import ORDERED, Condition, Scalar
from rules.ruleset import Rule

Type = Literal["text", "integer", "number", "boolean", "any"]
"""Of what type a feature is; of ``any``, only what a ledger declares could tell."""


class Feature(msgspec.Struct, frozen=True):
    """One feature: what it says, in a sentence, and in which unit."""

    type: Type
    says: str
    unit: str = ""
    words: tuple[str, ...] = ()
    """What a text may be, where that is known."""


class FactKind(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of fact."""

    title: str
    says: str
    features: Mapping[str, Feature]


def _count(says: str) -> Feature:
    return Feature("integer", says)


def _number(says: str, unit: str = "") -> Feature:
    return Feature("number", says, unit)


def _yes(says: str) -> Feature:
    return Feature("boolean", says)


def _text(says: str, *words: str) -> Feature:
    return Feature("text", says, words=words)


_CARD_STATES = ("ok", "unresponsive", "missing", "unknown")
_CARD_OUT = _yes("Whether it sits out: it is excluded, or to be returned.")
_NODE_OUT = _yes("Whether an operator took the whole node out.")

_DEAD = _count("Cards of all the step's nodes that do not answer or are missing, and are not out.")

_TIME_BUDGET = {
    "trials": _count("Trials asked for."),
    "seed_count": _count("Seeds a trial."),
    "comparable_trials": _count("Finished trials with as many seeds, whose times are known."),
    "median_s": _number("Median time of these trials.", "s"),
    "need_s": _number("What the trials asked for need at that time.", "s"),
    "timeout_s": _number("The step's timeout.", "s"),
    "used_share": _number("What they need, as a share of the timeout."),
    "fits": _count("How many trials would fit."),
}

_OTHERS = {
    "others_mean": _number("The mean of the other cards that were at work."),
    "times_others": _number("How many times that mean it is; a billion where they have none."),
}

FACTS: dict[str, FactKind] = {
    "question": FactKind(
        title="Preflight: the question",
        says="One fact: what was asked.",
        features={
            "step": _text("The step asked for."),
            "configured": _yes("Whether this step is configured, by name or alias."),
            "steps": _count("Steps that are configured."),
            "trials": _count("Trials asked for."),
            "seed_count": _count("Seeds a trial, as asked for."),
        },
    ),
    "node": FactKind(
        title="Preflight: nodes",
        says="One fact a node of the step.",
        features={
            "reachable": _yes("Whether it answered the newest SSH probe; left out where none was."),
            "out": _NODE_OUT,
            "unreachable_nodes": _count("Nodes of the step that do not answer and are not out."),
            "cards": _count("Cards that the newest GPU probe shows."),
            "uptime_s": _number("How long it has been up, where a probe told.", "s"),
            "mem_total_mib": _number("Its memory, where the newest SSH probe told.", "MiB"),
            "mem_available_mib": _number("What of it was available then.", "MiB"),
            "ramdisk_free_mib": _number(
                "What the newest look at its ramdisk found free, where it told.", "MiB"
            ),
            "jobs_failed": _count("Jobs that failed on it within the window of `[gpu]`."),
        },
    ),
    "common": FactKind(
        title="Preflight: a common cause",
        says="One fact where cards of a node failed together.",
        features={
            "cards": _count("Cards that failed within the incident gap."),
            "share": _number("Their share of the node's cards."),
        },
    ),
    "series": FactKind(
        title="Preflight: a series",
        says="One fact where cards of a node failed one after another.",
        features={"cards": _count("Cards that failed within the series' time of each other.")},
    ),
    "fleet_cause": FactKind(
        title="Preflight and exclusions: the fleet",
        says="One fact where cards of many nodes failed within hours.",
        features={
            "nodes": _count("Nodes with cards that failed."),
            "share": _number("Their share of the fleet's nodes."),
        },
    ),
    "log": FactKind(
        title="Preflight: the kernel log",
        says="One fact for the newest scan of a node since boot.",
        features={"unread": _count("Lines with words of trouble that could not be placed.")},
    ),
    "node_gpu_fault": FactKind(
        title="Preflight: faults of no card",
        says="One fact where a node logged a fault of a card that names none, or an unknown code.",
        features={"since_boot": _yes("Whether one is since the node's last boot.")},
    ),
    "node_fault": FactKind(
        title="Preflight: faults of the node",
        says="One fact where a node logged a fault of its own.",
        features={"since_boot": _yes("Whether one that is told is since the node's last boot.")},
    ),
    "reset": FactKind(
        title="Preflight: resets",
        says="One fact for each card that asks for a reset, and had none.",
        features={
            "asked_s": _number("How long ago it asked.", "s"),
            "out": _CARD_OUT,
        },
    ),
    "evidence": FactKind(
        title="Preflight: evidence",
        says="One fact for each kind of evidence a node must have.",
        features={
            "what": _text("The event type that is the evidence."),
            "age_s": _number("Its age; left out where there is none.", "s"),
            "readable": _yes("Whether it says what it should; left out where there is none."),
        },
    ),
    "hung": FactKind(
        title="Preflight: tools that hung",
        says="One fact for each card or node that a tool hung on.",
        features={
            "commands": _count("Commands that did not come back since the newest GPU probe."),
            "out": _yes("Whether the card sits out."),
        },
    ),
    "cleanup": FactKind(
        title="Preflight: the clean-up",
        says="One fact for the newest clean-up of a node since boot.",
        features={"warnings": _count("Warnings it gave.")},
    ),
    "orphan": FactKind(
        title="Preflight: memory left behind",
        says="One fact for each card that the newest clean-up since boot left memory on.",
        features={"orphaned_vram_mib": _number("Memory that no process owns.", "MiB")},
    ),
    "node_smu": FactKind(
        title="Preflight: SMU errors of no card",
        says="One fact where a node logged an error that names no card.",
        features={"since_boot": _yes("Whether the newest is since the node's last boot.")},
    ),
    "card": FactKind(
        title="Preflight: cards",
        says="One fact for each card that the newest probe shows, or misses while it sits out.",
        features={
            "state": _text("What the newest GPU probe says of it.", *_CARD_STATES),
            "out": _CARD_OUT,
            "down": _yes("Whether it does not answer, or is missing."),
            "dead_cards": _DEAD,
            "index": _count("Its index in the newest probe."),
            "model": _text("Its model, where a probe told."),
            "temp_c": _number("How hot the newest probe found it.", "°C"),
            "busy_pct": _number("How busy the newest probe found it.", "%"),
            "vram_used_mib": _number("Its memory in use at the newest probe.", "MiB"),
            "vram_total_mib": _number("Its memory, where the newest probe told.", "MiB"),
            "incidents": _count("Its incidents that count."),
            "crashes": _count("How often it took its node down since a person's word."),
        },
    ),
    "incident": FactKind(
        title="Preflight: incidents",
        says="One fact for each card with one since its node's boot.",
        features={
            "state": _text("What the newest GPU probe says of the card.", *_CARD_STATES),
            "since_boot": _count("Its incidents since the node's last boot."),
        },
    ),
    "shortage": FactKind(
        title="Preflight: missing cards",
        says="One fact where a node shows too few cards.",
        features={
            "expected": _count("Cards it should show."),
            "shown": _count("Cards the newest probe shows."),
            "sitting_out": _count("Missing cards that sit out."),
            "unexplained": _count("Missing cards that do not: expected less the other two."),
            "dead_cards": _DEAD,
        },
    ),
    "file": FactKind(
        title="Preflight: files",
        says="One fact for each file of the step that was looked for.",
        features={
            "role": _text("What it is to the step.", "ramdisk", "input"),
            "present": _yes("Whether it was there."),
            "bytes": _count("Its size, where it was told."),
            "as_expected": _yes("Whether its SHA-256 is the expected one, where both are known."),
            "since_boot": _yes("Whether it was looked for since the node's last boot."),
            "filled_by_step": _yes("Whether the step puts it there itself."),
        },
    ),
    "budget": FactKind(
        title="Preflight: time",
        says="One fact where there are trials and a timeout.",
        features=_TIME_BUDGET,
    ),
    "run": FactKind(
        title="Preflight: the run",
        says="One fact where the question names a run that began.",
        features={
            "dropped": _count("Parameters that differ between what was asked and what arrived."),
            "trials": _count("Trials it was asked for."),
            "seed_count": _count("Seeds a trial it was asked for."),
            "completed_trials": _count("Trials that ran to a result, where it was counted."),
            "survivors": _count("Survivors, where it was counted."),
        },
    ),
    "witness": FactKind(
        title="Preflight: witnesses",
        says="One fact where witnesses remember heads that the ledger does not hold.",
        features={
            "behind": _count("Witnesses that remember such a head."),
            "agreeing": _count("The most of them that remember the same one."),
            "sealed": _yes("Whether such a head is one that was sealed."),
        },
    ),
    "fleet": FactKind(
        title="Preflight: the fleet",
        says="One fact, after all others.",
        features={
            "configured": _count("Nodes configured for the step."),
            "usable": _count("Those of them that are left."),
        },
    ),
    "gpu": FactKind(
        title="Exclusions",
        says="One fact for each card with a record: where it stands on the ladder.",
        features={
            "incidents": _count("Incidents of its own that led to where it stands; on watch, those "
            "that count."),
            "most_incidents": _count("The most that counted at once since its record was clean."),
            "crashes": _count("How often it had taken its node down, if its newest incident did."),
            "on_probation": _count("Whether an incident after clean looks took it out: 1 or 0."),
            "grounds": _count("How many limits of the policy its record reached when it was taken "
            "out; 0 where it is not."),
            "exclusions": _count("How often it was excluded by the rules, over all time."),
            "reinstated": _yes("Whether it was brought back, and nothing that counts came since."),
            "back_s": _number("How long ago that was.", "s"),
            "in_series": _count("Incidents that count and were part of a series of its node."),
            "in_fleet_cause": _count("Incidents that count and were part of a fleet cause."),
            "taken_out": _yes("Whether an operator took it out."),
        },
    ),
    "gpu_word": FactKind(
        title="Exclusions: words",
        says="One fact for each card that an operator set a state of.",
        features={"word": _text("What the operator said.", "watch", "exclude", "retire")},
    ),
    "gpu_failures": FactKind(
        title="Exclusions: failed jobs",
        says="One fact for each card that jobs failed on by its own fault.",
        features={"failures": _count("How many, within the window.")},
    ),
    "gpu_charge": FactKind(
        title="Exclusions: too many failed jobs",
        says="One fact for each card that failed jobs took out: the numbers of that moment.",
        features={
            "failures": _count("Jobs that failed on it by its own fault, within the harmless "
            "window."),
            **_OTHERS,
            "exclusions": _count("How often it was excluded by the rules, over all time."),
        },
    ),
    "gpu_faults": FactKind(
        title="Exclusions: ambiguous faults",
        says="One fact for each card that stands out in faults that may be a workload's.",
        features={"faults": _count("How many, within the harmless window."), **_OTHERS},
    ),
    "gpu_hangs": FactKind(
        title="Exclusions: tools that hung",
        says="One fact for each card that stands out in tools that hung on it.",
        features={"hangs": _count("How many, within the harmless window."), **_OTHERS},
    ),
    "gpu_link": FactKind(
        title="Exclusions: links",
        says="One fact for each card whose link corrected many errors on a day of the last week.",
        features={
            "noisy_days": _count("Days of the last seven with as many as the policy allows."),
            "most_a_day": _count("The most on one of these days."),
        },
    ),
    "gpu_look": FactKind(
        title="Exclusions: looks",
        says="One fact for each card that does not answer in the newest look.",
        features={"state": _text("What the look says of it.", "unresponsive", "missing")},
    ),
    "gpu_reset": FactKind(
        title="Exclusions: resets",
        says="One fact for each card that asks for a reset, and had none.",
        features={"asked_s": _number("How long ago it asked.", "s")},
    ),
    "gpu_rested": FactKind(
        title="Exclusions: retired cards",
        says="One fact for each retired card that looks show ok.",
        features={"clean_s": _number("For how long they have.", "s")},
    ),
    "last_run": FactKind(
        title="Parameters: the last run",
        says="One fact: the newest run that was counted whole; without any, it has no features.",
        features={
            "survivors": _count("Survivors it found."),
            "completed_trials": _count("Trials that ran to a result."),
        },
    ),
    "note": FactKind(
        title="Parameters: runs that speak in part",
        says="One fact for each run counted in part since the last that speaks, and for that one "
        "if it lost nodes.",
        features={
            "uncounted_share": _number("The part of it not counted."),
            "survivors": _count("Survivors that were counted."),
            "lost_nodes": _count("Nodes of it that were lost during it."),
        },
    ),
    "uncounted": FactKind(
        title="Parameters: runs that were not counted",
        says="One fact for all runs since the last that speaks which ended uncounted, and could "
        "have been counted: they reached a step that counts, or no step of theirs is known.",
        features={"runs": _count("How many they are.")},
    ),
    "next_budget": FactKind(
        title="Parameters: time",
        says="One fact where a step was named.",
        features=_TIME_BUDGET,
    ),
    "proposal": FactKind(
        title="Proposals",
        says="One fact: what was asked, against the policy.",
        features={
            "rationale_characters": _count("Length of the reason, without white space around it."),
            "requested": _count("How many of trials and seed count are asked for."),
            "malformed": _count("Those of them that are no whole numbers."),
            "frozen": _count("Those of them that the policy freezes."),
            "out_of_bounds": _count("Those of them beyond a bound of the policy."),
            "change_factor": _number(
                "The largest factor by which one changes, where nothing asks for so much."
            ),
            "changes": _yes("Whether what would be applied differs from the newest run's."),
            "runs_since_change": _count("Runs since the numbers last changed; left out if never."),
            "day_trial_seeds": _count(
                "Trials x seeds of a day with these; left out where there is no daily budget."
            ),
        },
    ),
    "failure": FactKind(
        title="Causes of failed jobs",
        says="The first rule that holds is the cause.",
        features={
            "says": _text("What exception, message and the traceback's last line are about."),
            "near_smu": _yes("Whether the card had an SMU error around then."),
            "near_gpu": _yes("Whether the card had another fault around then."),
            "near_oom": _yes("Whether the node killed a process for want of memory around then."),
            "near_lost": _yes("Whether the node was lost around then."),
        },
    ),
}  # fmt: skip
"""Every kind of fact, in the order of the docs."""


def rule_problems(rule: Rule, kinds: Mapping[str, FactKind] = FACTS) -> Iterator[str]:
    """Everything that keeps a rule from ever being judged as it is meant."""
    kind = kinds.get(rule.about)
    if kind is None:
        yield f"rule {rule.name}: there are no facts about {rule.about!r}"
        return
    for condition in rule.when:
        feature = kind.features.get(condition.feature)
        if feature is None:
            known = ", ".join(kind.features)
            yield (
                f"rule {rule.name}: {rule.about} has no feature {condition.feature!r} "
                f"(it has {known})"
            )
        elif problem := mismatch(condition, feature):
            yield f"rule {rule.name}: {condition}: {problem}"


def mismatch(condition: Condition, feature: Feature) -> str:
    """What is wrong with comparing this feature so; nothing where it can be compared."""
    ordered = condition.operator in ORDERED
    if feature.type == "any":
        text = ordered and isinstance(condition.limit, str | bool)
        return f"{condition.limit!r} has no order" if text else ""
    if ordered and feature.type in ("text", "boolean"):
        return f"{condition.feature} is a {feature.type}, it has no order"
    if condition.limit is None:
        return ""  # it asks for presence, or for a key that the policy must have
    if _type_of(condition.limit) != ("number" if feature.type == "integer" else feature.type):
        return f"{condition.feature} is a {feature.type}"
    if feature.words and condition.limit not in feature.words:
        meant = nearest(condition.limit, feature.words)
        return f"{condition.feature} is one of {', '.join(feature.words)}; did you mean {meant}?"
    return ""


def _type_of(value: Scalar) -> Type:
    if isinstance(value, bool):
        return "boolean"
    return "text" if isinstance(value, str) else "number"


def checked_rules(rules: Sequence[Rule]) -> tuple[Rule, ...]:
    """The rules; raises `ValueError` where one of them looks at what no fact has."""
    problems = [problem for rule in rules for problem in rule_problems(rule)]
    if problems:
        raise ValueError("\n".join(problems))
    return tuple(rules)
