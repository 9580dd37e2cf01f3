"""Where the C part of durable-rules does not load, plain Python decides: byte for byte the same."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ledger import open_ledger
from rules.engine import why_not

_ROOT = Path(__file__).parents[3]

# As an interpreter does that its C part was not built for.
_WITHOUT = """
import sys
sys.modules["durable_rules_engine"] = None
from runledger.__main__ import main
sys.exit(main())
"""


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, cwd=_ROOT, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _decided(path: Path) -> list[dict[str, Any]]:
    with open_ledger(path) as ledger:
        return [
            msgspec.to_builtins(event.data)
            for event in ledger.read()
            if event.type.endswith("_decided")
        ]


@pytest.mark.skipif(bool(why_not("durable")), reason="durable-rules is for Python up to 3.12")
def test_the_demo_decides_the_same_without_durable_rules(tmp_path: Path) -> None:
    with_it, without = tmp_path / "with.db", tmp_path / "without.db"
    _run(sys.executable, "-m", "runledger", "demo", "--keep", str(with_it))
    _run(sys.executable, "-c", _WITHOUT, "demo", "--keep", str(without))
    one, other = _decided(with_it), _decided(without)
    assert len(one) == len(other) > 5
    assert all("durable-rules" in each["engine"]["version"] for each in one)
    assert all("plain" in each["engine"]["version"] for each in other)
    for recorded, again in zip(one, other, strict=True):
        assert recorded["engine"]["rules"] == again["engine"]["rules"]
        for field in ("verdict", "outcome"):
            assert _without_ids(recorded[field]) == _without_ids(again[field])
    # What one recorded, the other makes again to the byte.
    for path, without_it in ((with_it, True), (without, False)):
        command = (sys.executable, *(("-c", _WITHOUT) if without_it else ("-m", "runledger")))
        replayed = json.loads(_run(*command, "replay", "--ledger", str(path), "--json"))
        assert replayed["decisions"] == replayed["identical"] == len(one)
        assert replayed["drifted"] == []


def _without_ids(value: Any) -> Any:
    """Event ids are new in every ledger."""
    if isinstance(value, dict):
        return {key: _without_ids(each) for key, each in value.items() if key != "evidence"}
    return [_without_ids(each) for each in value] if isinstance(value, list) else value


def test_doctor_says_which_evaluator_decides(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _WITHOUT, "doctor", "--json", "--ledger", str(tmp_path / "none.db")],
        capture_output=True,
        text=True,
        cwd=_ROOT,
        timeout=60,
    )
    checks = {each["name"]: each for each in json.loads(done.stdout)["checks"]}
    assert checks["durable-rules"]["detail"].startswith("not used: ")
    assert checks["plain rules"] == {
        "name": "plain rules",
        "ok": True,
        "detail": "plain Python fires rules and decides",
    }
