"""How pages are made: by templates alone, which escape and clean every value.

Text from events is stripped of terminal control and of characters that reorder
or hide what stands around them, wherever it turns up: the template engine does
it to every value, so that no place can forget to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ledger.text.characters import plain

if TYPE_CHECKING:
    from jinja2 import Environment

_TEXT_LIMIT = 20_000
"""Longer text is cut: a page is for reading, and the ledger keeps the rest."""


def environment(package: str) -> Environment:
    """The engine for the templates of a package, in its folder ``templates``."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader(package),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=clean,
        extensions=["jinja2.ext.do"],
    )


def clean(value: Any) -> Any:
    """What every value goes through on its way to a page, before it is escaped."""
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
