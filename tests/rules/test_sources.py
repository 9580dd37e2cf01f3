"""The digest of the judge covers all that can change a decision, wherever the sources lie."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from rules.fold import Fold
from rules.policy import default_policy
from rules.sources import judge_digest, sources_digest
from tests.rules.histories import FLEET

_ROOT = Path(__file__).parents[2]


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    for name in ("ledger", "rules"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(_ROOT / name, tmp_path / name, ignore=ignored)
    return tmp_path


def _digest(folder: Path) -> str:
    return sources_digest(folder / "ledger", folder / "rules")


def test_a_copy_of_the_judge_has_its_digest(copied: Path) -> None:
    assert _digest(copied) == judge_digest()
    (copied / "rules" / "__pycache__").mkdir()
    (copied / "rules" / "__pycache__" / "x.pyc").write_bytes(b"x")
    assert _digest(copied) == judge_digest()


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("rules/ladder.py", ">= gpu.exclude_after_incidents", "> gpu.exclude_after_incidents"),
        ("rules/causes.py", r"\bOOM", r"\bOoM"),
        ("rules/folds/boots.py", "time_us >= boot.since_us", "time_us > boot.since_us"),
        ("rules/facts/budget.py", "median_low", "median_high"),
        ("rules/rulesets/preflight.py", "is missing", "is gone"),
        ("rules/engine/plain.py", "operator.le", "operator.lt"),
        ("ledger/text/humanize.py", '"minute"', '"min"'),
        ("rules/default_policy.toml", "evidence_max_age_s = 600", "evidence_max_age_s = 601"),
    ],
)
def test_any_change_of_what_decides_changes_it(copied: Path, file: str, old: str, new: str) -> None:
    source = copied / file
    text = source.read_text(encoding="utf-8")
    assert old in text
    source.write_text(text.replace(old, new, 1), encoding="utf-8")
    assert _digest(copied) != judge_digest()


def test_a_module_more_or_less_or_by_another_name_changes_it(copied: Path) -> None:
    source = copied / "rules" / "causes.py"
    source.rename(copied / "rules" / "phrases.py")
    renamed = _digest(copied)
    (copied / "rules" / "phrases.py").unlink()
    assert len({judge_digest(), renamed, _digest(copied)}) == 3


def test_it_is_the_same_out_of_a_zip(copied: Path) -> None:
    path = copied / "judge.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for source in sorted(copied.rglob("*")):
            if source.suffix in (".py", ".toml"):
                archive.write(source, source.relative_to(copied))
    asked = "from rules.sources import judge_digest; print(judge_digest())"
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(path)!r}); {asked}"],
        capture_output=True,
        text=True,
        cwd=copied / "rules" / "folds",
        check=True,
    )
    assert done.stdout.strip() == judge_digest()


def test_a_package_without_sources_has_no_digest(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="no sources"):
        sources_digest(tmp_path)


def test_states_folded_by_other_code_have_another_key(monkeypatch: pytest.MonkeyPatch) -> None:
    key = Fold(default_policy(), FLEET).key
    monkeypatch.setattr("rules.fold.judge_digest", lambda: "another")
    assert Fold(default_policy(), FLEET).key != key
