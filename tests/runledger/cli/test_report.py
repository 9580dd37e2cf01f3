"""``report`` as typed."""

from __future__ import annotations

from pathlib import Path

import pytest

from ledger.payloads import RunFinished, RunStarted
from rules.fleet import fleet_text
from tests.rules.histories import FLEET, H, Story
from tests.typing_at import Type, told


@pytest.fixture
def recorded(folder: Path, type_: Type) -> Story:
    """A ledger with one healthy look at the small fleet."""
    (folder / "runledger.toml").write_text(fleet_text(FLEET))
    story = Story().healthy().add(RunStarted(trials=50), 0, runid="R1")
    story.add(RunFinished(outcome="succeeded"), H, subject="run/R1")
    assert type_("record", stdin=told(story)).code == 0
    return story


def test_a_report_is_a_new_file(type_: Type, folder: Path, recorded: Story) -> None:
    done = type_("report", "--output", "r.html")
    assert done.code == 0
    assert done.out == f"r.html: {len(recorded.events)} events, 0 decisions, 1 run\n"
    assert "nothing was chosen" in done.err
    assert (folder / "r.html").read_text().startswith("<!doctype html>")
    assert sorted(each.name for each in folder.iterdir() if "html" in each.name) == ["r.html"]


@pytest.mark.usefixtures("recorded")
def test_json_says_what_it_covers(type_: Type) -> None:
    done = type_("report", "--output", "r.html", "--node", "rig", "--json")
    assert done.code == 0
    assert list(done.json) == ["output", "since", "until", "events", "decisions", "runs"]
    assert done.json["output"] == "r.html"


@pytest.mark.usefixtures("recorded")
def test_a_run_has_the_events_that_name_it_and_those_that_are_about_it(type_: Type) -> None:
    done = type_("report", "--output", "r.html", "--run", "R1", "--json")
    assert done.json["until"] > "2026-01-24T13:00:00Z"  # an hour after it began, and a little


@pytest.mark.usefixtures("recorded")
class TestRefused:
    def test_a_file_that_is_there_is_left_alone(self, type_: Type, folder: Path) -> None:
        (folder / "r.html").write_text("mine")
        done = type_("report", "--output", "r.html")
        assert done.code != 0
        assert "exists already" in done.err
        assert (folder / "r.html").read_text() == "mine"

    def test_with_force_it_is_replaced_whole(self, type_: Type, folder: Path) -> None:
        (folder / "r.html").write_text("mine")
        assert type_("report", "--output", "r.html", "--force", "--node", "nobody").code == 3
        assert (folder / "r.html").read_text() == "mine"
        assert type_("report", "--output", "r.html", "--force").code == 0
        assert (folder / "r.html").read_text().startswith("<!doctype html>")
        assert [each.name for each in folder.iterdir() if "html" in each.name] == ["r.html"]

    def test_with_force_a_folder_stays_one(self, type_: Type, folder: Path) -> None:
        (folder / "reports").mkdir()
        done = type_("report", "--output", "reports", "--force")
        assert (done.code, "is a folder" in done.err) == (5, True)

    def test_a_folder_that_is_not_there(self, type_: Type) -> None:
        done = type_("report", "--output", "no/r.html")
        assert done.code == 3
        assert "no folder" in done.err

    @pytest.mark.parametrize(
        ("words", "code", "said"),
        [
            (["--run", "R9"], 3, "no event of run"),
            (["--run", "R1 "], 3, "did you mean 'R1'"),
            (["--run", "R*"], 3, "no event of run"),
            (["--run", " "], 3, "no event of run"),
            (["--run", "R1\r"], 2, "no name has"),
            (["--node", "rig\r"], 2, "no name has"),
            (["--node", "nobody"], 3, "no event about node"),
            (["--since", "2031-01-01T00:00:00Z"], 3, "no event from"),
            (["--since", "last week"], 2, "is no time: write RFC 3339"),
            (["--since", "2026-02-01T00:00:00Z", "--until", "2026-01-01T00:00:00Z"], 2, "after"),
            (["--run", "R9", "--node", "rig"], 2, "not allowed with"),
            (["--run", "R9", "--since", "2026-01-01T00:00:00Z"], 2, "give --run alone"),
        ],
    )
    def test_what_makes_no_sense_leaves_no_file(
        self, type_: Type, folder: Path, words: list[str], code: int, said: str
    ) -> None:
        done = type_("report", "--output", "r.html", *words)
        assert (done.code, said in done.err) == (code, True), done.err
        assert not list(folder.glob("*html*"))


def test_no_ledger_is_not_made(type_: Type, folder: Path) -> None:
    assert type_("report", "--output", "r.html").code == 3
    assert not list(folder.iterdir())


def test_an_empty_ledger_says_so(type_: Type, folder: Path) -> None:
    assert type_("record", stdin="").code == 0
    done = type_("report", "--output", "r.html")
    assert done.code == 3
    assert "the ledger is empty" in done.err
