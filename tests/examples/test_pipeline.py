"""The example pipeline on rigs that are folders behind a real sshd: the night of 24 January.

Once as it was (nobody asked, and a failed job was tried elsewhere until the run was killed),
and once as it would have been.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import optuna
import pytest

import runledger
from runledger.cli import main
from tests.rigs import Rig
from tests.sshd import Sshd

EXAMPLE = Path(__file__).parents[2] / "examples" / "pipeline"
STUDY = "window_opt"
RIGS = {"127.0.0.2": "rig-6600", "127.0.0.3": "rig-6600b"}
LOST, KEPT = RIGS


class Night:
    """The pipeline's folder, and two rigs of two cards, each behind an sshd of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "pipeline"
        self.rigs = {host: Rig(folder / name, 2) for host, name in RIGS.items()}
        self.servers = {
            host: Sshd(folder / f"sshd-{name}", {host: self.rigs[host].env()}).start()
            for host, name in RIGS.items()
        }
        shutil.copytree(EXAMPLE / "manifests", self.folder / "manifests")
        nodes = []
        for host, rig in self.rigs.items():
            shutil.copy(EXAMPLE / "worker.sh", rig.home)
            node = {"hostname": host, "gpu_count": 2, "gpu_type": "RX 6600"}
            nodes.append({**node, "script_path": str(rig.home)})
        self.node_file = json.dumps({"nodes": nodes, "sieve_defaults": {}}, indent=2)
        (self.folder / "distributed_config.json").write_text(self.node_file)
        ssh_config = self.folder / "ssh_config"
        ssh_config.write_text("".join(map(self._host, RIGS)))
        self.config = self.folder / "runledger.toml"
        arguments = ["--from", "distributed_config.json", "--manifests", "manifests"]
        assert main(["init", *arguments]) == 0
        text = self.config.read_text()
        text = text.replace("gpus = 2\n", f'gpus = 2\nssh_config = "{ssh_config}"\n')
        text = text.replace("[[nodes]]", "[probe]\nprobe_min_interval_s = 0\n\n[[nodes]]", 1)
        self.config.write_text(text)

    def _host(self, host: str) -> str:
        own = self.servers[host].ssh_config.read_text().replace("Host *", f"Host {host}", 1)
        return own + "\n"

    def asked(self, *words: str, code: int | None = 0) -> None:
        assert main([*words, "--config", str(self.config)]) == code

    def lose(self, host: str) -> None:
        self.servers[host].stop()

    def broken(self, host: str, index: int) -> None:
        """A card off the bus: jobs on it fail, and a probe sees it."""
        self.rigs[host].dead(index)
        (self.rigs[host].home / f"broken-{index}").touch()

    def close(self) -> None:
        for host, rig in self.rigs.items():
            self.servers[host].stop()
            rig.close()


@pytest.fixture
def night(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Night]:
    monkeypatch.syspath_prepend(str(EXAMPLE))
    folder = tmp_path / "pipeline"
    folder.mkdir()
    monkeypatch.chdir(folder)
    made = Night(tmp_path)
    yield made
    made.close()
    for name in ("watcher", "coordinator", "glue", "search"):
        sys.modules.pop(name, None)


def run(night: Night, name: str, asked: dict[str, Any], **more: Any) -> Any:
    from glue import Glue  # type: ignore[import-not-found]
    from watcher import watch  # type: ignore[import-not-found]

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        study_name=STUDY, direction="maximize", sampler=optuna.samplers.TPESampler(seed=7)
    )
    glue = Glue(night.config, name, STUDY, asks=more.pop("asks", True))
    with glue.fleet:
        return watch(night.folder, glue, asked, study=study, **more)


def events(night: Night, type_: str) -> list[Any]:
    with runledger.open(config=night.config, create=False) as fleet:
        return list(fleet.ledger.read(types=[type_]))


def test_as_it_was(night: Night) -> None:
    night.broken(KEPT, 1)

    def goes_wrong(study: optuna.Study, trial: Any) -> None:
        if trial.number == 1:
            night.lose(LOST)
        if trial.number == 2:
            raise TimeoutError("killed at the timeout of 7200 s")

    asked = {"trials": 50, "seed_count": 10_000_000, "max_seeds": 5}
    done = run(night, "R-20260124", asked, asks=False, callbacks=[goes_wrong])
    assert (done.outcome, done.steps) == ("failed", [])
    assert not (night.folder / "survivors.json").exists(), "no file, which is not 0 survivors"
    # What the retry hid is in the ledger: each attempt, before the next one.
    failed = [event.data for event in events(night, "job_failed_with_traceback")]
    assert {(data.node, data.index) for data in failed} >= {(KEPT, 1), (LOST, 0), (LOST, 1)}
    assert {data.exception for data in failed} == {"EXECUTION_ERROR", "SSH_ERROR"}
    assert any("HIP error" in data.traceback for data in failed)
    assert any(data.will_retry for data in failed)
    assert done.next["rule"] == "no_history", "unknown, and not zero"
    with runledger.open(config=night.config) as fleet:
        findings = fleet.next_parameters(study=STUDY).findings
        assert [each.rule for each in findings] == ["no_history", "unknown_outcome"]


def test_as_it_would_have_been(night: Night, capfd: pytest.CaptureFixture[str]) -> None:
    night.broken(KEPT, 1)
    night.lose(LOST)
    asked = {"trials": 8, "seed_count": 100_000, "max_seeds": 5}
    stopped = run(night, "R1", asked)
    assert (stopped.outcome, stopped.steps) == ("aborted", [])
    assert f"{LOST} did not answer SSH" in stopped.why
    assert "does not respond" in stopped.why
    assert "max_seeds: asked 5, got nothing" in stopped.why
    assert not events(night, "job_failed_with_traceback"), "no job was wasted"
    assert stopped.next["rule"] == "no_history"

    # A person mends the rig, and takes the dead card out.
    night.servers[LOST].start()
    card = f"gpu/{KEPT}/{night.rigs[KEPT].pci(1)}"
    night.asked("override", card, "exclude", "--reason", "off the bus", "--by", "ops")
    done = run(night, "R2", asked)
    assert (done.outcome, done.steps, done.why) == ("succeeded", list("123456"), "")
    assert not events(night, "job_failed_with_traceback"), "nothing ran on the dead card"
    jobs = {(e.data.node, e.run) for e in events(night, "job_finished")}
    assert jobs == {(LOST, "R2"), (KEPT, "R2")}
    assert len(events(night, "trial_completed")) == 8
    (count,) = events(night, "survivors_counted")
    assert (count.run, count.data.completed_trials) == ("R2", 8)
    assert (
        count.data.survivors
        == json.loads((night.folder / "survivors.json").read_text())["survivors"]
    )
    assert done.next["rule"] in ("enough_survivors", "few_survivors")
    assert len(events(night, "cleanup_completed")) == 2 * 6

    # The verdict as the pipeline's own node file; nothing else in it is touched.
    capfd.readouterr()
    night.asked("preflight", "--step", "1", "--merge", "distributed_config.json")
    merged = capfd.readouterr().out
    own, other = json.loads(merged)["nodes"]
    assert "excluded_gpus" not in own
    assert other["excluded_gpus"] == [1]
    kept = [line for line in merged.splitlines() if "excluded_gpus" not in line]
    assert len(kept) >= len(night.node_file.splitlines())
    with runledger.open(config=night.config) as fleet:
        assert not fleet.replay().drifted


def test_the_glue_is_short() -> None:
    assert len((EXAMPLE / "glue.py").read_text().splitlines()) <= 60
