"""Commands over what is stored: events, decisions, replay, whatif, export, restore, verify."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from ledger.times import format_time
from tests.rules.histories import NOON, D, H, M, Story, pci
from tests.typing_at import Type, event, forge, ndjson, told


def at(offset: int) -> str:
    return format_time(NOON + offset)


@pytest.fixture
def night(type_: Type) -> dict[str, str]:
    """Two incidents on a card, with decisions after each; their ids."""
    type_("record", stdin=told(Story().healthy().error(M).error(H)))
    ids = {}
    for name, when in (("first", 2 * M), ("second", 61 * M)):
        ids[name] = type_("exclusions", "--json", "--at", at(when)).json["decision"]
    type_("record", stdin=told(Story().run("R1", H, 0)))
    ids["next"] = type_("next", "--json", "--at", at(2 * H)).json["decision"]
    return ids


class TestEvents:
    @pytest.mark.parametrize(
        ("where", "count"),
        [
            (["type=smu_error"], 2),
            (["type=smu_error,node=rig", "type=run_started"], 3),
            (["node=zeus"], 3),
            (["pci=22:00.0,type=smu_error"], 2),
            (["type=smu*"], 2),
            (["subject=gpu/rig/0000:22:00.0,type=smu_error"], 2),
            ([f"type=smu_error,since={at(H)}"], 1),
            ([f"type=smu_error,until={at(2 * M)}"], 1),
            (["seq=1..3"], 3),
            (["seq=1"], 1),
            (["run=R1"], 2),
            (["source=test,type=ssh_probe"], 2),
            (["type=nothing_like_it"], 0),
        ],
    )
    def test_filters(self, type_: Type, night: object, where: list[str], count: int) -> None:
        words = [word for each in where for word in ("--where", each)]
        assert len(type_("events", *words, "--json").json["events"]) == count

    @pytest.mark.parametrize(
        "where", ["", "kind=x", "type", "seq=a..b", "since=noon", "seq=3..1", "typ=smu_error"]
    )
    def test_a_bad_filter_is_exit_2(self, type_: Type, night: object, where: str) -> None:
        done = type_("events", "--where", where)
        assert done.code == 2
        assert done.out == ""

    def test_a_ledger_that_is_not_there_is_exit_3(self, type_: Type, folder: Path) -> None:
        for command in ("events", "decisions", "replay", "verify", "export", "whatif"):
            done = type_(command, "--ledger", "none.db")
            assert done.code == 3, command
            assert "none.db" in done.err
        assert not (folder / "none.db").exists()


@pytest.mark.parametrize(
    "outcome",
    [{}, {"gpus": [{}]}, {"gpus": 7}, {"gpus": ["0000:22:00.0"]}, {"gpus": [{"node": "rig"}]}],
)
def test_what_another_program_says_came_of_its_decision_ends_no_list(
    type_: Type, night: dict[str, str], outcome: Any
) -> None:
    (foreign,) = type_("events", "--json", "--where", f"id={night['first']}").json["events"]
    foreign |= {"id": "foreign", "data": foreign["data"] | {"outcome": outcome}}
    forge(foreign)
    done = type_("decisions")
    assert done.code == 0
    assert len(done.out.splitlines()) == 1 + 4


class TestReplay:
    def test_all_and_one(self, type_: Type, night: dict[str, str]) -> None:
        done = type_("replay", "--json")
        assert done.code == 0
        assert done.json == {"decisions": 3, "identical": 3, "drifted": []}
        assert type_("replay", night["first"], "--json").json["decisions"] == 1

    def test_an_unknown_decision_is_exit_3(self, type_: Type, night: object) -> None:
        assert type_("replay", "nope").code == 3

    def test_drift_is_exit_12_and_names_field_and_cause(
        self, type_: Type, night: dict[str, str]
    ) -> None:
        (wire,) = type_("events", "--where", f"id={night['second']}", "--json").json["events"]
        for key in ("sequence", "recordedtime", "prevhash", "hash"):
            del wire[key]
        wire["id"] = wire["data"]["decision"] = "forged"
        wire["data"]["outcome"] = {"gpus": []}
        forge(wire)
        done = type_("replay", "--json")
        assert done.code == 12
        (drift,) = done.json["drifted"]
        assert drift["decision"] == "forged"
        assert drift["field"] == "outcome"
        assert drift["recorded"] == {"gpus": []}
        assert drift["replayed"]["gpus"][0]["pci"] == pci(2)
        assert drift["cause"] == "not deterministic"


class TestWhatif:
    def test_another_threshold_changes_the_first_decision(
        self, type_: Type, night: dict[str, str]
    ) -> None:
        before = type_("verify", "--json").json
        done = type_("whatif", "--set", "gpu.exclude_after_incidents=1", "--json")
        assert done.code == 0
        assert done.json["decisions"] == 3
        (changed,) = done.json["changed"]
        assert changed["decision"] == night["first"]
        assert changed["before"]["outcome"]["gpus"][0]["state"] == "watch"
        assert changed["after"]["outcome"]["gpus"][0]["state"] == "excluded"
        assert type_("verify", "--json").json == before

    def test_fail_on_change_is_exit_12(self, type_: Type, night: object) -> None:
        words = ("whatif", "--set", "gpu.exclude_after_incidents=1", "--fail-on-change")
        assert type_(*words).code == 12
        assert type_("whatif", "--set", "gpu.window_s=2592001", "--fail-on-change").code == 0

    def test_an_event_left_out(self, type_: Type, night: dict[str, str]) -> None:
        done = type_("whatif", "--without", f"type=smu_error,since={at(H)}", "--json")
        (changed,) = done.json["changed"]
        assert changed["decision"] == night["second"]

    def test_an_event_added_is_within_every_cut_and_its_time_decides(
        self, type_: Type, night: dict[str, str], folder: Path
    ) -> None:
        counted = event(
            "survivors_counted", at(90 * M), runid="R1b", trials=50, completed_trials=50,
            seed_count=100_000, survivors=900,
        )  # fmt: skip
        (folder / "more.ndjson").write_text(ndjson(counted))
        done = type_("whatif", "--with", "more.ndjson", "--json")
        (changed,) = done.json["changed"]
        assert changed["decision"] == night["next"]
        assert changed["after"]["outcome"]["seed_count"] == 200_000

    def test_a_summary_has_a_line_for_each_sort_of_change(
        self, type_: Type, night: dict[str, str]
    ) -> None:
        words = ("whatif", "--set", "gpu.exclude_after_incidents=1", "--summary")
        done = type_(*words, "--json")
        assert "changed" not in done.json
        assert done.json["changes"] == 1
        (group,) = done.json["groups"]
        assert group["kind"] == "exclusions"
        assert group["change"].endswith(f"{pci(2)}: watch → excluded")
        assert (group["decisions"], group["example"]) == (1, night["first"])
        text = type_(*words).out
        assert "1 of 3 decisions would change" in text
        assert group["change"] in text
        assert "GPU-hours sat out" in text

    def test_an_interrupt_leaves_nothing_behind(
        self, type_: Type, night: object, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Whether it comes while deciding, or while what came out is written."""
        before = type_("verify", "--json").json
        files = sorted(folder.iterdir())

        def interrupted(*_: object, **__: object) -> None:
            raise KeyboardInterrupt

        words = ("whatif", "--set", "gpu.exclude_after_incidents=1", "--junit", "junit.xml")
        for where in ("rules.decide.Judge.decide", "xml.etree.ElementTree.ElementTree.write"):
            with monkeypatch.context() as patched:
                patched.setattr(where, interrupted)
                done = type_(*words)
            assert (done.code, done.out) == (130, "")
            assert sorted(folder.iterdir()) == files
        assert type_("verify", "--json").json == before

    @pytest.mark.parametrize(
        "words",
        [
            ["--set", "gpu.exclude_after_incident=1"],
            ["--set", "gpu.exclude_after_incidents=0"],
            ["--set", "gpu.exclude_after_incidents=many"],
            ["--set", "nothing"],
            ["--without", "colour=red"],
            ["--at", "noon"],
        ],
    )
    def test_bad_input_is_exit_2(self, type_: Type, night: object, words: list[str]) -> None:
        done = type_("whatif", *words)
        assert done.code == 2
        assert done.out == ""

    def test_a_filter_that_matches_nothing_is_said(self, type_: Type, night: object) -> None:
        done = type_("whatif", "--without", "node=nobody")
        assert done.code == 0
        assert "nothing" in done.err + done.out or "no event" in done.err + done.out

    def test_a_missing_policy_file_is_named(self, type_: Type, night: object) -> None:
        done = type_("whatif", "--policy", "nowhere.toml")
        assert done.code in (2, 3)
        assert "nowhere.toml" in done.err


