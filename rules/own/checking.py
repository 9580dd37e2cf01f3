"""Everything wrong with own facts and rules, found when the policy is read.

All problems are named together, each with its place and the nearest right
name: a typo must not become a rule that silently never fires, nor a placeholder
one that fails at night. What only a ledger can tell, the event types that it
declares, is checked where one is given. Longer than most: a function a sort of problem.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, get_args

import msgspec

from ledger.event_checks import nearest
from ledger.payloads import OWN_PREFIX
from ledger.registry import PAYLOAD_TYPES
from rules.conditions import Condition, Scalar, parse_condition
from rules.features import FACTS, Feature, mismatch
from rules.own.declared import (
    LARGEST,
    MOST_COMPILED,
    MOST_FACTS,
    MOST_RULES,
    MOST_THRESHOLDS,
    About,
    Own,
    OwnFact,
    OwnRule,
    RuleAbout,
)
from rules.own.fields import (
    ABOUT_OF_OWN,
    Fields,
    Types,
    abouts_of,
    fields_of,
    readable_types,
)
from rules.own.shapes import Raw, Read, shaped
from rules.own.texts import NAMES, BadText, is_key, parts
from rules.toml import MOST_PROBLEMS

Problems = list[str]
Value = Callable[[str], Scalar | None]
"""The value of a policy key, ``section.key``; None where there is none."""


class Policed(NamedTuple):
    """What own facts and rules may refer to: the policy's keys, and a ledger's event types.

    ``keys`` are those that have a single value, or should; ``types`` is None where no
    ledger is at hand.
    """

    value: Value
    keys: Collection[str]
    types: Types | None


PREFLIGHT_ONLY = frozenset({"dead_cards"})
"""Features of cards that are of a step's, and so of no exclusion."""

_TAKEN = frozenset(name for names in NAMES.values() for name in names) | {
    "step", "own", "exists", "missing", "true", "false",
}  # fmt: skip


def read_own(
    thresholds: Any,
    facts: Sequence[Raw],
    rules: Sequence[Raw],
    policed: Policed,
    problems: Problems,
) -> Own:
    """What a policy declares of its own; what is wrong is added to ``problems``."""
    named = _thresholds(thresholds, problems)
    for what, found, most in (
        ("facts", facts, MOST_FACTS),
        ("rules.own", rules, MOST_RULES),
        ("own", named, MOST_THRESHOLDS),
    ):
        if len(found) > most:
            problems.append(f"{what}: {len(found)} of them; keep it within {most}")
            return Own()
    read_facts = [shaped(each, OwnFact, problems) for each in facts]
    read_rules = [shaped(each, OwnRule, problems) for each in rules]
    _check_facts(read_facts, policed, problems)
    of = own_features([each.shape for each in read_facts if not each.unsure], policed.types)
    for each in read_facts:
        if each.unsure:  # whatever it would have been, its name is known
            for features in of.values():
                features[each.shape.name] = Feature("any", "An own fact that is not right yet.")
    _check_rules(read_rules, of, policed, problems)
    return Own(
        thresholds=named,
        facts=tuple(each.shape for each in read_facts),
        rules=tuple(each.shape for each in read_rules),
    )


def _thresholds(table: Any, problems: Problems) -> dict[str, Scalar]:
    if not isinstance(table, dict):
        problems.append("own: not a table; write [own] and below it NAME = VALUE")
        return {}
    for name, value in table.items():
        if not (name.isascii() and name.isidentifier() and len(name) <= 100):
            problems.append(f"own.{name[:100]!r}: write a name of letters, digits and _")
        if problem := _scalar_problem(value):
            problems.append(f"own.{name[:100]} = {str(value)[:100]!r}: {problem}")
    return {name: value for name, value in table.items() if not _scalar_problem(value)}


def _scalar_problem(value: Any) -> str:
    if isinstance(value, str):
        return "" if value.isprintable() and len(value) <= 1_000 else "a text of one line, please"
    if not isinstance(value, int | float):
        return "write a number or a text"
    finite = math.isfinite(value) if isinstance(value, float) else abs(value) <= LARGEST
    return "" if finite else "a number beyond what can be compared"


# -- facts ---------------------------------------------------------------------


