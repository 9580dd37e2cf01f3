"""The worlds: the same for a seed, the same for everyone, told through the real parsers."""

from __future__ import annotations

import ast
import random
from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path
from typing import get_args

import pytest

import benchmarks.truth
from benchmarks.truth import kernels
from benchmarks.truth.drawing import draw
from benchmarks.truth.fate import Symptom
from benchmarks.truth.judging import Decision, Observed
from benchmarks.truth.layout import GENERATIONS, SLOTS, START, Dialect, Machine, pci, port
from benchmarks.truth.looking import Looker, Shown
from benchmarks.truth.rates import RATES, SETS, UnknownRate, rates_of
from benchmarks.truth.running import Run, live
from benchmarks.truth.world import World
from collectors.kernel_log import classify
from ledger import Event, new_event
from rules.rulesets import ALL_RULES

FOLDER = Path(benchmarks.truth.__file__).parent
ADAPTER = FOLDER / "systems" / "runledger.py"
SMALL = {"nodes": 4, "days": 40, "rates": "x4"}


class Listener:
    """Decides nothing and keeps all that it is told."""

    name = "listener"
    wants_events = True

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.batches: list[list[Event]] = []

    def decide(self, observed: Observed) -> Decision:
        self.events += observed.events
        self.batches.append(list(observed.events))
        return Decision()


def heard(dialect: Dialect, seed: int = 1, rates: str = "x4", days: int = 40) -> Listener:
    listener = Listener()
    values = rates_of(rates)
    World(draw(seed, dialect, values, nodes=4, days=days), values, listener).live()
    return listener


@pytest.mark.parametrize("dialect", ["amd", "nvidia"])
def test_the_same_seed_gives_the_same_year_to_the_last_event(dialect: Dialect) -> None:
    first, second = heard(dialect), heard(dialect)
    assert first.events == second.events
    assert first.events != heard(dialect, seed=2).events


def test_a_year_under_a_system_scores_the_same_twice() -> None:
    once, again = (live(Run("one-strike", "amd", 3, **SMALL)) for _ in range(2))
    assert replace(once, seconds=0) == replace(again, seconds=0)


@pytest.mark.parametrize("dialect", ["amd", "nvidia"])
def test_episodes_and_their_bad_hours_are_the_same_whoever_decides(dialect: Dialect) -> None:
    def seen(system: str) -> dict[int, tuple[str, int, float]]:
        score = live(Run(system, dialect, 1, **SMALL))
        return {n: (e.kind, e.symptoms, e.bad_h) for n, e in score.episodes.items()}

    assert seen("nothing") == seen("oracle") == seen("one-strike") != {}


@pytest.mark.parametrize("dialect", ["amd", "nvidia"])
def test_every_event_would_pass_the_ledgers_door(dialect: Dialect) -> None:
    events = heard(dialect).events
    for event in random.Random(1).sample(events, 800):
        attributes = {"source": event.source, "subject": event.subject, "id": event.id}
        checked = new_event(event.data, time_us=event.time_us, **attributes)
        assert asdict_of(checked) == asdict_of(event)


def asdict_of(event: Event) -> tuple[object, ...]:
    return event.type, event.subject, event.time_us, event.data


@pytest.mark.parametrize(
    ("dialect", "faults"),
    [("amd", {"device_lost", "gpu_reset"}), ("nvidia", {"xid"})],
)
def test_the_collectors_read_what_the_worlds_print(dialect: Dialect, faults: set[str]) -> None:
    events = heard(dialect, days=60).events
    types = Counter(event.type for event in events)
    assert set(types) >= {
        "ssh_probe", "gpu_probe", "kernel_log_scanned", "gpu_fault", "job_finished",
        "job_failed_with_traceback", "override_set",
    }  # fmt: skip
    assert ("smu_error" in types) == (dialect == "amd")
    told = {event.data.fault for event in events if event.type == "gpu_fault"}  # type: ignore[attr-defined]
    assert dialect == "nvidia" or told >= faults


def test_events_come_late_but_never_from_the_time_after_they_are_told() -> None:
    listener = heard("amd", rates="blind", days=60)
    newest = START
    late = 0
    for number, batch in enumerate(listener.batches):
        told = START + number * 6 * 3600 * 1_000_000 + 60_000_000
        assert all(event.time_us <= told for event in batch)
        late += sum(event.time_us < newest - 6 * 3600 * 1_000_000 for event in batch)
        newest = max([newest, *(event.time_us for event in batch)])
    assert late > 0


def machine(dialect: Dialect, number: int) -> Machine:
    return Machine(0, "n01", GENERATIONS[dialect][number], "journal")