class TestMoving:
    def test_an_export_restores_to_the_same_head(
        self, type_: Type, night: object, folder: Path
    ) -> None:
        (folder / "all.ndjson").write_text(type_("export").out)
        head = type_("verify", "--json").json["head"]
        done = type_("restore", "all.ndjson", "--ledger", "copy.db", "--json")
        assert done.code == 0
        assert type_("verify", "--ledger", "copy.db", "--json").json["head"] == head
        assert type_("export", "--ledger", "copy.db").out == (folder / "all.ndjson").read_text()
        assert type_("replay", "--ledger", "copy.db", "--json").json["drifted"] == []

    def test_restore_fills_only_an_empty_ledger(
        self, type_: Type, night: object, folder: Path
    ) -> None:
        (folder / "all.ndjson").write_text(type_("export").out)
        done = type_("restore", "all.ndjson")
        assert done.code == 5
        assert "nothing was restored" in done.err

    @pytest.mark.parametrize("spoil", ["cut", "swap", "alter", "drop"])
    def test_a_spoilt_export_restores_nothing(
        self, type_: Type, night: object, folder: Path, spoil: str
    ) -> None:
        lines = type_("export").out.splitlines(keepends=True)
        if spoil == "cut":
            lines[-1] = lines[-1][:50]
        elif spoil == "swap":
            lines[3], lines[4] = lines[4], lines[3]
        elif spoil == "alter":
            lines[2] = lines[2].replace('"rig"', '"rag"')
        else:
            del lines[5]
        (folder / "bad.ndjson").write_text("".join(lines))
        done = type_("restore", "bad.ndjson", "--ledger", "copy.db")
        assert done.code == 2
        assert "line" in done.err
        assert type_("verify", "--ledger", "copy.db", "--json").json["head"]["sequence"] == 0

    def test_a_backup_is_a_whole_ledger(self, type_: Type, night: object) -> None:
        head = type_("verify", "--json").json["head"]
        assert type_("backup", "safe.db", "--json").json["head"] == head
        assert type_("verify", "--ledger", "safe.db", "--json").json["head"] == head
        again = type_("backup", "safe.db")
        assert again.code == 5
        assert "safe.db" in again.err

    def test_a_filtered_export_holds_what_matches(self, type_: Type, night: object) -> None:
        lines = type_("export", "--where", "type=smu_error").out.splitlines()
        assert [json.loads(line)["type"] for line in lines] == ["smu_error"] * 2

    def test_an_export_is_verified_by_anyone(self, type_: Type, night: object) -> None:
        """As docs/event-format.md says, with nothing of ours."""
        previous = "0" * 64
        for number, line in enumerate(type_("export").out.splitlines(), 1):
            stored = json.loads(line)
            assert stored["sequence"] == number
            assert stored["prevhash"] == previous
            claimed = stored.pop("hash")
            # These events hold no numbers that RFC 8785 writes otherwise than Python does.
            text = json.dumps(stored, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
            previous = hashlib.sha256(text.encode()).hexdigest()
            assert previous == claimed


class TestVerify:
    def head(self, type_: Type) -> Any:
        return type_("verify", "--json").json["head"]

    def test_a_whole_chain_is_ok(self, type_: Type, night: object) -> None:
        done = type_("verify", "--json")
        assert done.code == 0
        assert done.json["ok"] is True
        assert done.json["first_bad"] is None

    @pytest.mark.parametrize(
        ("statement", "first_bad"),
        [
            ("UPDATE events SET data = replace(data, 'rig', 'rag') WHERE rowid = 2", 2),
            ("DELETE FROM events WHERE rowid = 5", 5),
            ("UPDATE events SET type = 'gpu_fault' WHERE rowid = 7", 7),
            ("UPDATE events SET time_us = time_us + 1 WHERE rowid = 2", 2),
            ("UPDATE events SET hash = 'x' || substr(hash, 2) WHERE rowid = 3", 3),
        ],
    )
    def test_tampering_is_found_where_it_is(
        self, type_: Type, night: object, folder: Path, statement: str, first_bad: int
    ) -> None:
        self.tamper(folder, [statement])
        done = type_("verify", "--json")
        assert done.code == 12
        assert done.json["ok"] is False
        assert done.json["first_bad"] == first_bad

    def test_a_cut_tail_is_found_against_a_head_noted_earlier(
        self, type_: Type, night: object, folder: Path
    ) -> None:
        head = self.head(type_)
        expected = f"{head['sequence']}:{head['hash']}"
        assert type_("verify", "--expect-head", expected).code == 0
        self.tamper(folder, [f"DELETE FROM events WHERE rowid = {head['sequence']}"])
        assert type_("verify").code == 0
        done = type_("verify", "--expect-head", expected, "--json")
        assert done.code == 12
        assert done.json["first_bad"] == head["sequence"]

    def test_an_older_head_still_holds(self, type_: Type, night: object) -> None:
        head = self.head(type_)
        type_("record", stdin=told(Story().ssh("rig", D)))
        assert type_("verify", "--expect-head", f"{head['sequence']}:{head['hash']}").code == 0
        wrong = f"{head['sequence']}:{'0' * 64}"
        done = type_("verify", "--expect-head", wrong, "--json")
        assert (done.code, done.json["first_bad"]) == (12, head["sequence"])

    @pytest.mark.parametrize("head", ["", "5", "5:xyz", "-1:" + "0" * 64])
    def test_a_bad_head_is_exit_2(self, type_: Type, night: object, head: str) -> None:
        assert type_("verify", f"--expect-head={head}").code == 2

    def tamper(self, folder: Path, statements: list[str]) -> None:
        """What only someone with the file and a will can do: the triggers go first."""
        connection = sqlite3.connect(folder / "runledger.db")
        names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        for (name,) in names.fetchall():
            connection.execute(f'DROP TRIGGER "{name}"')
        for statement in statements:
            connection.execute(statement)
        connection.commit()
        connection.close()

    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE events SET data = '{}' WHERE rowid = 1",
            "DELETE FROM events",
            "INSERT OR REPLACE INTO events SELECT * FROM events WHERE rowid = 1",
            "REPLACE INTO events SELECT * FROM events WHERE rowid = 1",
        ],
    )
    def test_the_database_itself_refuses_to_change_what_is_stored(
        self, type_: Type, night: object, folder: Path, statement: str
    ) -> None:
        connection = sqlite3.connect(folder / "runledger.db")
        with pytest.raises(sqlite3.DatabaseError, match="append-only"):
            connection.execute(statement)
        connection.close()
        assert type_("verify").code == 0


