"""The shell files are POSIX, and stay within what a careful reader can check."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

import collectors.script
import runledger.cleanup

FOLDER = Path(collectors.script.__file__).parents[1]
LIBRARY = [FOLDER / f"script/{name}.sh" for name in ("bounded", "vendors", "cards")]
PROGRAMS = {
    "probe": [
        *LIBRARY,
        FOLDER / "probe/kernel_log.sh",
        FOLDER / "probe/witness.sh",
        FOLDER / "probe/probe.sh",
    ],
    "gpu_state": [*LIBRARY, FOLDER / "jobs/gpu_state.sh"],
    "cleanup": [*LIBRARY, Path(runledger.cleanup.__file__).with_name("cleanup.sh")],
}


def text(program: str) -> str:
    return "".join(path.read_text() for path in PROGRAMS[program])


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("shell", ["dash", "bash --posix", "busybox sh"])
def test_every_shell_can_read_them(program, shell):
    if shutil.which(shell.split()[0]) is None:
        pytest.skip(f"{shell} is not installed")
    subprocess.run([*shell.split(), "-n"], input=text(program).encode(), check=True)


@pytest.mark.parametrize("program", PROGRAMS)
def test_shellcheck_finds_nothing(program):
    if shutil.which("shellcheck") is None:
        pytest.skip("shellcheck is not installed")
    # Not wanted: no word on `rm </dev/null` (a child must never read our script), `a= b=`,
    # awk's own dollars, and `ulimit -c`, which every sh in use has.
    command = ["shellcheck", "-s", "sh", "-e", "SC1007,SC2016,SC2217,SC3045", "-"]
    done = subprocess.run(command, input=text(program), capture_output=True, text=True, check=False)
    assert done.stdout == ""


@pytest.mark.parametrize("program", PROGRAMS)
def test_nothing_is_evaluated_and_nothing_dangerous_is_read(program):
    code = re.sub(r"(?m)^\s*#.*$", "", text(program))
    assert not re.search(r"\beval\b|(?:^|[;&|])\s*(?:source|\.)\s", code, re.MULTILINE)
    for word in ("amdgpu_gpu_recover", "debugfs", "gpu_metrics", "pp_dpm", "resetclocks"):
        assert word not in code