def _check_facts(facts: Iterable[Read[OwnFact]], policed: Policed, problems: Problems) -> None:
    taken: dict[str, str] = {}
    for read in facts:
        if len(problems) > MOST_PROBLEMS:
            break
        place, fact = read.place, read.shape
        if "name" in read.unsure:
            pass
        elif fact.name in _TAKEN or fact.name in _built_in(fact.about):
            problems.append(f"{place}.name: {fact.name} is taken by what {fact.about} has already")
        elif fact.name in taken:
            problems.append(f"{place}.name: taken by {taken[fact.name]}")
        taken.setdefault(fact.name, place)
        problems += read.sure(_fact_problems(place, fact, policed))


def _fact_problems(place: str, fact: OwnFact, policed: Policed) -> Iterator[str]:
    if fact.keep == "count" and fact.field is not None:
        yield f"{place}.field: a count takes no field; leave it out, or keep distinct"
    if fact.keep != "count" and fact.field is None:
        yield f"{place}.field: missing: say which field of {fact.from_} to keep"
    if fact.keep != "newest" and fact.timespan_s is None:
        yield f"{place}.timespan_s: missing: only newest may do without"
    fields = yield from _readable(place, fact, policed.types)
    conditions = []
    for at, text in enumerate(fact.where, 1):
        where = f"{place}.where[{at}]"
        condition = yield from _condition(where, text, policed)
        if condition is not None:
            conditions.append((where, condition))
    if fields is None:
        return
    for where, condition in conditions:
        yield from _against(where, condition, fact.from_, fields, policed)
    if fact.field is None:
        return
    if fact.field not in fields:
        yield f"{place}.field: {_no_such(fact.from_, 'field', fact.field, fields)}"
    elif fact.keep in ("max", "min", "sum") and fields[fact.field].type in ("text", "boolean"):
        kind = fields[fact.field].type
        yield f"{place}.field: {fact.field} is a {kind}: {fact.keep} is of numbers"


def _readable(
    place: str, fact: OwnFact, types: Types | None
) -> Generator[str, None, Fields | None]:
    """The fields that a fact can read, where they can be told; problems on the way."""
    if fact.from_.startswith(OWN_PREFIX) and types is None:
        return None
    known = readable_types(types or {})
    if fact.from_ not in known:
        if fact.from_ in PAYLOAD_TYPES:
            yield f"{place}.from = {fact.from_!r}: decisions are never evidence"
        else:
            meant = f"did you mean {nearest(fact.from_, known)}?"
            if fact.from_.startswith(OWN_PREFIX):
                meant += " (or declare it: runledger types add FILE)"
            yield f"{place}.from = {fact.from_!r}: unknown event type; {meant}"
        return None
    declared = (types or {}).get(fact.from_)
    abouts: Sequence[About] = (
        abouts_of(fact.from_) if declared is None else ABOUT_OF_OWN[declared.about]
    )
    fields = fields_of(fact.from_, fact.about) if declared is None else declared.fields
    if fact.about not in abouts:
        yield (
            f"{place}.about = {fact.about!r}: {fact.from_} says nothing of one; "
            f"write one of {', '.join(abouts)}"
        )
    return fields


# -- rules ---------------------------------------------------------------------


def own_features(
    facts: Iterable[OwnFact], types: Types | None = None
) -> dict[RuleAbout, dict[str, Feature]]:
    """What own rules can look at, by what they are about: built-in features, and own facts."""
    found = {about: dict(_built_in(about)) for about in get_args(RuleAbout)}
    for fact in facts:
        found[fact.about][fact.name] = _feature(fact, types)
    return found


def _built_in(about: str) -> Mapping[str, Feature]:
    return FACTS[about].features if about in FACTS else {}


def _feature(fact: OwnFact, types: Types | None) -> Feature:
    says = f"Own fact: {fact.keep} of {fact.from_}."
    if fact.keep in ("count", "distinct"):
        return Feature("integer", says)
    field = _field(fact, types)
    if fact.keep in ("max", "min", "sum"):
        whole = field is not None and field.type == "integer"
        return Feature("integer" if whole else "number", says)
    return Feature("any", says) if field is None else msgspec.structs.replace(field, says=says)


def _field(fact: OwnFact, types: Types | None) -> Feature | None:
    if fact.field is None:
        return None
    if fact.from_ in PAYLOAD_TYPES:
        return fields_of(fact.from_, fact.about).get(fact.field)
    declared = (types or {}).get(fact.from_)
    return None if declared is None else declared.fields.get(fact.field)


