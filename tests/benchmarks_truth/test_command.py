"""``python -m benchmarks.truth``: tables, JSON, and what it says of wrong options."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from benchmarks.truth.__main__ import main


def run(monkeypatch: pytest.MonkeyPatch, *options: str) -> int:
    monkeypatch.setattr(sys, "argv", ["truth", *options])
    return main()


SMALL = ("--seeds", "1", "--nodes", "2", "--days", "12", "--jobs", "1")


def test_it_prints_a_table_a_dialect_and_writes_the_same_figures(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "truth.json"
    assert run(monkeypatch, *SMALL, "--rates", "x4", "--json", str(file)) == 0
    said = capsys.readouterr().out
    written = json.loads(file.read_text(encoding="utf-8"))
    for dialect in ("amd", "nvidia"):
        assert f"### {dialect}: overall" in said
        assert {"runledger", "nothing", "oracle", "one-strike"} <= set(written["figures"][dialect])
    assert "| gpud |" in said
    assert "gpud" not in written["figures"]["amd"]
    assert {row["system"] for row in written["years"]} >= {"runledger", "nvsentinel-cordons"}
    assert "1 seeds, 2 machines of 8 cards, 12 days, rates: x4" in said


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--systems", "gpuq"), "gpuq"),
        (("--dialects", "intel"), "intel"),
        (("--rates", "nowhere.toml"), "nowhere.toml"),
        (("--set", "gpu.nonsense=3"), "gpu.nonsense"),
        (("--seeds", "0"), "give 1 or more"),
    ],
)
def test_a_wrong_option_is_one_clear_error(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: tuple[str, ...],
    said: str,
) -> None:
    with pytest.raises(SystemExit) as raised:
        run(monkeypatch, *options)
    assert raised.value.code == 2
    assert said in capsys.readouterr().err
