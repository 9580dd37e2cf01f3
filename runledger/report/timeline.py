"""The time line's geometry: what is drawn where, in the units of its drawing.

Places are worked out here and drawn by a template, so that the drawing holds no
arithmetic and the words in it are escaped like all others.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from rules.kinds import KINDS
from rules.state import Run
from runledger.report import phrases
from runledger.report.collect import Collected
from runledger.report.marks import Mark
from runledger.report.reachability import NodeTrack
from runledger.report.scale import Scale
from runledger.report.selection import Selection

_MOST_LANES = 30
_MOST_BARS = 400
_GLYPH = 15.0
_SMALL = 9.0
_LETTER = 6.6
_SEVERE = ("plain", "good", "poor", "unsure", "bad")


@dataclass(slots=True)
class Glyph:
    """One mark: where, what it looks like (``shape``), and what it says when asked."""

    x: float
    shape: str
    sign: str
    title: str
    count: int = 1


@dataclass(slots=True)
class Bar:
    """A stretch of a lane; ``open`` where its end is not known."""

    x: float
    width: float
    y: float
    shape: str
    title: str
    label: str = ""
    open: bool = False


@dataclass(slots=True)
class Lane:
    """One row of the drawing, ``height`` units tall, ``y`` from the top."""

    name: str
    kind: str
    height: float
    y: float = 0.0
    bars: list[Bar] = field(default_factory=list)
    glyphs: list[Glyph] = field(default_factory=list)


@dataclass(slots=True)
class Timeline:
    """The whole drawing."""

    lanes: list[Lane]
    ticks: list[tuple[float, str, bool]]
    height: float
    hidden: int = 0


def draw(selection: Selection, collected: Collected, runs: Iterable[Run]) -> Timeline:
    """Place everything that happened on lanes."""
    scale = Scale(selection)
    marks: dict[str, list[Mark]] = {}
    for mark in collected.marks.values():
        marks.setdefault(mark.lane, []).append(mark)
    lanes = [
        _glyph_lane(kind, f"decided/{kind}", marks.pop(f"decided/{kind}", []), scale)
        for kind in KINDS
    ]
    lanes.append(_runs(runs, scale))
    steps = _steps(collected, scale)
    if any(bar.label for bar in steps.bars):  # slivers would say no more than their runs do
        lanes.append(steps)
    lanes = [lane for lane in lanes if lane.bars or lane.glyphs]
    tracks = sorted(collected.nodes.values(), key=lambda each: each.name)
    shown = _most_telling(tracks, marks)
    lanes += [
        _node(track, marks.pop(track.name, []), scale) for track in tracks if track.name in shown
    ]
    hidden = len(tracks) - len(shown)
    if marks.get(""):
        lanes.append(_glyph_lane("elsewhere", "node", marks[""], scale))
    y = 8.0
    for lane in lanes:
        lane.y = y
        y += lane.height
    return Timeline(lanes, scale.ticks(), y + 26.0, hidden)


def _most_telling(tracks: list[NodeTrack], marks: dict[str, list[Mark]]) -> set[str]:
    """The nodes to draw: all, or those to which most happened."""
    by_trouble = sorted(
        tracks,
        key=lambda each: (
            -sum(mark.count for mark in marks.get(each.name, ()) if mark.kind != "probe"),
            -each.lost,
            each.name,
        ),
    )
    return {each.name for each in by_trouble[:_MOST_LANES]}


# -- glyphs ------------------------------------------------------------------


def _glyph_lane(name: str, kind: str, marks: list[Mark], scale: Scale) -> Lane:
    lane = Lane(name, "verdicts" if kind != "node" else "node", 26.0)
    lane.glyphs = _spread(marks, scale, _GLYPH)
    return lane


def _spread(marks: list[Mark], scale: Scale, apart: float) -> list[Glyph]:
    """Marks as glyphs that do not cover one another: the worst of a cluster speaks for it."""
    glyphs: list[Glyph] = []
    ends: list[int] = []
    for mark in sorted(marks, key=lambda each: (each.first_us, each.kind)):
        glyph = Glyph(scale.x(mark.first_us), *_looks(mark.kind), _title(mark), mark.count)
        if glyphs and glyph.x - glyphs[-1].x < apart:
            last = glyphs[-1]
            lines = f"{last.title}\n{glyph.title}"
            if _SEVERE.index(_tone(glyph.shape)) > _SEVERE.index(_tone(last.shape)):
                last.shape, last.sign = glyph.shape, glyph.sign
            last.count += glyph.count
            if ends[-1] < 8:
                last.title = lines
            elif ends[-1] == 8:
                last.title += "\n…"
            ends[-1] += 1
            continue
        glyphs.append(glyph)
        ends.append(1)
    return glyphs


def _tone(shape: str) -> str:
    return shape if shape in _SEVERE else "bad" if shape in ("fault", "failure") else "plain"


def _looks(kind: str) -> tuple[str, str]:
    """Shape and sign of a mark."""
    if kind in ("fault", "failure", "override", "boot", "probe"):
        return kind, ""
    letter = phrases.LETTERS.get(kind)
    return phrases.tone(kind), letter or phrases.sign(kind)


def _title(mark: Mark) -> str:
    many = f" ×{mark.count}" if mark.count > 1 else ""
    return f"{phrases.briefly(mark.first_us)}: {mark.text}{many}"


# -- lanes of bars -------------------------------------------------------------


def _runs(runs: Iterable[Run], scale: Scale) -> Lane:
    lane = Lane("runs", "runs", 0.0)
    ends: list[float] = []
    selection = scale.selection
    for run in sorted(runs, key=lambda each: each.started_us or 0)[-_MOST_BARS:]:
        start, end = run_times(run)
        if start is None or start > selection.until_us:
            continue
        stop = selection.until_us if end is None else end
        if stop < selection.since_us:
            continue
        outcome = run.outcome or ("succeeded" if run.counted else "")
        words = phrases.spoken(outcome) if run.outcome else "no end on record"
        if run.counted and not run.outcome:
            words = "counted"
        _stack(
            lane,
            ends,
            scale,
            (start, stop),
            f"run-{phrases.tone(outcome)}",
            f"{run.id}: {words}, {phrases.briefly(start)} for {phrases.lasted(stop - start)}",
            run.id,
            unknown_end=end is None,
        )
    lane.height = 8.0 + 20.0 * max(1, len(ends))
    return lane


def run_times(run: Run) -> tuple[int | None, int | None]:
    """When a run began and ended, as far as anything says so."""
    return (run.started_us if run.started_us is not None else run.ended_us), run.ended_us


def _steps(collected: Collected, scale: Scale) -> Lane:
    lane = Lane("steps", "runs", 0.0)
    ends: list[float] = []
    known = [each for each in collected.steps.values() if each.started_us is not None]
    for step in sorted(known, key=lambda each: each.started_us or 0)[-_MOST_BARS:]:
        start = step.started_us or 0
        stop = scale.selection.until_us if step.finished_us is None else step.finished_us
        outcome = step.outcome or "unknown"
        _stack(
            lane,
            ends,
            scale,
            (start, max(start, stop)),
            f"run-{phrases.tone(outcome)}",
            f"step {step.step} of {step.run}: {outcome}, {phrases.briefly(start)}"
            f" for {phrases.lasted(stop - start)}",
            step.step,
            unknown_end=step.finished_us is None,
        )
    lane.height = 8.0 + 20.0 * max(1, len(ends))
    return lane


def _stack(
    lane: Lane,
    ends: list[float],
    scale: Scale,
    times: tuple[int, int],
    shape: str,
    title: str,
    label: str,
    *,
    unknown_end: bool,
) -> None:
    """A bar in the first row that has room; rows beyond the fourth share the last."""
    x, right = scale.x(times[0]), scale.x(times[1])
    width = max(4.0, right - x)
    row = next((at for at, end in enumerate(ends) if end <= x), min(len(ends), 3))
    if row == len(ends):
        ends.append(0.0)
    ends[row] = max(ends[row], x + width + 1.0)
    fits = len(label) * _LETTER + 10.0 <= width
    lane.bars.append(
        Bar(x, width, 4.0 + 20.0 * row, shape, title, label if fits else "", unknown_end)
    )


def _node(track: NodeTrack, marks: list[Mark], scale: Scale) -> Lane:
    lane = Lane(track.name, "node", 40.0)
    for stretch in track.stretches:
        x = scale.x(stretch.start_us)
        # A node that was only once seen down must not vanish between two pixels.
        width = max(7.0 if stretch.state == "down" else 2.5, scale.x(stretch.end_us) - x)
        words = {"up": "answered", "down": "did not answer", "between": "not known"}[stretch.state]
        title = f"{track.name} {words}, {phrases.briefly(stretch.start_us)}"
        if stretch.end_us > stretch.start_us:
            title += f" to {phrases.briefly(stretch.end_us)}"
        lane.bars.append(Bar(x, width, 18.0, stretch.state, title))
    for kind in ("probe", "boot", "override", "failure", "fault"):
        apart = _SMALL if kind != "probe" else 2.0
        lane.glyphs += _spread([each for each in marks if each.kind == kind], scale, apart)
    return lane
