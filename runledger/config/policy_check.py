"""What is doubtful about a policy that can be read: rules that may never fire."""

from __future__ import annotations

from collections.abc import Iterator

from ledger import Ledger
from ledger.payloads import OWN_PREFIX, GpuProbe, OwnPayload
from rules.conditions import parse_condition
from rules.own.declared import OwnFact
from rules.own.texts import parts
from rules.policy import Policy

_MOST_READ = 1_000_000
"""Events looked at: enough to tell what a fleet's events carry."""


def unknown_types(policy: Policy) -> list[str]:
    """Warnings of types that only a ledger could know, where none is at hand."""
    names = {fact.from_ for fact in policy.facts if fact.from_.startswith(OWN_PREFIX)}
    return [
        f"{name}: no ledger is at hand to tell whether it declares such a type, and its fields"
        for name in sorted(names)
    ]


def unused(policy: Policy) -> list[str]:
    """Warnings of facts and thresholds that no rule looks at."""
    used: set[str] = set()
    keys: set[str] = set()
    conditions = [text for rule in policy.rules.own for text in rule.when]
    conditions += [text for fact in policy.facts for text in fact.where]
    for text in conditions:
        condition = parse_condition(text)
        used.add(condition.feature)
        keys.add(condition.key)
    for rule in policy.rules.own:
        for text in (rule.message, rule.remedy):
            used |= {name for _, name in parts(text) if name}
    keys |= used
    return [
        *(
            f"fact {fact.name}: no rule looks at it"
            for fact in policy.facts
            if fact.name not in used
        ),
        *(f"own.{name}: nothing uses it" for name in policy.own if f"own.{name}" not in keys),
    ]


def never_carried(policy: Policy, ledger: Ledger) -> Iterator[str]:
    """Warnings of types and fields that own facts read and no event of the ledger carries."""
    wanted: dict[str, dict[str, list[str]]] = {}
    for fact in policy.facts:
        fields = wanted.setdefault(fact.from_, {})
        for field in dict.fromkeys([*_fields(fact)]):
            fields.setdefault(field, []).append(fact.name)
    for type_, fields in sorted(wanted.items()):
        missing, seen = dict(fields), False
        for read, event in enumerate(ledger.read(types=(type_,))):
            seen = True
            missing = {
                field: names for field, names in missing.items() if not _has(event.data, field)
            }
            if not missing or read >= _MOST_READ:
                break
        if not seen:
            yield f"{type_}: the ledger holds no such event"
            continue
        for field, names in missing.items():
            yield f"{type_}.{field}: no event carries it (fact {', '.join(names)})"


def _fields(fact: OwnFact) -> Iterator[str]:
    for text in fact.where:
        yield parse_condition(text).feature
    if fact.field is not None:
        yield fact.field


def _has(data: object, field: str) -> bool:
    if isinstance(data, OwnPayload):
        return data.values.get(field) is not None
    if getattr(data, field, None) is not None:
        return True
    looks = data.gpus if isinstance(data, GpuProbe) else ()
    return any(getattr(look, field, None) is not None for look in looks)
