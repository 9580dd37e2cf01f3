"""A preflight, folded and judged by rules, is what recomputing it from all events gives."""

from __future__ import annotations

import random
from functools import cache
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger import Event
from ledger.payloads import (
    CleanupCompleted,
    CommandHung,
    GpuFault,
    InputFile,
    InputsChecked,
    RamdiskChecked,
    RamdiskFile,
    RunStarted,
    SmuError,
    TrialCompleted,
)
from rules.decide import Draft, Judge
from rules.fleet import parse_fleet
from rules.ladder import SITS_OUT
from rules.policy import default_policy, with_settings
from rules.state import dump_state, load_state
from tests.rules.histories import NOON, H, M, S, Story, ordered, pci
from tests.rules.recomputed_preflight import Judged, Recomputed

FLEET = parse_fleet(
    """
[[nodes]]
name = "rig"
address = "192.0.2.10"
gpus = 4
[[nodes]]
name = "spare"
address = "192.0.2.11"
[[nodes]]
name = "zeus"
address = "localhost"
gpus = 2
ramdisk = false
[steps."2.5"]
timeout_s = 1000
ramdisk = ["/dev/shm/a", "/dev/shm/b"]
inputs = ["survivors.json"]
[steps."3"]
timeout_s = 1000
nodes = ["rig", "spare"]
[steps."2"]
timeout_s = 1000
ramdisk = ["/dev/shm/a", "/dev/shm/b"]
ramdisk_filled_by_step = true
"""
)

_NAMES = {"rig": ("rig", "192.0.2.10"), "spare": ("spare",), "zeus": ("zeus", "localhost")}
_CARDS = {"rig": 4, "spare": 3, "zeus": 2}
# Limits are met exactly, missed by one microsecond, and passed.
_AGES = (0, 1, S, M, 600 * S - 1, 600 * S, 600 * S + 1, 20 * M, H, 9 * H)
_WELL = ("ok",) * 12 + ("unresponsive", "missing", "unknown", "gone")
_ACTIONS = ("watch", "exclude", "exclude", "reinstate", "retire", "waive", "waive")
_KINDS = (
    "ssh", "probe", "scan", "error", "error", "burst", "fault", "hung", "files", "files", "inputs",
    "cleanup", "word", "word", "word", "trial", "run", "reboot", "healthy", "healthy",
)  # fmt: skip

_moves = st.lists(
    st.tuples(st.sampled_from(_KINDS), st.sampled_from(_AGES), st.integers(0, 10**6)), max_size=20
)
_settings = st.lists(
    st.sampled_from(
        [
            "preflight.allow_missing_nodes=1",
            "preflight.allow_missing_nodes=3",
            "preflight.allow_dead_cards=1",
            "preflight.allow_dead_cards=9",
            'preflight.required_evidence=["gpu_probe"]',
            'preflight.required_evidence=["ssh_probe", "kernel_log_scanned"]',
            "preflight.required_evidence=[]",
            "preflight.evidence_max_age_s=60",
            "preflight.time_budget_share=0.5",
            "gpu.exclude_after_incidents=1",
            "gpu.common_cause_min_gpus=2",
        ]
    ),
    max_size=2,
)
_APART = ["gpu.series_cards=1000", "gpu.fleet_cause_nodes=1000", "gpu.boot_noise_s=0"]
"""What has tests of its own is left out here."""

_questions = st.fixed_dictionaries(
    {"step": st.sampled_from(["2.5", "2.5", "2", "3", "not configured"])},
    optional={
        "trials": st.sampled_from([5, 10, 11, 20]),
        "seed_count": st.sampled_from([1_000, 2_000]),
        "run": st.sampled_from(["R1", "R2"]),
    },
)


