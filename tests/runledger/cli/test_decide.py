"""``preflight``, ``exclusions``, ``next`` and ``propose`` as typed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import runledger
from ledger.payloads import GpuProbe, ProbedGpu
from ledger.times import format_time
from rules.fleet import fleet_text
from tests.rules.histories import FLEET, NOON, D, H, M, S, Story, pci
from tests.typing_at import Type, told

SECTIONS = [
    "decision", "kind", "question", "as_of", "policy", "fleet", "engine", "verdict", "findings",
    "outcome",
]  # fmt: skip


@pytest.fixture
def fleet(folder: Path) -> None:
    """The small fleet in the settings of the current folder."""
    (folder / "runledger.toml").write_text(fleet_text(FLEET))


def at(offset: int) -> str:
    return format_time(NOON + offset)


def tell(type_: Type, story: Story) -> None:
    assert type_("record", stdin=told(story)).code == 0


NODES = """{
  "nodes": [
    {"hostname": "192.0.2.10", "gpu_count": 4},
    {"hostname": "localhost",  "gpu_count": 2},
    {"hostname": "not ours", "excluded_gpus": [7]}
  ], "x": 1e2
}
"""


@pytest.mark.usefixtures("fleet", "made")
class TestMerge:
    """`preflight --merge`: what may run, as the pipeline's own node file."""

    def ask(self, type_: Type, folder: Path, *words: str, text: str = NODES) -> Any:
        (folder / "nodes.json").write_text(text)
        merge = ("--merge", "nodes.json", "--step", "1", "--no-probe")
        return type_("preflight", *merge, *(words or ("--at", at(2 * M))))

    def test_at_go_it_is_the_file_as_it_is(self, type_: Type, folder: Path) -> None:
        tell(type_, Story().healthy())
        done = self.ask(type_, folder)
        assert (done.code, done.out) == (0, NODES)
        assert done.err.startswith("GO ")

    def test_cards_and_nodes_that_are_out_are_left_out(self, type_: Type, folder: Path) -> None:
        story = Story().healthy().override(f"gpu/rig/{pci(2)}", "exclude", S)
        tell(type_, story)
        done = self.ask(type_, folder)
        assert (done.code, done.err.split("  ")[0]) == (0, "GO, DEGRADED")
        assert done.out == NODES.replace(
            '"gpu_count": 4}',
            '"gpu_count": 4, "excluded_gpus": [2], "reason": "GPU 2: excluded by op: because"}',
        )
        tell(type_, Story().override("node/rig", "exclude", 2 * S))
        done = self.ask(type_, folder)
        assert done.out == NODES.replace('{"hostname": "192.0.2.10", "gpu_count": 4},\n    ', "")

    @pytest.mark.parametrize(("state", "code"), [("unresponsive", 10), ("unknown", 11)])
    def test_at_no_go_and_unknown_there_is_no_file(
        self, type_: Type, folder: Path, state: str, code: int
    ) -> None:
        tell(type_, Story().healthy().probe(states=("ok", "ok", "ok", state), at=S))
        done = self.ask(type_, folder)
        assert (done.code, done.out) == (code, "")
        assert pci(3) in done.err

    def test_the_verdict_is_one_line_of_json_for_programs(self, type_: Type, folder: Path) -> None:
        tell(type_, Story().healthy())
        done = self.ask(type_, folder, "--json", "--at", at(2 * M))
        assert done.out == NODES
        assert json.loads(done.err)["verdict"] == "go"

    def test_what_is_no_node_file_is_said_before_anything_is_decided(
        self, type_: Type, folder: Path
    ) -> None:
        done = self.ask(type_, folder, text="{}")
        assert (done.code, done.out) == (2, "")
        assert type_("decisions", "--json").json["decisions"] == []

    def test_from_python_it_is_text_or_none(self, type_: Type, folder: Path) -> None:
        tell(type_, Story().healthy())
        (folder / "nodes.json").write_text(NODES)
        with runledger.open() as fleet:
            assert fleet.node_file("nodes.json", fleet.preflight("1", at=at(2 * M))) == NODES
            assert fleet.node_file("nodes.json", fleet.preflight("1", at=at(9 * H))) is None


