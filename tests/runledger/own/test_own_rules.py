"""Rules of one's own from file to verdict: checked, recorded, replayed, explained."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import runledger
from rules.engine import EVALUATORS, why_not
from rules.policy import policy_digest
from runledger.config.policy_files import read_policy_file
from tests.postgres import NewDatabase
from tests.typing_at import Type, event, ndjson

T = "2026-01-24T12:00:00Z"
SOON = "2026-01-24T12:01:00Z"

POLICY = """
include = ["rules.d/*.toml"]
[own]
max_temp_c = 95
max_jobs = 8
"""
HOT = """
[[rules.own]]
name = "own.hot_card"
about = "card"
when = ["temp_c > $own.max_temp_c"]
severity = "block"
message = "{card} is at {temp_c} °C, over {own.max_temp_c}"
remedy = "check its fan"
"""
JOBS = """
[[facts]]
name = "jobs_planned"
about = "node"
from = "x.jobs_planned"
keep = "newest"
field = "jobs"
[[rules.own]]
name = "own.too_many_jobs"
about = "node"
when = ["mem_total_mib < 8192", "jobs_planned > $own.max_jobs"]
severity = "block"
message = "{node}: {jobs_planned} jobs on {mem_total_mib} MiB"
"""
DECLARED = {
    "type": "x.jobs_planned",
    "version": 1,
    "about": "node",
    "schema": {
        "type": "object",
        "properties": {"jobs": {"type": "integer", "minimum": 0}},
        "required": ["jobs"],
        "additionalProperties": False,
    },
}
CONFIG = """
ledger = "ledger.db"
policy = "policy.toml"
[[nodes]]
name = "rig"
address = "192.0.2.1"
gpus = 2
[steps."1"]
timeout_s = 7200
"""


def planned(jobs: Any, **more: Any) -> dict[str, Any]:
    attributes = {"subject": "node/rig", "time": T, "source": "test", **more}
    return {"type": "x.jobs_planned", "data": {"jobs": jobs}, **attributes}


def rig(memory: int = 7_900, *temps: float) -> str:
    gpus = [
        {"pci": f"0{number}:00.0", "index": number, "state": "ok", "temp_c": temp}
        for number, temp in enumerate(temps or (97, 60))
    ]
    return ndjson(
        event("ssh_probe", T, node="rig", reachable=True, mem_total_mib=memory),
        event("kernel_log_scanned", T, node="rig", lines=1, matches=0, readable=True),
        event("gpu_probe", T, node="rig", method="sysfs", smu_reads=0, gpus=gpus),
    )


@pytest.fixture
def made(type_: Type, folder: Path) -> Type:
    """A folder with a configuration, a policy in three files, and a ledger with the type."""
    (folder / "rules.d").mkdir()
    (folder / "runledger.toml").write_text(CONFIG)
    (folder / "policy.toml").write_text(POLICY)
    (folder / "rules.d" / "hot.toml").write_text(HOT)
    (folder / "rules.d" / "jobs.toml").write_text(JOBS)
    (folder / "type.json").write_text(json.dumps(DECLARED))
    assert type_("record", stdin=rig()).code == 0
    assert type_("types", "add", "type.json").code == 0
    assert type_("record", stdin=ndjson(planned(12))).code == 0
    return type_


def said(decision: dict[str, Any]) -> dict[str, str]:
    return {each["rule"]: each["message"] for each in decision["findings"]}


def decided(made: Type, **more: Any) -> Any:
    return made("preflight", "--step", "1", "--no-probe", "--at", SOON, "--json").json


def test_both_rules_speak_and_the_whole_policy_is_recorded(made: Type, folder: Path) -> None:
    decision = decided(made)
    assert decision["verdict"] == "no_go"
    assert said(decision) == {
        "own.hot_card": "GPU 0 (0000:00:00.0) of rig is at 97 °C, over 95",
        "own.too_many_jobs": "rig: 12 jobs on 7,900 MiB",
    }
    assert decision["policy"]["digest"] == policy_digest(read_policy_file(folder / "policy.toml"))
    (recorded,) = made("events", "--where", "type=policy_activated", "--json").json["events"]
    assert "own.too_many_jobs" in recorded["data"]["text"]
    assert "include" not in recorded["data"]["text"]


def test_a_decision_replays_when_the_policy_is_gone_and_after_export_and_restore(
    made: Type, folder: Path, new_postgres_database: NewDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    decided(made)
    made("exclusions", "--at", SOON)
    for name in ("policy.toml", "rules.d/hot.toml", "rules.d/jobs.toml", "runledger.toml"):
        (folder / name).unlink()
    (folder / "export.ndjson").write_text(made("--ledger", "ledger.db", "export").out)
    restored = {"ledger.db": "ledger.db", "other": "other.db", "postgres": new_postgres_database()}
    for ledger in restored.values():
        if ledger != "ledger.db":
            assert made("--ledger", ledger, "restore", "export.ndjson").code == 0
        done = made("--ledger", ledger, "replay", "--json")
        assert (done.json["decisions"], done.json["identical"]) == (2, 2), done.json
    for engine in (name for name in EVALUATORS if not why_not(name)):
        monkeypatch.setattr("rules.rulebook.chosen", lambda engine=engine: engine)
        with runledger.open(folder / "ledger.db") as opened:
            assert opened.replay().identical == 2


def test_a_threshold_can_be_asked_what_if(made: Type) -> None:
    decided(made)
    done = made("whatif", "--set", "own.max_jobs=20", "--set", "own.max_temp_c=99", "--json").json
    (changed,) = done["changed"]
    assert changed["after"]["verdict"] == "go"
    mistyped = made("whatif", "--set", "own.max_job=20")
    assert mistyped.code == 2
    assert "did you mean own.max_jobs?" in mistyped.err


def test_why_shows_values_against_limits_and_what_nearly_fired(made: Type) -> None:
    made("record", stdin=rig(7_900, 94, 60).replace(T, SOON))
    decision = made("preflight", "--step", "1", "--no-probe", "--at", SOON, "--json").json
    shown = made("why", decision["decision"], "--json").json
    (fired,) = shown["rules"]
    assert [(each["feature"], each["value"], each["limit"]) for each in fired["conditions"]] == [
        ("mem_total_mib", 7900, 8192),
        ("jobs_planned", 12, 8),
    ]
    assert len(fired["evidence"]) == 2
    nearly = next(each for each in shown["nearly"] if each["rule"] == "own.hot_card")
    assert (nearly["value"], nearly["limit"], nearly["key"]) == (94, 95, "own.max_temp_c")
    minimal = made("why", decision["decision"], "--minimal", "--json").json["minimal"]
    assert len(minimal) == 1


def test_a_policy_is_checked_with_and_without_a_ledger(made: Type, folder: Path) -> None:
    assert made("policy", "check", "policy.toml").code == 0
    typo = folder / "typo.toml"
    typo.write_text(JOBS.replace("x.jobs_planned", "x.jobs_plan").replace("$own.max_jobs", "8"))
    found = made("policy", "check", "typo.toml", "policy.toml", "--json")
    assert found.code == 2
    assert [each["ok"] for each in found.json["policies"]] == [False, True]
    (problem,) = found.json["policies"][0]["problems"]
    assert "did you mean x.jobs_planned?" in problem
    (folder / "runledger.toml").unlink()
    (folder / "ledger.db").unlink()
    without = made("policy", "check", "typo.toml", "--json")
    assert without.code == 0
    assert "x.jobs_plan: no ledger is at hand" in without.json["policies"][0]["warnings"][0]


def test_what_no_event_ever_carried_is_said(made: Type, folder: Path) -> None:
    (folder / "rare.toml").write_text(
        '[[facts]]\nname = "f"\nabout = "card"\nfrom = "gpu_probe"\nwhere = ["busy_pct > 3"]\n'
        'keep = "count"\ntimespan_s = 60\n'
    )
    (checked,) = made("policy", "check", "rare.toml", "--json").json["policies"]
    assert checked["warnings"] == [
        "fact f: no rule looks at it",
        "gpu_probe.busy_pct: no event carries it (fact f)",
    ]


def test_a_policy_that_is_wrong_stops_a_decision_and_no_record(made: Type, folder: Path) -> None:
    (folder / "rules.d" / "jobs.toml").write_text(JOBS.replace("jobs_planned >", "jobs_plan >"))
    done = made("preflight", "--step", "1", "--no-probe")
    assert done.code == 2
    assert "rules.d/jobs.toml: rules.own[1] (own.too_many_jobs).when[2]" in done.err
    assert made("record", stdin=ndjson(planned(3))).code == 0


def test_policies_are_compared_in_words(made: Type) -> None:
    words = made("policy", "diff", "default", "policy.toml").out
    assert "own.max_jobs: new: 8" in words
    assert "rule own.hot_card: new: about card; when temp_c > $own.max_temp_c" in words
    assert (
        made("policy", "diff", "default", "default").out == "they decide alike: nothing differs\n"
    )
    shown = made("policy", "show", "policy.toml").out
    assert "[own]" in shown
    assert "[gpu]" not in shown
    assert "[gpu]" in made("policy", "show", "--effective").out
    digest = decided(made)["policy"]["digest"]
    assert made("policy", "diff", digest[:12], "policy.toml", "--json").json == {"differences": []}
    assert made("policy", "show", "nothing").code == 3


def test_rules_and_facts_are_listed_own_ones_included(made: Type) -> None:
    (rule,) = made("rules", "own.hot_card", "--json").json["rules"]
    assert rule["when"] == ["temp_c > $own.max_temp_c"]
    assert rule["own"] is True
    assert made("rules", "own.hot_crad").code == 3
    (node,) = made("facts", "node", "--json").json["facts"]
    features = {each["name"]: each for each in node["features"]}
    assert features["mem_total_mib"]["unit"] == "MiB"
    assert features["jobs_planned"]["type"] == "integer"
    assert features["jobs_planned"]["from"] == "x.jobs_planned"
    assert "own.too_many_jobs" in made("rules").out
    assert made("facts", "jobs_planned").code == 0
    assert made("facts", "jobs_plan").code == 3


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"data": {"jobs": -1}}, "data.jobs: -1 is less than the minimum of 0"),
        ({"data": {"jobs": "many"}}, "data.jobs"),
        ({"data": {}}, '"jobs" is a required property'),
        ({"data": {"jobs": 1, "more": 2}}, "'more' was unexpected"),
        ({"subject": "gpu/rig/0000:01:00.0"}, "is no node"),
        ({"subject": "step/1"}, "nothing that events of declared types are about"),
        ({"dataschemaversion": 2}, "version 2 of x.jobs_planned is not declared"),
        ({"type": "x.jobs_plan"}, "did you mean x.jobs_planned?"),
        ({"type": "x.Jobs"}, "unknown event type"),
        ({"data": {"jobs": 1e400}}, "not a JSON number"),
    ],
)
def test_an_event_of_a_declared_type_is_held_to_its_schema(
    made: Type, changed: dict[str, Any], problem: str
) -> None:
    done = made("record", stdin=ndjson({**planned(3), **changed}))
    assert done.code == 2
    assert problem in done.err


def test_a_newer_shape_is_declared_and_the_older_stays_readable(made: Type, folder: Path) -> None:
    schema = {
        "type": "object",
        "properties": {"jobs": {"type": "number"}, "queue": {"type": "string"}},
    }
    newer = {**DECLARED, "version": 2, "schema": schema}
    (folder / "newer.json").write_text(json.dumps(newer))
    assert made("types", "add", "newer.json", "--json").json["stored"] == 1
    assert made("types", "add", "newer.json", "--json").json["duplicates"] == 1
    again = planned(2.5, dataschemaversion=2, time=SOON)
    again["data"]["queue"] = "night"
    assert made("record", stdin=ndjson(again, planned(1))).code == 0
    assert said(decided(made)) == {
        "own.hot_card": "GPU 0 (0000:00:00.0) of rig is at 97 °C, over 95"
    }
    (listed,) = made("types", "list", "x.jobs_planned", "--json").json["types"]
    assert listed["versions"] == [1, 2]
    assert listed["fields"] == {"jobs": "number", "queue": "text"}
    rows = made("query", "SELECT json_extract(data, '$.jobs') AS jobs FROM v_events "
                "WHERE type = 'x.jobs_planned' ORDER BY sequence", "--json").json  # fmt: skip
    assert [row[0] if isinstance(row, list) else row["jobs"] for row in rows["rows"]] == [
        12,
        2.5,
        1,
    ]
    (folder / "other.json").write_text(json.dumps({**newer, "schema": {"type": "object"}}))
    assert made("types", "add", "other.json").code == 5


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"type": "jobs"}, "write x.NAME"),
        ({"version": 0}, "write a whole number from 1 on"),
        ({"about": "rig"}, "write one of card, node"),
        ({"abuot": "rig"}, "did you mean about?"),
        ({"schema": {"type": "array"}}, 'write "type": "object"'),
        ({"schema": {"type": "object", "not": {"type": "objct"}}}, "objct"),
        ({"schema": {"type": "object", "items": {"$ref": "http://x/y"}}}, "nothing is fetched"),
        ({"schema": {"type": "object", "$ref": "#/$defs/none"}}, "does not exist"),
        ({"schema": {"type": "object", "allOf": [{"$ref": "#"}]}}, "refers to itself"),
        ({"schema": {"type": "object", "not": {"pattern": "(?=a)b"}}}, "look-around"),
        ({"schema": {"type": "object", "$id": "file:///x"}}, "not taken"),
        ({"schema": {"type": "object", "description": "x" * 70_000}}, "more than 64 KiB"),
    ],
)  # fmt: skip
def test_what_is_no_declaration_is_refused_with_what_to_write(
    made: Type, folder: Path, changed: dict[str, Any], problem: str
) -> None:
    (folder / "bad.json").write_text(json.dumps({**DECLARED, **changed}))
    done = made("types", "add", "bad.json")
    assert done.code == 2
    assert problem in done.err


def test_references_that_multiply_are_refused(made: Type, folder: Path) -> None:
    definitions = {
        f"d{number}": {"allOf": [{"$ref": f"#/$defs/d{number + 1}"}] * 4} for number in range(20)
    }
    schema = {"type": "object", "$ref": "#/$defs/d0", "$defs": {**definitions, "d20": {}}}
    (folder / "bomb.json").write_text(json.dumps({**DECLARED, "schema": schema}))
    assert "parts: say less" in made("types", "add", "bomb.json").err


def test_an_export_with_its_declarations_stands_alone(made: Type, folder: Path) -> None:
    lines = made("export").out
    (folder / "export.ndjson").write_text(lines)
    assert made("--ledger", "recorded.db", "record", "export.ndjson").code == 0
    evidence = made("export", "--evidence").out
    assert "x.jobs_planned" in evidence
    assert made("--ledger", "recorded.db", "verify").code == 0


def test_includes_are_read_and_what_is_wrong_with_them_is_named(type_: Type, folder: Path) -> None:
    (folder / "p.toml").write_text('include = ["none/*.toml", "gone.toml", "p.toml", 3]')
    assert "write a list of files" in type_("policy", "check", "p.toml").err
    (folder / "p.toml").write_text('include = ["none/*.toml", "gone.toml", "p.toml"]')
    told = type_("policy", "check", "p.toml").err
    assert "'none/*.toml' matches no file" in told
    assert "gone.toml: cannot be read: No such file or directory" in told
    assert "names the policy itself" in told


def test_cases_tell_which_own_rules_they_fire(made: Type, folder: Path) -> None:
    made("record", stdin=rig(7_900, 94, 60).replace(T, SOON))
    decision = made("preflight", "--step", "1", "--no-probe", "--at", SOON, "--json").json
    cut = made("case", decision["decision"], "--output", "cases/jobs", "--json")
    assert cut.json["events"] <= 4
    tested = made("test", "cases", "--json").json
    assert tested["failed"] == []
    assert tested["coverage"]["own"] == {
        "branches": 2,
        "fired": 1,
        "rules_not_fired": ["own.hot_card"],
        "not_fired": [{"rule": "own.hot_card", "when": ["temp_c > $own.max_temp_c"]}],
    }
    assert "no case fires own.hot_card: temp_c > $own.max_temp_c" in made("test", "cases").out
    assert made("test", "cases", "--cover").code == 12


def test_a_case_is_cut_for_a_rule_that_nearly_fired(made: Type) -> None:
    made("record", stdin=rig(7_900, 94, 60).replace(T, SOON))
    decision = made("preflight", "--step", "1", "--no-probe", "--at", SOON, "--json").json[
        "decision"
    ]
    near = made("case", decision, "--near", "--output", "cases/near", "--json").json["near"]
    assert (near["rule"], near["value"], near["limit"]) == ("own.hot_card", 94, 95)
    assert made("test", "cases").code == 0
    none = made("case", decision, "--near", "own.none", "--output", "cases/none")
    assert none.code == 3
    assert "those that did: own.hot_card" in none.err


def test_shadows_say_in_which_decisions_they_would_differ(made: Type, folder: Path) -> None:
    (folder / "runledger.toml").write_text(
        CONFIG.replace("ledger =", 'shadows = ["strict.toml"]\nledger =')
    )
    (folder / "strict.toml").write_text(
        HOT.replace("$own.max_temp_c", "50").replace("{own.max_temp_c}", "50")
    )
    made("record", stdin=rig(9_000, 94, 40).replace(T, SOON))
    later = made(
        "preflight", "--step", "1", "--no-probe", "--at", "2026-01-24T12:02:00Z", "--json"
    ).json
    assert later["verdict"] == "go"
    made("preflight", "--step", "1", "--no-probe", "--at", T)
    before = made("verify", "--json").json["head"]
    (shadow,) = made("context", "--json").json["shadows"]
    assert (shadow["policy"], shadow["decisions"], shadow["differ"]) == ("strict", 2, 1)
    assert shadow["in"] == [later["decision"]]
    assert made("verify", "--json").json["head"] == before
    (folder / "strict.toml").write_text("[gpu]\nwindow = 3\n")
    (shadow,) = made("context", "--json").json["shadows"]
    assert "did you mean" in shadow["problem"]
