"""Every step of the page on own rules is a policy that is read and a case that holds."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from runledger.cases.case import run_case
from runledger.intake.declaring import read_declaration

PAGE = Path(__file__).parents[2] / "docs" / "own-rules.md"
_FENCE = re.compile(r"```\w+ (\S+)\n(.*?)```", re.DOTALL)


def steps() -> dict[str, dict[str, str]]:
    """The files of each step, by its heading; "" holds what all begin from."""
    sections = re.split(r"^## (.+)$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    names = ["", *sections[1::2]]
    return {
        name: dict(_FENCE.findall(text)) for name, text in zip(names, sections[::2], strict=True)
    }


STEPS = steps()
NUMBERED = [name for name in STEPS if name[:1].isdigit()]


def test_there_are_ten_steps() -> None:
    assert [int(name.partition(".")[0]) for name in NUMBERED] == list(range(1, 11))


@pytest.mark.parametrize("step", NUMBERED)
def test_a_step_holds(step: str, tmp_path: Path) -> None:
    files = STEPS[""] | STEPS[step]
    files["events.ndjson"] = STEPS[""]["events.ndjson"] + STEPS[step].get("events.ndjson", "")
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    result = run_case(tmp_path)
    assert result.lines() == []
    spoke = any(each.own for each in result.coverage.fired)
    assert spoke != step.startswith("2.")  # its limit is one that nothing reaches
    for declaration in tmp_path.glob("*.json"):
        assert read_declaration(declaration).type.startswith("x.")
