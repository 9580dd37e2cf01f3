"""Runs rebuilt from what other programs wrote down: never more than was written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import runledger
from runledger.errors import BadInput
from tests.typing_at import Type

MAP = """
assume_tz = "America/Los_Angeles"
[fields]
time = "timestamp"
run = "run_id"
step = "step"
trials = "params.window_trials"
seed_count = "params.max_seeds"
outcome = "success"
reason = "why"
survivors = "survivors"
completed_trials = "completed"
study = "study"
[scope]
data_set = "params.lottery_file"
[outcomes]
proceed = "succeeded"
"""

RUN = {
    "timestamp": "2026-01-24T16:57:00",
    "run_id": "R1",
    "step": 1,
    "success": False,
    "why": "no file",
    "params": {"window_trials": "50", "max_seeds": 10_000_000, "lottery_file": "daily3.json"},
    "confidence": 0.4,
}


@pytest.fixture
def log(folder: Path) -> Any:
    (folder / "map.toml").write_text(MAP)

    def write(*records: Any) -> str:
        lines = (each if isinstance(each, str) else json.dumps(each) for each in records)
        (folder / "log.jsonl").write_text("\n".join(lines) + "\n")
        return "log.jsonl"

    return write


def taken(type_: Type, file: str) -> Any:
    done = type_("import", "decisions", file, "--map", "map.toml", "--json")
    assert done.code == 0
    return done.json


def test_a_run_without_a_count_is_unknown_and_never_zero(type_: Type, log: Any) -> None:
    done = taken(type_, log(RUN))
    assert (done["records"], done["runs"], done["counted"]) == (1, 1, 0)
    assert done["unused"] == {"confidence": 1}
    events = type_("events", "--json").json["events"]
    assert [event["type"] for event in events] == ["run_started", "step_finished", "run_finished"]
    assert {event["time"] for event in events} == {"2026-01-25T00:57:00Z"}
    assert events[0]["data"] == {
        "trials": 50, "seed_count": 10_000_000, "scope": {"data_set": "daily3.json"},
    }  # fmt: skip
    decision = type_("next", "--json").json
    assert decision["outcome"]["rule"] == "no_history"
    assert "unknown_outcome" in [finding["rule"] for finding in decision["findings"]]


def test_the_same_records_again_store_nothing(type_: Type, log: Any) -> None:
    other = {**RUN, "timestamp": "2026-01-25T10:00:00Z", "run_id": "R2", "success": "proceed"}
    assert taken(type_, log(RUN, other))["stored"] == 6
    again = taken(type_, log(RUN, other))
    assert (again["stored"], again["duplicates"]) == (0, 6)
    more = {**other, "timestamp": "2026-01-26T10:00:00Z", "run_id": "R3"}
    assert taken(type_, log(RUN, other, more))["stored"] == 3


def test_a_whole_count_counts_and_a_part_of_one_does_not(type_: Type, log: Any) -> None:
    whole = {**RUN, "survivors": 98_172, "completed": 50, "success": True}
    part = {**RUN, "run_id": "R2", "timestamp": "2026-01-25T16:57:00", "survivors": 0}
    done = taken(type_, log(whole, part))
    assert done["counted"] == 1
    assert done["passed_over"] == [
        {"where": "log.jsonl:2", "why": "survivors without completed_trials: not counted"}
    ]
    decision = type_("next", "--json").json
    assert decision["outcome"]["rule"] == "enough_survivors"
    assert "unknown_outcome" in [finding["rule"] for finding in decision["findings"]]


def test_what_has_no_place_is_named_and_the_rest_is_taken(type_: Type, log: Any) -> None:
    odd = ["not json", "[1]", {**RUN, "timestamp": None}, {**RUN, "timestamp": "soon"}]
    done = taken(type_, log(*odd, {**RUN, "success": "maybe"}))
    assert [each["where"] for each in done["passed_over"]] == [
        f"log.jsonl:{n}" for n in range(1, 5)
    ]
    assert done["runs"] == 1
    findings = type_("next", "--json").json["findings"]
    assert "unknown_outcome" in [finding["rule"] for finding in findings], "it is over all the same"


def test_files_of_results_are_read_from_a_folder(type_: Type, folder: Path, log: Any) -> None:
    (folder / "results/step1").mkdir(parents=True)
    (folder / "results/step1/a.json").write_text(json.dumps(RUN))
    (folder / "results/b.json").write_text("{")
    (folder / "results/c.txt").write_text("x")
    done = type_("import", "results", "results", "--map", "map.toml", "--json").json
    assert (done["records"], done["stored"]) == (1, 3)
    assert [each["where"] for each in done["passed_over"]] == ["results/b.json"]
    assert type_("import", "results", "nowhere", "--map", "map.toml").code == 3


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "fields"),
        ("[fields]\ntime = 1", "fields.time"),
        ("[fields]\ntme = 'x'", "time"),
        ("[fields]\ntime = 't'\n[outcomes]\na = 'good'", "outcomes"),
        ("assume_tz = 'Mars'\n[fields]\ntime = 't'", "Mars"),
        ("x = [", "not TOML"),
    ],
)
def test_a_map_that_is_wrong_is_said_before_anything_is_stored(
    type_: Type, folder: Path, log: Any, text: str, says: str
) -> None:
    log(RUN)
    (folder / "map.toml").write_text(text)
    done = type_("import", "decisions", "log.jsonl", "--map", "map.toml")
    assert done.code == 2
    assert says in done.err


def test_a_naive_time_needs_a_zone(folder: Path, log: Any) -> None:
    log(RUN)
    (folder / "map.toml").write_text("[fields]\ntime = 'timestamp'")
    with runledger.open(create=True) as fleet, pytest.raises(BadInput, match="assume_tz"):
        fleet.import_records(decisions="log.jsonl", map="map.toml")
