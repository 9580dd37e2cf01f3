"""What is built works where it is installed, without the repository around it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds the contents of the wheel and nothing else."""
    pytest.importorskip("hatchling", reason="needs hatchling")
    built = tmp_path_factory.mktemp("built")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(built)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (wheel,) = built.glob("*.whl")
    folder = tmp_path_factory.mktemp("installed")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def _run(installed: Path, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environ = {key: value for key, value in os.environ.items() if not key.startswith("RUNLEDGER_")}
    return subprocess.run(
        [sys.executable, "-m", "runledger", *words],
        cwd=folder,
        env={**environ, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_wheel_is_what_runs(installed: Path, tmp_path: Path) -> None:
    where = subprocess.run(
        [sys.executable, "-c", "import runledger, ledger; print(runledger.__file__)"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert where.stdout.startswith(str(installed))


def test_it_holds_what_is_not_python(installed: Path) -> None:
    for package in ("ledger", "rules", "collectors", "migrations", "runledger"):
        for file in (ROOT / package).rglob("*"):
            if file.is_file() and "__pycache__" not in file.parts:
                assert (installed / file.relative_to(ROOT)).exists(), file
    assert (installed / "runledger" / "py.typed").exists()


def test_the_tour_works_in_an_empty_folder_and_leaves_it_empty(
    installed: Path, tmp_path: Path
) -> None:
    done = _run(installed, tmp_path, "demo")
    assert done.returncode == 0, done.stderr
    for part in ("NO-GO", "rig-6600", "34 would fit", "identical", "would change"):
        assert part in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_the_tour_can_be_kept_and_asked_further(installed: Path, tmp_path: Path) -> None:
    assert _run(installed, tmp_path, "demo", "--keep", "night.db").returncode == 0
    replayed = _run(installed, tmp_path, "replay", "--ledger", "night.db", "--json")
    assert replayed.returncode == 0, replayed.stderr
    result = json.loads(replayed.stdout)
    assert result["drifted"] == []
    assert result["identical"] == result["decisions"] > 3
    assert _run(installed, tmp_path, "demo", "--keep", "night.db").returncode == 5


def test_the_version_is_that_of_the_package(installed: Path, tmp_path: Path) -> None:
    done = _run(installed, tmp_path, "--version")
    assert re.fullmatch(r"runledger \d+\.\d+\.\d+\S*\n", done.stdout)
