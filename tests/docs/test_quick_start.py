"""The README's quick start, typed at a real SSH server on loopback."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.rigs import Rig
from tests.sshd import Sshd

README = Path(__file__).parents[2] / "README.md"
HOST = "127.0.0.2"


def _typed() -> list[str]:
    text = README.read_text(encoding="utf-8")
    found = re.search(r"in five commands\n\n```sh\n(.*?)```", text, re.DOTALL)
    assert found is not None
    return found[1].splitlines()


def test_five_commands_lead_to_a_fleet_that_is_looked_at(tmp_path: Path) -> None:
    commands = _typed()
    assert len(commands) == 5
    home = tmp_path / "home"
    (home / ".ssh").mkdir(parents=True, mode=0o700)
    folder = tmp_path / "work"
    folder.mkdir()
    with (
        Rig(tmp_path / "rig", gpus=2, count_smu=False) as rig,
        Sshd(tmp_path / "sshd", {HOST: rig.env()}) as sshd,
    ):
        shutil.copy(sshd.identity, home / ".ssh" / "id_ed25519")
        environment = {**os.environ, "HOME": str(home)}
        environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
        environment.pop("SSH_AUTH_SOCK", None)
        for command in commands:
            # The server of the test is elsewhere, and on a port that anyone may use.
            here = command.replace("192.0.2.21", HOST)
            here = here.replace("ssh-keyscan", f"ssh-keyscan -p {sshd.port}")
            here = here.replace(r"\naddress", rf"\nport = {sshd.port}\naddress")
            done = subprocess.run(
                here, shell=True, cwd=folder, env=environment, capture_output=True, text=True,
                timeout=120, check=False,
            )  # fmt: skip
            assert done.returncode == 0, (here, done.stdout, done.stderr)
        assert "rig-1" in done.stdout
        shown = subprocess.run(
            ["runledger", "status", "--json"], cwd=folder, env=environment, capture_output=True,
            check=True, timeout=120,
        )  # fmt: skip
    (node,) = json.loads(shown.stdout)["nodes"]
    assert (node["node"], node["reachable"], node["cards"]) == ("rig-1", True, 2)
