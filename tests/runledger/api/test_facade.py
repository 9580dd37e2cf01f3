"""What WATCHER imports: threads, processes, typed results, and no import cost."""

from __future__ import annotations

import json
import multiprocessing
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

import runledger
from ledger import verify
from ledger.payloads import DecisionPayload, RunStarted
from rules.fleet import fleet_text
from runledger.api.facade import Runledger
from runledger.replaying.whatif import Change
from tests.rules.histories import FLEET, NOON, D, H, M, Story
from tests.runledger.nights import NOW, eventful, ledger_with


def test_results_are_typed_and_frozen(tmp_path: Path) -> None:
    with ledger_with(tmp_path, Story().healthy().events) as opened:
        decision = opened.preflight("1", at=NOON + M)
        assert isinstance(decision, runledger.Decision)
        assert decision.verdict == "go"
        with pytest.raises(AttributeError):
            decision.verdict = "no_go"  # type: ignore[misc]


def test_times_may_be_text_or_microseconds(tmp_path: Path) -> None:
    with ledger_with(tmp_path, Story().healthy().events) as opened:
        by_text = opened.preflight("1", at="2026-01-24T13:01:00+01:00")
        assert by_text.as_of.time == opened.preflight("1", at=NOON + M).as_of.time
        assert opened.preflight("1").as_of.time == "2026-03-05T12:00:00Z"  # the clock given


def test_a_note_is_an_event_of_ours(tmp_path: Path) -> None:
    with ledger_with(tmp_path, []) as opened:
        event = opened.note(RunStarted(trials=50), subject="run/R1", runid="R1", step="1")
        stored = opened.ledger.get(event.id)
        assert (stored.time_us, stored.runid, stored.step) == (NOW, "R1", "1")


def test_many_threads_decide_and_record_on_one_ledger(tmp_path: Path) -> None:
    story = eventful(4, days=1)
    with ledger_with(tmp_path, story.events) as opened:

        def work(number: int) -> str:
            opened.note(RunStarted(trials=number), subject=f"run/{number}", at=NOON + 2 * D)
            if number % 2:
                return opened.exclusions(at=NOON + D).verdict
            return opened.preflight("1", at=NOON + 5 * H + M).verdict

        with ThreadPoolExecutor(8) as pool:
            verdicts = list(pool.map(work, range(32)))
        assert len(set(verdicts[::2])) == len(set(verdicts[1::2])) == 1
        assert opened.replay().identical == 32
        assert verify(opened.ledger).ok


def _decide(folder: str) -> list[str]:
    path = Path(folder)
    with runledger.open(path / "ledger.db", config=path / "runledger.toml") as opened:
        return [opened.preflight("1", at=NOON + M).verdict for _ in range(5)]


def test_processes_decide_at_once(tmp_path: Path) -> None:
    with ledger_with(tmp_path, Story().healthy().events) as opened:
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(4, mp_context=context) as pool:
            verdicts = list(pool.map(_decide, [str(tmp_path)] * 4))
        assert verdicts == [["go"] * 5] * 4
        assert opened.replay() == (20, 20, [])


def test_an_open_ledger_sees_what_other_processes_record(tmp_path: Path) -> None:
    with ledger_with(tmp_path, Story().healthy().events) as opened:
        assert opened.preflight("1", at=NOON + 2 * M).verdict == "go"
        lost = Story().ssh("rig", M, reachable=False, error="refused").events
        with runledger.open(tmp_path / "ledger.db", config=tmp_path / "runledger.toml") as other:
            other.record([msgspec.structs.replace(event, sequence=0) for event in lost])
        assert opened.preflight("1", at=NOON + 2 * M).verdict == "no_go"


def test_a_failure_of_our_own_is_never_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("broken")

    with ledger_with(tmp_path, Story().healthy().events) as opened:
        monkeypatch.setattr("rules.decide.Judge.decide", fail)
        decision = opened.preflight("1", at=NOON + M)
        assert decision.verdict == "unknown"
        assert "broken" in decision.findings[0].message
        assert isinstance(opened.decision(decision.decision).data, DecisionPayload)


def test_numbers_of_a_preflight_may_be_text_and_must_be_numbers(tmp_path: Path) -> None:
    with ledger_with(tmp_path, Story().healthy().events) as opened:
        decision = opened.preflight("1", at=NOON + M, trials="50", seed_count="1e7")
        assert decision.question == {"step": "1", "trials": 50, "seed_count": 10_000_000}
        for wrong in ("fifty", -1, 0.5, True, [50]):
            with pytest.raises(runledger.BadInput, match=r"trials = .*: give a whole number"):
                opened.preflight("1", at=NOON + M, trials=wrong)  # type: ignore[arg-type]


