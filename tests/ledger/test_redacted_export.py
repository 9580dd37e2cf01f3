"""An export for sharing: no secret in it, nothing that vouches for one, and a ledger takes it."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ledger import InvalidEvents, Ledger, open_ledger, parse_filters, verify
from ledger.canonical import digest
from ledger.event import parse_ndjson
from ledger.redacted_export import RedactedExport

S = "s3cr3t" + "V4lue"
NOW = 1_769_300_000_000_000


def wire(id: str, type_: str, **data: Any) -> dict[str, Any]:
    return {"id": id, "type": type_, "source": "test", "time": "2026-01-24T12:00:00Z", "data": data}


def decided(id: str) -> dict[str, Any]:
    as_of = {"sequence": 1, "hash": "0" * 64, "time": "2026-01-24T12:00:00Z"}
    return wire(
        id, "exclusions_decided", decision=id, kind="exclusions", question={}, as_of=as_of,
        policy={"name": "default", "digest": "d"}, fleet={"digest": "d"},
        engine={"version": "1", "rules": "r"}, verdict="decided", findings=[], outcome={"gpus": []},
    ) | {"subject": "fleet"}  # fmt: skip


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    fleet = f'[steps."1"]\nremedy = ["mysql", "-p{S}"]\npassword = "{S}"\n'
    lines = [
        wire("a", "ssh_probe", node="rig", reachable=True),
        decided("b"),
        wire("c", "job_finished", job=f"token={S}", node="rig", attempt=1),
        wire("d", "run_finished", outcome="failed", reason=f"pg://u:{S}@db")
        | {"subject": "run/R1", "runid": "R1", "causationid": "c"},
        wire("e", "fleet_configured", name="fleet", digest=digest(fleet.encode()), text=fleet),
        wire("f", "ssh_probe", node="rig", reachable=False),
    ]
    with open_ledger(tmp_path / "ledger.db") as opened:
        opened.append(parse_ndjson(map(json.dumps, lines)))
        yield opened


def exported(ledger: Ledger, **options: Any) -> list[dict[str, Any]]:
    return [json.loads(line) for line in RedactedExport(ledger, now_us=NOW, **options)]


def test_no_secret_and_no_decision_is_in_it_and_ids_stay(ledger: Ledger) -> None:
    told = exported(ledger)
    assert S not in json.dumps(told)
    assert [each["id"] for each in told[1:]] == ["a", "c", "d", "e", "f"]
    assert told[3]["causationid"] == "c"


def test_a_redacted_event_says_so_and_no_hash_vouches_for_it_or_what_follows(
    ledger: Ledger,
) -> None:
    _, before, *after = exported(ledger)
    assert "redacted" not in before
    assert len(before["hash"]) == 64
    assert [each.get("redacted", False) for each in after] == [True, True, True, False]
    assert not any({"hash", "prevhash"} & each.keys() for each in after)


def test_the_first_line_names_the_head_of_the_old_ledger(ledger: Ledger) -> None:
    first, *_ = exported(ledger)
    head = ledger.head()
    assert first["type"] == "history_redacted"
    assert first["data"] == {"sequence": head.sequence, "hash": head.hash}


def test_a_configuration_keeps_the_digest_of_its_text_and_can_be_read(ledger: Ledger) -> None:
    data = next(each["data"] for each in exported(ledger) if each["type"] == "fleet_configured")
    assert data["digest"] == digest(data["text"].encode())
    assert tomllib.loads(data["text"])["steps"]["1"]["password"] == "<redacted>"


def test_a_new_ledger_takes_it_and_a_restore_does_not(ledger: Ledger, tmp_path: Path) -> None:
    lines = list(RedactedExport(ledger, now_us=NOW))
    with open_ledger(tmp_path / "new.db") as new:
        assert new.append(parse_ndjson(lines)).stored == 6
        assert verify(new).ok
    with pytest.raises(InvalidEvents, match="unchanged export"):
        parse_ndjson(lines, stored=True)


def test_a_value_that_no_list_can_know_is_taken_out_by_its_name(ledger: Ledger) -> None:
    assert "rig" in json.dumps(exported(ledger))
    assert '"rig"' not in json.dumps(exported(ledger, secrets=["rig"]))


def test_a_filter_narrows_it_and_counts_tell_what_was_done(ledger: Ledger) -> None:
    lines = RedactedExport(ledger, parse_filters(["type=*_finished", "type=*_decided"]), now_us=NOW)
    assert len(list(lines)) == 3
    assert (lines.redacted, lines.decisions, lines.unfit) == (2, 1, 0)
