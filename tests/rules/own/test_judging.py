"""Own facts are windows of events, own rules speak of them, and nothing else changes by them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.payloads import (
    GpuProbe,
    JobFailedWithTraceback,
    ProbedGpu,
    RamdiskChecked,
    RunStarted,
    SmuError,
)
from rules.decide import Draft, Judge
from rules.engine import EVALUATORS, why_not
from rules.explain import Watched
from rules.fleet import parse_fleet
from rules.folds import kept, own
from rules.policy import default_policy, parse_policy
from rules.state import dump_state, load_state
from tests.rules.histories import FLEET, NOON, H, M, S, Story, ordered, pci
from tests.rules.own.test_reading import POLICY, fact, rule
from tests.rules.test_fold import _history as history
from tests.rules.test_fold import _moves as MOVES

ENGINES = [name for name in EVALUATORS if not why_not(name)]


def decide(
    story: Story,
    policy: str,
    at: int = M,
    kind: str = "preflight",
    fleet: Any = FLEET,
    **question: Any,
) -> Draft:
    """The decision by every evaluator, which agree; the state is saved and loaded on the way."""
    if kind == "preflight":
        question = {"step": "1", **question}
    drafts = []
    for engine in ENGINES:
        judge = Judge(parse_policy(policy), fleet, engine=engine)
        state = judge.fold.run(ordered(story.events, NOON + at))
        drafts.append(judge.decide(kind, question, load_state(dump_state(state)), NOON + at))
    assert all(each == drafts[0] for each in drafts)
    return drafts[0]


def said(draft: Draft) -> dict[str, str]:
    """What own rules said, by subject."""
    return {each.subject: each.message for each in draft.findings if each.rule.startswith("own.")}


def look(story: Story, at: int, *temps: float, **more: Any) -> Story:
    cards = tuple(
        ProbedGpu(pci=pci(card), index=card, state="ok", temp_c=temp, **more)
        for card, temp in enumerate(temps)
    )
    return story.add(GpuProbe(node="rig", method="sysfs", gpus=cards, smu_reads=0), at)


def failed(story: Story, at: int, fingerprint: str, node: str = "rig") -> Story:
    return story.add(
        JobFailedWithTraceback(
            job="j", node=node, attempt=1, exception="E", message="m", traceback="t",
            will_retry=False, fingerprint=fingerprint,
        ),
        at,
    )  # fmt: skip


def hot_night() -> Story:
    story = Story().healthy()
    for at in (-3 * H, -50 * M, -40 * M, -30 * M, 0):
        look(story, at, 96, 60, 95, 94.9)
    return story


def test_a_rule_over_a_window_speaks_of_the_card_and_names_its_looks() -> None:
    draft = decide(hot_night(), POLICY)
    assert draft.verdict == "no_go"
    assert said(draft) == {
        f"gpu/rig/{pci(card)}": f"GPU {card} ({pci(card)}) of rig was at 95 °C or more in 4 looks"
        for card in (0, 2)
    }
    finding = next(each for each in draft.findings if each.rule == "own.hot_card")
    assert finding.remedy == f"check its fan, then waive gpu/rig/{pci(0)} for 1 on rig"
    assert len(finding.evidence) == 4


def test_a_window_is_open_where_it_begins_and_closed_where_it_ends() -> None:
    text = fact(timespan_s="60") + rule(when='["f == 1"]', message='"{f}"')
    story = look(Story().healthy(), 0, 50)
    assert said(decide(story, text, at=M - 1))
    assert not said(decide(story, text, at=M))


@pytest.mark.parametrize(
    ("keep", "value"),
    [("count", "4"), ("distinct", "3"), ("newest", "70"), ("max", "90"), ("min", "50.5"),
     ("sum", "280.5")],
)  # fmt: skip
def test_a_fact_keeps_what_it_is_asked_to(keep: str, value: str) -> None:
    story = Story().healthy()
    for at, temp in ((-4, 90), (-3, 70), (-2, 50.5), (-1, 70)):
        look(story, at * M, temp)
    field = "" if keep == "count" else '"temp_c"'
    text = fact(keep=f'"{keep}"', field=field, where='["exists(temp_c)"]')
    text += rule(when='["exists(f)"]', message='"{f}"')
    assert said(decide(story, text))[f"gpu/rig/{pci(0)}"] == value


def test_a_count_of_nothing_is_nothing_and_anything_else_is_missing() -> None:
    story = Story().healthy()
    never = fact(where='["temp_c > 200"]')
    assert len(said(decide(story, never + rule(when='["f == 0"]')))) == 6
    for keep in ("newest", "max", "min", "sum"):
        text = fact(keep=f'"{keep}"', field='"temp_c"', where='["temp_c > 200"]')
        assert not said(decide(story, text + rule(when='["f < 1"]')))
        assert len(said(decide(story, text + rule(when='["missing(f)"]', message='"{f}"')))) == 6


def test_distinct_fingerprints_are_counted_by_node() -> None:
    story = Story().healthy()
    for at, mark in ((-90, "a"), (-50, "b"), (-40, "b"), (-30, "c"), (-20, "d")):
        failed(story, at * M, mark)
    failed(story, -M, "e", node="zeus")
    text = fact(
        about='"node"',
        from_='"job_failed_with_traceback"',
        keep='"distinct"',
        field='"fingerprint"',
    ) + rule(about='"node"', when='["f >= 3"]', message='"{node}: {f}, {jobs_failed} in all"')
    assert said(decide(story, text)) == {"node/rig": "rig: 3, 5 in all"}


def test_memory_of_a_node_and_what_is_left_on_its_ramdisk_are_features() -> None:
    story = Story().healthy().ssh("rig", mem_total_mib=7_900, mem_available_mib=512)
    story.add(RamdiskChecked(node="rig", files=(), free_mib=100))
    text = rule(
        about='"node"',
        when='["mem_total_mib < 8192", "ramdisk_free_mib < 200"]',
        message='"{mem_total_mib} {mem_available_mib} {ramdisk_free_mib}"',
    )
    assert said(decide(story, text)) == {"node/rig": "7,900 512 100"}


def test_a_card_is_told_by_its_newest_look() -> None:
    story = look(
        Story().healthy(), 0, 96, model="RX 6600", busy_pct=3, vram_used_mib=1, vram_total_mib=8176
    )
    text = rule(
        when='["temp_c > 95", "model == \\"RX 6600\\"", "vram_total_mib < 9000", "busy_pct < 5"]',
        message='"{temp_c} {vram_used_mib}"',
    )
    assert said(decide(story, text)) == {f"gpu/rig/{pci(0)}": "96 1"}
    assert not said(decide(look(story, 1, 95), text))


def test_a_rule_for_some_steps_is_silent_for_others_and_knows_aliases() -> None:
    fleet = parse_fleet(
        '[[nodes]]\nname = "rig"\naddress = "192.0.2.1"\n'
        '[steps."1"]\naliases = ["sieve"]\n[steps."2"]\n'
    )
    text = rule(when='["index >= 0"]', steps='["sieve"]', message='"{step}"')
    story = hot_night()
    assert set(said(decide(story, text, fleet=fleet, step="1")).values()) == {"1"}
    assert said(decide(story, text, fleet=fleet, step="sieve"))
    assert not said(decide(story, text, fleet=fleet, step="2"))
    watched = Watched(parse_policy(text), fleet)
    state = watched.judge.fold.run(ordered(story.events, NOON))
    account = watched.decide("preflight", {"step": "2"}, state, NOON)
    assert not [each for each in account.nearly if each.rule == "own.r"]


def _about(about: str, when: str, message: str) -> str:
    return rule(
        name=f'"own.{about}"', about=f'"{about}"', when=f'["{when}"]', message=f'"{message}"'
    )


def test_question_run_study_and_fleet_can_be_asked_about() -> None:
    story = Story().healthy()
    story.add(RunStarted(study="w", trials=50, seed_count=1000), -H, runid="R1")
    text = (
        fact(name='"starts"', about='"study"', from_='"run_started"', timespan_s="7200")
        + _about("question", "trials > 100", "{subject} {step} {trials}")
        + _about("run", "trials == 50", "{run} {seed_count} {survivors}")
        + _about("study", "starts == 1", "{study} {starts}")
        + _about("fleet", "usable < 3", "{usable} of {configured}")
    )
    assert said(decide(story, text, run="R1", trials=101)) == {
        "step/1": "step/1 1 101",
        "run/R1": "R1 1,000 unknown",
        "study/w": "w 1",
        "fleet": "2 of 2",
    }
    assert set(said(decide(story, text))) == {"fleet"}


OUT = fact(name='"hot"', where='["temp_c >= 95"]') + rule(
    name='"own.out"', decides='"exclusions"', severity="", effect='"exclude"',
    when='["hot >= 2", "out == false"]', message='"{card}: hot {hot} times"',
)  # fmt: skip


def test_a_card_sits_out_by_an_own_rule_while_its_conditions_hold() -> None:
    story = hot_night()
    draft = decide(story, OUT, kind="exclusions")
    assert draft.verdict == "excluded"
    assert [(each["pci"], each["state"], each["reason"]) for each in draft.outcome["gpus"]] == [
        (pci(0), "excluded", "hot 4 times"),
        (pci(2), "excluded", "hot 4 times"),
    ]
    assert said(draft) == {
        f"gpu/rig/{pci(card)}": f"GPU {card} ({pci(card)}) of rig: hot 4 times" for card in (0, 2)
    }
    later = decide(story.healthy(2 * H), OUT, kind="exclusions", at=2 * H)
    assert later.verdict == "ok"


def test_a_preflight_takes_such_a_card_as_excluded_and_own_rules_see_the_ladder() -> None:
    text = OUT + rule(name='"own.in"', when='["out == false", "temp_c >= 95"]', severity='"warn"')
    draft = decide(hot_night(), text)
    assert draft.verdict == "degraded"
    assert [each["pci"] for each in draft.outcome["excluded_gpus"]["rig"]] == [pci(0), pci(2)]
    assert len(said(draft)) == 2


def test_an_own_exclusion_is_none_that_the_ladder_counts() -> None:
    story = hot_night().error(-10 * M, card=0)
    by_ladder = decide(story, "", kind="exclusions").outcome["gpus"]
    assert [each["state"] for each in by_ladder] == ["watch"]
    (both, _) = decide(story, OUT, kind="exclusions").outcome["gpus"]
    assert both["state"] == "excluded"
    watched = OUT.replace('"exclude"', '"watch"')
    (same, _) = decide(story, watched, kind="exclusions").outcome["gpus"]
    assert same["reason"] == f"{by_ladder[0]['reason']}; hot 4 times"


def test_a_rule_that_is_switched_off_says_nothing() -> None:
    assert not said(decide(hot_night(), POLICY + '\n[rules]\ndisabled = ["own.hot_card"]\n'))


def test_a_waiver_makes_a_warning_of_a_block_by_an_own_rule() -> None:
    story = hot_night()
    for card in (0, 2):
        story.override(f"gpu/rig/{pci(card)}", "waive", 0, until=H)
    assert decide(story, POLICY).verdict == "go"


def test_what_the_window_holds_beyond_the_kept_is_counted_and_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(kept, "MOST_KEPT", 10)
    story = Story().healthy()
    for number in range(30):
        look(story, -30 * S + number * S, number)
    text = fact(keep='"min"', field='"temp_c"') + rule(when='["f >= 0"]', message='"{f}"')
    assert said(decide(story, text))[f"gpu/rig/{pci(0)}"] == (
        "20 (of the newest 10 events; about 20 more are not kept)"
    )
    much_later = 59 * M + 45 * S  # most of those that are not kept have left the window
    message = said(decide(story.healthy(much_later), text, at=much_later))[f"gpu/rig/{pci(0)}"]
    assert message.endswith("more are not kept)")
    assert not said(decide(story.healthy(2 * H), text, at=2 * H))


def test_at_most_twenty_events_are_named_the_newest() -> None:
    story = Story().healthy()
    for number in range(40):
        look(story, -40 * S + number * S, 50)
    text = fact(where='["exists(temp_c)"]') + rule(when='["f >= 3"]')
    finding = next(each for each in decide(story, text).findings if each.rule == "own.r")
    assert list(finding.evidence) == [each.id for each in story.events[-20:]]


def test_a_card_that_moves_takes_its_facts_along() -> None:
    story = Story().healthy()
    for at in (-20 * M, -10 * M):
        story.probe("rig", at, uids=("u0", "u1", "u2", "u3"))
        story.error(at, card=1, card_uid="u1")
    story.probe("rig", 0, uids=("u1", "u0", "u2", "u3"))
    text = fact(from_='"smu_error"') + rule(when='["f == 2"]')
    assert set(said(decide(story, text))) == {f"gpu/rig/{pci(0)}"}


@settings(max_examples=150, deadline=None)
@given(
    looks=st.lists(st.tuples(st.integers(0, 7_200), st.integers(80, 100)), max_size=40),
    span=st.integers(1, 7_200),
    limit=st.integers(80, 100),
    at=st.integers(0, 7_200),
)
def test_windows_are_what_an_independent_count_finds(
    looks: list[tuple[int, int]], span: int, limit: int, at: int
) -> None:
    names = ("count", "distinct", "newest", "max", "min", "sum")
    text = "".join(
        fact(
            name=f'"f_{name}"', keep=f'"{name}"', timespan_s=str(span),
            field="" if name == "count" else '"temp_c"', where=f'["temp_c >= {limit}"]',
        )
        for name in names
    )  # fmt: skip
    text += rule(
        when='["f_count >= 0"]', message=f'"{" ".join(f"{{f_{name}}}" for name in names)}"'
    )
    story = Story()
    for second, temp in looks:
        look(story, second * S, temp)
    judge = Judge(parse_policy(text), FLEET)
    state = judge.fold.run(ordered(story.events, NOON + at * S))
    draft = judge.decide("preflight", {"step": "1"}, state, NOON + at * S)
    in_order = sorted(range(len(looks)), key=lambda number: (looks[number][0], number))
    values = [
        looks[number][1]
        for number in in_order
        if at - span < looks[number][0] <= at and looks[number][1] >= limit
    ]
    expected = [len(values), len(set(values))]
    expected += [values[-1], max(values), min(values), sum(values)] if values else ["unknown"] * 4
    if any(second <= at for second, _ in looks):
        (message,) = [each.message for each in draft.findings if each.rule == "own.r"]
        assert message.replace(",", "") == " ".join(map(str, expected))


NEVER = "".join(
    fact(name=f'"n{number}"', about=f'"{about}"', from_=f'"{from_}"', keep=f'"{keep}"', field=field)
    + rule(name=f'"own.n{number}"', about=f'"{about}"', when=f'["n{number} < -1"]')
    for number, (about, from_, keep, field) in enumerate(
        [("card", "gpu_probe", "count", ""), ("card", "smu_error", "count", ""),
         ("node", "ssh_probe", "newest", '"reachable"'), ("run", "run_started", "sum", '"trials"'),
         ("fleet", "override_set", "distinct", '"subject"'), ("node", "job_finished", "count", "")]
    )
    if keep != "newest"
) + rule(
    name='"own.never"', decides='"exclusions"', severity="", effect='"exclude"',
    when='["n0 < 0", "n1 < 0"]',
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(moves=MOVES, minutes=st.integers(0, 600))
def test_own_rules_that_never_fire_change_nothing(
    moves: list[tuple[str, int]], minutes: int
) -> None:
    events = history(moves)
    at_us = max((each.time_us for each in events), default=NOON) + minutes * M
    plain = Judge(default_policy(), FLEET)
    with_own = Judge(parse_policy(NEVER), FLEET)
    for kind, question in (
        ("preflight", {"step": "3", "trials": 50, "seed_count": 1000}),
        ("exclusions", {}),
        ("parameters", {}),
    ):
        drafts = [
            judge.decide(kind, question, judge.fold.run(events), at_us)
            for judge in (plain, with_own)
        ]
        assert drafts[0] == drafts[1]


@settings(max_examples=60, deadline=None)
@given(moves=MOVES, cut=st.integers(0, 40))
def test_a_fold_with_own_facts_goes_on_from_where_it_paused(
    moves: list[tuple[str, int]], cut: int
) -> None:
    events = history(moves)
    while 0 < cut < len(events) and events[cut].time_us == events[cut - 1].time_us:
        cut += 1
    fold = Judge(parse_policy(NEVER), FLEET).fold
    paused = load_state(dump_state(fold.run(events[:cut])))
    assert dump_state(fold.run(events[cut:], paused)) == dump_state(fold.run(events))


def test_runs_that_were_quiet_for_longest_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own, "_MOST_SUBJECTS", 10)
    story = Story().healthy()
    for number in range(100):
        story.add(RunStarted(), -200 * S + number * S, runid=f"R{number}")
    text = fact(about='"run"', from_='"run_started"') + rule(about='"run"', when='["f == 1"]')
    assert said(decide(story, text, run="R99"))
    state = Judge(parse_policy(text), FLEET).fold.run(ordered(story.events, NOON))
    assert len(state.own["f"]) <= 20


def test_an_error_without_a_card_weighs_on_no_card() -> None:
    story = Story().healthy()
    story.add(SmuError(node="rig", signature="response_ff", raw="line"), -M)
    assert not said(decide(story, fact(from_='"smu_error"') + rule(when='["f >= 1"]')))


def test_own_findings_are_never_more_than_a_decision_can_hold() -> None:
    long = '"{subject} ' + "x" * 1_900 + '"'
    text = "".join(
        rule(name=f'"own.r{number}"', when='["index >= 0"]', message=long, severity='"warn"')
        for number in range(200)
    ) + rule(name='"own.worst"', when='["index == 0"]')
    draft = decide(Story().healthy(), text)
    assert draft.verdict == "no_go"
    assert sum(len(each.message) for each in draft.findings) < 500_000
    assert "own.worst" in {each.rule for each in draft.findings}
    (left_out,) = [each for each in draft.findings if each.rule == "own_rules_left_out"]
    assert left_out.severity == "warn"
    assert left_out.message.endswith("more")
