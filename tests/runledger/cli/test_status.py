"""``status`` and ``backup`` as typed."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from ledger import open_ledger
from tests.rules.histories import Story
from tests.typing_at import Type, told


@pytest.fixture
def night(type_: Type) -> None:
    Path("runledger.toml").write_text('[[nodes]]\nname = "rig"\ngpus = 4\n')
    story = Story().healthy().override("gpu/rig/0000:21:00.0", "exclude")
    assert type_("record", stdin=told(story)).code == 0
    assert type_("exclusions").code == 0


@pytest.mark.usefixtures("night")
class TestStatus:
    def test_is_one_screen(self, type_: Type) -> None:
        done = type_("status")
        assert done.code == 0
        assert len(done.out.splitlines()) < 40
        for each in ("Nodes: 2", "rig", "UNKNOWN", "Cards not ok: 1", "0000:21:00.0", "exclusions"):
            assert each in done.out

    def test_as_json_holds_all_of_it(self, type_: Type) -> None:
        status = type_("status", "--json").json
        assert set(status) == {
            "at", "ledger", "nodes", "cards", "runs", "decisions", "findings", "spool",
        }  # fmt: skip
        assert status["spool"] == {"waiting": 0, "refused": 0, "folders": []}

    def test_changes_no_byte(self, type_: Type) -> None:
        before = {path: path.read_bytes() for path in Path().iterdir() if path.is_file()}
        assert type_("status").code == 0
        after = {path: path.read_bytes() for path in Path().iterdir() if path.is_file()}
        assert after == before

    def test_of_no_ledger_is_not_found(self, type_: Type) -> None:
        assert type_("status", "--ledger", "none.db").code == 3

    def test_text_from_events_cannot_write_on_the_terminal(self, type_: Type) -> None:
        story = Story().ssh("rig", reachable=False, error="other", detail="\x1b[2J\nNodes: none")
        type_("record", stdin=told(story))
        done = type_("status")
        assert "\x1b" not in done.out
        assert "\nNodes: none" not in done.out


@pytest.mark.usefixtures("night")
class TestBackup:
    def test_its_age_is_told(self, type_: Type) -> None:
        assert type_("status", "--json").json["ledger"]["backup"] is None
        assert type_("backup", "copy.db").code == 0
        backup = type_("status", "--json").json["ledger"]["backup"]
        assert (backup["file"], backup["present"]) == (str(Path("copy.db").absolute()), True)
        assert (backup["behind"], backup["age_s"] < 3600) == (0, True)
        type_("exclusions")
        Path("copy.db").unlink()
        backup = type_("status", "--json").json["ledger"]["backup"]
        assert (backup["present"], backup["behind"]) == (False, 1)
        assert "whose file is gone" in type_("status").out

    def test_a_note_that_is_none_is_no_backup(self, type_: Type) -> None:
        Path("runledger.db.backup").write_text('{"file": 3}')
        assert type_("status", "--json").json["ledger"]["backup"] is None

    def test_for_a_timer_the_newest_are_kept_and_nothing_else_is_touched(self, type_: Type) -> None:
        folder = Path("backups")
        folder.mkdir()
        old = [folder / f"runledger-2025010{day}T000000Z.db" for day in range(1, 5)]
        others = [
            folder / "runledger.db", folder / "runledger-mine.db", folder / "notes.txt",
            folder / "another-20250101T000000Z.db",
        ]  # fmt: skip
        for each in (*old, *others):
            each.write_text("x")
        os.symlink(others[0].absolute(), folder / "runledger-20240101T000000Z.db")
        done = type_("backup", "--verify", "--keep", "3", "backups", "--json")
        assert done.code == 0
        new = Path(done.json["file"])
        assert done.json["removed"] == [str(each) for each in old[:2]]
        assert all(each.exists() for each in (*old[2:], *others, new))
        with open_ledger(new, create=False, readonly=True) as copy:
            assert copy.head().sequence == done.json["head"]["sequence"]

    def test_one_that_fails_removes_none(
        self, type_: Type, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder = Path("backups")
        folder.mkdir()
        old = folder / "runledger-20250101T000000Z.db"
        old.write_text("x")

        def broken(*_: object, **__: object) -> object:
            from ledger import Head, Verification

            return Verification(False, Head(0, ""), 1, "position 1 is bad")

        monkeypatch.setattr("runledger.cli.backup.verify", broken)
        done = type_("backup", "--verify", "--keep", "1", "backups", "--json")
        assert done.code == 12
        assert json.loads(done.err)["remedy"]
        assert old.exists()
        assert not Path("runledger.db.backup").exists()

    @pytest.mark.parametrize("words", [("--keep", "0", "."), ("--keep", "2", "nowhere")])
    def test_what_makes_no_sense_is_refused(self, type_: Type, words: tuple[str, ...]) -> None:
        assert type_("backup", *words).code == 2
