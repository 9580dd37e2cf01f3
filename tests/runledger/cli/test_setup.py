"""``init`` and ``doctor``: the first and the last thing one types."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from runledger.config.settings import load_settings
from tests.typing_at import Type

OURS = [
    {"hostname": "localhost", "gpu_count": 2},
    {"hostname": "192.168.3.120", "username": "m", "gpu_count": 12, "ramdisk_path": "/dev/shm/p"},
]


def node_file(folder: Path, nodes: Any) -> str:
    (folder / "nodes.json").write_text(json.dumps({"nodes": nodes}))
    return "nodes.json"


class TestInit:
    def test_it_makes_a_configuration_that_is_one(self, type_: Type, folder: Path) -> None:
        done = type_("init", "--from", node_file(folder, OURS), "--json")
        assert done.code == 0
        assert set(done.json) == {"config", "ledger", "watched"}
        assert done.json["watched"] == ["gpu/rig-6600/0000:22:00.0"]
        settings = load_settings()
        assert settings.fleet is not None
        assert [node.name for node in settings.fleet.nodes] == ["zeus", "rig-6600"]
        assert type_("doctor").code == 0

    def test_a_file_that_is_there_is_left_alone(self, type_: Type, folder: Path) -> None:
        (folder / "runledger.toml").write_text("# mine\n")
        done = type_("init")
        assert done.code == 5
        assert "edit it, or move it away first" in done.err
        assert (folder / "runledger.toml").read_text() == "# mine\n"
        assert not (folder / "runledger.db").exists()

    @pytest.mark.parametrize(
        ("nodes", "says"),
        [
            ([{"hostname": "a"}, {"hostname": "a"}], "'a' is there twice"),
            ([{"hostname": "a b"}], "nodes.json: nodes[1].name"),
            ([{"hostname": "a", "gpu_count": 10**20}], "nodes.json: nodes[1].gpus"),
            ([{"hostname": "\ud800"}], "not Unicode"),
            ([{"gpu_count": 3}], "node 1: no 'hostname'"),
            ({}, "no list under 'nodes'"),
        ],
    )
    def test_a_node_file_that_is_wrong_leaves_nothing_behind(
        self, type_: Type, folder: Path, nodes: Any, says: str
    ) -> None:
        done = type_("init", "--from", node_file(folder, nodes))
        assert done.code == 2
        assert says in done.err
        assert sorted(each.name for each in folder.iterdir()) == ["nodes.json"]

    def test_nor_does_a_ledger_that_cannot_be_opened(self, type_: Type, folder: Path) -> None:
        assert type_("init", "--ledger", "missing/l.db").code == 3
        assert list(folder.iterdir()) == []

    def test_odd_names_and_marks_come_through(self, type_: Type, folder: Path) -> None:
        (folder / "nodes.json").write_text(
            '\ufeff{"nodes": [{"hostname": "r\u00efg-\U0001f98e", "username": "a\\\\\\"b"}]}'
        )
        assert type_("init", "--from", "nodes.json").code == 0
        (node,) = tomllib.loads((folder / "runledger.toml").read_text(encoding="utf-8"))["nodes"]
        assert node["name"] == "r\u00efg-\U0001f98e"
        assert node["user"] == 'a\\"b'

    def test_the_ledger_that_was_named_is_the_one_in_the_file(
        self, type_: Type, folder: Path
    ) -> None:
        assert type_("init", "--ledger", "other.db").code == 0
        assert type_("events").code == 0
        (folder / "sub").mkdir()
        assert type_("init", "--config", "sub/r.toml", "--ledger", "third.db").code == 0
        assert load_settings(config="sub/r.toml").ledger == str(folder / "third.db")

    def test_it_says_what_to_do_next(self, type_: Type, folder: Path) -> None:
        assert "name your nodes in runledger.toml" in type_("init").out
        (folder / "runledger.toml").unlink()
        again = type_("init", "--from", node_file(folder, OURS))
        assert "then `runledger preflight --step 1`" in again.out


class TestDoctor:
    @pytest.mark.parametrize(
        ("text", "says"),
        [
            ("nodse = 1", "did you mean nodes?"),
            ("x = [", "not TOML"),
            ('ledger = "postgresql://me:s3cret@db.example/x"', "a password does not belong"),
            ('ledger = "postgresql://db.example/x?password=s3cret"', "a password does not belong"),
            ('ledger = "postgresql:/db.example/x"', "begins with postgresql://"),
        ],
    )
    def test_a_broken_configuration_is_one_bad_line(
        self, type_: Type, folder: Path, text: str, says: str
    ) -> None:
        (folder / "runledger.toml").write_text(text)
        done = type_("doctor", "--json")
        assert done.code == 2
        assert done.json["ok"] is False
        (bad,) = (each for each in done.json["checks"] if not each["ok"])
        assert bad["name"] == "configuration"
        assert says in bad["detail"]
        assert "s3cret" not in done.out + done.err
        assert "BAD  configuration: " in type_("doctor").out

    def test_a_missing_ledger_is_not_made(self, type_: Type, folder: Path) -> None:
        done = type_("doctor", "--json")
        assert done.code == 3
        assert [each["name"] for each in done.json["checks"] if not each["ok"]] == ["ledger"]
        assert list(folder.iterdir()) == []

    def test_what_is_no_ledger_is_said_to_be_none(self, type_: Type, folder: Path) -> None:
        (folder / "notes.db").write_text("dear diary " * 100)
        done = type_("--ledger", "notes.db", "doctor")
        assert done.code == 2
        assert "not a database" in done.out

    def test_a_configuration_that_was_named_must_exist(self, type_: Type) -> None:
        done = type_("events", "--config", "nope.toml")
        assert done.code == 3
        assert "runledger init --config nope.toml" in done.err


class TestDoctorOfSshFiles:
    def checks(self, type_: Type, *nodes: str) -> dict[str, str]:
        """The details of what is not well, by what was checked."""
        Path("runledger.toml").write_text("".join(f"[[nodes]]\n{each}\n" for each in nodes))
        assert type_("record").code == 0
        done = type_("doctor", "--json")
        bad = {each["name"]: each["detail"] for each in done.json["checks"] if not each["ok"]}
        assert done.code == (2 if bad else 0)
        return bad

    def test_names_each_that_is_not_there_and_how_to_have_it(
        self, type_: Type, folder: Path
    ) -> None:
        (folder / "key").touch()
        files = 'identity = "key"\nknown_hosts = "nowhere/hosts"\nssh_config = "none"'
        bad = self.checks(type_, f'name = "a"\n{files}', 'name = "b"\nidentity = "other"')
        assert set(bad) == {"known_hosts of a", "identity of b"}
        assert f"no file {folder}/nowhere/hosts: " in bad["known_hosts of a"]
        assert f"ssh-keyscan HOST >> {folder}/nowhere/hosts" in bad["known_hosts of a"]
        assert f"ssh-keygen -t ed25519 -f {folder}/other" in bad["identity of b"]

    def test_asks_for_none_where_there_is_no_ssh(self, type_: Type) -> None:
        assert not self.checks(type_, 'name = "z"\naddress = "localhost"\nidentity = "no"')


def test_a_probe_that_nobody_answers_exits_11(type_: Type, folder: Path) -> None:
    """At a port of loopback where nobody listens."""
    (folder / "runledger.toml").write_text('[[nodes]]\nname = "127.0.0.1"\nport = 1\n')
    done = type_("probe", "--json")
    assert done.code == 11
    assert [node["reachable"] for node in done.json["nodes"]] == [False]


def test_reclassify_makes_no_ledger_where_a_path_is_mistyped(type_: Type, folder: Path) -> None:
    done = type_("reclassify", "--ledger", "rnledger.db")
    assert done.code == 3
    assert list(folder.iterdir()) == []
    assert type_("record", stdin="").code == 0
    assert type_("reclassify", "--json").json["lines"] == 0
