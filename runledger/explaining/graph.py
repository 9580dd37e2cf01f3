"""A decision drawn: events on the left, the rules they fed, the verdict on the right.

As DOT for Graphviz, or as one HTML page that needs nothing else. All text from
events is escaped.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

from ledger import Event
from runledger.explaining.explanation import Explanation, FiredRule

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
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
    drawn: list[str] = []
    for rule, y in zip(found.fired, rule_y, strict=True):
        drawn += [_edge(0, at[id], 1, y, id in hanging) for id in _known(found, rule)]
        drawn.append(_edge(1, y, 2, height / 2, False))
    for event in events:
        title, about = _lines(event).split("\n", 1)
        drawn.append(_box(0, at[event.id], title, about, "#ffffff", event.id in hanging))
    for rule, y in zip(found.fired, rule_y, strict=True):
        drawn.append(_box(1, y, rule.rule, rule.subject, _COLOURS[rule.severity], False))
    title, _, about = _verdict(found).partition("\n")
    drawn.append(_box(2, height / 2, title, about, "#ffffff", True))
    width = _COLUMNS[2] + _BOX[0] + 20
    name = _text(f"Why {found.decision.kind} {found.decision.decision}")
    rows = "".join(
        f"<tr><td>{_text(rule.severity)}</td><td>{_text(rule.rule)}</td>"
        f"<td>{_text(rule.message)}</td><td>{_text(rule.remedy)}</td></tr>"
        for rule in found.fired
    )
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{name}</title>'
        "<style>body{font:15px/1.5 system-ui,sans-serif;margin:2rem;color:#222;background:#fff}"
        "svg{max-width:100%;height:auto}table{border-collapse:collapse;margin-top:1.5rem}"
        "td{border-bottom:1px solid #ddd;padding:.35rem .8rem .35rem 0;vertical-align:top}"
        "</style></head><body>"
        f'<h1 style="font-size:1.3rem">{name}</h1>'
        f"<p>Judged at {_text(found.decision.as_of.time)} on events up to position "
        f"{found.decision.as_of.sequence}. Thick frames: what the decision hangs on.</p>"
        f'<svg viewBox="0 0 {width} {height}" width="{width}" role="img" '
        f'xmlns="http://www.w3.org/2000/svg"><title>{name}</title>{"".join(drawn)}</svg>'
        f"<table>{rows}</table></body></html>\n"
    )


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


def _edge(start: int, y1: float, end: int, y2: float, strong: bool) -> str:
    x1, x2 = _COLUMNS[start] + _BOX[0], _COLUMNS[end]
    middle = (x1 + x2) / 2
    return (
        f'<path d="M{x1} {y1:g}C{middle:g} {y1:g} {middle:g} {y2:g} {x2} {y2:g}" fill="none" '
        f'stroke="{"#222" if strong else "#999"}" stroke-width="{2.5 if strong else 1.2}"/>'
    )


def _box(column: int, y: float, title: str, about: str, fill: str, strong: bool) -> str:
    x, (width, height) = _COLUMNS[column], _BOX
    lines = [_short(title), *(_short(line) for line in about.split("\n")[:1])]
    texts = "".join(
        f'<text x="{x + 10}" y="{y - 4 + 18 * at:g}" font-size="{14 if at == 0 else 12}" '
        f'font-weight="{600 if at == 0 else 400}" fill="#222">{_text(line)}</text>'
        for at, line in enumerate(lines)
    )
    whole = _text(f"{title} {about}".replace("\n", " "))
    return (
        f'<g><title>{whole}</title><rect x="{x}" y="{y - height / 2:g}" width="{width}" '
        f'height="{height}" rx="8" fill="{fill}" stroke="#222" '
        f'stroke-width="{2.5 if strong else 1}"/>{texts}</g>'
    )


def _short(text: str, limit: int = 40) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def _text(text: object) -> str:
    return html.escape(_CONTROL.sub(" ", str(text)))


def _quoted(text: str) -> str:
    """Text as a DOT string, in which quotes, backslashes and ends of lines are as in JSON."""
    plain: Iterable[str] = (_CONTROL.sub(" ", line) for line in text.split("\n"))
    return json.dumps("\n".join(plain), ensure_ascii=False)
