"""Cards over days: where each stood on the ladder, and what was seen of it.

A cell is one card in one column of time. Its ladder state is that at the end
of the column, as the policy in force judges it, and the worst of those at the
ends of its days where it holds several; what probes showed and how many errors
came is that of the whole column. A card that no probe showed is not called ok.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from ledger import Event
from ledger.payloads import GpuFault, GpuProbe, SmuError
from ledger.times import SECOND_US
from rules.facts.card_standing import CardStanding
from runledger.report.selection import Selection

DAY_US = 86_400 * SECOND_US
_SETTLES_US = 400 * DAY_US
"""How long after the last event a card's standing may still change day by day."""
_MOST_SAMPLES = 10_000

_HOUR_US = 3_600 * SECOND_US
_WIDTHS_US = (
    *(minutes * 60 * SECOND_US for minutes in (10, 30)),
    *(hours * _HOUR_US for hours in (1, 2, 6, 12)),
    *(days * DAY_US for days in (1, 2, 7, 14, 28, 91, 364, 3640)),
)
_FEW_COLUMNS = 16
_MOST_COLUMNS = 46

SHOWN = ("unseen", "ok", "watch", "unresponsive", "excluded", "retire")
"""What a cell can show, from best to worst; ``unseen`` claims nothing."""

_BAD = frozenset({"unresponsive", "missing"})

Place = tuple[str, str]
"""Node and PCI address."""


@dataclass(slots=True)
class Column:
    """A column of the map: times ``start_us`` up to, but not, ``end_us``."""

    start_us: int
    end_us: int


@dataclass(slots=True)
class Cell:
    """One card in one column."""

    probes: int = 0
    bad_probes: int = 0
    errors: int = 0
    ladder: str = "ok"
    reason: str = ""

    @property
    def shown(self) -> str:
        """The one word that the map shows, of `SHOWN`."""
        seen = "unresponsive" if self.bad_probes else "ok" if self.probes else "unseen"
        return max(seen, self.ladder if self.ladder != "ok" else "unseen", key=SHOWN.index)


@dataclass(slots=True)
class Row:
    """One card over all columns."""

    node: str
    pci: str
    index: int | None = None
    cells: dict[int, Cell] = field(default_factory=dict)

    @property
    def worst(self) -> str:
        """The worst that any of its cells shows."""
        return max((each.shown for each in self.cells.values()), key=SHOWN.index, default="unseen")


def columns(selection: Selection) -> list[Column]:
    """Columns over a selection: whole days where it is long enough, in UTC."""
    span = selection.span_us
    most = _MOST_COLUMNS if span > 8 * DAY_US else _FEW_COLUMNS
    width = next(
        (each for each in _WIDTHS_US if span <= (most - 1) * each), max(_WIDTHS_US[-1], span // 40)
    )
    first = selection.since_us - selection.since_us % min(width, DAY_US)
    # A period that ends where a column would begin has its last instant in the one before.
    stop = max(selection.until_us, first + 1)
    return [Column(start, start + width) for start in range(first, stop, width)]


class CardMap:
    """Fills the cells: events as they come, and standings at the end of each column."""

    def __init__(self, selection: Selection) -> None:
        self.selection = selection
        self.columns = columns(selection)
        self.rows: dict[Place, Row] = {}
        self.at = 0
        width_us = self.columns[0].end_us - self.columns[0].start_us
        # A card that sat out for a day must show in a column of a fortnight.
        self._every_us = DAY_US if width_us > DAY_US else 2 * width_us
        self._sampled_us = self.columns[0].start_us - 1
        self._settled_us = selection.since_us + _SETTLES_US
        self._samples_left = _MOST_SAMPLES
        # Of the current column, by node: a probe shows many cards, so they are counted in bulk.
        self._shown: dict[str, Counter[str]] = {}
        self._newest: dict[str, GpuProbe] = {}

    @property
    def end_us(self) -> int:
        """The time at which standings are to be sampled next: the end of a column, or of a day.

        Where nothing has happened for long, or the days are too many, it is a column's.
        """
        if self._sampled_us >= self._settled_us or not self._samples_left:
            return self._column_end_us
        return min(self._column_end_us, self._sampled_us + self._every_us)

    @property
    def _column_end_us(self) -> int:
        last = self.at == len(self.columns) - 1
        return self.selection.until_us if last else self.columns[self.at].end_us - 1

    @property
    def done(self) -> bool:
        """Whether every column has been closed."""
        return self.at >= len(self.columns)

    def happened(self, time_us: int) -> None:
        """Something happened: for a while, days may differ from each other."""
        self._settled_us = time_us + _SETTLES_US

    def take(self, event: Event) -> None:
        """Take an event of the current column."""
        data = event.data
        if isinstance(data, GpuProbe):
            node = self.selection.resolve(data.node)
            if self._wanted(node):
                self._probed(node, data)
        elif isinstance(data, SmuError | GpuFault) and data.pci is not None:
            node = self.selection.resolve(data.node)
            if self._wanted(node):
                self._cell(node, data.pci).errors += 1

    def _probed(self, node: str, probe: GpuProbe) -> None:
        self._newest[node] = probe
        shown = self._shown.get(node)
        if shown is None:
            shown = self._shown[node] = Counter()
        shown.update([gpu.pci for gpu in probe.gpus])
        for gpu in probe.gpus:
            if gpu.state in _BAD:
                self._cell(node, gpu.pci).bad_probes += 1

    def sample(self, standings: Iterable[CardStanding]) -> None:
        """Take where every card that is not ok stands at `end_us`, and go on from there."""
        for standing in standings:
            card = standing.card
            if self._wanted(card.node):
                row = self._row(card.node, card.pci)
                row.index = card.index if row.index is None else row.index
                cell = self._cell(card.node, card.pci)
                state = "unresponsive" if standing.state == "down" else standing.state
                if SHOWN.index(state) >= SHOWN.index(cell.ladder):
                    cell.ladder, cell.reason = state, standing.reason
        self._sampled_us = self.end_us
        self._samples_left = max(0, self._samples_left - 1)
        if self._sampled_us == self._column_end_us:
            self._close()

    def _close(self) -> None:
        """End the current column: what probes showed in it is now complete."""
        for node, shown in self._shown.items():
            for pci, probes in shown.items():
                self._cell(node, pci).probes = probes
            for gpu in self._newest[node].gpus:
                row = self._row(node, gpu.pci)
                row.index = gpu.index
        self._shown, self._newest = {}, {}
        self.at += 1

    def by_node(self) -> list[tuple[str, list[Row]]]:
        """All rows, by node and then by index and address."""
        nodes: dict[str, list[Row]] = {}
        for (node, _), row in sorted(self.rows.items()):
            nodes.setdefault(node, []).append(row)
        for rows in nodes.values():
            rows.sort(key=lambda row: (row.index is None, row.index or 0, row.pci))
        return list(nodes.items())

    def _wanted(self, node: str) -> bool:
        return self.selection.nodes is None or node in self.selection.nodes

    def _cell(self, node: str, pci: str) -> Cell:
        cells = self._row(node, pci).cells
        cell = cells.get(self.at)
        if cell is None:
            cell = cells[self.at] = Cell()
        return cell

    def _row(self, node: str, pci: str) -> Row:
        row = self.rows.get((node, pci))
        if row is None:
            row = self.rows[node, pci] = Row(node, pci)
        return row
