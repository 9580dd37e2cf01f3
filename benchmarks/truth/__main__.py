"""``python -m benchmarks.truth``: live the years, print the tables.

The defaults are what `docs/truth.md` shows: ten seeds, both dialects, 24 machines of 8 cards, a
year each. ``--quick`` is for a first look: three seeds, 12 machines, 120 days.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path

from benchmarks.truth.layout import DIALECTS
from benchmarks.truth.rates import SETS, UnknownRate, rates_of
from benchmarks.truth.report import as_json, collected, tables
from benchmarks.truth.running import Run, live_all
from benchmarks.truth.scoring import Score
from benchmarks.truth.systems import NAMES, speaks

_QUICK = {"seeds": 3, "nodes": 12, "days": 120}
_FULL = {"seeds": 10, "nodes": 24, "days": 365}


def main() -> int:
    """Parse, run, print."""
    parser = _parser()
    options = parser.parse_args()
    sizes = {
        key: value if getattr(options, key) is None else getattr(options, key)
        for key, value in (_QUICK if options.quick else _FULL).items()
    }
    runs = _runs(parser, options, sizes)
    print(
        f"{sizes['seeds']} seeds, {sizes['nodes']} machines of 8 cards, {sizes['days']} days, "
        f"rates: {options.rates}{', ' + ' '.join(options.set) if options.set else ''}"
        f"{' (quick: a first look, not the figures of docs/truth.md)' if options.quick else ''}",
        flush=True,
    )
    begun = time.perf_counter()
    results: dict[Run, Score] = {}
    for run, score in live_all(runs, options.jobs):
        results[run] = score
        if sys.stderr.isatty():
            print(f"\r{len(results)}/{len(runs)}", end="", file=sys.stderr, flush=True)
    found = collected(results)
    print()
    print(tables(found, NAMES))
    print(f"{len(runs)} years in {time.perf_counter() - begun:.0f} s")
    if options.json is not None:
        whole = {"figures": found, "years": as_json(results)}
        options.json.write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.truth", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--quick", action="store_true", help="smaller: under two minutes")
    parser.add_argument("--seeds", type=_positive, help="how many years of each (10)")
    parser.add_argument("--first-seed", type=_positive, default=1, help="the first of them (1)")
    parser.add_argument("--nodes", type=_positive, help="machines of 8 cards (24)")
    parser.add_argument("--days", type=_positive, help="days of a year (365)")
    parser.add_argument("--dialects", default=",".join(DIALECTS), help="amd, nvidia or both")
    parser.add_argument("--systems", default=",".join(NAMES), help=", ".join(NAMES))
    parser.add_argument(
        "--rates", default="default", metavar="SET|FILE", help=f"{', '.join(SETS)}, or a TOML file"
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="SECTION.KEY=VALUE",
        help="a setting of runledger's policy, may be given again",
    )  # fmt: skip
    parser.add_argument("--jobs", type=_positive, default=os.cpu_count() or 1, help="at a time")
    parser.add_argument("--json", type=Path, metavar="FILE", help="all figures, year by year")
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text}: give 1 or more")
    return number


def _runs(
    parser: argparse.ArgumentParser, options: argparse.Namespace, sizes: dict[str, int]
) -> list[Run]:
    systems = _chosen(parser, "--systems", options.systems, NAMES)
    dialects = _chosen(parser, "--dialects", options.dialects, DIALECTS)
    try:
        rates_of(options.rates)
    except UnknownRate as error:
        parser.error(str(error))
    if options.set:
        _check_settings(parser, options.set)
    runs = [
        Run(
            system, dialect, seed, options.rates, sizes["nodes"], sizes["days"],
            tuple(options.set) if system == "runledger" else (),
        )
        for seed in range(options.first_seed, options.first_seed + sizes["seeds"])
        for system in systems
        for dialect in DIALECTS
        if dialect in dialects and speaks(system, dialect)
    ]  # fmt: skip
    return sorted(runs, key=lambda run: run.system != "runledger")  # the slow ones first


def _chosen(
    parser: argparse.ArgumentParser, option: str, text: str, known: tuple[str, ...]
) -> list[str]:
    names = [name for name in text.split(",") if name]
    for name in names:
        if name not in known:
            parser.error(f"{option}: {name!r} is none of {', '.join(known)}")
    return names


def _check_settings(parser: argparse.ArgumentParser, settings: list[str]) -> None:
    from benchmarks.truth.systems.runledger import problem_of

    problem = problem_of(settings)
    if problem is not None:
        parser.error(problem)


if __name__ == "__main__":
    sys.exit(main())
