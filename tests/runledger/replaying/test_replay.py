"""Replaying: the same decisions, to the byte, wherever and whenever it is done."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

import runledger
from ledger import export_lines, open_ledger, restore, verify
from ledger.canonical import digest as canonical_digest
from ledger.payloads import DecisionPayload, Payload, PolicyActivated, PolicyRef
from ledger.registry import PAYLOAD_TYPES, register, unregister
from rules.decide import Judge
from rules.kinds import DECIDED_TYPES
from rules.policy import policy_text
from runledger.api.facade import Runledger
from runledger.deciding import folding
from runledger.replaying.whatif import Change
from tests.postgres import NewDatabase
from tests.rules.histories import NOON, D, H, M
from tests.runledger.nights import eventful, ledger_with


@pytest.fixture
def decided(tmp_path: Path) -> Iterator[Runledger]:
    """A ledger of three days with decisions of every kind, one made on late news."""
    with ledger_with(tmp_path, eventful(11).events) as opened:
        for hour in range(2, 72, 5):
            at = NOON + hour * H
            opened.preflight("3", at=at + 5 * M, trials=50, seed_count=100_000)
            opened.preflight("1", at=at + 57 * M, run=f"R{hour}")
            opened.exclusions(at=at)
            opened.next_parameters(at=at, study="w")
        opened.propose(trials=400, seed_count="20000000", proposer="llm", rationale="more")
        opened.propose(trials="many", proposer="llm", rationale="more")
        opened.exclusions(as_of=40, at=NOON + D)
        yield opened


def test_every_decision_replays_identically(decided: Runledger) -> None:
    result = decided.replay()
    assert result.decisions == 59
    assert result.identical == result.decisions
    assert result.drifted == []


def test_late_events_do_not_change_what_was_known(decided: Runledger) -> None:
    late = eventful(12, days=1).events
    decided.record([msgspec.structs.replace(event, sequence=0) for event in late])
    assert decided.replay().drifted == []


@pytest.mark.parametrize("seed", [1, 2])
def test_what_was_decided_on_checkpoints_replays_without_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Events come late, questions go back in time, and the ledger is opened anew now and then."""
    monkeypatch.setattr(folding, "CHECKPOINT_EVERY", 5)
    rng = random.Random(seed)
    events = sorted(
        eventful(seed, days=1).events, key=lambda event: event.time_us + rng.choice([0, 0, 3 * H])
    )
    for start in range(0, len(events), 15):
        news = events[start : start + 15]
        with ledger_with(tmp_path, news) as opened:
            for back in (0, 2 * H, 0):
                opened.preflight("1", at=news[-1].time_us - back)
                opened.exclusions(at=news[-1].time_us - back)
                opened.next_parameters(at=news[-1].time_us - back)
    with ledger_with(tmp_path, []) as opened:
        assert opened.replay().drifted == []


def test_one_decision_can_be_replayed(decided: Runledger) -> None:
    decision = decided.exclusions(at=NOON + D)
    assert decided.replay(decision.decision) == (1, 1, [])


@pytest.mark.parametrize(
    ("zone", "seed"), [("Asia/Kathmandu", "1"), ("America/St_Johns", "2"), ("UTC", "random")]
)
def test_a_copy_replays_elsewhere_under_any_zone_and_hash_seed(
    decided: Runledger, tmp_path: Path, zone: str, seed: str
) -> None:
    elsewhere = tmp_path / "else where"
    elsewhere.mkdir()
    (elsewhere / "export.ndjson").write_bytes(b"".join(export_lines(decided.ledger)))
    environ = {**os.environ, "TZ": zone, "PYTHONHASHSEED": seed, "LC_ALL": "C"}

    def run(*words: str) -> dict[str, object]:
        done = subprocess.run(
            [sys.executable, "-m", "runledger", "--ledger", "copy.db", *words, "--json"],
            cwd=elsewhere,
            env=environ,
            capture_output=True,
            check=True,
        )
        found: dict[str, object] = json.loads(done.stdout)
        return found

    head = decided.ledger.head()._asdict()
    assert run("restore", "export.ndjson")["head"] == head
    assert run("replay") == {"decisions": 59, "identical": 59, "drifted": []}
    assert run("verify") == {"ok": True, "head": head, "first_bad": None}


