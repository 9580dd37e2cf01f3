"""``record`` and ``override``: what is taken, what is refused, and that nothing is lost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.typing_at import Type, event, ndjson

T = "2026-01-24T12:00:00Z"
SSH = event("ssh_probe", T, id="a", node="rig", reachable=True)
SMU = event("smu_error", T, id="b", node="rig", pci="22:00.0", signature="response_ff", raw="x")


def test_events_are_recorded_from_stdin(type_: Type) -> None:
    done = type_("record", "--json", stdin=ndjson(SSH, SMU))
    assert done.code == 0
    assert done.json["stored"] == 2
    assert done.json["duplicates"] == 0
    assert done.json["head"]["sequence"] == 2
    assert len(done.json["head"]["hash"]) == 64


def test_events_are_recorded_from_several_files_as_one_batch(type_: Type, folder: Path) -> None:
    (folder / "one").write_text(ndjson(SSH))
    (folder / "two").write_text("\n" + ndjson(SMU) + "\n")
    assert type_("record", "one", "two", "--json").json["stored"] == 2
    assert type_("record", "one", "-", "--json", stdin=ndjson(SMU)).json["duplicates"] == 2


def test_the_same_again_stores_nothing(type_: Type) -> None:
    first = type_("record", "--json", stdin=ndjson(SSH, SMU)).json
    again = type_("record", "--json", stdin=ndjson(SMU, SSH)).json
    assert again == {**first, "stored": 0, "duplicates": 2}


@pytest.mark.parametrize(
    "same",
    [
        {**SSH, "time": "2026-01-24T13:00:00+01:00"},
        {**SSH, "specversion": "1.0", "dataschemaversion": 1},
        {**SSH, "sequence": 9, "hash": "0" * 64, "prevhash": "1" * 64, "recordedtime": T},
        {**SSH, "subject": "node/rig"},
    ],
)
def test_the_same_content_in_another_form_is_the_same(type_: Type, same: dict[str, Any]) -> None:
    type_("record", stdin=ndjson(SSH))
    assert type_("record", "--json", stdin=ndjson(same)).json["duplicates"] == 1


def test_the_same_id_with_other_content_is_a_conflict(type_: Type) -> None:
    type_("record", stdin=ndjson(SSH))
    other = {**SSH, "data": {"node": "rig", "reachable": False}}
    done = type_("record", "--json", stdin=ndjson(SMU, other))
    assert done.code == 5
    assert "other content: a;" in done.err
    assert type_("verify", "--json").json["head"]["sequence"] == 1


@pytest.mark.parametrize(
    ("broken", "names"),
    [
        ('{"type": "ssh_probe"', ["line 1"]),
        ("[1]", ["line 1"]),
        ("nothing", ["line 1"]),
        (json.dumps({**SSH, "type": "ssh_prob"}), ["line 1", "type", "ssh_probe"]),
        (json.dumps({**SSH, "time": "2026-01-24T12:00:00"}), ["line 1", "time", "Z"]),
        (json.dumps({**SSH, "tiem": T}), ["line 1", "tiem", "time"]),
        (json.dumps({**SSH, "data": {"node": "rig"}}), ["line 1", "reachable"]),
        (json.dumps({**SSH, "data": {"node": "rig", "reachable": 1}}), ["line 1", "reachable"]),
        (json.dumps({**SSH, "data": {"node": "rig", "reachable": True, "x": 1}}), ["line 1", "x"]),
        (json.dumps({**SSH, "data": {"node": "r\ng", "reachable": True}}), ["line 1", "node"]),
        (json.dumps({**SSH, "id": "a\x07"}), ["line 1", "id"]),
        (json.dumps({**SSH, "dataschemaversion": 99}), ["line 1", "dataschemaversion"]),
        (json.dumps({**SSH, "specversion": "0.3"}), ["line 1", "specversion"]),
        (json.dumps({**SSH, "source": ""}), ["line 1", "source"]),
        (
            '{"type":"ssh_probe","source":"t","time":"2026-01-24T12:00:00Z",'
            '"data":{"node":"a","reachable":true,"latency_s":NaN}}',
            ["line 1"],
        ),
        (
            '{"type":"ssh_probe","source":"t","time":"2026-01-24T12:00:00Z",'
            '"data":{"node":"a","reachable":true,"latency_s":1e999}}',
            ["line 1"],
        ),
        (
            '{"type":"ssh_probe","type":"ssh_probe","source":"t","time":"2026-01-24T12:00:00Z",'
            '"data":{"node":"a","reachable":true}}',
            ["line 1", "type"],
        ),
        (
            json.dumps(
                event("run_started", T, runid="R", seed_count=2**53 + 2, trials=1)
            ),
            ["line 1", "seed_count"],
        ),
        (json.dumps({**SMU, "data": {**SMU["data"], "raw": "a\x00b"}}), ["line 1", "raw"]),
        (json.dumps({**SMU, "data": {**SMU["data"], "raw": "\ud800"}}), ["line 1"]),
        (json.dumps({**SMU, "data": {**SMU["data"], "raw": "x" * 2**21}}), ["line 1"]),
        # A lone surrogate where text does not belong at all.
        (json.dumps({**SMU, "data": {**SMU["data"], "index": "\ud800"}}), ["line 1", "data.index"]),
        # More digits than Python reads.
        (
            json.dumps({**SMU, "data": {**SMU["data"], "index": "@"}}).replace('"@"', "9" * 5000),
            ["line 1", "data.index", "2**53"],
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_and_the_ledger_is_as_it_was(
    type_: Type, broken: str, names: list[str]
) -> None:
    type_("record", stdin=ndjson(SMU))
    before = type_("export").out
    done = type_("record", "--json", stdin=f"{broken}\n{json.dumps(SSH)}\n")
    assert done.code == 2
    assert done.out == ""
    for name in names:
        assert name in done.err
    assert "Traceback" not in done.err
    assert type_("export").out == before


def test_all_problems_of_a_batch_are_named_together(type_: Type) -> None:
    batch = [
        {**SSH, "type": "nope"},
        SMU,
        {**SSH, "data": {"node": 1, "reachable": "yes", "extra": None}},
    ]
    done = type_("record", stdin=ndjson(*batch))
    assert done.code == 2
    for part in ("line 1", "line 3", "node", "reachable", "extra"):
        assert part in done.err
    assert "line 2" not in done.err


def test_problems_are_named_by_file_and_line_where_files_are_given(
    type_: Type, folder: Path
) -> None:
    (folder / "a.ndjson").write_text(ndjson(SSH, {**SSH, "type": "nope"}))
    (folder / "b.ndjson").write_text(ndjson({**SSH, "source": 5}))
    done = type_("record", "a.ndjson", "-", "b.ndjson", stdin="[]\n")
    assert done.code == 2
    assert [line.removeprefix("runledger: ")[:24] for line in done.err.splitlines()] == [
        "a.ndjson: line 2: type: ",
        "stdin: line 1: (line): n",
        "b.ndjson: line 1: source",
    ]


def test_one_problem_does_not_hide_another_whose_name_begins_the_same(type_: Type) -> None:
    values = [1, "@", *range(8), "one"]
    trial = event("trial_completed", T, study="s\x00", number=1, params={}, values=values)
    trial["data"]["study_name"] = "s"  # and `state` is missing
    done = type_("record", stdin=ndjson(trial).replace('"@"', "NaN"))
    assert done.code == 2
    for field in ("study", "study_name", "state", "values[1]", "values[10]"):
        assert f"data.{field}: " in done.err, field


def test_two_spellings_of_one_card_are_refused_rather_than_one_lost(type_: Type) -> None:
    orphans = {"0F:00.0": 100, "0000:0f:00.0": 200}
    cleanup = event(
        "cleanup_completed", T, node="rig", actions=[], warnings=[], orphaned_vram_mib=orphans
    )
    done = type_("record", stdin=ndjson(cleanup))
    assert done.code == 2
    assert "data.orphaned_vram_mib.0F:00.0" in done.err


def test_bytes_that_are_no_text_are_refused_with_their_line(type_: Type) -> None:
    done = type_("record", stdin=ndjson(SSH).encode() + b'{"type": "\xff\xfe"}\n')
    assert done.code == 2
    assert "line 2" in done.err


def test_a_missing_file_is_named(type_: Type) -> None:
    done = type_("record", "nowhere.ndjson")
    assert done.code == 3
    assert "nowhere.ndjson" in done.err


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("0F:00.0", "0000:0f:00.0"),
        ("0000:01:00", "0000:01:00.0"),
        ("00000000:0A:00.0", "0000:0a:00.0"),
        ("01:00", "0000:01:00.0"),
    ],
)
def test_a_pci_address_is_completed(type_: Type, given: str, stored: str) -> None:
    smu = event("smu_error", T, node="rig", pci=given, signature="s", raw="r")
    assert type_("record", stdin=ndjson(smu)).code == 0
    (found,) = type_("events", "--json").json["events"]
    assert found["data"]["pci"] == stored
    assert found["subject"] == f"gpu/rig/{stored}"


def test_free_text_may_hold_anything_and_is_shown_without_terminal_control(type_: Type) -> None:
    raw = '\x1b[31mred\x1b[0m\u202e\x07 "quoted" \U0001d11e'
    type_("record", stdin=ndjson({**SMU, "data": {**SMU["data"], "raw": raw}}))
    (found,) = type_("events", "--json").json["events"]
    assert found["data"]["raw"] == raw
    shown = type_("events").out
    assert "\x1b" not in shown
    assert "\u202e" not in shown


@pytest.mark.usefixtures("made")
def test_an_operators_word_is_an_event(type_: Type) -> None:
    done = type_(
        "override", "gpu/rig/22:00.0", "watch", "--reason", "fan", "--by", "op",
        "--expires", "2026-02-01T00:00:00+01:00", "--json",
    )  # fmt: skip
    assert done.code == 0
    (found,) = type_("events", "--where", "type=override_set", "--json").json["events"]
    assert found["subject"] == "gpu/rig/0000:22:00.0"
    assert found["data"] == {
        "subject": "gpu/rig/0000:22:00.0",
        "action": "watch",
        "reason": "fan",
        "by": "op",
        "expires": "2026-01-31T23:00:00Z",
    }


@pytest.mark.usefixtures("made")
def test_a_subject_never_seen_is_accepted_with_a_note(type_: Type) -> None:
    done = type_("override", "node/new", "watch", "--reason", "r", "--by", "op")
    assert done.code == 0
    assert "node/new" in done.err
    type_("record", stdin=ndjson(SSH))
    done = type_("override", "node/rig", "watch", "--reason", "r", "--by", "op")
    assert done.err == ""


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["node/rig", "waive", "--reason", "r", "--by", "op"], "expires"),
        (["node/rig", "ban", "--reason", "r", "--by", "op"], "reinstate"),
        (["rig", "watch", "--reason", "r", "--by", "op"], "node/NAME"),
        (["gpu/rig/10", "watch", "--reason", "r", "--by", "op"], "gpu/NODE/PCI"),
        (["node/rig", "watch", "--by", "op"], "--reason"),
        (["node/rig", "watch", "--reason", "r", "--by", "op", "--expires", "soon"], "expires"),
    ],
)
def test_an_operators_word_that_is_incomplete_is_refused(
    type_: Type, words: list[str], names: str
) -> None:
    done = type_("override", *words)
    assert done.code == 2
    assert names in done.err
