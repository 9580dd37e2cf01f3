"""Cases: run in CI, cut out of a ledger, and clear about what is broken."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from ledger.payloads import JobFailedWithTraceback, SshProbe
from runledger.cases.case import find_cases, run_case
from runledger.cases.case_slices import cut_case
from runledger.errors import BadInput, Missing
from tests.rules.histories import NOON, H, M, Story, pci
from tests.runledger.nights import eventful, ledger_with
from tests.typing_at import Type, forge, told

CASE = """
[[decisions]]
kind = "exclusions"
at = "2026-01-24T12:02:00Z"
expect = { gpus = [{ node = "rig", pci = "0000:22:00.0", state = "watch" }] }

[[decisions]]
kind = "exclusions"
at = "2026-01-24T14:00:00Z"
expect = { verdict = "excluded", rules = ["repeated_incident"] }
"""


PREFLIGHT = """
[[decisions]]
kind = "preflight"
at = "2026-01-24T12:02:00Z"
question = { step = "1", run = "R1" }
expect = { verdict = "no_go" }
"""

NEXT = """
[[decisions]]
kind = "parameters"
at = "2026-01-24T12:02:00Z"
question = { study = "w" }
expect = { trials = 50 }
"""


@pytest.fixture
def case(tmp_path: Path) -> Path:
    folder = tmp_path / "cases" / "two incidents"
    folder.mkdir(parents=True)
    (folder / "case.toml").write_text(CASE)
    (folder / "events.ndjson").write_text(told(Story().error(M).error(H)))
    return folder


def test_a_case_holds_or_says_what_differs(case: Path) -> None:
    assert run_case(case).differences == ()
    (case / "policy.toml").write_text("[gpu]\nexclude_after_incidents = 3\n")
    verdict, rules = run_case(case).differences
    assert (verdict.decision, verdict.field, verdict.expected, verdict.got) == (
        2, "verdict", "excluded", "watch",
    )  # fmt: skip
    assert rules.got == ["first_incident"]


def test_another_policy_can_be_tried_on_cases(type_: Type, case: Path, folder: Path) -> None:
    (folder / "strict.toml").write_text("[gpu]\nexclude_after_incidents = 1\n")
    assert type_("test", "cases").code == 0
    done = type_("test", "cases", "--policy", "strict.toml")
    assert done.code == 12
    assert '- [{"node": "rig", "pci": "0000:22:00.0", "state": "watch"}]' in done.out
    assert '+ [{"node": "rig", "pci": "0000:22:00.0", "state": "excluded"}]' in done.out
    done = type_("test", "cases", "--policy", "strict.toml", "--json", "--junit", "j.xml")
    assert (done.json["cases"], len(done.json["failed"])) == (1, 1)
    assert 'failures="1"' in (folder / "j.xml").read_text()


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("case.toml", "[[decisions", "case.toml"),
        ("case.toml", "", "no [[decisions]]"),
        ("case.toml", CASE.replace("kind", "knid", 1), "did you mean kind"),
        ("case.toml", CASE.replace('"exclusions"', '"exclusion"', 1), "exclusions"),
        ("case.toml", CASE.replace("T12:02:00Z", "T12:02:00"), "offset"),
        ("case.toml", CASE.replace("expect", "expects", 1), "expect"),
        ("case.toml", CASE.replace("gpus =", "gpu =", 1), "did you mean gpus"),
        ("case.toml", CASE.replace("exclusions", "preflight", 1), "step"),
        ("case.toml", CASE.replace("at =", "question = { step = 1 }\nat =", 1), "question.step"),
        ("case.toml", PREFLIGHT.replace("run", "rum"), "did you mean run"),
        ("case.toml", PREFLIGHT.replace('"1"', "1"), "question.step"),
        ("case.toml", PREFLIGHT.replace('"R1"', '"R1", trials = "x"'), "question.trials"),
        ("case.toml", NEXT.replace("study", "scope"), "question.scope"),
        ("case.toml", NEXT.replace("study", "proposal"), "question.proposal"),
        ("case.toml", NEXT.replace("50", "2026-01-01"), "expect.trials"),
        ("case.toml", NEXT.replace("trials = 50", 'rules = [["x"]]'), "expect.rules"),
        ("events.ndjson", '{"type": "nope"}\n', "events.ndjson: line 1"),
        (
            "events.ndjson",
            told(Story().add(SshProbe(node="a", reachable=True), id="1"))
            + told(Story().add(SshProbe(node="b", reachable=True), id="1")),
            "same id: 1",
        ),
        ("events.ndjson", "\x00", "events.ndjson: line 1"),
        ("policy.toml", "[gpu]\nnope = 1\n", "policy.toml: gpu.nope"),
        ("fleet.toml", "[[nodes]]\nnaem = 'x'\n", "fleet.toml"),
    ],
)
def test_a_broken_file_is_named(case: Path, name: str, text: str, says: str) -> None:
    (case / name).write_text(text)
    with pytest.raises(BadInput) as caught:
        run_case(case)
    assert says in str(caught.value)
    assert str(case) in str(caught.value)


def test_the_order_of_a_list_does_not_matter_and_an_event_counts_once(case: Path) -> None:
    cards = [{"node": "rig", "pci": pci(card), "state": "watch"} for card in (2, 1)]
    expect = ", ".join("{ " + ", ".join(f'{k} = "{v}"' for k, v in c.items()) + " }" for c in cards)
    (case / "case.toml").write_text(
        '[[decisions]]\nkind = "exclusions"\nat = "2026-01-24T14:00:00Z"\n'
        f"expect = {{ gpus = [{expect}] }}\n"
    )
    (case / "events.ndjson").write_text(2 * told(Story().error(M, card=1).error(M)))
    assert run_case(case).differences == ()


def test_a_case_of_a_decision_that_drifts_says_so(type_: Type, folder: Path) -> None:
    type_("record", stdin=told(Story().error(M).error(H)))
    decision = type_("exclusions", "--at", "2026-01-24T14:00:00Z", "--json").json["decision"]
    (event,) = type_("events", "--where", f"id={decision}", "--json").json["events"]
    event |= {"id": "forged", "data": event["data"] | {"decision": "forged", "verdict": "ok"}}
    forge(event)
    done = type_("case", "forged", "--output", "c", "--json")
    assert (done.code, done.json["same_today"]) == (0, False)
    assert "decide otherwise" in done.err
    assert type_("test", "c").code == 0


def test_a_folder_without_cases_is_missing(tmp_path: Path) -> None:
    with pytest.raises(Missing, match=r"case\.toml"):
        find_cases(tmp_path)
    with pytest.raises(Missing, match="no folder"):
        find_cases(tmp_path / "none")


@pytest.mark.parametrize("seed", [1, 2])
def test_a_case_cut_out_decides_the_same_with_few_events(tmp_path: Path, seed: int) -> None:
    with ledger_with(tmp_path, eventful(seed).events) as opened:
        decisions = [
            opened.preflight("3", at=NOON + 30 * H + 5 * M, trials=50, seed_count=100_000),
            opened.preflight("1", at=NOON + 50 * H + 57 * M),
            opened.exclusions(at=NOON + 60 * H),
            opened.next_parameters(at=NOON + 60 * H, study="w"),
            opened.propose(trials=4000, proposer="p", rationale="r", at=NOON + 60 * H),
        ]
        total = opened.ledger.head().sequence
        for number, decision in enumerate(decisions):
            folder = tmp_path / "cases" / str(number)
            cut = cut_case(
                opened.ledger, opened.catalog, opened.decision(decision.decision), folder
            )
            assert cut.events < total / 5
            assert cut.same_today
            assert run_case(folder).differences == ()
            expected = tomllib.loads((folder / "case.toml").read_text())["decisions"][0]["expect"]
            assert expected["verdict"] == decision.verdict


def test_no_event_of_a_cut_case_can_be_left_out(tmp_path: Path) -> None:
    with ledger_with(tmp_path, Story().healthy().error(M).error(H).healthy(2 * H).events) as opened:
        decision = opened.exclusions(at=NOON + 3 * H)
        folder = tmp_path / "case"
        cut_case(opened.ledger, opened.catalog, opened.decision(decision.decision), folder)
    lines = (folder / "events.ndjson").read_text().splitlines(keepends=True)
    assert [json.loads(line)["type"] for line in lines].count("smu_error") == 2
    for left_out in range(len(lines)):
        rest = lines[:left_out] + lines[left_out + 1 :]
        (folder / "events.ndjson").write_text("".join(rest))
        if json.loads(lines[left_out])["type"] == "smu_error":
            assert run_case(folder).differences != ()


def test_secrets_stay_behind(tmp_path: Path) -> None:
    story = Story().healthy()
    for number in range(3):
        failed = JobFailedWithTraceback(
            job="j", node="rig", pci=pci(1), attempt=1, exception="RuntimeError",
            message="HIP error: GPU hang; password=hunter2", traceback="token=abcdef0123456789",
            will_retry=False, fingerprint=f"f{number}",
        )  # fmt: skip
        story.add(failed, number * H)
    with ledger_with(tmp_path, story.events) as opened:
        decision = opened.exclusions(at=NOON + 4 * H)
        assert decision.verdict == "watch"
        cut_case(
            opened.ledger, opened.catalog, opened.decision(decision.decision), tmp_path / "case"
        )
    text = (tmp_path / "case" / "events.ndjson").read_text()
    assert "hunter2" not in text
    assert "abcdef0123456789" not in text
    assert run_case(tmp_path / "case").differences == ()


def test_an_id_does_not_lead_out_of_the_folder(type_: Type, folder: Path) -> None:
    type_("record", stdin=told(Story().error(M)))
    decision = type_("exclusions", "--at", "2026-01-24T14:00:00Z", "--json").json["decision"]
    (event,) = type_("events", "--where", f"id={decision}", "--json").json["events"]
    forge(event | {"id": "../../out"})
    assert type_("case", "../../out", "--json").json["case"] == "cases/_._.._out"
    assert type_("test", "cases").code == 0


def test_as_typed(type_: Type, folder: Path) -> None:
    type_("record", stdin=told(Story().error(M).error(H)))
    decision = type_("exclusions", "--at", "2026-01-24T14:00:00Z", "--json").json["decision"]
    done = type_("case", decision, "--json")
    assert done.code == 0
    assert done.json == {"case": f"cases/{decision}", "events": 2, "same_today": True}
    assert type_("test", "cases").code == 0
    again = type_("case", decision)
    assert again.code == 5
    assert "there already" in again.err
    assert type_("case", "nope", "--output", "x").code == 3
    assert not (folder / "x").exists()
    assert type_("test", "nowhere").code == 3
