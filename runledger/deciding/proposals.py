"""A proposal as it comes, from a person or a language model, made fit to be recorded.

Whoever proposes may send anything. It becomes an event all the same, since what
was asked is worth knowing most where it made no sense: text is stripped of what
no event can hold and cut where it has no end, and what is malformed is kept
beside what was understood.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from ledger.payloads import ParametersProposed
from ledger.text.characters import printable, storable
from ledger.text.secrets import redact
from rules.proposal import LARGEST, whole_number

_RATIONALE_CHARACTERS = 50_000
_RAW_CHARACTERS = 1_000
_NAME_CHARACTERS = 200
_EVIDENCE_IDS = 200


class Received(NamedTuple):
    """The event's payload, and the proposal as it is judged."""

    payload: ParametersProposed
    proposal: dict[str, Any]


def receive(
    *, trials: Any, seed_count: Any, proposer: Any, rationale: Any, evidence: Any
) -> Received:
    """What was sent, as a payload that can be stored and a proposal that can be judged."""
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
    named, why = _name(proposer) or "unknown", _text(rationale, _RATIONALE_CHARACTERS)
    payload = ParametersProposed(
        proposer=named,
        rationale=why,
        trials=numbers.get("trials") if fit else None,
        seed_count=numbers.get("seed_count") if fit else None,
        evidence=_ids(evidence) or None,
        raw=raw or None,
    )
    return Received(payload, {**asked, "proposer": named, "rationale": why})


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
