"""A sweep as a picture: what each value of a key, or pair of two, would have prevented and cost.

Every panel has one axis, and it begins at zero. What nobody knows is drawn as a range.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ledger.new_files import replaced
from runledger.backtest.measures import MEASURES, Measure
from runledger.backtest.ranges import range_text
from runledger.backtest.scores import Backtest
from runledger.backtest.sweep import Sweep
from runledger.errors import BadInput, MissingExtra

# Okabe and Ito's palette, told apart by colour-blind people; markers differ, too.
_BLUE, _ORANGE, _GREEN, _GREY = "#0072b2", "#d55e00", "#009e73", "#777777"


def check_drawable(path: Path) -> None:
    """Raise `BadInput` where nothing can be drawn to a path."""
    if path.suffix not in (".svg", ".png", ".pdf"):
        raise BadInput(f"--plot {path}", remedy="name a file that ends in .svg, .png or .pdf")
    if find_spec("matplotlib") is None:
        raise MissingExtra("--plot", "matplotlib", "plot")


def plot(result: Backtest, sweeps: Sequence[Sweep], path: Path) -> None:
    """Draw a sweep of one key, or the map of two; the file's suffix says in which format.

    The file appears whole or not at all.
    """
    check_drawable(path)
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    one = len(sweeps) == 1
    size = (10.0, 9.0) if one else _map_size(sweeps)
    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(_title(result, sweeps), fontsize=11)
    panels = figure.subplots(len(MEASURES) // 2, 2).flatten()
    for axes, measure in zip(panels, MEASURES, strict=True):
        axes.set_title(measure.heading, loc="left", fontsize=10)
        (_line if one else _map)(axes, result, sweeps, measure)
    with replaced(path) as unfinished:
        figure.savefig(unfinished, format=path.suffix[1:])


def _title(result: Backtest, sweeps: Sequence[Sweep]) -> str:
    keys = " and ".join(sweep.key for sweep in sweeps)
    since, until = result.since[:10], result.until[:10]
    return (
        f"{keys}: what would have been\n{result.decisions:,} decisions and {result.runs:,} runs, "
        f"{since} to {until}; from what is sure to what is possible"
    )


def _line(axes: Any, result: Backtest, sweeps: Sequence[Sweep], measure: Measure) -> None:
    ranges = [measure.of(each) for each in result.policies if each.settings]
    at = list(range(len(ranges)))
    now = measure.of(result.policies[0])
    colour, marker = (_BLUE, "o") if measure.good else (_ORANGE, "s")
    lows, highs = [each.low for each in ranges], [each.high for each in ranges]
    axes.axhspan(now.low, now.high, color=_GREY, alpha=0.15, linewidth=0)
    axes.axhline(now.low, color=_GREY, linestyle="--", linewidth=1, label="in force")
    axes.fill_between(at, lows, highs, color=colour, alpha=0.2, linewidth=0)
    axes.plot(at, lows, marker + "-", color=colour, markersize=5, label="sure")
    if lows != highs:
        axes.plot(
            at, highs, marker + ":", color=colour, markersize=5, mfc="white", label="possible"
        )
    axes.set_xticks(at, sweeps[0].values)
    axes.set_xlabel(sweeps[0].key, fontsize=9)
    axes.set_ylim(0, max(1.0, 1.12 * max(*highs, now.high)))
    axes.yaxis.get_major_locator().set_params(integer=True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color=_GREY, alpha=0.2)
    axes.legend(loc="best", frameon=False, fontsize=8)


def _map_size(sweeps: Sequence[Sweep]) -> tuple[float, float]:
    across, up = (len(sweep.values) for sweep in sweeps)
    return max(11.0, 4.0 + 1.8 * across), max(9.0, 3.0 + 1.5 * up)


def _map(axes: Any, result: Backtest, sweeps: Sequence[Sweep], measure: Measure) -> None:
    across, up = sweeps
    ranges = [measure.of(each) for each in result.policies if each.settings]
    grid = [
        [ranges[x * len(up.values) + y] for x in range(len(across.values))]
        for y in range(len(up.values))
    ]
    middles = [[each.middle for each in row] for row in grid]
    most = max(1.0, *(each for row in middles for each in row))
    picture = axes.imshow(
        middles, origin="lower", aspect="auto", vmin=0, vmax=most,
        cmap="Blues" if measure.good else "Oranges",
    )  # fmt: skip
    for y, row in enumerate(grid):
        for x, each in enumerate(row):
            dark = each.middle > 0.6 * most
            axes.text(
                x, y, range_text(each), ha="center", va="center", fontsize=8,
                color="white" if dark else "black",
            )  # fmt: skip
    axes.set_xticks(range(len(across.values)), across.values)
    axes.set_yticks(range(len(up.values)), up.values)
    axes.set_xlabel(across.key, fontsize=9)
    axes.set_ylabel(up.key, fontsize=9)
    bar = axes.figure.colorbar(picture, ax=axes)
    bar.set_label("middle of the range", fontsize=8)
