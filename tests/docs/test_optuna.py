"""The examples of ``docs/optuna.md`` are run as they stand, one after the other."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import optuna
import pytest

import runledger

PAGE = Path(__file__).parents[2] / "docs" / "optuna.md"


def test_the_examples_run_and_record_what_the_page_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    namespace: dict[str, Any] = {}

    examples = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.M | re.S)
    for example in examples:
        exec(compile(example, str(PAGE), "exec"), namespace)

    with runledger.open() as fleet:
        types = Counter(event.type for event in fleet.ledger.read())
        decided = list(fleet.decisions())
    assert types["trial_completed"] >= 31
    assert types["trial_started"] >= 1
    assert [types[name] for name in ("run_started", "survivors_counted", "run_finished")] == [1] * 3
    printed = capsys.readouterr().out.split()
    assert printed[:2] == ["50", "200000"]  # few survivors: the same trials, twice the seeds
    assert len(decided) == 1
