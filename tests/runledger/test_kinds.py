"""Every kind of decision is one object below and one above, and they agree."""

from __future__ import annotations

import msgspec
import pytest

from ledger.payloads import DecisionPayload
from ledger.registry import PAYLOAD_TYPES
from rules.kinds import DECIDED_TYPES, KINDS
from runledger.kinds import SHOWN, VERDICTS
from tests.rules.histories import M, Story

QUESTIONS = {"preflight": {"step": "1"}, "exclusions": {}, "parameters": {}}


def test_every_payload_of_a_decision_is_that_of_one_kind() -> None:
    decided = {name for name, each in PAYLOAD_TYPES.items() if issubclass(each, DecisionPayload)}
    assert decided == set(DECIDED_TYPES)
    for name, kind in KINDS.items():
        fields = {field.name: field.type for field in msgspec.structs.fields(kind.payload)}
        assert fields["kind"].__args__ == (name,)


def test_what_is_shown_covers_every_kind() -> None:
    assert {name: shown.kind for name, shown in SHOWN.items()} == KINDS
    assert len(VERDICTS) == sum(len(shown.verdicts) for shown in SHOWN.values())


@pytest.mark.parametrize("name", KINDS)
def test_what_every_kind_decides_can_be_shown_compared_and_expected(name: str) -> None:
    story = Story().healthy().override("gpu/rig/0000:23:00.0", "exclude")
    before, after = (story.decide(name, QUESTIONS[name], at) for at in (-M, M))
    kind, shown = KINDS[name], SHOWN[name]
    differs = name != "parameters"  # an operator's word on a card changes no numbers
    assert (kind.effect(before) != kind.effect(after)) == differs
    assert (shown.effect(before) != shown.effect(after)) == differs
    assert (kind.answer(before) != kind.answer(after)) == differs
    assert shown.result(after.outcome)
    assert after.verdict in shown.verdicts
    for field in shown.cut:
        value = after.outcome.get(field)
        expected = None if value is None else shown.expected(field, value)
        msgspec.convert({field: expected}, shown.expects)