@pytest.mark.usefixtures("fleet", "made")
class TestPreflight:
    def ask(self, type_: Type, *words: object, when: int = 2 * M) -> Any:
        return type_("preflight", "--no-probe", "--json", "--at", at(when), *words)

    def test_healthy_is_go_and_exit_0(self, type_: Type) -> None:
        tell(type_, Story().healthy())
        done = self.ask(type_, "--step", "1", "--run", "R1")
        assert done.code == 0
        decision = done.json
        assert list(decision) == SECTIONS
        assert decision["kind"] == "preflight"
        assert decision["question"] == {"step": "1", "run": "R1"}
        assert decision["verdict"] == "go"
        assert decision["findings"] == []
        assert decision["as_of"]["time"] == at(2 * M)
        # Policy and fleet were written down after the cut was taken, or before it: never lost.
        assert set(decision["as_of"]) == {"sequence", "hash", "time"}
        assert decision["outcome"] == {
            "nodes": ["rig", "zeus"],
            "excluded_nodes": [],
            "excluded_gpus": {},
        }

    def test_a_remedy_that_cannot_run_is_never_passed_over_in_silence(self, type_: Type) -> None:
        tell(type_, Story().healthy())
        done = type_("preflight", "--step", "1", "--no-probe", "--remedy")
        assert done.code == 2
        assert "--remedy: not allowed with argument --no-probe" in done.err
        done = type_("preflight", "--step", "1", "--remedy", "--at", at(2 * M))
        assert done.code == 0
        assert "runs no remedy" in done.err

    def test_the_printed_decision_is_the_recorded_one(self, type_: Type) -> None:
        tell(type_, Story().healthy())
        decision = self.ask(type_, "--step", "1").json
        (event,) = type_("events", "--where", "type=preflight_decided", "--json").json["events"]
        assert event["id"] == decision["decision"]
        assert event["data"] == decision
        assert event["time"] == decision["as_of"]["time"]
        assert event["step"] == "1"
        assert type_("decisions", "--json").json == {"decisions": [decision]}

    def test_an_unreachable_node_is_no_go_and_exit_10(self, type_: Type) -> None:
        tell(type_, Story().healthy().ssh("rig", M, reachable=False, error="timeout"))
        done = self.ask(type_, "--step", "1")
        assert done.code == 10
        (finding,) = done.json["findings"]
        assert finding["rule"] == "node_unreachable"
        assert finding["severity"] == "block"
        assert finding["subject"] == "node/rig"
        assert "rig" in finding["message"]
        assert finding["remedy"]
        assert len(finding["evidence"]) == 1
        assert done.json["outcome"]["nodes"] == ["zeus"]

    def test_missing_evidence_is_unknown_and_exit_11(self, type_: Type) -> None:
        done = self.ask(type_, "--step", "1")
        assert done.code == 11
        assert done.json["verdict"] == "unknown"
        assert {each["rule"] for each in done.json["findings"]} == {"evidence_missing"}

    def test_an_excluded_card_is_degraded_and_exit_0(self, type_: Type) -> None:
        tell(type_, Story().healthy().override(f"gpu/rig/{pci(2)}", "exclude", M))
        done = self.ask(type_, "--step", "1")
        assert done.code == 0
        assert done.json["verdict"] == "degraded"
        (card,) = done.json["outcome"]["excluded_gpus"]["rig"]
        assert card["pci"] == pci(2)
        assert card["index"] == 2
        assert card["reason"]

    def test_later_events_are_not_considered(self, type_: Type) -> None:
        tell(type_, Story().healthy().ssh("rig", 5 * M, reachable=False, error="refused"))
        assert self.ask(type_, "--step", "1").json["verdict"] == "go"
        assert self.ask(type_, "--step", "1", when=5 * M).json["verdict"] == "no_go"

    def test_what_was_known_then_is_a_position(self, type_: Type) -> None:
        tell(type_, Story().healthy())
        known = type_("verify", "--json").json["head"]["sequence"]
        tell(type_, Story().ssh("rig", M, reachable=False, error="refused"))
        assert self.ask(type_, "--step", "1").json["verdict"] == "no_go"
        then = self.ask(type_, "--step", "1", "--as-of", known).json
        assert then["verdict"] == "go"
        assert then["as_of"]["sequence"] == known

    def test_trials_that_do_not_fit_say_how_many_would(self, type_: Type) -> None:
        from ledger.payloads import TrialCompleted

        story = Story().healthy()
        trial = TrialCompleted(
            study="w", number=1, state="COMPLETE", params={}, duration_s=210, seed_count=10_000_000
        )
        tell(type_, story.add(trial))
        done = self.ask(type_, "--step", "1", "--trials", "50", "--seed-count", "10000000")
        assert done.code == 10
        assert "34" in done.json["findings"][0]["message"]
        done = self.ask(type_, "--step", "1", "--trials", "34", "--seed-count", "10_000_000")
        assert done.code == 0

    def test_text_says_verdict_reason_and_remedy(self, type_: Type) -> None:
        tell(type_, Story().healthy().ssh("rig", M, reachable=False, error="timeout"))
        done = type_("preflight", "--no-probe", "--step", "1", "--at", at(2 * M))
        assert "NO-GO" in done.out
        assert "rig did not answer SSH" in done.out
        assert "check the power" in done.out
        assert "\x1b" not in done.out

    def test_a_step_that_is_not_configured_is_no_go_and_needs_healthy_nodes(
        self, type_: Type
    ) -> None:
        tell(type_, Story().healthy())
        (finding,) = self.ask(type_, "--step", "2.5").json["findings"]
        assert (finding["rule"], finding["severity"]) == ("step_not_configured", "unknown")
        assert len(self.ask(type_, "--step", "2.5", when=H).json["findings"]) > 1

    @pytest.mark.parametrize(
        "words",
        [
            [],
            ["--step", "1", "--trials", "-1"],
            ["--step", "1", "--trials", "many"],
            ["--step", "1", "--as-of", "-1"],
            ["--step", "1", "--at", "last night"],
            ["--step", "1", "--at", "2026-01-24T12:00:61"],
            ["--step", "1", "--what"],
            ["--step", ""],
            ["--step", "a\nb"],
        ],
    )
    def test_bad_usage_is_exit_2_and_leaves_no_decision(
        self, type_: Type, words: list[str]
    ) -> None:
        tell(type_, Story().healthy())
        done = type_("preflight", "--no-probe", "--json", *words)
        assert done.code == 2
        assert done.out == ""
        assert done.err.count("\n") == 1
        assert type_("decisions", "--json").json == {"decisions": []}