class _Night:
    """A history of which every event is at its age at noon; they arrive in any order."""

    def __init__(self, moves: list[tuple[str, int, int]], well: bool) -> None:
        self.story = Story(FLEET)
        if well:
            self._all_well(-M, random.Random(0))
        for kind, age, number in moves:
            pick = random.Random(number)
            node = pick.choice(tuple(_CARDS))
            getattr(self, f"_{kind}")(-age, pick, node, pick.choice(_NAMES[node]))

    def _all_well(self, at: int, pick: random.Random) -> None:
        for node in _CARDS:
            self._healthy(at, pick, node, node)
        self._files(at, pick, "rig", "rig", good=True)
        self._files(at, pick, "spare", "spare", good=True)
        file = InputFile(path="survivors.json", present=True, bytes=9)
        self.story.add(InputsChecked(files=(file,)), at)

    def _healthy(self, at: int, pick: random.Random, node: str, name: str) -> None:
        self.story.ssh(name, at).scan(name, at).probe(name, at, ("ok",) * _CARDS[node])

    def _ssh(self, at: int, pick: random.Random, node: str, name: str) -> None:
        lost = pick.random() < 0.5
        self.story.ssh(name, at, reachable=not lost, error="timeout" if lost else None)

    def _reboot(self, at: int, pick: random.Random, node: str, name: str) -> None:
        at -= 3  # a time of its own: whether an error was before it is never a matter of arrival
        self.story.ssh(name, at, boot_id=f"boot at {at}")

    def _probe(self, at: int, pick: random.Random, node: str, name: str) -> None:
        states = [pick.choice(_WELL) for _ in range(_CARDS[node])]
        self.story.probe(name, at, states, expected=pick.choice((None, 3, 4)))

    def _scan(self, at: int, pick: random.Random, node: str, name: str) -> None:
        at -= 5
        boot = f"boot at {at}" if pick.random() < 0.2 else None
        self.story.scan(name, at, readable=pick.random() < 0.5, boot_id=boot)

    def _error(self, at: int, pick: random.Random, node: str, name: str) -> None:
        card = None if pick.random() < 0.1 else pci(pick.randrange(_CARDS[node]))
        self.story.add(SmuError(node=name, pci=card, signature="not_done", raw="line"), at)

    def _burst(self, at: int, pick: random.Random, node: str, name: str) -> None:
        for card in range(pick.randint(2, _CARDS[node])):
            self.story.error(at - pick.choice((0, S, 300 * S, 600 * S - 1, 600 * S)), card, name)

    def _fault(self, at: int, pick: random.Random, node: str, name: str) -> None:
        fault: Any = pick.choice(("device_lost", "ring_timeout"))
        card = pci(pick.randrange(_CARDS[node]))
        self.story.add(GpuFault(node=name, pci=card, fault=fault, raw="line"), at)

    def _hung(self, at: int, pick: random.Random, node: str, name: str) -> None:
        card = pick.choice((None, pci(0), pci(1), pci(9)))
        self.story.add(CommandHung(node=name, pci=card, command="smi", timeout_s=5), at)

    def _files(
        self, at: int, pick: random.Random, node: str, name: str, good: bool = False
    ) -> None:
        paths = ("/dev/shm/a", "/dev/shm/b")
        looked = paths if good else pick.choice((paths, paths, paths[:1], ()))
        files = [
            RamdiskFile(
                path=path,
                present=good or pick.random() < 0.8,
                bytes=9 if good else pick.choice((None, 0, 9, 9)),
            )
            for path in looked
        ]
        self.story.add(RamdiskChecked(node=name, files=tuple(files)), at)

    def _inputs(self, at: int, pick: random.Random, node: str, name: str) -> None:
        file = InputFile(
            path=pick.choice(("survivors.json", "survivors.json", "other.json")),
            present=pick.random() < 0.8,
            bytes=pick.choice((None, 0, 9, 9)),
            sha256=pick.choice((None, "a" * 64, "a" * 64)),
            expected_sha256=pick.choice((None, "a" * 64, "b" * 64)),
        )
        self.story.add(InputsChecked(node=pick.choice((None, name)), files=(file,)), at)

    def _cleanup(self, at: int, pick: random.Random, node: str, name: str) -> None:
        orphans = pick.choice((None, {pci(0): 512}, {pci(0): 0, pci(9): 1}))
        warnings = pick.choice(((), ("clocks",)))
        self.story.add(
            CleanupCompleted(node=name, actions=(), warnings=warnings, orphaned_vram_mib=orphans),
            at,
        )

    def _word(self, at: int, pick: random.Random, node: str, name: str) -> None:
        card = f"gpu/{name}/{pci(pick.randrange(_CARDS[node]))}"
        subject = pick.choice((card, card, f"node/{name}", "step/2.5", "fleet"))
        action = pick.choice(_ACTIONS)
        until = pick.choice((1, M)) if action == "waive" or pick.random() < 0.2 else None
        # One that expires at noon exactly holds no more.
        expires = 0 if until is not None and at < 0 and pick.random() < 0.3 else until
        self.story.override(subject, action, at, expires)

    def _trial(self, at: int, pick: random.Random, node: str, name: str) -> None:
        trial = TrialCompleted(
            study=pick.choice("ab"),
            number=len(self.story.events),
            state=pick.choice(("COMPLETE", "COMPLETE", "COMPLETE", "PRUNED", "FAIL")),  # type: ignore[arg-type]
            params={},
            duration_s=pick.choice((None, 50, 100, 100, 150.5)),
            seed_count=pick.choice((None, 1_000, 1_000, 2_000)),
        )
        self.story.add(trial, at)

    def _run(self, at: int, pick: random.Random, node: str, name: str) -> None:
        asked = pick.choice((None, {"a": 1}, {"a": "1"}, {"a": 1, "b": 2}))
        got = pick.choice((None, {"a": 1}, {"a": 1.0}))
        run = pick.choice(("R1", "R2"))
        self.story.add(RunStarted(requested=asked, effective=got), at, runid=run)


