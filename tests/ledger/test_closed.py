"""Nothing above the ledger reaches into it: what import contracts cannot see."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]
OWN = {"_backend", "_writer"}


def test_no_module_above_touches_the_ledgers_own_parts() -> None:
    rooms = ("collectors", "rules", "runledger", "examples", "docs", "benchmarks")
    paths = [path for room in rooms for path in sorted((ROOT / room).rglob("*.py"))]
    assert len(paths) > 100
    reaching = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in paths
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in OWN
    ]
    assert reaching == []
