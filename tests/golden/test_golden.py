"""The ledgers of all releases open, upgrade, verify, read and replay for ever.

Each release has a folder here with a ledger, its export, and the script by
which that release made them; the files are never made again, so that a byte
which this program would write in another way shows.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import runledger
from ledger import (
    Head,
    export_lines,
    open_ledger,
    parse_ndjson,
    restore,
    schema_differences,
    verify,
)
from ledger.canonical import canonical, digest
from ledger.event import to_wire
from ledger.migrate import upgrade
from ledger.payloads import DecisionPayload, FleetConfigured, PolicyActivated
from ledger.registry import PAYLOAD_TYPES
from runledger.replaying.preview import preview
from tests.postgres import NewDatabase

HEADS = {
    "v0_1": Head(232, "c445aa521a02ae271d239810eafa413380cfb73b837dadce55c8020cbe40dc63"),
}
"""The newest position of each release's ledger, and its hash."""

MAY_DIFFER = {"verdict", "findings", "outcome"}
"""What rules that changed may judge otherwise; the question and its cut stay as they were."""

HERE = Path(__file__).parent


@pytest.fixture(params=sorted(HEADS))
def release(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def export(release: str) -> bytes:
    return (HERE / release / "export.ndjson").read_bytes()


@pytest.fixture
def path(release: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the release's ledger, as that release left it, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return Path(shutil.copy(HERE / release / "ledger.sqlite3", tmp_path / "golden.db"))


@pytest.fixture
def golden(path: Path) -> Iterator[runledger.Runledger]:
    """The ledger, upgraded to this program's schema."""
    upgrade(path)
    with runledger.open(path) as opened:
        yield opened


def test_every_release_has_its_ledger() -> None:
    assert {folder.name for folder in HERE.glob("v*")} == set(HEADS)


def test_it_verifies_before_and_after_the_upgrade(path: Path, release: str) -> None:
    with open_ledger(path, create=False, readonly=True, older=True) as before:
        assert verify(before, expect=HEADS[release]) == (True, HEADS[release], None, "")
    upgrade(path)
    with open_ledger(path, create=False) as after:
        assert verify(after, expect=HEADS[release]) == (True, HEADS[release], None, "")


def test_it_is_exported_to_the_byte(golden: runledger.Runledger, export: bytes) -> None:
    assert b"".join(export_lines(golden.ledger)) == export


def test_every_event_is_read_as_it_was_stored(golden: runledger.Runledger, export: bytes) -> None:
    events = list(golden.ledger.read())
    assert [canonical(to_wire(event)) for event in events] == export.splitlines()
    for event in events:
        assert type(event.data) is PAYLOAD_TYPES[event.type]


def test_its_events_sent_again_are_all_duplicates(
    golden: runledger.Runledger, export: bytes
) -> None:
    """Whatever this program makes of them, it is the same content."""
    again = golden.ledger.append(parse_ndjson(export, stored=True))
    assert (again.stored, again.duplicates) == (0, len(export.splitlines()))


def test_it_is_restored_with_its_hashes(export: bytes, release: str, tmp_path: Path) -> None:
    with open_ledger(tmp_path / "restored.db") as copy:
        assert restore(copy, export.splitlines()).head == HEADS[release]
        assert b"".join(export_lines(copy)) == export


def test_it_takes_more_events(golden: runledger.Runledger, release: str) -> None:
    event = golden.override("node/zeus", "watch", reason="still here", by="op")
    assert golden.ledger.get(event.id).prevhash == HEADS[release].hash
    assert verify(golden.ledger).ok


def test_policies_and_fleets_keep_the_digests_of_their_text(golden: runledger.Runledger) -> None:
    recorded = list(golden.ledger.read(types=["policy_activated", "fleet_configured"]))
    assert len(recorded) > 2
    for event in recorded:
        data = event.data
        assert isinstance(data, PolicyActivated | FleetConfigured)
        assert data.digest == digest(data.text.encode())
        find = golden.catalog.policy if event.type == "policy_activated" else golden.catalog.fleet
        assert find(data.digest) is not None
    known = {event.data.digest for event in recorded}  # type: ignore[attr-defined]
    for event in golden.decisions():
        assert isinstance(event.data, DecisionPayload)
        assert {event.data.policy.digest, event.data.fleet.digest} <= known


def test_every_decision_is_made_again_alike_unless_the_rules_changed(
    golden: runledger.Runledger,
) -> None:
    _replays(golden)


def test_a_copy_on_postgresql_is_the_same_ledger(
    export: bytes, release: str, new_postgres_database: NewDatabase
) -> None:
    with runledger.open(new_postgres_database()) as copy:
        assert restore(copy.ledger, export.splitlines()).head == HEADS[release]
        assert verify(copy.ledger, expect=HEADS[release]).ok
        assert b"".join(export_lines(copy.ledger)) == export
        _replays(copy)


def test_its_checkpoints_are_no_hindrance(
    golden: runledger.Runledger, export: bytes, tmp_path: Path
) -> None:
    """Those of an older fold are passed over: a ledger without any decides the same."""
    with runledger.open(tmp_path / "restored.db") as bare:
        restore(bare.ledger, export.splitlines())
        at = "2026-01-29T12:00:00Z"
        for judged in ("exclusions", "next_parameters"):
            one, other = getattr(golden, judged)(at=at), getattr(bare, judged)(at=at)
            assert (one.findings, one.outcome) == (other.findings, other.outcome)


def test_an_upgrade_is_previewed_on_the_ledger_as_it_is(path: Path) -> None:
    before = path.read_bytes()
    with open_ledger(path, create=False, readonly=True, older=True) as ledger:
        found = preview(ledger)
    assert path.read_bytes() == before
    assert found.decisions >= 5
    assert found.problems == {}
    for each in (*found.cards, *found.steps, *found.others):
        assert each.before != each.after


def test_the_schema_is_what_the_migrations_make_after_the_upgrade(path: Path) -> None:
    upgrade(path)
    with open_ledger(path, create=False) as ledger:
        assert schema_differences(ledger) == []


def _replays(ledger: runledger.Runledger) -> None:
    recorded = {event.id: event.data for event in ledger.decisions()}
    result = ledger.replay()
    drifted = {drift.decision for drift in result.drifted}
    assert result.decisions == len(recorded) > 50
    assert result.identical == len(recorded) - len(drifted)
    for drift in result.drifted:
        assert (drift.field in MAY_DIFFER, drift.cause) == (True, "rules changed"), drift
