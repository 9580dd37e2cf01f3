"""Habits of the source itself: short functions, small modules, no circles of modules."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("collectors", "ledger", "migrations", "rules", "runledger")
SOURCES = sorted(
    path
    for folder in (*PACKAGES, "benchmarks", "docs", "examples", "tests")
    for path in (ROOT / folder).rglob("*.py")
)
FUNCTION_LINES = 60
MODULE_LINES = 350


def _functions(path: Path) -> Iterator[tuple[str, int, str]]:
    """Name, length in lines and text of each function of a module."""
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            own = lines[node.lineno - 1 : node.end_lineno]
            yield node.name, len(own), "\n".join(own)


def test_a_long_function_says_why() -> None:
    """In a comment within it, which begins with ``# Long:``."""
    silent = [
        f"{path.relative_to(ROOT)}: {name} has {length} lines"
        for path in SOURCES
        for name, length, text in _functions(path)
        if length > FUNCTION_LINES and "# Long: " not in text
    ]
    assert silent == []


def test_a_long_module_says_why() -> None:
    """In its docstring, with a sentence that begins with ``Longer than most``."""
    silent = []
    for path in SOURCES:
        if path.is_relative_to(ROOT / "tests"):  # a file of cases grows with them
            continue
        text = path.read_text(encoding="utf-8")
        length = len(text.splitlines())
        told = " ".join((ast.get_docstring(ast.parse(text)) or "").split())
        if length > MODULE_LINES and "Longer than most" not in told:
            silent.append(f"{path.relative_to(ROOT)} has {length} lines")
    assert silent == []


@pytest.mark.timeout(120)
def test_no_module_imports_itself_by_way_of_others() -> None:
    """Import-linter compares siblings; this holds a package's ``__init__`` to it as well."""
    graph = grimp.build_graph(*PACKAGES, cache_dir=None)
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))
