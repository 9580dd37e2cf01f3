"""Policies with rules of their own, drawn by structure: most names right, some not.

Whatever is drawn is read, or refused with all its problems; what is read never
fails afterwards, on a history that holds a little of everything.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from functools import cache
from typing import Any

import msgspec
import tomli_w

from ledger import Event, from_wire, new_event
from ledger.payloads import AsOf, JobFailedWithTraceback, RunStarted
from ledger.times import format_time
from rules.decide import Judge
from rules.features import FACTS, Feature
from rules.own.fields import abouts_of, fields_of, readable_types
from rules.policy import InvalidPolicy, Policy, parse_policy, policy_text
from runledger.deciding.decisions import compose
from tests.rules.histories import FLEET, NOON, M, S, Story, ordered, pci

_ABOUTS = ("card", "node", "run", "study", "fleet", "question")
_OPERATORS = ("==", "!=", "<", "<=", ">", ">=")
_ODD: tuple[Any, ...] = (
    "", " ", "own", "{", "}", "{}", "{0}", "{card", "{card!r}", "{own.a.b}", "$own.x", "é", "\x07",
    "x" * 3000,
    0, -1, 1.5, 1e308, -1e308, 2**63 - 1, True, [], [1], {}, {"a": 1}, float("nan"), float("inf"),
)  # fmt: skip


class _Draw:
    """Draws parts of a policy; one part in a few dozen is odd."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._oddness = chance.choice((0.0, 0.0, 0.02, 0.2))
        self.thresholds = [f"t{number}" for number in range(chance.randrange(4))]
        self.facts: dict[str, tuple[str, Feature]] = {}

    def odd(self, value: Any) -> Any:
        """The value, or something else in its place."""
        if self._chance.random() < self._oddness:
            return self._chance.choice(_ODD)
        return value

    def policy(self) -> dict[str, Any]:
        pick = self._chance.choice
        own = {name: self.odd(pick((1, 2.5, 0, -3))) for name in self.thresholds}
        facts = [self.odd(self._fact(number)) for number in range(pick((0, 1, 3)))]
        rules = [self.odd(self._rule(number)) for number in range(pick((0, 1, 2, 5)))]
        return {"own": own, "facts": facts, "rules": {"own": rules}}

    def _fact(self, number: int) -> dict[str, Any]:
        pick = self._chance.choice
        type_ = pick(readable_types({}) if self._chance.random() < 0.5 else _COMMON)
        about = pick(abouts_of(type_))
        fields = fields_of(type_, about)
        numbers = [name for name, each in fields.items() if each.type in ("integer", "number")]
        keeps = ("count", "distinct", "newest", *(("max", "min", "sum") if numbers else ()))
        keep = pick(keeps)
        field = pick(numbers if keep in ("max", "min", "sum") else list(fields))
        feature = Feature("integer", "Own.") if keep in ("count", "distinct") else fields[field]
        self.facts[f"f{number}"] = (about, feature)
        fact: dict[str, Any] = {
            "name": self.odd(f"f{number}"),
            "about": self.odd(about),
            "from": self.odd(type_),
            "where": [self._condition(fields) for _ in range(pick((0, 0, 1, 2)))],
            "keep": self.odd(keep),
            "timespan_s": self.odd(pick((60, 3600, 0.5, 10**9))),
        }
        if keep != "count":
            fact["field"] = self.odd(field)
        return fact

    def _rule(self, number: int) -> dict[str, Any]:
        pick = self._chance.choice
        about = pick(_ABOUTS)
        features = dict(FACTS[about].features) if about in FACTS else {}
        features |= {name: each for name, (of, each) in self.facts.items() if of == about}
        rule: dict[str, Any] = {
            "name": self.odd(f"own.r{number}"),
            "about": self.odd(about),
            "when": [self._condition(features) for _ in range(pick((1, 1, 2)))],
            "message": self.odd(self._text(list(features))),
            "remedy": self.odd(self._text(list(features))),
        }
        if about == "card" and pick((True, False)):
            rule |= {"decides": "exclusions", "effect": self.odd(pick(("watch", "exclude")))}
        else:
            rule["severity"] = self.odd(pick(("block", "unknown", "degrade", "warn", "info")))
            if pick((True, False)):
                rule["steps"] = self.odd(["1"])
        return rule

    def _condition(self, features: Mapping[str, Feature]) -> Any:
        pick = self._chance.choice
        name = pick(list(features) or ["none"])
        feature = features.get(name, Feature("any", "None."))
        if self._chance.random() < 0.2:
            return f"{pick(('exists', 'missing'))}({self.odd(name)})"
        if feature.type in ("integer", "number", "any"):
            numbers = [f"$own.{each}" for each in self.thresholds]
            operator, value = pick(_OPERATORS), pick((0, 1, -1, 3.5, 1e300, *numbers))
        else:
            operator = pick(("==", "!="))
            value = pick(feature.words or ("ok", '"a b"'))
            value = pick(("true", "false")) if feature.type == "boolean" else value
        return self.odd(f"{self.odd(name)} {operator} {self.odd(value)}")

    def _text(self, names: list[str]) -> str:
        pick = self._chance.choice
        named = [f"{{{pick(names)}}}" for _ in range(pick((0, 1, 2))) if names]
        keys = [f"{{own.{each}}}" for each in self.thresholds]
        return " ".join(["{subject}:", *named, *keys[:1], "{{ }}"])