class TestSetup:
    def test_init_makes_settings_and_a_ledger(self, type_: Type, folder: Path) -> None:
        assert type_("init", "--example").code == 0
        settings = (folder / "runledger.toml").read_text()
        assert '"2.5"' in settings
        for step in ("0", "1", "2", "3", "4", "5", "6"):
            assert f'[steps."{step}"]' in settings or f"[steps.{step}]" in settings
        assert type_("verify", "--json").json["ok"] is True
        watched = type_("exclusions", "--json").json["outcome"]["gpus"]
        assert {gpu["pci"] for gpu in watched} == {"0000:22:00.0", "0000:0f:00.0"}
        assert type_("init").code in (2, 5)
        assert (folder / "runledger.toml").read_text() == settings

    def test_doctor_says_that_all_is_well(self, type_: Type) -> None:
        type_("init")
        done = type_("doctor", "--json")
        assert done.code == 0
        assert done.json

    def test_doctor_misses_a_guard_that_was_taken_away(self, type_: Type, folder: Path) -> None:
        type_("init")
        connection = sqlite3.connect(folder / "runledger.db")
        connection.execute("DROP TRIGGER events_no_update")
        connection.close()
        done = type_("doctor", "--json")
        assert done.code == 12
        (check,) = [each for each in done.json["checks"] if not each["ok"]]
        assert check["name"] == "schema"
        assert "events_no_update" in check["detail"]

    def test_doctor_without_a_ledger_is_exit_3(self, type_: Type, folder: Path) -> None:
        assert type_("doctor").code == 3
        assert not (folder / "runledger.db").exists()

    def test_upgrade_of_a_current_ledger_changes_nothing(self, type_: Type) -> None:
        type_("init")
        done = type_("upgrade", "--json")
        assert done.code == 0
        assert done.json["before"] == done.json["now"]

    def test_a_file_that_is_no_ledger_is_named_and_left_alone(
        self, type_: Type, folder: Path
    ) -> None:
        (folder / "notes.db").write_text("these are my notes\n" * 100)
        for command in ("record", "upgrade", "events", "export", "decisions"):
            done = type_(command, "--ledger", "notes.db")
            assert done.code == 2, command
            assert "notes.db" in done.err
            assert "not a database" in done.err
        assert (folder / "notes.db").read_text() == "these are my notes\n" * 100

    def test_a_file_whose_beginning_is_torn_does_not_verify(
        self, type_: Type, folder: Path
    ) -> None:
        (folder / "torn.db").write_bytes(b"\xa5" * 4096)
        done = type_("verify", "--ledger", "torn.db", "--json")
        assert done.code == 12
        assert done.json == {
            "ok": False,
            "head": {"sequence": 0, "hash": "0" * 64},
            "first_bad": 1,
        }
        assert "torn.db" in done.err

    @pytest.mark.parametrize("table", ["events", "trials"])
    def test_a_database_of_someone_else_is_left_alone(
        self, type_: Type, folder: Path, table: str
    ) -> None:
        connection = sqlite3.connect(folder / "theirs.db")
        connection.execute(f"CREATE TABLE {table} (id INTEGER PRIMARY KEY, what TEXT)")
        connection.commit()
        connection.close()
        before = (folder / "theirs.db").read_bytes()
        for command in ("record", "upgrade"):
            done = type_(command, "--ledger", "theirs.db", stdin=told(Story().ssh()))
            assert done.code == 2
            assert f"another program ({table})" in done.err
        for command in ("verify", "events", "export", "decisions", "replay"):
            assert type_(command, "--ledger", "theirs.db").code == 3, command
        assert (folder / "theirs.db").read_bytes() == before

    @pytest.mark.parametrize(
        "location",
        [".", ":memory:", "sqlite://", "sqlite:///l.db?mode=ro", "mysql://host/db", "http://host"],
    )
    def test_what_cannot_be_a_ledger_is_bad_input(self, type_: Type, location: str) -> None:
        for command in ("record", "verify", "upgrade"):
            assert type_(command, "--ledger", location).code == 2, command

    def test_commands_that_only_read_change_no_byte_of_a_backup(
        self, type_: Type, folder: Path
    ) -> None:
        type_("record", stdin=told(Story().ssh()))
        type_("backup", "kept.db")
        before = (folder / "kept.db").read_bytes()
        for command in ("verify", "events", "export", "decisions", "replay", "context"):
            assert type_(command, "--ledger", "kept.db").code == 0, command
        assert (folder / "kept.db").read_bytes() == before
        assert [path.name for path in folder.glob("kept.db*")] == ["kept.db"]

    @pytest.mark.parametrize("url", ["//u:secret@/db?host=", "//u@/db?password=secret&host="])
    def test_a_password_is_never_shown(self, type_: Type, folder: Path, url: str) -> None:
        done = type_("verify", "--ledger", f"postgresql:{url}{folder}")
        assert done.code == 75
        assert "secret" not in done.out + done.err

    def test_settings_with_a_misspelt_key_name_the_nearest(self, type_: Type, folder: Path) -> None:
        (folder / "runledger.toml").write_text('[[nodes]]\nname = "a"\ngpu = 3\n')
        done = type_("exclusions")
        assert done.code == 2
        assert "gpus" in done.err
        assert "runledger.toml" in done.err

    @pytest.mark.parametrize("url", ["//u:secret@h/db", "//u@h/db?password=secret"])
    def test_a_password_in_the_settings_is_refused(
        self, type_: Type, folder: Path, url: str
    ) -> None:
        (folder / "runledger.toml").write_text(f'ledger = "postgresql:{url}"\n')
        done = type_("events")
        assert done.code == 2
        assert "RUNLEDGER_LEDGER" in done.err
        assert "secret" not in done.err
