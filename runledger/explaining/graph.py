"""A decision drawn: events on the left, the rules they fed, the verdict on the right.

As DOT for Graphviz, or as one HTML page that needs nothing else. All text from
events is escaped.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from ledger import Event
from ledger.text.characters import plain
from runledger.explaining.explanation import Explanation, FiredRule
from runledger.html import environment

if TYPE_CHECKING:
    from jinja2 import Template

_ROW = 64
_BOX = (300, 48)
_COLUMNS = (20, 440, 860)
# Okabe and Ito's palette, told apart by colour-blind people; the words say it, too.
_COLOURS = {
    "block": "#d55e00",
    "unknown": "#cc79a7",
    "degrade": "#e69f00",
    "warn": "#f0e442",
    "info": "#56b4e9",
}


def to_dot(found: Explanation) -> str:
    """The drawing as a Graphviz digraph."""
    lines = [
        "digraph decision {",
        "  rankdir=LR;",
        '  node [shape=box, style="rounded,filled", fillcolor=white, fontname="Helvetica"];',
        f"  verdict [label={_quoted(_verdict(found))}, shape=doubleoctagon];",
    ]
    lines += [f"  {_quoted(each.id)} [label={_quoted(_lines(each))}];" for each in found.evidence]
    for at, rule in enumerate(found.fired):
        label = f"{rule.rule}\n{rule.severity}: {rule.subject}"
        colour = _COLOURS[rule.severity]
        lines.append(f'  rule{at} [label={_quoted(label)}, fillcolor="{colour}"];')
        lines += [f"  {_quoted(id)} -> rule{at};" for id in _known(found, rule)]
        lines.append(f"  rule{at} -> verdict;")
    return "\n".join([*lines, "}", ""])


def to_html(found: Explanation) -> str:
    """The drawing as a self-contained HTML page."""
    events = [event for event in found.evidence if _feeds(found, event)]
    height = _ROW * max(len(events), len(found.fired), 1) + 20
    event_y = _spread(len(events), height)
    rule_y = _spread(len(found.fired), height)
    at = {event.id: y for event, y in zip(events, event_y, strict=True)}
    hanging = set() if found.minimal is None else set(found.minimal.events)
    edges: list[_Edge] = []
    boxes: list[_Box] = []
    for rule, y in zip(found.fired, rule_y, strict=True):
        edges += [_edge(0, at[id], 1, y, id in hanging) for id in _known(found, rule)]
        edges.append(_edge(1, y, 2, height / 2, False))
    for event in events:
        title, about = _lines(event).split("\n", 1)
        boxes.append(_Box(0, at[event.id], title, about, "#ffffff", event.id in hanging))
    for rule, y in zip(found.fired, rule_y, strict=True):
        boxes.append(_Box(1, y, rule.rule, rule.subject, _COLOURS[rule.severity], False))
    title, _, about = _verdict(found).partition("\n")
    boxes.append(_Box(2, height / 2, title, about, "#ffffff", True))
    return _template().render(
        name=f"Why {found.decision.kind} {found.decision.decision}",
        as_of=found.decision.as_of,
        width=_COLUMNS[2] + _BOX[0] + 20,
        height=height,
        edges=edges,
        boxes=boxes,
        fired=found.fired,
    )


class _Edge(NamedTuple):
    path: str
    strong: bool


class _Box(NamedTuple):
    """A box in one of the columns, ``y`` its middle."""

    column: int
    y: float
    title: str
    about: str
    fill: str
    strong: bool

    @property
    def x(self) -> int:
        return _COLUMNS[self.column]

    @property
    def width(self) -> int:
        return _BOX[0]

    @property
    def height(self) -> int:
        return _BOX[1]


@lru_cache(maxsize=1)
def _template() -> Template:
    found = environment("runledger.explaining")
    found.filters["shortened"] = _short
    return found.get_template("graph.html.jinja")


def _known(found: Explanation, rule: FiredRule) -> list[str]:
    stored = {event.id for event in found.evidence}
    return [id for id in rule.evidence if id in stored]


def _feeds(found: Explanation, event: Event) -> bool:
    hanging = () if found.minimal is None else found.minimal.events
    return event.id in hanging or any(event.id in rule.evidence for rule in found.fired)


def _verdict(found: Explanation) -> str:
    decision = found.decision
    about = ", ".join(f"{key} {_value(value)}" for key, value in decision.question.items() if value)
    return f"{decision.verdict}\n{decision.kind} {about}"


def _value(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _lines(event: Event) -> str:
    return f"{event.type}\n{event.subject}\n{event.time}"


def _spread(count: int, height: float) -> Sequence[float]:
    return [height * (2 * at + 1) / (2 * count) for at in range(count)]


def _edge(start: int, y1: float, end: int, y2: float, strong: bool) -> _Edge:
    x1, x2 = _COLUMNS[start] + _BOX[0], _COLUMNS[end]
    middle = (x1 + x2) / 2
    path = f"M{x1} {y1:g}C{middle:g} {y1:g} {middle:g} {y2:g} {x2} {y2:g}"
    return _Edge(path, strong)


def _short(text: str, limit: int = 40) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def _quoted(text: str) -> str:
    """Text as a DOT string, in which quotes, backslashes and ends of lines are as in JSON."""
    return json.dumps("\n".join(map(plain, text.split("\n"))), ensure_ascii=False)
