"""What witnesses remember and the ledger does not hold: one warns, two that agree stop."""

from __future__ import annotations

from typing import Any

import pytest

from ledger.payloads import HeadSealed, WitnessAccepted, WitnessedHead, WitnessRead
from ledger.times import format_time
from tests.rules.histories import NOON, M, S, Story, found

BEHIND = "ledger_behind_witness"
SIGNATURE = "-----BEGIN SSH SIGNATURE-----\nU1NIU0lH\n-----END SSH SIGNATURE-----\n"


def read(node: str, number: int, *, held: bool = False, **more: Any) -> WitnessRead:
    noted = format_time(NOON - 10 * M)
    return WitnessRead(
        node=node, ledger="ab", sequence=number, hash=f"{number:064x}", held=held,
        **{"noted": noted, **more},
    )  # fmt: skip


def story(*payloads: Any) -> Story:
    told = Story().healthy()
    for at, payload in enumerate(payloads, 1):
        told.add(payload, at=at * S)
    return told


def test_heads_that_are_held_are_nobodys_concern() -> None:
    draft = story(read("rig", 7, held=True), read("zeus", 7, held=True)).preflight()
    assert (draft.verdict, draft.findings) == ("go", ())


def test_one_witness_warns_and_stops_nothing() -> None:
    draft = story(read("rig", 7), read("zeus", 7, held=True)).preflight()
    assert draft.verdict == "go"
    assert found(draft) == {(BEHIND, "warn")}
    (finding,) = draft.findings
    assert "rig saw position 7" in finding.message
    assert "runledger witness accept" in finding.remedy
    assert len(finding.evidence) == 1


def test_two_that_agree_make_it_unknown() -> None:
    draft = story(read("rig", 7), read("/mnt/stick/heads", 7)).preflight()
    assert draft.verdict == "unknown"
    assert found(draft) == {(BEHIND, "unknown")}
    assert "/mnt/stick/heads, rig saw position 7" in draft.findings[0].message


def test_two_that_do_not_agree_are_two_that_may_lie() -> None:
    draft = story(read("rig", 7), read("zeus", 8)).preflight()
    assert found(draft) == {(BEHIND, "warn")}


def test_they_agree_by_any_head_that_both_were_shown() -> None:
    also = (WitnessedHead(sequence=7, hash=f"{7:064x}"),)
    assert found(story(read("rig", 7), read("zeus", 9, also=also)).preflight()) == {
        (BEHIND, "unknown")
    }
    by_turns = story(read("rig", 7), read("zeus", 9), read("rig", 9)).preflight()
    assert found(by_turns) == {(BEHIND, "unknown")}


def test_a_head_that_was_sealed_is_believed_of_one_alone() -> None:
    sealed = HeadSealed(sequence=7, hash=f"{7:064x}", signature=SIGNATURE, signer="alice")
    draft = story(sealed, read("rig", 7)).preflight()
    assert found(draft) == {(BEHIND, "unknown")}
    assert "sealed" in draft.findings[0].message
    assert found(story(sealed, read("rig", 8)).preflight()) == {(BEHIND, "warn")}


@pytest.mark.parametrize("again", [False, True])
def test_an_acceptance_ends_it_for_the_heads_known_so_far(again: bool) -> None:
    accepted = WitnessAccepted(reason="restored", by="op")
    told = [read("rig", 7), read("zeus", 7), accepted]
    told += [read("rig", 7), read("zeus", 7)] if again else []
    assert story(*told).preflight().verdict == "go"


def test_a_head_that_was_shown_after_an_acceptance_is_missed_again() -> None:
    accepted = WitnessAccepted(reason="restored", by="op")
    later = format_time(NOON + 3 * S)
    told = [read("rig", 7), accepted, read("rig", 9, noted=later), read("zeus", 9, noted=later)]
    assert found(story(*told).preflight()) == {(BEHIND, "unknown")}


def test_a_witness_speaks_by_its_newest_read() -> None:
    told = [read("rig", 7), read("zeus", 7), read("rig", 5, held=True), read("zeus", 5, held=True)]
    assert story(*told).preflight().verdict == "go"
