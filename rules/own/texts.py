"""Messages and remedies of own rules: texts with ``{placeholders}``, none of which can fail.

A placeholder names a feature of the subject, an own fact about it, what it is
(``{subject}``, ``{card}``, ``{node}``, …) or a policy key (``{own.max_temp_c}``).
Nothing of Python's format language beyond that is taken.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from string import Formatter
from typing import Any

from ledger.text import humanize
from ledger.text.characters import one_line
from rules.conditions import Scalar
from rules.own.declared import RuleAbout

UNKNOWN = "unknown"
"""What stands for a feature that has no value when a rule speaks."""

NAMES: dict[RuleAbout, tuple[str, ...]] = {
    "card": ("subject", "card", "node"),
    "node": ("subject", "node"),
    "run": ("subject", "run"),
    "study": ("subject", "study"),
    "fleet": ("subject",),
    "question": ("subject",),
}
"""What a text can call its subject by; in a preflight, ``step`` too."""

_KEY = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+", re.ASCII)
_MOST_SHOWN = 200
_PLAIN_BELOW = 1e15


class BadText(ValueError):
    """A text that is no template; says what is wrong."""


def parts(text: str) -> Iterator[tuple[str, str | None]]:
    """Pairs of literal text and the placeholder after it; raises `BadText`."""
    try:
        for literal, name, spec, conversion in Formatter().parse(text):
            if spec or conversion or (name is not None and not name.isprintable()):
                raise BadText(f"{{{name}}}: write a name alone, as {{subject}}")
            yield literal, name
    except ValueError as error:
        if isinstance(error, BadText):
            raise
        raise BadText(f"{error}; write {{{{ and }}}} for braces of the text itself") from None


def is_key(name: str) -> bool:
    """Whether a placeholder is a policy key rather than a name."""
    return _KEY.fullmatch(name) is not None


def with_values(text: str, value: Callable[[str], Scalar]) -> str:
    """The text with policy keys filled in: what is left are names, for ``format_map``."""
    made = []
    for literal, name in parts(text):
        made.append(_escaped(literal))
        if name is not None:
            made.append(_escaped(shown(value(name))) if is_key(name) else f"{{{name}}}")
    return "".join(made)


def _escaped(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


def shown(value: Any) -> str:
    """A value as messages show it: one line, bounded."""
    if value is None:
        return UNKNOWN
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return humanize.number(value) if abs(value) < _PLAIN_BELOW else f"{float(value):.6g}"
    return one_line(str(value), _MOST_SHOWN)