def test_decisions_move_to_postgres_and_back(
    decided: Runledger, tmp_path: Path, new_postgres_database: NewDatabase
) -> None:
    with runledger.open(new_postgres_database()) as other:
        assert restore(other.ledger, export_lines(decided.ledger)).head == decided.ledger.head()
        assert other.replay()[:2] == (59, 59)
        late = other.preflight("1", at=NOON + 3 * D)
        with open_ledger(tmp_path / "back.db") as back:
            restore(back, export_lines(other.ledger))
            assert verify(back, expect=other.ledger.head()).ok
        with runledger.open(tmp_path / "back.db") as again:
            assert again.replay(late.decision).identical == 1


def test_the_ledger_alone_is_enough(decided: Runledger, tmp_path: Path) -> None:
    """No settings, no policy file: text of policy and fleet are found by digest."""
    bare = tmp_path / "bare"
    bare.mkdir()
    with open_ledger(bare / "x.db") as copy:
        restore(copy, export_lines(decided.ledger))
    with runledger.open(bare / "x.db") as again:
        assert again.replay().drifted == []


def _forged(opened: Runledger, **fields: object) -> DecisionPayload:
    """The newest decision, recorded again under a new id with some fields altered."""
    newest = list(opened.decisions())[-1]
    assert isinstance(newest.data, DecisionPayload)
    id = f"{newest.id}-forged"
    data = msgspec.structs.replace(newest.data, decision=id, **fields)
    opened.ledger.append(
        msgspec.structs.replace(
            newest, id=id, data=data, sequence=0, recorded_us=0, prevhash="", hash=""
        )
    )
    return data


def test_a_verdict_that_does_not_follow_is_drift(decided: Runledger) -> None:
    decided.exclusions(at=NOON + D)
    forged = _forged(decided, verdict="ok")
    (drift,) = decided.replay(forged.decision).drifted
    assert (drift.field, drift.recorded, drift.cause) == ("verdict", "ok", "not deterministic")


def test_drift_names_changed_rules_and_engine_as_its_cause(decided: Runledger) -> None:
    decided.exclusions(at=NOON + D)
    newest = list(decided.decisions())[-1].data
    assert isinstance(newest, DecisionPayload)
    engine = msgspec.structs.replace(newest.engine, rules="0" * 64)
    assert decided.replay(_forged(decided, engine=engine).decision).drifted == []
    forged = _forged(decided, engine=engine, verdict="ok")
    assert {each.cause for each in decided.replay(forged.decision).drifted} == {"rules changed"}


def test_drift_names_a_newer_engine_as_its_cause(decided: Runledger) -> None:
    decided.exclusions(at=NOON + D)
    newest = list(decided.decisions())[-1].data
    assert isinstance(newest, DecisionPayload)
    engine = msgspec.structs.replace(newest.engine, version="0.0.1")
    forged = _forged(decided, engine=engine, verdict="ok")
    assert {each.cause for each in decided.replay(forged.decision).drifted} == {"engine version"}


class Lamp(Payload, frozen=True, kw_only=True):
    event_type = "test_lamp"

    on: bool


class NewerLamp(Payload, frozen=True, kw_only=True):
    event_type = "test_lamp"
    version = 2

    state: str


def test_drift_names_an_upgraded_event_as_its_cause_if_the_decision_could_see_it(
    decided: Runledger,
) -> None:
    register(Lamp)
    try:
        before = _forged(decided, verdict="ok")
        decided.note(Lamp(on=True), subject="fleet")
        decided.exclusions(at=NOON + D)
        after = _forged(decided, verdict="ok")
        unregister(Lamp)
        register(NewerLamp, {1: lambda data: {"state": "on" if data["on"] else "off"}})
        causes = {each.decision: each.cause for each in decided.replay().drifted}
    finally:
        unregister(PAYLOAD_TYPES["test_lamp"])
    assert causes == {before.decision: "not deterministic", after.decision: "event upgraded"}


