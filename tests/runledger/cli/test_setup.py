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
        assert set(done.json) == {"config", "ledger", "watched", "unused"}
        settings = load_settings()
        assert settings.fleet is not None
        assert [node.name for node in settings.fleet.nodes] == ["localhost", "192.168.3.120"]
        assert type_("doctor").code == 0

    def test_nobody_elses_nodes_steps_and_cards_go_in(self, type_: Type, folder: Path) -> None:
        done = type_("init", "--from", node_file(folder, OURS), "--json")
        assert done.json["watched"] == []
        table = tomllib.loads((folder / "runledger.toml").read_text())
        assert set(table) == {"ledger", "nodes"}
        assert table["nodes"][1] == {
            "name": "192.168.3.120",
            "gpus": 12,
            "user": "m",
            "ramdisk_path": "/dev/shm/p",
        }
        assert type_("events", "--where", "type=override_set", "--json").json["events"] == []

    def test_an_example_is_a_fleet_of_its_own(self, type_: Type, folder: Path) -> None:
        done = type_("init", "--example", "--json")
        assert done.json["watched"] == ["gpu/rig-6600/0000:22:00.0", "gpu/rig-6600b/0000:0f:00.0"]
        fleet = load_settings().fleet
        assert fleet is not None
        assert [node.name for node in fleet.nodes] == ["zeus", "rig-6600", "rig-6600b"]
        assert list(fleet.steps) == ["0", "1", "2", "3", "4", "5", "6"]
        assert [name for name, step in fleet.steps.items() if step.ramdisk] == list("23456")
        assert fleet.step("2.5") is fleet.steps["2"]
        states = type_("exclusions", "--json").json["outcome"]["gpus"]
        assert [each["state"] for each in states] == ["watch", "watch"]

    def test_an_example_takes_no_files(self, type_: Type, folder: Path) -> None:
        done = type_("init", "--example", "--from", node_file(folder, OURS))
        assert (done.code, "--example" in done.err) == (2, True)
        assert not (folder / "runledger.toml").exists()

    def test_what_a_node_file_holds_beside_nodes_is_named(self, type_: Type, folder: Path) -> None:
        nodes = [{**OURS[1], "gpu_type": "RX", "name": "rig", "excluded_gpus": [10]}, OURS[0]]
        document = {"nodes": nodes, "sieve_defaults": {"window_size": 512}}
        (folder / "nodes.json").write_text(json.dumps(document))
        done = type_("init", "--from", "nodes.json", "--json")
        assert [each for each in done.json["unused"] if "gpu_type" in each]
        assert [each for each in done.json["unused"] if "sieve_defaults" in each]
        assert [each for each in done.json["unused"] if "[10]" in each]
        fleet = load_settings().fleet
        assert fleet is not None
        assert (fleet.nodes[0].name, fleet.nodes[0].address) == ("rig", "192.168.3.120")

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


def manifest(folder: Path, file: str, **values: Any) -> None:
    (folder / "manifests").mkdir(exist_ok=True)
    (folder / "manifests" / file).write_text(json.dumps(values))


class TestManifests:
    def made(self, type_: Type, folder: Path, nodes: Any = OURS) -> tuple[dict[str, Any], str]:
        args = ("--from", node_file(folder, nodes), "--manifests", "manifests", "--json")
        done = type_("init", *args)
        assert (done.code, done.err) == (0, "")
        table = tomllib.loads((folder / "runledger.toml").read_text())
        assert load_settings().fleet is not None
        return table.get("steps", {}), "\n".join(done.json["unused"])

    def test_they_become_the_steps(self, type_: Type, folder: Path) -> None:
        manifest(folder, "b.json", agent_name="b", pipeline_step=1, required_inputs=["draws.json"],
                 timeout_minutes=120, distributed=True)  # fmt: skip
        manifest(folder, "a.json", agent_name="a", pipeline_step="2.5", inputs=["out/s.npz"],
                 timeout_minutes=0.5, distributed=False)  # fmt: skip
        steps, unused = self.made(type_, folder)
        assert list(steps.items()) == [
            ("1", {"timeout_s": 7200, "inputs": ["draws.json"]}),
            ("2.5", {"timeout_s": 30, "nodes": ["localhost"], "inputs": ["out/s.npz"]}),
        ]
        assert "json" not in unused

    def test_what_they_hold_beside_that_is_named(self, type_: Type, folder: Path) -> None:
        manifest(folder, "w.json", pipeline_step=1, inputs=["seed_count", {"path": "d.json"}],
                 retry=2, actions=[{"script": "w.py", "timeout_minutes": 10}])  # fmt: skip
        manifest(folder, "again.json", pipeline_step=1.0, timeout_minutes=True)
        manifest(folder, "none.json", agent_name="x")
        manifest(folder, "late.json", pipeline_step=4, timeout_minutes="soon", distributed="no")
        (folder / "manifests/broken.json").write_text("{")
        (folder / "manifests/list.json").write_text("[]")
        (folder / "manifests/notes.txt").write_text("not a manifest")
        steps, unused = self.made(type_, folder)
        assert steps == {"1": {}, "4": {}}
        for says in ("again.json: timeout_minutes True", "w.json: step 1 is described by another",
                     "none.json: no 'pipeline_step'", "late.json: timeout_minutes 'soon'",
                     "late.json: distributed 'no'", "broken.json: not JSON",
                     "list.json: not an object"):  # fmt: skip
            assert says in unused
        assert "notes.txt" not in unused

    def test_a_timeout_and_files_are_found_where_agents_keep_them(
        self, type_: Type, folder: Path
    ) -> None:
        action = {"script": "w.py", "timeout_minutes": 10, "distributed": True}
        manifest(folder, "w.json", pipeline_step=1, inputs=["seed_count"], retry=2,
                 required_inputs=["d.json", "{run}.json"], actions=[action])  # fmt: skip
        steps, unused = self.made(type_, folder)
        assert steps == {"1": {"timeout_s": 600, "inputs": ["d.json"]}}
        assert "'{run}.json' names no file" in unused
        assert "not used: retry, actions.script" in unused

    def test_a_step_of_the_controller_needs_one(self, type_: Type, folder: Path) -> None:
        manifest(folder, "w.json", pipeline_step=1, distributed=False)
        steps, unused = self.made(type_, folder, OURS[1:])
        assert steps == {"1": {}}
        assert "no localhost" in unused

    def test_a_folder_that_is_not_there_is_said_so(self, type_: Type, folder: Path) -> None:
        done = type_("init", "--manifests", "nowhere")
        assert (done.code, list(folder.iterdir())) == (3, [])


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
