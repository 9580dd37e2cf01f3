"""What may be recorded: what was observed, said or configured, never what was judged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import runledger
from ledger import InvalidEvents, new_event, open_ledger
from ledger.canonical import digest
from ledger.payloads import PolicyActivated
from rules.fleet import fleet_text
from rules.policy import default_policy, policy_text
from tests.rules.histories import FLEET, NOON, Story
from tests.typing_at import Type, event, ndjson, told

POLICY = policy_text(default_policy())


def activated(text: str, digest_: str | None = None, **more: Any) -> dict[str, Any]:
    return event(
        "policy_activated", "2026-03-01T00:00:00Z", name="p", text=text,
        digest=digest_ or digest(text.encode()), **more,
    )  # fmt: skip


def configured(text: str, digest_: str | None = None) -> dict[str, Any]:
    return event(
        "fleet_configured", "2026-03-01T00:00:00Z", name="f", text=text,
        digest=digest_ or digest(text.encode()),
    )  # fmt: skip


@pytest.fixture
def decided(type_: Type, folder: Path) -> str:
    """A ledger with decisions in it, exported."""
    (folder / "runledger.toml").write_text(fleet_text(FLEET))
    assert type_("record", stdin=told(Story().healthy().error())).code == 0
    assert type_("exclusions").code == 0
    assert type_("preflight", "--step", "1", "--no-probe").code == 11  # that night is long ago
    return type_("export").out


@pytest.mark.parametrize(
    ("wrong", "field", "says"),
    [
        (activated(POLICY, "0" * 64), "data.digest", digest(POLICY.encode())),
        (configured("", "0" * 64), "data.digest", digest(b"")),
        (activated("no TOML"), "data.text", "not TOML"),
        (activated("[gpu]\nnever_heard_of = 1"), "data.text", "never_heard_of"),
        (configured("[nodes]"), "data.text", "nodes"),
    ],
)
def test_a_policy_or_fleet_that_is_none_is_refused_by_line(
    type_: Type, wrong: dict[str, Any], field: str, says: str
) -> None:
    fine = event("ssh_probe", "2026-03-01T00:00:00Z", node="rig", reachable=True)
    done = type_("record", stdin="\n" + ndjson(fine, wrong))
    assert done.code == 2
    assert f"line 3: {field}" in done.err
    assert says in done.err
    assert type_("events").code == 3  # nothing was made of it


def test_a_policy_and_a_fleet_that_are_right_are_recorded(type_: Type) -> None:
    assert type_("record", stdin=ndjson(activated(POLICY), configured(""))).code == 0
    assert type_("exclusions").code == 0


def test_a_decision_is_refused_unless_it_is_held(type_: Type, decided: str) -> None:
    again = type_("record", "--json", stdin=decided).json
    assert (again["stored"], again["duplicates"]) == (0, len(decided.splitlines()))
    decision = next(json.loads(each) for each in decided.splitlines() if "exclusions_d" in each)
    forged = {**decision, "id": "another", "data": {**decision["data"], "verdict": "ok"}}
    forged["data"]["decision"] = "another"
    done = type_("record", stdin=ndjson(forged))
    assert (done.code, "decisions are made, not recorded" in done.err) == (2, True)
    assert type_("record", stdin=ndjson({**forged, "id": decision["id"]})).code == 5
    assert type_("--ledger", "other.db", "record", stdin=decided).code == 2


def test_restore_keeps_decisions(type_: Type, decided: str, folder: Path) -> None:
    (folder / "all.ndjson").write_text(decided)
    assert type_("--ledger", "copy.db", "restore", "all.ndjson").code == 0
    assert len(type_("--ledger", "copy.db", "decisions", "--json").json["decisions"]) == 2


def test_evidence_can_be_exported_and_recorded_elsewhere(type_: Type, decided: str) -> None:
    evidence = type_("export", "--evidence").out
    kept = [each for each in decided.splitlines() if "_decided" not in each]
    assert evidence.splitlines() == kept
    assert type_("--ledger", "other.db", "record", stdin=evidence).code == 0
    (csv,) = [type_("export", "--evidence", "--format", "csv").out]
    assert "_decided" not in csv


def test_what_if_and_cases_pass_decisions_over(type_: Type, decided: str, folder: Path) -> None:
    lines = [json.loads(each) for each in decided.splitlines() if "exclusions_d" in each]
    lines[0]["data"]["verdict"] = "retire"
    (folder / "forged.ndjson").write_text(ndjson(*lines))
    done = type_("whatif", "--with", "forged.ndjson", "--json")
    assert (done.code, done.json["changed"]) == (0, [])
    id = lines[0]["id"]
    assert type_("case", id, "--output", "case").code == 0
    with (folder / "case" / "events.ndjson").open("a") as events:
        events.write(ndjson(*lines))
    assert type_("test", "case").code == 0


def test_a_programs_own_events_pass_the_same_gate(folder: Path) -> None:
    with runledger.open(folder / "ledger.db") as opened:
        payload = PolicyActivated(name="p", digest="0" * 64, text=POLICY)
        with pytest.raises(InvalidEvents, match=r"data\.digest"):
            opened.note(payload)
        with pytest.raises(InvalidEvents, match=r"data\.digest"):
            opened.record([new_event(payload, time_us=NOON, source="x")])
    assert not (folder / "ledger.db").exists()


def test_what_waits_in_a_spool_passes_it_too(folder: Path) -> None:
    with runledger.open(folder / "ledger.db", create=True) as opened:
        payload = PolicyActivated(name="p", digest="0" * 64, text=POLICY)
        opened.recorder.spool.put([new_event(payload, time_us=NOON, source="x")])
        opened.recorder.spool.put(Story().ssh().events)
        delivered = opened.deliver_spooled()
        assert (delivered.delivered, delivered.refused) == (1, 1)
        assert {each.type for each in opened.ledger.read()} == {"ssh_probe"}


# -- texts that were recorded by other versions ---------------------------------------


def held(path: Path, text: str) -> None:
    """A ledger that holds this policy, whoever wrote it."""
    payload = PolicyActivated(name="p", digest=digest(text.encode()), text=text)
    with open_ledger(path) as ledger:
        ledger.append([*Story().healthy().error().events])
        ledger.append(new_event(payload, time_us=NOON, source="x"))


def test_a_policy_of_a_newer_version_stops_only_what_is_judged_by_it(
    type_: Type, folder: Path
) -> None:
    held(folder / "runledger.db", POLICY + "\n[from_the_future]\nkey = 1\n")
    for words in (("events",), ("verify",), ("export",), ("decisions",), ("replay",)):
        assert type_(*words).code == 0
    assert type_("record", stdin=told(Story().ssh(at=5))).code == 0
    done = type_("exclusions")
    assert done.code == 2
    assert "position 8" in done.err
    assert "from_the_future" in done.err
    assert "upgrade runledger" in done.err
    (folder / "runledger.toml").write_text("")
    assert type_("exclusions").code == 0


def test_an_older_text_is_read_with_todays_defaults_and_keeps_its_digest(
    type_: Type, folder: Path
) -> None:
    text = "# as someone wrote it\n[gpu]\nexclude_after_incidents = 1\n"
    held(folder / "runledger.db", text)
    for _ in range(2):
        decision = type_("exclusions", "--json", "--at", "2026-03-05T13:00:00Z").json
        assert decision["policy"] == {"name": "p", "digest": digest(text.encode())}
        assert decision["outcome"]["gpus"][0]["state"] == "excluded"
    events = type_("events", "--json", "--where", "type=policy_activated").json["events"]
    assert [each["data"]["text"] for each in events] == [text]
    assert type_("replay", "--json").json["identical"] == 2
    assert type_("backtest").code == 0