def test_drift_after_a_failure_of_our_own_names_it_as_the_cause(
    decided: Runledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("broken")

    with monkeypatch.context() as broken:
        broken.setattr(Judge, "decide", fail)
        decision = decided.preflight("1", at=NOON + D)
    assert decision.verdict == "unknown"
    causes = {each.cause for each in decided.replay(decision.decision).drifted}
    assert causes == {"a failure of our own was recorded"}


def test_a_policy_written_by_an_older_version_is_still_the_same_policy(tmp_path: Path) -> None:
    """Its text lacks a key that there is today; it is found by the digest it has."""
    with ledger_with(tmp_path, eventful(3, days=1).events) as opened:
        decision = opened.exclusions(at=NOON + D)
        old = policy_text(opened.policy).replace("comparable_trials = 10000\n", "")
        assert old != policy_text(opened.policy)
        digest = canonical_digest(old.encode())
        opened.note(PolicyActivated(name="default", digest=digest, text=old))
        forged = _forged(opened, policy=PolicyRef(name="default", digest=digest))
        assert opened.replay(forged.decision).drifted == []
        renamed = _forged(opened, policy=PolicyRef(name="other", digest=digest))
        assert [each.field for each in opened.replay(renamed.decision).drifted] == ["policy"]
        assert opened.replay(decision.decision).identical == 1


def test_a_decision_that_another_program_recorded_is_named_by_its_event(
    decided: Runledger,
) -> None:
    """Its own id may be another's, its outcome empty, its question none: one drift each."""
    for kind, question in (("preflight", {}), ("parameters", {"scope": "x"})):
        newest = list(decided.decisions(f"type={kind}_decided"))[-1]
        data = msgspec.structs.replace(newest.data, outcome={})  # type: ignore[call-arg]
        unasked = msgspec.structs.replace(data, question=question)
        for id, payload in ((f"{kind}-empty", data), (f"{kind}-unasked", unasked)):
            decided.ledger.append(
                msgspec.structs.replace(
                    newest, id=id, data=payload, sequence=0, recorded_us=0, prevhash="", hash=""
                )
            )
            (drift,) = decided.replay(id).drifted
            assert drift.decision == id
    drifted = {each.decision for each in decided.replay().drifted}
    assert drifted == {
        f"{k}-{w}" for k in ("preflight", "parameters") for w in ("empty", "unasked")
    }
    result = decided.what_if(Change(settings=["tuning.default_trials=60"]))
    assert set(result.problems) == {"preflight-unasked", "parameters-unasked"}


def test_a_decision_named_twice_is_replayed_once(decided: Runledger) -> None:
    first, second = (event.id for event in list(decided.decisions())[:2])
    assert decided.replay(first, second, first) == (2, 2, [])


def test_a_decision_with_an_unknown_policy_cannot_be_replayed_and_says_so(
    decided: Runledger,
) -> None:
    decided.exclusions(at=NOON + D)
    newest = list(decided.decisions())[-1].data
    assert isinstance(newest, DecisionPayload)
    policy = msgspec.structs.replace(newest.policy, digest="f" * 64)
    (drift,) = decided.replay(_forged(decided, policy=policy).decision).drifted
    assert "policy" in drift.cause


def test_the_story_told_twice_decides_twice_alike(tmp_path: Path) -> None:
    verdicts = []
    for name in ("a", "b"):
        folder = tmp_path / name
        folder.mkdir()
        with ledger_with(folder, eventful(3).events) as opened:
            for hour in (5, 30, 60):
                opened.preflight("3", at=NOON + hour * H)
            decisions = [event.data for event in opened.ledger.read(types=DECIDED_TYPES)]
        verdicts.append(
            [
                (each.verdict, each.findings, each.outcome)
                for each in decisions
                if isinstance(each, DecisionPayload)
            ]
        )
    # Evidence names events, whose ids are made anew; all else is the same.
    assert [each[0] for each in verdicts[0]] == [each[0] for each in verdicts[1]]
    assert [[f.message for f in each[1]] for each in verdicts[0]] == [
        [f.message for f in each[1]] for each in verdicts[1]
    ]