@pytest.mark.usefixtures("fleet", "made")
@pytest.mark.parametrize(
    "words",
    [
        ["preflight", "--step", "3"],
        ["exclusions"],
        ["next"],
        ["propose", "--trials", "60", "--proposer", "p", "--rationale", "more"],
    ],
)
def test_a_dry_run_decides_the_same_and_stores_nothing(type_: Type, words: list[str]) -> None:
    tell(type_, Story().healthy().error(M))
    before = type_("verify", "--json").json["head"]
    dry = type_(*words, "--json", "--at", at(2 * M), "--dry-run")
    assert type_("verify", "--json").json["head"] == before
    real = type_(*words, "--json", "--at", at(2 * M))
    assert (dry.code, dry.json["verdict"]) == (real.code, real.json["verdict"])
    assert [each["rule"] for each in dry.json["findings"]] == [
        each["rule"] for each in real.json["findings"]
    ]
    assert type_("verify", "--json").json["head"] != before


@pytest.mark.usefixtures("made")
def test_without_a_configuration_the_verdict_says_that_there_is_nothing(type_: Type) -> None:
    done = type_("preflight", "--no-probe", "--step", "3", "--json")
    assert done.code == 11
    assert done.json["verdict"] == "unknown"
    assert "no nodes" in done.json["findings"][0]["message"]


