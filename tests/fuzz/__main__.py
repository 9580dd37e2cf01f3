"""``python -m tests.fuzz``: exit code 1 where anything was found; each finding's input is kept.

With atheris installed its coverage leads the way; else, and with ``--plain``,
the mutations of `tests.fuzz.mutate` go by chance alone.
"""

from __future__ import annotations

import argparse
import importlib.util
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from tests.fuzz.mutate import mutated
from tests.fuzz.targets import TARGETS, Finding, try_one

CORPUS = Path(__file__).parent / "corpus"
_FOUND = Path("fuzz-findings")


def seeds_of(target: str) -> list[bytes]:
    """The stored inputs of a target, in the order of their names."""
    return [file.read_bytes() for file in sorted((CORPUS / target).iterdir())]


def by_chance(target: str, inputs: int, seconds: float, seed: int) -> tuple[int, list[Finding]]:
    """How many inputs were tried, and one finding of each kind."""
    chance = random.Random(f"{seed}/{target}")
    seeds = seeds_of(target)
    found: dict[str, Finding] = {}
    until = time.monotonic() + seconds
    tried = 0
    while tried < inputs and time.monotonic() < until:
        tried += 1
        finding = try_one(target, mutated(seeds, chance))
        if finding is not None:
            found.setdefault(_kind(finding), finding)
    return tried, list(found.values())


def _kind(finding: Finding) -> str:
    return ":".join(finding.where.split(":")[:2])


def _by_coverage(target: str, inputs: int, seconds: float, seed: int) -> None:
    """Runs in a process of its own: libFuzzer ends the process when it is done."""
    import atheris

    with atheris.instrument_imports(include=["ledger", "rules", "collectors", "runledger"]):
        try_one(target, seeds_of(target)[0])
    kinds: set[str] = set()

    def one(data: bytes) -> None:
        finding = try_one(target, data)
        if finding is not None and _kind(finding) not in kinds:
            kinds.add(_kind(finding))
            _keep(finding)

    corpus = Path(f"/tmp/runledger-fuzz-{target}")
    corpus.mkdir(exist_ok=True)
    limits = [f"-runs={inputs}", f"-max_total_time={round(seconds)}", f"-seed={seed}"]
    atheris.Setup([sys.argv[0], *limits, "-max_len=20000", str(corpus), str(CORPUS / target)], one)
    atheris.Fuzz()


def _keep(finding: Finding) -> None:
    _FOUND.mkdir(exist_ok=True)
    number = len(list(_FOUND.iterdir()))
    path = _FOUND / f"{finding.target}-{number}"
    path.write_bytes(finding.input)
    print(f"FOUND {finding.target}: {ascii(finding.where)[1:-1]}  (input: {path})", flush=True)


def _run(options: argparse.Namespace, target: str) -> Iterator[int]:
    """The number of inputs tried on one target; findings are kept and printed."""
    seconds = options.seconds / len(options.targets)
    if options.plain or importlib.util.find_spec("atheris") is None:
        tried, found = by_chance(target, options.inputs, seconds, options.seed)
        for finding in found:
            _keep(finding)
        yield tried
        return
    command = [sys.executable, "-m", "tests.fuzz", target, "--coverage"]
    command += ["--inputs", str(options.inputs), "--seconds", str(seconds)]
    done = subprocess.run(
        [*command, "--seed", str(options.seed)], stderr=subprocess.PIPE, text=True, check=False
    )
    told = [line for line in done.stderr.splitlines() if line.startswith("Done ")]
    if not told:
        raise SystemExit(f"{target}: {done.stderr[-2000:]}")
    yield int(told[-1].split()[1])


def main() -> int:
    """Fuzz the targets one after the other."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--inputs", type=int, default=100_000, help="of each target, at most")
    parser.add_argument("--seconds", type=float, default=900, help="for all together, at most")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--plain", action="store_true", help="by chance, even where atheris is")
    parser.add_argument("--coverage", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.targets = options.targets or list(TARGETS)
    if options.coverage:
        _by_coverage(options.targets[0], options.inputs, options.seconds, options.seed)
    before = len(list(_FOUND.iterdir())) if _FOUND.exists() else 0
    total = 0
    for target in options.targets:
        started = time.monotonic()
        tried = sum(_run(options, target))
        total += tried
        print(f"{target}: {tried:,} inputs in {time.monotonic() - started:.0f} s", flush=True)
    found = (len(list(_FOUND.iterdir())) if _FOUND.exists() else 0) - before
    print(f"{total:,} inputs; {found} findings")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
