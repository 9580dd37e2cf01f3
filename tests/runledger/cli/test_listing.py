"""The first, the last and those still to come of a long list, and how one decision is named."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.typing_at import Type, event, forge, ndjson

BOUND_S = 60


def probe(number: int) -> dict[str, Any]:
    return event(
        "ssh_probe", f"2026-01-24T10:00:{number:02d}Z", node=f"rig-{number % 2}",
        address="rig", reachable=True, id=f"probe-{number}",
    )  # fmt: skip


@pytest.fixture
def six(type_: Type) -> None:
    assert type_("record", stdin=ndjson(*map(probe, range(6)))).code == 0


def _ids(type_: Type, *words: str) -> list[int]:
    done = type_("events", "--json", *words)
    assert done.code == 0
    return [int(each["id"].removeprefix("probe-")) for each in done.json["events"]]


@pytest.mark.usefixtures("six")
class TestPartsOfAList:
    def test_the_first_and_the_last_are_oldest_first(self, type_: Type) -> None:
        assert _ids(type_, "--limit", "2") == [0, 1]
        assert _ids(type_, "--last", "2") == [4, 5]
        assert _ids(type_, "--last", "0") == _ids(type_, "--limit", "0") == []
        assert _ids(type_, "--last", "99") == _ids(type_, "--limit", "99") == list(range(6))

    def test_they_are_of_those_that_match(self, type_: Type) -> None:
        assert _ids(type_, "--last", "2", "--where", "node=rig-0") == [2, 4]
        assert _ids(type_, "--limit", "1", "--where", "node=*1") == [1]

    def test_both_at_once_are_refused(self, type_: Type) -> None:
        assert type_("events", "--last", "2", "--limit", "2").code == 2


@contextmanager
def followed(*words: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "runledger", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate(timeout=BOUND_S)


@pytest.mark.usefixtures("six")
class TestFollowing:
    def test_goes_on_with_what_is_stored_and_ends_quietly_on_ctrl_c(self, type_: Type) -> None:
        with followed("events", "--json", "--last", "1", "--follow") as process:
            assert process.stdout is not None
            assert json.loads(process.stdout.readline())["id"] == "probe-5"
            type_("record", stdin=ndjson(probe(6)))
            assert json.loads(process.stdout.readline())["id"] == "probe-6"
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=BOUND_S)
            assert (process.returncode, out, err) == (0, b"", b"")

    def test_ends_when_its_reader_leaves_though_nothing_is_stored(self) -> None:
        with followed("events", "--follow") as process:
            assert process.stdout is not None
            process.stdout.readline()
            process.stdout.close()
            assert process.wait(timeout=BOUND_S) == 0

    def test_ends_after_so_many(self, type_: Type) -> None:
        done = type_("events", "--follow", "--limit", "3", "--json")
        assert [json.loads(line)["id"] for line in done.out.splitlines()] == [
            "probe-0", "probe-1", "probe-2",
        ]  # fmt: skip


class TestNamingADecision:
    @pytest.fixture
    def decided(self, type_: Type, made: None) -> list[str]:
        for at in ("2026-01-24T10:00:00Z", "2026-01-24T11:00:00Z"):
            assert type_("exclusions", "--at", at).code == 0
        return [each["decision"] for each in type_("decisions", "--json").json["decisions"]]

    def named(self, type_: Type, name: str) -> str:
        done = type_("why", name, "--json")
        assert done.code == 0, done.err
        return str(done.json["decision"])

    def test_an_id_a_beginning_of_its_groups_a_position_and_last(
        self, type_: Type, decided: list[str]
    ) -> None:
        first, second = decided
        group = second.rpartition("-")[2]
        position = type_("events", "--json", "--where", f"id={first}").json["events"][0]["sequence"]
        assert self.named(type_, first) == first
        assert self.named(type_, first[:-1]) == first
        assert self.named(type_, first.upper()) == first
        assert self.named(type_, group[:8]) == self.named(type_, group) == second
        assert self.named(type_, str(position)) == first
        assert self.named(type_, "last") == second

    def test_it_is_named_so_everywhere(self, type_: Type, decided: list[str]) -> None:
        assert type_("replay", "last", decided[1], "--json").json["decisions"] == 1
        done = type_("case", "last", "--json")
        assert done.json["case"] == f"cases/{decided[1]}"

    @pytest.mark.parametrize("name", ["0", "1", "999", "lasst", "12345678", "%", "*", "%%%%%%%%%"])
    def test_what_names_none_is_not_found(self, type_: Type, decided: list[str], name: str) -> None:
        done = type_("why", name, "--json")
        assert done.code == 3
        assert json.loads(done.err)["remedy"] == "see `runledger decisions`"

    def test_too_short_a_part_names_none_and_says_so(self, type_: Type, decided: list[str]) -> None:
        done = type_("why", decided[0].rpartition("-")[2][:7])
        assert done.code == 3
        assert "8 characters or more" in done.err

    def test_what_may_be_two_is_refused_with_both(self, type_: Type, decided: list[str]) -> None:
        source = type_("events", "--json", "--where", f"id={decided[0]}").json["events"][0]
        twin = decided[0][:-1] + ("0" if decided[0][-1] != "0" else "1")
        known = {"type", "source", "time", "subject"}
        wire = {key: value for key, value in source.items() if key in known}
        forge(
            {**wire, "specversion": "1.0", "id": twin, "data": {**source["data"], "decision": twin}}
        )
        done = type_("why", decided[0][:-1])
        assert done.code == 2
        assert decided[0] in done.err
        assert twin in done.err

    def test_a_position_that_holds_another_event_says_which(
        self, type_: Type, decided: list[str]
    ) -> None:
        done = type_("why", "1")
        assert "position 1 holds policy_activated, no decision" in done.err

    def test_the_last_of_none_is_not_found(self, type_: Type, made: None) -> None:
        assert type_("why", "last").code == 3
