"""Judging makes no ledger: a slip in a path is an error, never a clean record."""

from __future__ import annotations

from pathlib import Path

import pytest

import runledger
from ledger import Ledger, NotFound, open_ledger
from ledger.payloads import SshProbe
from rules.fleet import fleet_text
from runledger.errors import Missing
from tests.rules.histories import FLEET, NOON, Story
from tests.typing_at import Type, told

JUDGING = (
    ("exclusions",),
    ("exclusions", "--merge", "nodes.json"),
    ("preflight", "--step", "1"),
    ("preflight", "--step", "1", "--no-probe"),
    ("next",),
    ("propose", "--trials", "50", "--seed-count", "1", "--proposer", "p", "--rationale", "r"),
    ("override", "gpu/rig/0000:22:00.0", "exclude", "--reason", "r", "--by", "me"),
    ("study", "define", "--study", "s", "--space", "space.json"),
    ("reclassify",),
    ("context",),
    ("events",),
    ("replay",),
    ("whatif",),
    ("verify",),
    ("export",),
)
IDS = [" ".join(words[:2]) for words in JUDGING]
SPACE = '{"parameters": {"w": {"type": "int", "low": 1, "high": 9}}, "direction": "maximize"}'


@pytest.fixture
def named(folder: Path) -> Path:
    """A ledger that is named, and what commands read beside it."""
    (folder / "nodes.json").write_text('{"nodes": []}')
    (folder / "space.json").write_text(SPACE)
    return folder / "mistyped.db"


@pytest.mark.parametrize("words", JUDGING, ids=IDS)
def test_a_command_that_makes_no_ledger_says_which_it_missed(
    type_: Type, named: Path, words: tuple[str, ...]
) -> None:
    done = type_("--ledger", named, *words)
    assert (done.code, done.out) == (3, "")
    assert str(named) in done.err
    assert "runledger init" in done.err
    assert not named.exists()


@pytest.mark.parametrize("words", [*JUDGING, ("record",), ("upgrade",)])
def test_an_empty_file_is_no_ledger(type_: Type, named: Path, words: tuple[str, ...]) -> None:
    named.touch()
    done = type_("--ledger", named, *words)
    assert (done.code, done.out) == (3, "")
    assert "empty file" in done.err
    assert named.read_bytes() == b""


@pytest.mark.parametrize("words", [("record",), ("upgrade",), ("restore", "none.ndjson")])
def test_commands_that_bring_something_in_make_it(
    type_: Type, named: Path, words: tuple[str, ...]
) -> None:
    (named.parent / "none.ndjson").touch()
    assert type_("--ledger", named, *words).code == 0
    assert type_("--ledger", named, "verify").code == 0


def test_a_record_that_is_refused_leaves_no_ledger(type_: Type, named: Path) -> None:
    assert type_("--ledger", named, "record", stdin="{}").code == 2
    assert not named.exists()


def test_a_preflight_begins_a_ledger_only_where_the_settings_name_it(
    type_: Type, folder: Path
) -> None:
    config = folder / "runledger.toml"
    config.write_text("[probe]\nconcurrency = 1\n")
    assert type_("preflight", "--step", "1").code == 3
    config.write_text('ledger = "own.db"\n')
    assert type_("preflight", "--step", "1", "--no-probe").code == 3
    assert type_("--ledger", "other.db", "preflight", "--step", "1").code == 3
    assert not list(folder.glob("*.db"))
    assert type_("preflight", "--step", "1").code == 11  # no nodes: looked, and nothing is known
    assert (folder / "own.db").exists()


def test_a_verdict_and_the_doctor_name_the_ledger_they_speak_of(type_: Type, folder: Path) -> None:
    (folder / "runledger.toml").write_text(fleet_text(FLEET))
    assert type_("record", stdin=told(Story().healthy())).code == 0
    where = str(folder / "runledger.db")
    for words in (("preflight", "--step", "1", "--no-probe"), ("exclusions",), ("next",)):
        assert where in type_(*words).out
    assert where in type_("doctor").out
    excerpt = type_("exclusions", "--format", "distributed-config")
    assert where in excerpt.err


# -- in Python -------------------------------------------------------------------


def test_an_opened_ledger_is_made_by_what_is_recorded_first(folder: Path) -> None:
    path = folder / "ledger.db"
    with runledger.open(path) as opened:
        for judge in (
            opened.exclusions,
            lambda: opened.preflight("1"),
            opened.next_parameters,
            lambda: opened.propose(trials=50, proposer="p", rationale="r"),
            lambda: opened.override("node/rig", "watch", reason="r", by="me"),
            lambda: list(opened.decisions()),
        ):
            with pytest.raises(Missing, match=r"ledger\.db"):
                judge()
        assert not path.exists()
        opened.note(SshProbe(node="rig", reachable=True), at=NOON)
        assert opened.exclusions().verdict == "ok"
    assert path.exists()


def test_what_waits_in_a_spool_does_not_make_a_ledger_to_judge_by(folder: Path) -> None:
    path = folder / "ledger.db"
    with runledger.open(path) as opened:
        opened.recorder.spool.put(Story().ssh().events)
        with pytest.raises(Missing):
            opened.exclusions()
        assert not path.exists()
        assert opened.deliver_spooled().delivered == 1
        assert opened.exclusions().verdict == "ok"


def test_a_ledger_is_made_at_once_for_who_asks_for_it(folder: Path) -> None:
    with runledger.open(folder / "ledger.db", create=True) as opened:
        assert opened.next_parameters().outcome["trials"] == 50
    with pytest.raises(Missing):
        runledger.open(folder / "other.db", create=False)


def test_a_ledger_that_someone_else_makes_meanwhile_is_found(folder: Path) -> None:
    later: Ledger = open_ledger(folder / "ledger.db", create=None)
    with pytest.raises(NotFound):
        later.head()
    with open_ledger(folder / "ledger.db") as other:
        other.append(Story().ssh().events)
    assert later.head().sequence == 1
    later.close()