@pytest.mark.usefixtures("fleet", "made")
class TestExclusions:
    def test_exactly_the_cards_that_are_not_ok(self, type_: Type) -> None:
        tell(type_, Story().healthy().error(M).error(H).error(2 * M, card=0).healthy(61 * M))
        done = type_("exclusions", "--json", "--at", at(62 * M))
        assert done.code == 0
        gpus = {gpu["pci"]: gpu for gpu in done.json["outcome"]["gpus"]}
        assert {place: gpu["state"] for place, gpu in gpus.items()} == {
            pci(0): "watch",
            pci(2): "excluded",
        }
        card = gpus[pci(2)]
        assert card["subject"] == f"gpu/rig/{pci(2)}"
        assert (card["node"], card["index"], card["since"]) == ("rig", 2, at(H))
        assert len(card["evidence"]) == 2
        assert card["reason"]

    def test_the_excerpt_is_a_list_for_the_node_file(self, type_: Type) -> None:
        tell(type_, Story().healthy().error(M).error(H).healthy(61 * M))
        done = type_("exclusions", "--format", "distributed-config", "--at", at(62 * M))
        (entry,) = json.loads(done.out)
        assert set(entry) == {"hostname", "excluded_gpus", "reason"}
        assert entry["hostname"] == "192.0.2.10"
        assert entry["excluded_gpus"] == [2]

    def test_a_card_without_an_index_is_named_on_stderr_and_never_guessed(
        self, type_: Type
    ) -> None:
        tell(type_, Story().error(M).error(H))
        done = type_("exclusions", "--format", "distributed-config", "--at", at(2 * H))
        assert json.loads(done.out) == []
        assert pci(2) in done.err

    def test_a_card_that_is_gone_keeps_its_old_index_from_the_card_that_has_it_now(
        self, type_: Type
    ) -> None:
        tell(type_, Story().healthy().error(M).error(H))
        left = tuple(
            ProbedGpu(pci=pci(card), index=index, state="ok")
            for index, card in enumerate((0, 1, 3))
        )
        tell(type_, Story().add(GpuProbe(node="rig", method="m", gpus=left, smu_reads=0), 2 * H))
        done = type_("exclusions", "--format", "distributed-config", "--at", at(3 * H))
        assert json.loads(done.out) == []
        assert pci(2) in done.err
        (card,) = type_("exclusions", "--json", "--at", at(3 * H)).json["outcome"]["gpus"]
        assert (card["pci"], card["index"], card["gone"]) == (pci(2), 2, True)

    def test_the_node_file_is_on_stdout_and_the_verdict_on_stderr(
        self, type_: Type, folder: Path
    ) -> None:
        tell(type_, Story().healthy().error(M).error(H).healthy(61 * M))
        (folder / "nodes.json").write_text(NODES)
        done = type_("exclusions", "--merge", "nodes.json", "--at", at(62 * M))
        assert json.loads(done.out)["nodes"][0]["excluded_gpus"] == [2]
        assert pci(2) in done.err
        done = type_("exclusions", "--merge", "nodes.json", "--at", at(62 * M), "--json")
        assert json.loads(done.err.splitlines()[0])["kind"] == "exclusions"

    def test_nothing_to_exclude_is_an_empty_list(self, type_: Type) -> None:
        done = type_("exclusions", "--format", "distributed-config")
        assert json.loads(done.out) == []
        assert "no card" in type_("exclusions").out


@pytest.mark.usefixtures("made")
class TestNext:
    def test_no_history_gives_the_defaults(self, type_: Type) -> None:
        done = type_("next", "--json")
        assert done.code == 0
        outcome = done.json["outcome"]
        assert (outcome["trials"], outcome["seed_count"]) == (50, 100_000)
        assert outcome["rule"] == "no_history"
        assert "advice" in outcome

    def test_study_and_scope_narrow(self, type_: Type) -> None:
        story = Story().run("R1", H, 0, scope={"data": "a", "n": 3})
        tell(type_, story.run("R2", 2 * H, 100, study="other", scope={"data": "b"}))
        when = ["--at", at(3 * H), "--json"]

        def rule(*words: str) -> str:
            return str(type_("next", *words, *when).json["outcome"]["rule"])

        assert rule() == "few_survivors"
        assert rule("--study", "w") == "zero_survivors"
        assert rule("--study", "none such") == "no_history"
        assert rule("--scope", "data=a", "--scope", "n=3") == "zero_survivors"
        assert rule("--scope", "data=a", "--scope", "n=4") == "no_history"

    def test_with_a_step_it_warns_where_the_numbers_do_not_fit(
        self, type_: Type, fleet: None
    ) -> None:
        from ledger.payloads import TrialCompleted

        trial = TrialCompleted(
            study="w", number=1, state="COMPLETE", params={}, duration_s=300, seed_count=100_000
        )
        tell(type_, Story().add(trial))
        decision = type_("next", "--step", "3", "--json", "--at", at(M)).json
        (warning,) = [each for each in decision["findings"] if each["severity"] == "warn"]
        assert warning["rule"] == "over_time_budget"
        assert "24" in warning["message"]

    def test_a_scope_of_two_minds_is_named(self, type_: Type) -> None:
        assert type_("next", "--scope", "data=a", "--scope", "data=a").code == 0
        done = type_("next", "--scope", "data=a", "--scope", "data=b")
        assert done.code == 2
        assert "'data' is given twice: 'a', 'b'" in done.err

    def test_bad_scope_is_named(self, type_: Type) -> None:
        done = type_("next", "--scope", "data")
        assert done.code == 2
        assert "KEY=VALUE" in done.err


