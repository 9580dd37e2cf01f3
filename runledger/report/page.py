"""The page: everything gathered, given to a template that escapes all of it."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from ledger.times import format_time
from runledger.html import clean, environment
from runledger.report import phrases

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup


def render(values: dict[str, Any]) -> str:
    """The HTML of a report."""
    return _environment().get_template("report.html.jinja").render(values)


@lru_cache(maxsize=1)
def _environment() -> Environment:
    found = environment("runledger.report")
    found.filters |= {
        "when": phrases.when,
        "briefly": phrases.briefly,
        "day": phrases.day,
        "lasted": phrases.lasted,
        "tone": phrases.tone,
        "sign": phrases.sign,
        "spoken": phrases.spoken,
        "rfc3339": format_time,
        "thousands": lambda number: f"{number:,}",
        "short": _short,
        "commands": _commands,
    }
    found.globals |= {"LETTERS": phrases.LETTERS, "SIGNS": phrases.SIGNS}
    return found


def _short(text: str, limit: int = 300) -> str:
    """The text in one line, cut where it is long."""
    line = " ".join(str(text).split())
    return line if len(line) <= limit else f"{line[:limit]}…"


def _commands(text: str) -> Markup:
    """A remedy with the command in it, which our rules put last, set as code."""
    from markupsafe import Markup

    before, runledger, command = clean(_short(text, 400)).partition("runledger ")
    if not runledger or command[:1].isspace():
        return Markup("{}").format(before + runledger + command)  # escaped by format
    return Markup("{}<code>{}</code>").format(before, runledger + command)
