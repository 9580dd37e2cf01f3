"""``python -m tests.mutants``: small faults put into ``rules/``, and how many the tests notice.

A sample of mutants (a comparison shifted, an operator swapped, a number off by
one, a condition turned round) is made from a seed, each in a copy of the source,
and the tests of the rules run against it until one fails. A mutant that no test
notices has survived: it is printed, and wants a test, unless it changes nothing
that can be observed. The repository itself is never changed.
"""

from __future__ import annotations

import argparse
import ast
import copy
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from runledger.cli.progress import progress

ROOT = Path(__file__).parents[1]
COPIED = ("collectors", "ledger", "migrations", "rules", "runledger", "tests")
TESTS = "tests/rules"
_MUTANT_S = 300
"""A mutant whose tests take longer never ends: it has been noticed."""

_COMPARED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
    ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
_COMPUTED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.FloorDiv, ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
}  # fmt: skip
_WORDS = {"<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "=="}
"""Operators as the rules write them."""


class Mutant(NamedTuple):
    """One fault: the module, where, and the whole text of the module with it."""

    module: str
    line: int
    change: str
    text: str


class Place(NamedTuple):
    """Where a fault can be put: a module, and a node of it by its number in `ast.walk`."""

    path: Path
    number: int


def places() -> Iterator[Place]:
    """Every place in ``rules/``."""
    for path in sorted((ROOT / "rules").rglob("*.py")):
        for number, node in enumerate(ast.walk(ast.parse(path.read_text(encoding="utf-8")))):
            if _changed(copy.copy(node)) is not None:
                yield Place(path, number)


def mutant_at(place: Place) -> Mutant:
    """The mutant of a place."""
    tree = ast.parse(place.path.read_text(encoding="utf-8"))
    node = next(islice(ast.walk(tree), place.number, None))
    before = ast.unparse(node)
    _changed(node)
    change = f"{before} -> {ast.unparse(node)}"
    module = str(place.path.relative_to(ROOT))
    return Mutant(module, getattr(node, "lineno", 0), change, ast.unparse(tree))


def _changed(node: ast.AST) -> ast.AST | None:
    """The node, with one small fault put into it; None where none fits."""
    if isinstance(node, ast.Compare) and type(node.ops[0]) in _COMPARED:
        node.ops = [_COMPARED[type(node.ops[0])](), *node.ops[1:]]
    elif isinstance(node, ast.BinOp) and type(node.op) in _COMPUTED:
        node.op = _COMPUTED[type(node.op)]()
    elif isinstance(node, ast.BoolOp):
        node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
    elif isinstance(node, ast.IfExp):
        node.body, node.orelse = node.orelse, node.body
    elif isinstance(node, ast.If):
        node.test = ast.UnaryOp(ast.Not(), node.test)
    elif isinstance(node, ast.Constant):
        if isinstance(node.value, bool):
            node.value = not node.value
        elif isinstance(node.value, int):
            node.value += 1
        elif isinstance(node.value, str) and node.value in _WORDS:
            node.value = _WORDS[node.value]
        else:
            return None
    else:
        return None
    return node


def _tests_in_order(module: str) -> list[str]:
    """All tests of the rules, those that bear the module's name first."""
    name = Path(module).stem.rstrip("s")
    found = sorted((ROOT / TESTS).rglob("test_*.py"))
    found.sort(key=lambda path: name not in path.stem)
    return [str(path.relative_to(ROOT)) for path in found]


def _survives(mutant: Mutant, folder: Path) -> bool:
    target = folder / mutant.module
    original = target.read_text(encoding="utf-8")
    target.write_text(mutant.text, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-n", "0", "-p", "no:cacheprovider"]
    try:
        done = subprocess.run(
            [*command, *_tests_in_order(mutant.module)],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            timeout=_MUTANT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return False
    finally:
        target.write_text(original, encoding="utf-8")
    return done.returncode == 0


def main() -> int:
    """Try a sample and print what survived and the score; 1 where the untouched copy fails."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--sample", type=int, default=60, metavar="N", help="how many (60)")
    parser.add_argument("--seed", type=int, default=1, help="which (1)")
    parser.add_argument("--minutes", type=float, default=60, help="stop trying after so long (60)")
    options = parser.parse_args()
    everything = list(places())
    chosen = random.Random(options.seed).sample(everything, min(options.sample, len(everything)))
    until = time.monotonic() + options.minutes * 60
    tried, survivors = 0, []
    with tempfile.TemporaryDirectory(prefix="runledger-mutants-") as name:
        folder = Path(name)
        for package in COPIED:
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / package, folder / package, ignore=ignored)
        shutil.copy(ROOT / "pyproject.toml", folder)
        whole = Mutant("rules/__init__.py", 0, "", (ROOT / "rules/__init__.py").read_text())
        if not _survives(whole, folder):
            print(f"{TESTS} fails without any mutant: run it first", file=sys.stderr)
            return 1
        with progress("mutant") as advance:
            for mutant in map(mutant_at, chosen):
                if time.monotonic() > until:
                    break
                tried += 1
                advance(tried)
                if _survives(mutant, folder):
                    survivors.append(mutant)
                    print(
                        f"{mutant.module}:{mutant.line}: {mutant.change.splitlines()[0]}",
                        flush=True,
                    )
    noticed = tried - len(survivors)
    print(f"{noticed} of {tried} noticed, of {len(everything):,} possible (seed {options.seed})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
