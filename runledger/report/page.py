"""The page: everything gathered, given to a template that escapes all of it.

Text from events is stripped of terminal control and of characters that reorder
what stands around them, wherever it turns up: the template engine does it to
every value, so that no place can forget to.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from ledger.times import format_time
from runledger.report import phrases
from runledger.terminal.output import plain

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

_TEXT_LIMIT = 20_000
"""Longer text is cut: a page is for reading, and the ledger keeps the rest."""


def render(values: dict[str, Any]) -> str:
    """The HTML of a report."""
    return _environment().get_template("report.html.jinja").render(values)


@lru_cache(maxsize=1)
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("runledger.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_clean,
        extensions=["jinja2.ext.do"],
    )
    environment.filters |= {
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
    environment.globals |= {"LETTERS": phrases.LETTERS, "SIGNS": phrases.SIGNS}
    return environment


def _clean(value: Any) -> Any:
    """What every value goes through on its way to the page, before it is escaped."""
    from markupsafe import Markup

    if isinstance(value, Markup | int | float):
        return value
    text = plain(value, keep_lines=True)
    if not text.isprintable():
        text = "".join(map(_visible, text))
    return text if len(text) <= _TEXT_LIMIT else f"{text[:_TEXT_LIMIT]}… (cut)"


def _visible(character: str) -> str:
    """The character, a space for another kind of space, nothing for what hides or marks."""
    if character.isprintable() or character in "\n\t":
        return character
    return " " if character.isspace() else ""


def _short(text: str, limit: int = 300) -> str:
    """The text in one line, cut where it is long."""
    line = " ".join(str(text).split())
    return line if len(line) <= limit else f"{line[:limit]}…"


def _commands(text: str) -> Markup:
    """A remedy with the command in it, which our rules put last, set as code."""
    from markupsafe import Markup

    before, runledger, command = _clean(_short(text, 400)).partition("runledger ")
    if not runledger or command[:1].isspace():
        return Markup("{}").format(before + runledger + command)  # escaped by format
    return Markup("{}<code>{}</code>").format(before, runledger + command)