def _check_rules(
    rules: Iterable[Read[OwnRule]],
    of: Mapping[RuleAbout, Mapping[str, Feature]],
    policed: Policed,
    problems: Problems,
) -> None:
    taken: dict[str, str] = {}
    compiled = 0
    for read in rules:
        if len(problems) > MOST_PROBLEMS:
            break
        place, rule = read.place, read.shape
        compiled += max(1, len(rule.steps))
        if rule.name in taken and "name" not in read.unsure:
            problems.append(f"{place}.name: taken by {taken[rule.name]}; give each rule its own")
        taken.setdefault(rule.name, place)
        problems += read.sure(_rule_problems(place, rule, of[rule.about], policed))
    if compiled > MOST_COMPILED:
        problems.append(f"rules.own: {compiled} rules and steps; keep it within {MOST_COMPILED}")


def _rule_problems(
    place: str, rule: OwnRule, features: Mapping[str, Feature], policed: Policed
) -> Iterator[str]:
    yield from _kind_problems(place, rule)
    for at, text in enumerate(rule.when, 1):
        yield from _when_problems(f"{place}.when[{at}]", text, rule, features, policed)
    for name in ("message", "remedy"):
        yield from _text_problems(f"{place}.{name}", getattr(rule, name), rule, features, policed)


def _kind_problems(place: str, rule: OwnRule) -> Iterator[str]:
    if rule.decides == "preflight":
        if rule.severity is None:
            yield f"{place}.severity: missing: write block, unknown, degrade, warn or info"
        if rule.effect is not None:
            yield f'{place}.effect: for exclusions only; write decides = "exclusions", or severity'
        return
    if rule.effect is None:
        yield f"{place}.effect: missing: write watch or exclude"
    if rule.about != "card":
        yield f'{place}.about = {rule.about!r}: exclusions are about cards; write "card"'
    if rule.steps:
        yield f"{place}.steps: exclusions hold for all steps; leave it out"


def _when_problems(
    place: str, text: str, rule: OwnRule, features: Mapping[str, Feature], policed: Policed
) -> Iterator[str]:
    condition = yield from _condition(place, text, policed)
    if condition is not None:
        if rule.decides == "exclusions" and condition.feature in PREFLIGHT_ONLY:
            yield f"{place}: {condition.feature} is of a preflight; exclusions do not know it"
        yield from _against(place, condition, rule.about, features, policed, "feature")


def _text_problems(
    place: str, text: str, rule: OwnRule, features: Mapping[str, Feature], policed: Policed
) -> Iterator[str]:
    names = [*features, *NAMES[rule.about], *(["step"] if rule.decides == "preflight" else [])]
    try:
        for _, name in parts(text):
            if name is None or name in names:
                continue
            if not is_key(name):
                meant = nearest(name, names)
                yield f"{place}: nothing fills {{{name}}}; did you mean {{{meant}}}?"
            elif name not in policed.keys:
                meant = nearest(name, policed.keys)
                yield f"{place}: the policy has no {{{name}}}; did you mean {{{meant}}}?"
    except BadText as error:
        yield f"{place}: {error}"


# -- conditions ------------------------------------------------------------------


def _condition(place: str, text: str, policed: Policed) -> Generator[str, None, Condition | None]:
    """The condition in a text, or None; what is wrong with it alone on the way."""
    try:
        condition = parse_condition(text)
    except ValueError as error:
        yield f"{place}: {error}"
        return None
    if condition.key and condition.key not in policed.keys:
        meant = nearest(condition.key, policed.keys)
        yield f"{place}: the policy has no ${condition.key}; did you mean ${meant}?"
        return None
    if problem := "" if condition.limit is None else _scalar_problem(condition.limit):
        yield f"{place}: {problem}"
        return None
    return condition


def _against(
    place: str,
    condition: Condition,
    of: str,
    features: Mapping[str, Feature],
    policed: Policed,
    what: str = "field",
) -> Iterator[str]:
    """What keeps a condition from being about what there is."""
    feature = features.get(condition.feature)
    if feature is None:
        yield f"{place}: {_no_such(of, what, condition.feature, features)}"
        return
    if condition.key:
        limit = policed.value(condition.key)
        if limit is None:
            return  # no single value: that is said of the key
        condition = msgspec.structs.replace(condition, limit=limit)
    if problem := mismatch(condition, feature):
        yield f"{place}: {condition}: {problem}"


def _no_such(of: str, what: str, name: str, known: Iterable[str]) -> str:
    return f"{of} has no {what} {name!r}; did you mean {nearest(name, known)}?"