def test_next_parameters_in_one_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with ledger_with(tmp_path, Story().run("R1", H, 900).events):
        pass
    outcome = runledger.next_parameters(study="w", ledger=tmp_path / "ledger.db").outcome
    assert (outcome["trials"], outcome["seed_count"]) == (50, 200_000)


def test_the_default_ledger_is_the_one_that_the_settings_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "runledger.toml").write_text('ledger = "here.db"\n' + fleet_text(FLEET))
    monkeypatch.chdir(tmp_path)
    with runledger.open(create=True) as opened:
        opened.exclusions()
    assert (tmp_path / "here.db").exists()
    monkeypatch.setenv("RUNLEDGER_LEDGER", str(tmp_path / "there.db"))
    with runledger.open(create=True) as opened:
        opened.exclusions()
    assert (tmp_path / "there.db").exists()


def _made(path: Path) -> Runledger:
    return runledger.open(path, create=True)


def test_importing_costs_next_to_nothing() -> None:
    code = (
        "import sys, json, runledger; "
        "print(json.dumps([m for m in ('sqlalchemy', 'asyncssh', 'optuna', 'durable', 'pandas', "
        "'alembic', 'sqlmodel', 'jinja2', 'rich') if m in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert json.loads(done.stdout) == []


def test_help_loads_no_heavy_library() -> None:
    code = (
        "import sys, json, contextlib, io\n"
        "from runledger.cli import main\n"
        "with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):\n"
        "    main(['--help'])\n"
        "print(json.dumps([m for m in ('sqlalchemy', 'asyncssh', 'optuna', 'durable', 'msgspec', "
        "'alembic', 'sqlmodel', 'jinja2') if m in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert json.loads(done.stdout) == []


def test_a_decision_loads_nothing_that_it_does_not_use(tmp_path: Path) -> None:
    with runledger.open(tmp_path / "l.db", create=True):
        pass
    code = (
        "import sys, json, contextlib, io\n"
        "from runledger.cli import main\n"
        "with contextlib.redirect_stdout(io.StringIO()):\n"
        "    assert main(['--ledger', sys.argv[1], 'exclusions']) == 0\n"
        "print(json.dumps([m for m in ('asyncssh', 'optuna', 'alembic', 'sqlmodel', 'jinja2', "
        "'tenacity', 'psycopg', 'runledger.studies.trials', 'runledger.probing', "
        "'runledger.report', 'collectors.reach', 'collectors.jobs') if m in sys.modules]))"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "l.db")]
    done = subprocess.run(command, capture_output=True, check=True, text=True)
    assert json.loads(done.stdout) == []


def test_the_facade_is_one_class_that_is_given_its_parts() -> None:
    assert Runledger.__mro__ == (Runledger, object)


def test_what_is_exported_can_be_imported() -> None:
    for name in runledger.__all__:
        assert getattr(runledger, name) is not None
    with pytest.raises(AttributeError):
        _ = runledger.nothing_like_it  # type: ignore[attr-defined]
    assert issubclass(runledger.Missing, runledger.RunledgerError)
    assert isinstance(runledger.Runledger, type)
    assert Runledger is runledger.Runledger


@pytest.mark.parametrize(
    "wrong",
    [
        lambda folder: runledger.open(folder / "l.db").preflight("1", at="some day"),
        lambda folder: runledger.open(folder / "l.db").override(
            "node/a", "waive", reason="spare", by="me"
        ),
        lambda folder: list(_made(folder / "l.db").decisions("colour=red")),
        lambda folder: runledger.open("mysql://db.example/runledger"),
        lambda folder: runledger.open(config=_written(folder / "c.toml", "nodse = 1")),
        lambda folder: runledger.open(
            config=_written(folder / "c.toml", 'policy = "p.toml"'), create=True
        ).exclusions(),
        lambda folder: _made(folder / "l.db").what_if(Change(settings=("gpu.nope=1",))),
        lambda folder: runledger.open(folder / "l.db").probe(),
    ],
)
def test_whatever_was_wrong_with_what_it_was_given_is_bad_input(
    tmp_path: Path, wrong: Callable[[Path], object]
) -> None:
    with pytest.raises(runledger.BadInput) as caught:
        wrong(tmp_path)
    assert isinstance(caught.value, runledger.RunledgerError)


def test_every_error_has_the_one_root() -> None:
    import collectors.spool
    import ledger.errors
    import runledger.studies.errors

    for module in (ledger.errors, runledger.studies.errors, collectors.spool):
        for name, thing in vars(module).items():
            if isinstance(thing, type) and issubclass(thing, Exception) and "Error" not in name:
                assert issubclass(thing, runledger.RunledgerError), name
    assert issubclass(runledger.LedgerError, runledger.RunledgerError)


def _written(file: Path, text: str) -> Path:
    file.write_text(text)
    return file
