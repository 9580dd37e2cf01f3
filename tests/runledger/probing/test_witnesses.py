"""Rigs and files that remember: a rewritten chain, a cut tail and an old copy are all found."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from ledger import Ledger, open_ledger, parse_ndjson, restore
from ledger.export import export_lines
from tests.fleet import Fleet, rules
from tests.runledger.sealing.test_seals import rewritten

BEHIND = "ledger_behind_witness"


@pytest.fixture
def fleet(make_fleet: Callable[..., Fleet]) -> Fleet:
    """Two rigs and a file that are witnesses, and remember three looks."""
    made = make_fleet(
        rigs={"rig-6600": "127.0.0.2", "rig-6600b": "127.0.0.3"}, gpus=1, controller=False
    )
    made.configure('[steps."3"]\n[[witnesses]]\npath = "stick/heads"\n')
    config = made.home / "runledger.toml"
    config.write_text(config.read_text().replace("gpus = 1\n", "gpus = 1\nwitness = true\n"))
    (made.home / "stick").mkdir()
    for _ in range(3):
        assert made.preflight(code=0)["verdict"] == "go"
    return made


def _replace(fleet: Fleet, make: Callable[[Ledger, Path], Path]) -> None:
    path = fleet.home / "runledger.db"
    with open_ledger(path) as ledger:
        other = make(ledger, fleet.home / "other.db")
    for suffix in ("-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)
    shutil.move(other, path)


def _cut(ledger: Ledger, path: Path) -> Path:
    lines = list(export_lines(ledger))
    with open_ledger(path) as copy:
        restore(copy, lines[: len(lines) // 2])
    return path


def _anew(ledger: Ledger, path: Path) -> Path:
    """Another ledger in its place, whose first event has an id of its own."""
    events = parse_ndjson(b"".join(export_lines(ledger)))
    with open_ledger(path) as other:
        other.append([each for each in events if not each.type.endswith("_decided")][1:])
    return path


TAMPERS: dict[str, Callable[[Ledger, Path], Path]] = {
    "rewritten": lambda ledger, path: rewritten(ledger, path, at=5),
    "cut": _cut,
    "replaced": _anew,
}


@pytest.mark.parametrize("tamper", TAMPERS)
def test_another_history_is_found_by_all_and_accepted_once(fleet: Fleet, tamper: str) -> None:
    _replace(fleet, TAMPERS[tamper])
    asked = fleet.json("verify", "--witnesses", code=12)
    assert asked["ok"] is False
    assert (asked["witnesses"]["asked"], asked["witnesses"]["answered"]) == (3, 3)
    names = {each["node"] for each in asked["witnesses"]["not_held"]}
    assert names == {"rig-6600", "rig-6600b", str(fleet.home / "stick/heads")}
    for _ in range(2):  # what they are shown since is no excuse
        decision = fleet.preflight(code=11)
        assert rules(decision, "unknown") == {BEHIND: ["fleet"]}
    told = ("witness", "accept", "--reason", "meant", "--by", "op")
    assert fleet.run(*told).returncode == 0
    assert fleet.preflight(code=0)["verdict"] == "go"
    assert fleet.json("verify", "--witnesses", code=0)["witnesses"]["not_held"] == []
    _replace(fleet, _cut)
    assert fleet.json("verify", "--witnesses", code=12)["witnesses"]["not_held"]


def test_one_rig_that_lies_stops_nothing(fleet: Fleet) -> None:
    kept = fleet.rigs["rig-6600"].home / ".local/state/runledger/witness"
    kept.write_text(kept.read_text() + kept.read_text().splitlines()[-1][:-40].replace("a", "b"))
    lines = [line.split() for line in kept.read_text().splitlines()]
    lines.append([*lines[0][:2], "999", "ab" * 32, lines[0][4]])
    kept.write_text("".join(" ".join(line) + "\n" for line in lines))
    decision = fleet.preflight(code=0)
    assert rules(decision, "warn") == {BEHIND: ["fleet"]}
    assert "rig-6600 saw position 999" in decision["findings"][0]["message"]


def test_only_our_own_probe_stores_what_a_witness_says(fleet: Fleet) -> None:
    read = fleet.events("type=witness_read")
    assert {each["data"]["held"] for each in read} == {True}
    assert {each["data"]["node"] for each in read} > {"rig-6600", "rig-6600b"}
    (fleet.home / "one.ndjson").write_text(
        '{"type": "witness_read", "source": "someone", "time": "2026-01-24T12:00:00Z", "data": '
        '{"node": "rig-6600", "ledger": "x", "sequence": 1, "hash": "'
        + "0" * 64
        + '", "held": false}}'
    )
    done = fleet.run("record", "one.ndjson")
    assert done.returncode == 2
    assert "read, not recorded" in done.stderr


def test_without_a_witness_nothing_is_asked(make_fleet: Callable[..., Fleet]) -> None:
    fleet = make_fleet(rigs={"rig-6600": "127.0.0.2"}, gpus=1, controller=False)
    fleet.configure('[steps."3"]\n')
    fleet.preflight(code=0)
    assert fleet.events("type=witness_read") == []
    assert list(fleet.rigs["rig-6600"].home.rglob("witness")) == []
    done = fleet.run("verify", "--witnesses")
    assert (done.returncode, "no witness is configured" in done.stderr) == (2, True)


def test_a_witness_that_cannot_be_asked_is_named(fleet: Fleet) -> None:
    shutil.rmtree(fleet.home / "stick")
    decision = fleet.preflight(code=0)
    assert decision["verdict"] == "go"
    fleet.sshd.stop()
    asked = fleet.run("verify", "--witnesses", "--json")
    assert asked.returncode == 0  # the file says that it was shown nothing
    assert "rig-6600: " in asked.stderr