@cache
def _judge(*keys: str) -> Judge:
    return Judge(with_settings(default_policy(), [*_APART, *keys]), FLEET)


def _arrived(events: list[Event], seed: int) -> list[Event]:
    positions = [event.sequence for event in events]
    random.Random(seed).shuffle(positions)
    return [
        msgspec.structs.replace(event, sequence=position)
        for event, position in zip(events, positions, strict=True)
    ]


def _told(draft: Draft) -> Judged:
    return Judged(
        draft.verdict,
        {(each.rule, each.severity, each.subject) for each in draft.findings},
        draft.outcome["nodes"],
        draft.outcome["excluded_nodes"],
        {
            node: [card["pci"] for card in cards]
            for node, cards in draft.outcome["excluded_gpus"].items()
        },
    )


@settings(max_examples=300, deadline=None)
@given(
    moves=_moves,
    well=st.booleans(),
    keys=_settings,
    question=_questions,
    arrival=st.integers(0, 10**6),
    pause=st.floats(0, 1),
)
def test_a_preflight_is_what_all_events_say_however_they_arrived(
    moves: list[tuple[str, int, int]],
    well: bool,
    keys: list[str],
    question: dict[str, Any],
    arrival: int,
    pause: float,
) -> None:
    events = _arrived(_Night(moves, well).story.events, arrival)
    judge = _judge(*keys)
    folded = ordered(events, NOON)
    cut = int(pause * len(folded))
    state = judge.fold.run(folded[cut:], load_state(dump_state(judge.fold.run(folded[:cut]))))
    cards = judge.decide("exclusions", {}, state, NOON).outcome["gpus"]
    out = {(card["node"], card["pci"]) for card in cards if card["state"] in SITS_OUT}
    draft = judge.decide("preflight", question, state, NOON)
    recomputed = Recomputed(events, FLEET, judge.policy, question, NOON, out)
    assert _told(draft) == recomputed.judge()
    known = {event.id for event in folded}
    for finding in draft.findings:
        assert set(finding.evidence) <= known
        assert len(set(finding.evidence)) == len(finding.evidence)
        assert finding.message
        assert finding.remedy