_COMMON = ("gpu_probe", "ssh_probe", "smu_error", "job_failed_with_traceback", "run_started")


def policy_of(seed: bytes) -> str:
    """A policy's text, the same for the same seed."""
    table = _Draw(random.Random(seed)).policy()
    return tomli_w.dumps(table)


@cache
def _events() -> tuple[Event, ...]:
    story = Story().healthy().files().error(-M, 1).error(0, 2).run("R1", 30 * S, 0)
    story.override(f"gpu/rig/{pci(3)}", "exclude", 10 * S)
    story.add(RunStarted(study="w", trials=2**53, seed_count=0), 20 * S, runid="R2")
    story.add(
        JobFailedWithTraceback(
            job="j", node="rig", pci=pci(0), attempt=1, exception="E", message="{card} {0}",
            traceback="\x07{", will_retry=False, fingerprint="f" * 2000,
        ),
        40 * S,
    )  # fmt: skip
    gpus = [
        {"pci": pci(card), "state": "ok", "temp_c": temp, "model": "{x}", "vram_total_mib": 1e300}
        for card, temp in enumerate((0, -1e300, 1e300, 95))
    ]
    wire = {"type": "gpu_probe", "source": "t", "time": format_time(NOON + 50 * S)}
    data = {"node": "rig", "method": "m", "smu_reads": 0, "gpus": gpus}
    for number in range(3):
        event = from_wire({**wire, "data": data})
        story.events.append(msgspec.structs.replace(event, sequence=1_000 + number))
    return tuple(story.events)


def judged(policy: Policy) -> None:
    """Judge by a policy that was read: nothing may fail, and what is decided can be recorded."""
    judge = Judge(policy, FLEET, engine="plain")
    at_us = NOON + M
    state = judge.fold.run(ordered(_events(), at_us))
    for kind, question in (
        ("preflight", {"step": "1", "run": "R2", "trials": 50}),
        ("exclusions", {}),
        ("parameters", {}),
    ):
        draft = judge.decide(kind, question, state, at_us)
        as_of = AsOf(sequence=1, hash="0" * 64, time=format_time(at_us))
        new_event(compose(kind, question, draft, as_of, judge), time_us=at_us, source="fuzz")


def own_policies(data: bytes) -> None:
    """Read what a seed gives; raises `InvalidPolicy` where it is refused."""
    try:
        policy = parse_policy(policy_of(data))
    except InvalidPolicy as refused:
        if not refused.problems:
            raise AssertionError("a policy was refused without a word") from refused
        raise
    assert policy_text(parse_policy(policy_text(policy), policy.name)) == policy_text(policy)
    judged(policy)
