"""The packs and the template repository do what their pages promise."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from runledger.cases.case import find_cases, run_case
from runledger.config.policy_files import read_policy_file
from runledger.intake.declaring import read_declaration

EXAMPLES = Path(__file__).parents[2] / "examples"
FOLDERS = [EXAMPLES / "own-rules", *sorted(p.parent for p in EXAMPLES.glob("packs/*/policy.toml"))]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_every_rule_is_fired_by_a_case_and_every_case_holds(folder: Path) -> None:
    policy = read_policy_file(folder / "policy.toml")
    silent = {rule.name for rule in policy.rules.own}
    assert silent
    for case in find_cases(folder / "cases"):
        result = run_case(case, policy)
        assert result.lines() == []
        silent -= {branch.rule for branch in result.coverage.fired}
    assert silent == set()


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_the_types_that_its_facts_read_are_declared_beside_them(folder: Path) -> None:
    declared = {read_declaration(file).type for file in folder.glob("types/*.json")}
    read = {fact.from_ for fact in read_policy_file(folder / "policy.toml").facts}
    assert {type_ for type_ in read if type_.startswith("x.")} == declared


def test_there_are_four_packs_each_with_its_source() -> None:
    packs = FOLDERS[1:]
    assert len(packs) == 4
    for pack in packs:
        assert "https://" in (pack / "README.md").read_text(encoding="utf-8")
        assert f"({pack.name}/)" in (EXAMPLES / "packs" / "README.md").read_text(encoding="utf-8")


def test_the_check_of_the_template_passes(tmp_path: Path) -> None:
    (tmp_path / "runledger").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m runledger "$@"\n')
    (tmp_path / "runledger").chmod(0o755)
    environ = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTHONPATH": os.getcwd()}
    done = subprocess.run(
        [EXAMPLES / "own-rules" / "check.sh"],
        env=environ, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "4 of 4 cases decide as expected" in done.stdout
    assert "2 of 2 branches of own rules fired" in done.stdout
