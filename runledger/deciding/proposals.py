"""A proposal as it comes, from a person or a language model, made fit to be recorded.

Whoever proposes may send anything. It becomes an event all the same, since what
was asked is worth knowing most where it made no sense: text is stripped of what
no event can hold and cut where it has no end, and what is malformed is kept
beside what was understood.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from ledger.payloads import ParametersProposed
from ledger.text.characters import printable, storable
from ledger.text.secrets import redact
from rules.policy import TAKEN_NAMES, ProposalNames
from rules.proposal import LARGEST, whole_number

_RATIONALE_CHARACTERS = 50_000
_RAW_CHARACTERS = 1_000
_NAME_CHARACTERS = 200
_EVIDENCE_IDS = 200
_EXTRA_KEYS = 50
NUMBERS = ("trials", "seed_count")


class Received(NamedTuple):
    """The event's payload, and the proposal as it is judged."""

    payload: ParametersProposed
    proposal: dict[str, Any]


def as_sent(given: Any, names: ProposalNames) -> dict[str, Any]:
    """What a model sent, an object or its JSON text, as arguments of `receive`.

    Numbers are known by their own names and by those of the policy; every other key,
    and what is no object at all, is ``extra``.
    """
    if isinstance(given, str | bytes):
        try:
            given = json.loads(given)
        except (ValueError, RecursionError):
            return {"extra": {"proposal": given}}
    if not isinstance(given, Mapping):
        return {"extra": {"proposal": given}}
    own = {getattr(names, key): key for key in NUMBERS} | {key: key for key in NUMBERS}
    own |= {key: key for key in TAKEN_NAMES}
    sent: dict[str, Any] = {}
    extra: dict[str, Any] = {}
    for name, value in given.items():
        key = own.get(name) if isinstance(name, str) else None
        if key is None or key in sent:
            extra[str(name)] = value
        else:
            sent[key] = value
    return {**sent, **({"extra": extra} if extra else {})}


def receive(
    *,
    trials: Any = None,
    seed_count: Any = None,
    proposer: Any = None,
    rationale: Any = None,
    evidence: Any = None,
    extra: Mapping[str, Any] | None = None,
) -> Received:
    """What was sent, as a payload that can be stored and a proposal that can be judged.

    ``extra`` is what a proposal has no place for: kept beside it, and not judged.
    """
    asked = {
        key: _number(value)
        for key, value in (("trials", trials), ("seed_count", seed_count))
        if value is not None
    }
    numbers = {key: whole_number(value) for key, value in asked.items()}
    fit = all(number is not None and 0 <= number < LARGEST for number in numbers.values())
    raw = {} if fit else dict(asked)
    if isinstance(evidence, Iterable) and not isinstance(evidence, str):
        evidence = list(evidence)
    for key, given in (("proposer", proposer), ("rationale", rationale), ("evidence", evidence)):
        if not _well_formed(given):
            raw[key] = _text(given, _RAW_CHARACTERS)
    left_over = _extra(extra or {})
    raw |= {"extra": left_over} if left_over else {}
    named, why = _name(proposer) or "unknown", _text(rationale, _RATIONALE_CHARACTERS)
    payload = ParametersProposed(
        proposer=named,
        rationale=why,
        trials=numbers.get("trials") if fit else None,
        seed_count=numbers.get("seed_count") if fit else None,
        evidence=_ids(evidence) or None,
        raw=raw or None,
    )
    proposal = {**asked, "proposer": named, "rationale": why}
    return Received(payload, proposal | ({"extra": sorted(left_over)} if left_over else {}))


def _extra(extra: Mapping[str, Any]) -> dict[str, str]:
    """Keys and values that no proposal has, as text."""
    kept = list(extra.items())[:_EXTRA_KEYS]
    return {_name(key) or "?": _text(value, _RAW_CHARACTERS) for key, value in kept}


def _number(value: Any) -> Any:
    """A proposed number in a form that can be stored; what is none becomes text."""
    if isinstance(value, bool):
        return value
    number = None if isinstance(value, str) else whole_number(value)
    if number is not None and number == value:
        return number
    return _text(value, _RAW_CHARACTERS)


def _well_formed(given: Any) -> bool:
    if isinstance(given, list):
        return all(isinstance(each, str) for each in given)
    return given is None or isinstance(given, str)


def _text(value: Any, most: int) -> str:
    if value is None:
        return ""
    try:
        text = str(value)
    except Exception:  # an integer of thousands of digits, say
        text = f"a {type(value).__name__} that cannot be written out"
    text = redact(storable(text))
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _name(value: Any) -> str:
    return printable(_text(value, _NAME_CHARACTERS))


def _ids(evidence: Any) -> tuple[str, ...]:
    """The event ids among what was given as evidence."""
    given = evidence if isinstance(evidence, list) else [evidence]
    texts = [each for each in given if isinstance(each, str) and each]
    return tuple(_name(each) for each in texts[:_EVIDENCE_IDS])