@pytest.mark.usefixtures("made")
class TestPropose:
    def ask(self, type_: Type, trials: object, seeds: object, rationale: str = "more") -> Any:
        return type_(
            "propose", "--trials", trials, "--seed-count", seeds, "--proposer", "llm",
            "--rationale", rationale, "--json",
        )  # fmt: skip

    @pytest.mark.parametrize(
        ("trials", "seeds", "rationale", "verdict", "code"),
        [
            (60, 200_000, "more", "accepted", 0),
            ("60", "200_000", "more", "accepted", 0),
            (1_000, 200_000, "more", "clamped", 0),
            (60, 200_000, "", "rejected", 10),
            ("sixty", 200_000, "more", "rejected", 10),
        ],
    )
    def test_the_answer_and_its_exit_code(
        self, type_: Type, trials: object, seeds: object, rationale: str, verdict: str, code: int
    ) -> None:
        done = self.ask(type_, trials, seeds, rationale)
        assert done.code == code
        assert done.json["verdict"] == verdict
        assert {"requested", "applied", "clause"} <= set(done.json["outcome"])
        (event,) = type_("events", "--where", "type=parameters_proposed", "--json").json["events"]
        assert event["data"]["proposer"] == "llm"

    def test_a_negative_number_is_judged_and_recorded(self, type_: Type) -> None:
        done = type_(
            "propose", "--trials=-5", "--seed-count", "100000", "--proposer", "llm",
            "--rationale", "r", "--json",
        )  # fmt: skip
        assert done.code in (0, 10)
        assert done.json["verdict"] in ("clamped", "rejected")

    def test_a_cool_down_asks_for_a_person(self, type_: Type, folder: Path) -> None:
        (folder / "policy.toml").write_text("[proposal]\ncooldown_runs = 3\n")
        (folder / "runledger.toml").write_text('policy = "policy.toml"\n')
        tell(type_, Story().run("R1", H, 900, seeds=100_000).run("R2", 2 * H, 900, seeds=200_000))
        done = self.ask(type_, 60, 300_000)
        assert done.code == 11
        assert done.json["verdict"] == "needs_human"
        assert done.json["outcome"]["clause"] == "proposal.cooldown_runs"
        assert done.json["outcome"]["applied"] is None


def test_a_misspelt_policy_key_is_one_clear_error(type_: Type, folder: Path) -> None:
    (folder / "policy.toml").write_text("[gpu]\nexclude_after_incident = 1\n")
    (folder / "runledger.toml").write_text('policy = "policy.toml"\n')
    done = type_("exclusions")
    assert done.code == 2
    assert "exclude_after_incident" in done.err
    assert "exclude_after_incidents" in done.err
    assert "policy.toml" in done.err


@pytest.mark.parametrize("text", ["[gpu]\nexclude_after_incident = 1\n", None])
def test_what_was_decided_replays_whatever_becomes_of_the_policy_file(
    type_: Type, folder: Path, text: str | None
) -> None:
    """Misspelt or gone: it decides nothing more, and what it decided is explained as ever."""
    policy = folder / "policy.toml"
    policy.write_text("[gpu]\nexclude_after_incidents = 1\n")
    (folder / "runledger.toml").write_text('policy = "policy.toml"\n')
    tell(type_, Story().error(0))
    decision = type_("exclusions", "--json", "--at", at(D)).json["decision"]
    policy.unlink()
    if text is not None:
        policy.write_text(text)
    head = type_("verify", "--json").json["head"]
    assert type_("replay", "--json").json == {"decisions": 1, "identical": 1, "drifted": []}
    assert type_("why", decision).code == 0
    assert type_("whatif", "--set", "gpu.exclude_after_incidents=2").code == 0
    for command in (["exclusions"], ["next"], ["preflight", "--step", "1", "--no-probe"]):
        done = type_(*command)
        assert done.code == 2
        assert "policy.toml" in done.err
    assert type_("verify", "--json").json["head"] == head


def test_a_policy_in_force_is_named_in_the_decision(type_: Type, folder: Path) -> None:
    (folder / "strict.toml").write_text("[gpu]\nexclude_after_incidents = 1\n")
    (folder / "runledger.toml").write_text('policy = "strict.toml"\n')
    tell(type_, Story().error(0))
    decision = type_("exclusions", "--json", "--at", at(D)).json
    assert decision["outcome"]["gpus"][0]["state"] == "excluded"
    (event,) = type_("events", "--where", "type=policy_activated", "--json").json["events"]
    assert event["data"]["digest"] == decision["policy"]["digest"]
    assert "exclude_after_incidents = 1" in event["data"]["text"]
