"""A fleet for tests: rigs that are folders behind a real sshd, a controller, and the program.

with Fleet(tmp_path) as fleet:
    fleet.configure(steps='[steps."3"]\\n')
    decision = fleet.preflight("3")
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import runledger
from runledger.api.facade import Runledger
from tests.rigs import Rig
from tests.sshd import Sshd, sshd_path

RIGS = {"rig-6600": "127.0.0.2", "rig-6600b": "127.0.0.3", "rig-6600c": "127.0.0.4"}
CONTROLLER = "zeus"


class Fleet:
    """Three rigs and a controller; ``rigs[name]`` and ``controller`` are the machines."""

    def __init__(
        self,
        folder: Path,
        *,
        gpus: int = 4,
        rigs: Mapping[str, str] = RIGS,
        controller: bool = True,
    ) -> None:
        sshd_path()  # skips the test where there is none
        self.folder = folder
        self.home = folder / "home"
        self.home.mkdir(parents=True)
        self.addresses = dict(rigs)
        self.gpus = gpus
        self.rigs = {name: Rig(folder / name, gpus) for name in rigs}
        self.controller = Rig(folder / CONTROLLER, 2)
        self.has_controller = controller
        hosts = {address: self.rigs[name].env() for name, address in rigs.items()}
        self.sshd = Sshd(folder / "sshd", hosts)
        # Relative paths of the controller are below its root, as its sysfs is.
        self.inputs = Path(f"{self.controller.root}{self.home}")
        self.inputs.mkdir(parents=True)

    def __enter__(self) -> Self:
        self.sshd.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.sshd.stop()
        for rig in (*self.rigs.values(), self.controller):
            rig.close()

    def configure(self, steps: str = "", *, probe: str = "", policy: str = "") -> Self:
        """Write runledger.toml; without ``probe``, probing is quick and never fresh."""
        nodes = "".join(
            f"[[nodes]]\nname = {json.dumps(name)}\naddress = {json.dumps(address)}\n"
            f"port = {self.sshd.port}\n"
            f'ssh_config = "{self.sshd.ssh_config}"\ngpus = {self.gpus}\n'
            for name, address in self.addresses.items()
        )
        if self.has_controller:
            nodes += f'[[nodes]]\nname = "{CONTROLLER}"\naddress = "localhost"\ngpus = 2\n'
        probe = probe or "probe_min_interval_s = 0\nconnect_timeout_s = 3\ncommand_timeout_s = 2\n"
        text = f'ledger = "runledger.db"\n{nodes}\n[probe]\n{probe}\n{steps}\n'
        if policy:
            (self.home / "policy.toml").write_text(policy)
            text = 'policy = "policy.toml"\n' + text
        (self.home / "runledger.toml").write_text(text)
        return self

    def environment(self) -> dict[str, str]:
        """That of the controller, for the program and the shells it starts there."""
        real = {name: os.environ[name] for name in ("LANG", "TZ") if name in os.environ}
        return {**real, **self.controller.env()}

    def command(self, *arguments: str) -> list[str]:
        """The program's command line."""
        return [sys.executable, "-m", "runledger", *arguments]

    def run(self, *arguments: str, timeout_s: float = 60) -> subprocess.CompletedProcess[str]:
        """Run the program in the configuration's folder."""
        return subprocess.run(
            self.command(*arguments),
            cwd=self.home,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )

    def json(self, *arguments: str, code: int | None = None) -> Any:
        """What the program prints with ``--json``."""
        done = self.run(*arguments, "--json")
        assert code is None or done.returncode == code, (done.returncode, done.stdout, done.stderr)
        assert done.stdout, done.stderr
        return json.loads(done.stdout)

    def preflight(self, step: str = "3", *more: str, code: int | None = None) -> Any:
        """The decision of a preflight."""
        return self.json("preflight", "--step", step, *more, code=code)

    def events(self, *where: str) -> list[dict[str, Any]]:
        """Stored events."""
        filters = [word for each in where for word in ("--where", each)]
        found: list[dict[str, Any]] = self.json("events", *filters)["events"]
        return found

    @contextmanager
    def opened(self, **more: Any) -> Iterator[Runledger]:
        """The ledger, in this process."""
        with runledger.open(config=self.home / "runledger.toml", **more) as opened:
            yield opened

    @property
    def smu_reads(self) -> int:
        """What the SMUs of all rigs have seen."""
        return sum(rig.smu_reads for rig in self.rigs.values())


def rules(decision: dict[str, Any], severity: str | None = None) -> dict[str, list[str]]:
    """Subjects by rule, of findings of this severity."""
    found: dict[str, list[str]] = {}
    for finding in decision["findings"]:
        if severity is None or finding["severity"] == severity:
            found.setdefault(finding["rule"], []).append(finding["subject"])
    return found