@pytest.mark.parametrize("symptom", ["smu", "bus"])
@pytest.mark.parametrize(
    ("dialect", "number"), [("amd", n) for n in range(5)] + [("nvidia", n) for n in range(3)]
)
def test_a_card_that_fails_is_named_by_its_kernel_where_that_kernel_names_cards(
    dialect: Dialect, number: int, symptom: Symptom
) -> None:
    where = machine(dialect, number)
    lines = kernels.said(where, 2, symptom, random.Random(1), well=False)
    found = [each for _, text in lines if (each := classify(text, {port(2): pci(2)})) is not None]
    assert found
    named = {each.pci for each in found} - {None}
    silent = where.generation.kernel == "5.4"
    assert named == (set() if silent and symptom == "bus" else {pci(2)}) or silent


@pytest.mark.parametrize("symptom", get_args(Symptom))
@pytest.mark.parametrize(
    ("dialect", "number"), [("amd", n) for n in range(5)] + [("nvidia", n) for n in range(3)]
)
def test_every_kernel_has_its_words_for_every_symptom_and_they_go_on_in_time(
    dialect: Dialect, number: int, symptom: Symptom
) -> None:
    where = machine(dialect, number)
    for token in range(30):
        for well in (True, False):
            lines = kernels.said(where, 2, symptom, random.Random(token), well=well)
            moments = [after for after, _ in lines]
            assert moments == sorted(moments)
            assert all("\n" not in text for _, text in lines)
            if symptom in ("gone", "timeout", "net"):
                assert lines == []


def test_harmless_lines_and_boots_of_healthy_machines_report_nothing_on_amd() -> None:
    for number in range(5):
        where = machine("amd", number)
        lines = kernels.booted(where, [], random.Random(1)) + kernels.harmless(random.Random(2))
        assert [text for _, text in lines if classify(text) is not None] == []


@pytest.mark.parametrize(
    ("dialect", "shown", "state"),
    [
        ("amd", "ok", "ok"),
        ("amd", "off", "unresponsive"),
        ("amd", "stuck", "unresponsive"),
        ("amd", "hung", "unknown"),
        ("amd", "spared", "unknown"),
        ("amd", "undriven", "unresponsive"),
        ("amd", "gone", None),
        ("nvidia", "ok", "ok"),
        ("nvidia", "off", "unresponsive"),
        ("nvidia", "stuck", "unresponsive"),
        ("nvidia", "gone", None),
    ],
)
def test_a_look_through_the_real_parser_shows_a_card_as_it_is(
    dialect: Dialect, shown: Shown, state: str | None
) -> None:
    slots: list[Shown] = ["ok"] * SLOTS
    slots[3] = shown
    look = Looker().look(machine(dialect, 0), slots, list(range(SLOTS)))
    assert look.states.get(pci(3)) == state
    others = {look.states[pci(slot)] for slot in range(SLOTS) if slot != 3}
    assert others == {"ok"}
    assert look.bridges[port(0)] == pci(0)


def test_only_the_adapter_of_runledger_imports_a_rule_or_the_program() -> None:
    for file in FOLDER.rglob("*.py"):
        if file == ADAPTER:
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [each.name for each in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
                assert node.level == 0, f"{file}: a relative import hides what it names"
            roots = {name.partition(".")[0] for name in names}
            assert not roots & {"rules", "runledger", "durable"}, file


def test_no_world_and_no_peer_names_a_rule() -> None:
    names = {rule.name for rule in ALL_RULES if "_" in rule.name}
    for file in FOLDER.rglob("*.py"):
        if file != ADAPTER:
            words = {
                node.value
                for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
                if isinstance(node, ast.Constant) and isinstance(node.value, str)
            }
            assert not words & names, file


def test_every_rate_has_a_source_and_other_sets_name_only_rates_that_there_are() -> None:
    assert all(rate.source for rate in RATES.values())
    for name in SETS:
        assert set(rates_of(name)) == set(RATES)


def test_a_rate_that_there_is_not_is_an_error_that_names_it(tmp_path: Path) -> None:
    file = tmp_path / "other.toml"
    file.write_text('"crash_share" = 0.1\n', encoding="utf-8")
    assert rates_of(str(file))["crash_share"] == 0.1
    file.write_text('"crash_shares" = 0.1\n', encoding="utf-8")
    with pytest.raises(UnknownRate, match="crash_shares"):
        rates_of(str(file))
    file.write_text('"crash_share" = "often"\n', encoding="utf-8")
    with pytest.raises(UnknownRate, match="give a number"):
        rates_of(str(file))


def test_scores_are_plain_data() -> None:
    assert asdict(live(Run("nothing", "amd", 1, nodes=1, days=3)))["jobs"] > 0
