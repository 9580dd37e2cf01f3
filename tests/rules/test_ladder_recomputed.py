"""The cards' ladder, folded and judged by rules, is what recomputing it from all events gives."""

from __future__ import annotations

import random

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger import Event
from ledger.payloads import GpuFault
from ledger.times import format_time
from rules.decide import Judge
from rules.policy import default_policy, with_settings
from rules.state import dump_state, load_state
from tests.rules.histories import FLEET, NOON, D, H, M, S, Story, ordered, pci
from tests.rules.recomputed import standings
from tests.rules.test_gpus import failed

GPUS = {node.name: node.gpus or 0 for node in FLEET.nodes}

# Limits are met exactly, missed by one microsecond, and passed.
_STEPS = (
    0, 1, S, 60 * S, 300 * S, 600 * S - 1, 600 * S, 900 * S, H, 3 * H, 6 * H, 12 * H, D, 7 * D - 1,
    7 * D, 14 * D - 1, 14 * D, 30 * D - 1, 30 * D,
)  # fmt: skip
_ACTIONS = ("watch", "exclude", "reinstate", "reinstate", "retire", "waive")
_STATES = ("ok",) * 9 + ("unresponsive", "missing", "unknown", "gone")
_KINDS = ("error",) * 5 + ("probe",) * 7 + ("fault", "word", "word", "job", "job", "ssh", "ssh")

_moves = st.lists(
    st.tuples(
        st.sampled_from(_KINDS), st.sampled_from(_STEPS), st.integers(0, 3), st.integers(0, 10**6)
    ),
    max_size=30,
)
_settings = st.sampled_from(
    [
        [],
        ["gpu.exclude_after_incidents=1"],
        ["gpu.exclude_after_incidents=3", "gpu.exclude_after_crashes=1"],
        ["gpu.exclude_after_crashes=2", "gpu.exclude_after_incidents=9"],
        ["gpu.watch_after_incidents=2", "gpu.exclude_after_incidents=3"],
        ["gpu.reinstate_clean_probes=1", "gpu.reinstate_after_s=0"],
        ["gpu.reinstate_clean_probes=2", "gpu.reinstate_after_s=43200"],
        ["gpu.reinstate_clean_probes=1", "gpu.reinstate_after_s=86400", "gpu.reinstate_growth=1"],
        ["gpu.retire_after_exclusions=1"],
        ["gpu.retire_after_exclusions=2", "gpu.window_s=86400", "gpu.harmless_window_s=43200"],
        ["gpu.common_cause_min_gpus=2", "gpu.incident_gap_s=3600"],
        ["gpu.series_cards=2", "gpu.series_s=43200"],
        ["gpu.fleet_cause_nodes=2", "gpu.fleet_cause_s=21600"],
        ["gpu.watch_after_job_failures=1"],
    ]
)
_APART = ["gpu.boot_noise_s=0", "gpu.exclude_after_job_failures=1000", "gpu.ambiguous_after=1000"]
"""What has tests of its own is left out here."""


def _history(moves: list[tuple[str, int, int, int]]) -> list[Event]:
    story = Story()
    at = 0
    boots = {"rig": 1, "zeus": 1}
    for kind, step, card, number in moves:
        at += step
        pick = random.Random(number)
        node = "zeus" if card > 1 and number % 7 == 0 else "rig"
        card = card % GPUS[node]
        if kind == "error":
            story.error(at, card, node)
        elif kind == "fault":
            fault = pick.choice(("device_lost", "ring_timeout"))
            story.add(GpuFault(node=node, pci=pci(card), fault=fault, raw="x"), at)  # type: ignore[arg-type]
        elif kind == "probe":
            story.probe(node, at, [pick.choice(_STATES) for _ in range(GPUS[node])])
        elif kind == "ssh" and number % 3 == 0:
            story.ssh(node, at, reachable=False, error="timeout")
        elif kind == "ssh":
            # The first half of a second after a boot is nobody's.
            boots[node] += number % 2
            uptime_s = pick.choice((1, 300, 900, 3600)) - 0.5
            story.ssh(node, at, boot_id=f"b{boots[node]}", uptime_s=uptime_s)
        elif kind == "word":
            action = pick.choice(_ACTIONS)
            until = at + pick.choice((1, D, 40 * D))
            expires = action == "waive" or pick.random() < 0.3
            story.override(f"gpu/{node}/{pci(card)}", action, at, until if expires else None)
        else:
            message = pick.choice(("GPU hang", "GPU hang", "No module named x"))
            failed(story, at, pick.choice(("f", f"f{number}")), message, node, card)
    return story.events


@settings(max_examples=200, deadline=None)
@given(
    moves=_moves,
    keys=_settings,
    arrival=st.integers(0, 10**6),
    later=st.sampled_from((0, 1, D, 14 * D - 1, 14 * D, 30 * D - 1, 30 * D)),
    pause=st.floats(0, 1),
)
def test_a_ladder_is_what_all_events_say_however_they_arrived(
    moves: list[tuple[str, int, int, int]], keys: list[str], arrival: int, later: int, pause: float
) -> None:
    events = _history(moves)
    positions = [event.sequence for event in events]
    random.Random(arrival).shuffle(positions)
    events = [
        msgspec.structs.replace(event, sequence=position)
        for event, position in zip(events, positions, strict=True)
    ]
    times = [NOON, *(event.time_us for event in events)]
    judge = Judge(with_settings(default_policy(), [*_APART, *keys]), FLEET)
    for at_us in (times[len(times) // 2], times[-1] + later):
        expected = {
            place: (state, format_time(since_us))
            for place, (state, since_us) in standings(events, judge.policy.gpu, GPUS, at_us).items()
        }
        folded = ordered(events, at_us)
        cut = int(pause * len(folded))
        state = load_state(dump_state(judge.fold.run(folded[:cut])))
        decided = judge.decide(
            "exclusions", {}, judge.fold.run(folded[cut:], state), at_us
        ).outcome["gpus"]
        assert {
            (gpu["node"], gpu["pci"]): (gpu["state"], gpu["since"]) for gpu in decided
        } == expected


def test_of_incidents_without_end_few_are_remembered_and_all_count() -> None:
    story = Story()
    for number in range(2_000):
        story.error(number * 10 * M, 2)
    events = story.events
    for exclude_after in (2, 16, 40):
        policy = with_settings(default_policy(), [f"gpu.exclude_after_incidents={exclude_after}"])
        judge = Judge(policy, FLEET)
        state = judge.fold.run(events)
        assert len(dump_state(state)) < 80_000
        (gpu,) = judge.decide("exclusions", {}, state, events[-1].time_us).outcome["gpus"]
        assert gpu["state"] == "excluded"
        assert gpu["since"] == format_time(events[exclude_after - 1].time_us)
