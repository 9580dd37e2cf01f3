"""What a plain install lacks: a command says the line to type, and exits as for bad input."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import runledger
from runledger.errors import BadInput, MissingExtra

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"
EXTRAS = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]["optional-dependencies"]


@pytest.mark.parametrize(
    ("package", "extra", "arguments"),
    [
        ("pyarrow", "analysis", ["export", "--format", "parquet", "--output", "x.parquet"]),
        ("matplotlib", "plot", ["backtest", "--sweep", "gpu.exclude_after_incidents=1..2",
                                "--plot", "x.svg"]),
        ("psycopg", "postgres", ["--ledger", "postgresql://h/x", "events"]),
        ("psycopg", "postgres", ["import", "optuna", "postgresql://h/x", "--assume-tz", "UTC"]),
    ],
)  # fmt: skip
def test_a_command_that_lacks_its_extra_says_the_line_to_type(
    tmp_path: Path, package: str, extra: str, arguments: list[str]
) -> None:
    with runledger.open(tmp_path / "runledger.db", create=True):
        pass
    without = (
        f"import sys; sys.modules[{package!r}] = None; from runledger.cli import main; "
        f"sys.exit(main({json.dumps(arguments)}))"
    )
    command = [sys.executable, "-c", without]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2, done.stderr
    assert f"pip install 'runledger[{extra}]'" in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("package", ["pandas", "polars"])
def test_a_frame_without_its_package_is_refused_with_the_line_to_type(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with runledger.open(tmp_path / "l.db") as opened, pytest.raises(MissingExtra) as refused:
        getattr(opened, f"to_{package}")("v_runs")
    assert isinstance(refused.value, BadInput)
    assert "pip install 'runledger[analysis]'" in str(refused.value)


def test_all_is_every_extra_but_that_of_developers() -> None:
    named = EXTRAS["all"][0].removeprefix("runledger[").removesuffix("]").split(",")
    assert sorted(named) == sorted(set(EXTRAS) - {"all", "dev"})
