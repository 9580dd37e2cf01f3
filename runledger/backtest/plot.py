"""A sweep as a picture: what each value of a key would have caught, and cost."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from runledger.backtest.scoring import Backtest
from runledger.errors import BadInput, MissingExtra

# Okabe and Ito's palette, told apart by colour-blind people; markers differ, too.
_BLUE, _ORANGE, _GREY = "#0072b2", "#d55e00", "#777777"


def check_drawable(path: Path) -> None:
    """Raise `BadInput` where nothing can be drawn to a path."""
    if path.suffix not in (".svg", ".png", ".pdf"):
        raise BadInput(f"--plot {path}: name a file that ends in .svg, .png or .pdf")
    if find_spec("matplotlib") is None:
        raise MissingExtra("--plot", "matplotlib", "plot")


def plot(result: Backtest, key: str, path: Path) -> None:
    """Draw the sweep of a key; the file's suffix says in which format."""
    check_drawable(path)
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    values = [each.policy.rpartition("=")[2] for each in result.policies]
    at = list(range(len(values)))
    figure = Figure(figsize=(9, 6.5), layout="constrained")
    FigureCanvasAgg(figure)
    runs, cards = figure.subplots(2, 1)
    runs.set_title("Runs", loc="left", fontsize=11)
    _line(runs, at, [each.preflight.blocked_failures for each in result.policies],
          "foreseeable failures blocked", _BLUE, "o-")  # fmt: skip
    _line(runs, at, [each.preflight.blocked_successes for each in result.policies],
          "successes blocked", _ORANGE, "s--")  # fmt: skip
    runs.set_ylabel("runs")
    cards.set_title("Cards", loc="left", fontsize=11)
    _line(cards, at, [each.exclusions.spared for each in result.policies],
          "incidents while sitting out", _BLUE, "o-")  # fmt: skip
    cards.set_ylabel("incidents")
    hours = cards.twinx()
    _line(hours, at, [each.exclusions.healthy_hours for each in result.policies],
          "healthy GPU-hours sat out", _ORANGE, "s--")  # fmt: skip
    _line(hours, at, [each.exclusions.censored_hours for each in result.policies],
          "censored GPU-hours", _GREY, "^:")  # fmt: skip
    hours.set_ylabel("GPU-hours")
    for axes in (runs, cards):
        axes.set_xticks(at, values)
        axes.margins(y=0.15)
        axes.spines[["top"]].set_visible(False)
    runs.legend(loc="best", frameon=False)
    lines = [*cards.get_lines(), *hours.get_lines()]
    cards.legend(lines, [str(line.get_label()) for line in lines], loc="best", frameon=False)
    cards.set_xlabel(key)
    figure.savefig(path)


def _line(axes: object, x: list[int], y: list[float], label: str, colour: str, style: str) -> None:
    axes.plot(x, y, style, color=colour, label=label, markersize=6)  # type: ignore[attr-defined]
