"""``python -m benchmarks [--quick] [NAME…]``: every benchmark, or those named, one after another.

A benchmark is a module of this package with a ``main()``; each runs in a
process of its own. ``--quick`` reaches those whose ``main`` takes ``quick``.
"""

from __future__ import annotations

import argparse
import ast
import subprocess
import sys
from pathlib import Path

_FOLDER = Path(__file__).parent


def benchmarks() -> dict[str, bool]:
    """The benchmarks by name, and whether each can be quick."""
    found = {}
    for path in sorted(_FOLDER.glob("*.py")):
        if path.stem.startswith("_"):
            continue
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.name == "main":
                found[path.stem] = any(each.arg == "quick" for each in node.args.kwonlyargs)
    return found


def main() -> int:
    """Run them; the exit code is that of the last one that failed."""
    known = benchmarks()
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of: {', '.join(known)}")
    parser.add_argument("--quick", action="store_true", help="smaller sizes, for a first look")
    options = parser.parse_args()
    unknown = [name for name in options.names if name not in known]
    if unknown:
        parser.error(f"no benchmark {', '.join(unknown)}; there are {', '.join(known)}")
    code = 0
    for name in options.names or known:
        print(f"== {name}", flush=True)
        more = ["--quick"] if options.quick and known[name] else []
        ended = subprocess.run([sys.executable, "-m", f"benchmarks.{name}", *more], check=False)
        code = ended.returncode or code
    return code


if __name__ == "__main__":
    sys.exit(main())
