"""Figures that mean something on a busy machine: taken in turns, medians, ratios from one run."""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

from runledger.cli.progress import progress


def quick_asked(doc: str | None) -> bool:
    """Whether a benchmark that is run by itself was given ``--quick``."""
    parser = argparse.ArgumentParser(description=(doc or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="smaller sizes, for a first look")
    return bool(parser.parse_args().quick)


def seconds(work: Callable[[], object]) -> float:
    """How long one call takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def in_turns(*measures: Callable[[], float], rounds: int) -> list[float]:
    """The median of each measure, all taken once a round: a busy moment meets them all."""
    taken: list[list[float]] = []
    with progress("round") as advance:
        for round_ in range(rounds):
            advance(round_ + 1)
            taken.append([measure() for measure in measures])
    return [statistics.median(column) for column in zip(*taken, strict=True)]


def report(
    what: str,
    ours: str,
    yardstick: str,
    ratio: float,
    *,
    at_least: float | None = None,
    at_most: float | None = None,
) -> bool:
    """Print one line: our figure, the yardstick's, the ratio, the bound; whether it held."""
    held = (at_least is None or ratio >= at_least) and (at_most is None or ratio <= at_most)
    bound = "" if at_least is None else f"at least {at_least:g}"
    bound = bound if at_most is None else f"at most {at_most:g}"
    verdict = "" if not bound else "held" if held else "MISSED"
    print(f"{what:52} {ours:>14} {yardstick:>14} {ratio:7.2f}  {bound:13} {verdict}", flush=True)
    return held


def header(title: str) -> None:
    """Print what the columns are."""
    print(f"{title:52} {'ours':>14} {'yardstick':>14} {'ratio':>7}  bound", flush=True)


def rate(count: int, took_s: float) -> str:
    """Events a second, for people."""
    return f"{count / took_s:,.0f}/s"


def milliseconds(took_s: float) -> str:
    """A duration, for people."""
    return f"{took_s * 1000:,.2f} ms"
