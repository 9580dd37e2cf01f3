"""Conditions as people write them: ``FEATURE OP VALUE``, ``exists(FEATURE)``, ``missing(FEATURE)``.

A value is a number, ``true``, ``false``, a text in double quotes or one bare
word, or ``$section.key``: a value of the policy. A feature without a value makes
every comparison of it false; only ``missing`` holds for it. Nothing is
evaluated here: that is what `rules.engine` is for.
"""

from __future__ import annotations

import json
import re
from typing import Literal, get_args

import msgspec

Scalar = str | int | float | bool
Operator = Literal["==", "!=", "<", "<=", ">", ">=", "exists", "missing"]

ORDERED = frozenset({"<", "<=", ">", ">="})
"""The operators that ask which of two numbers is larger."""

_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
_PRESENCE = re.compile(rf"(exists|missing)\(\s*({_NAME})\s*\)")
_COMPARISON = re.compile(rf"({_NAME})\s*(==|!=|<=|>=|<|>)\s*(\S.*)", re.DOTALL)
_KEY = re.compile(rf"\$({_NAME}(?:\.{_NAME})+)")
_WORD = re.compile(r"[A-Za-z_][\w.:/-]*")
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)")


class Condition(msgspec.Struct, frozen=True):
    """One condition on a fact. ``key`` is the policy key that holds ``limit``, or "".

    As it is written, a condition with a key has no limit yet: the policy gives it.
    """

    feature: str
    operator: Operator
    limit: Scalar | None = None
    key: str = ""

    def __str__(self) -> str:
        """As it is written."""
        if self.operator in ("exists", "missing"):
            return f"{self.operator}({self.feature})"
        limit = f"${self.key}" if self.key else value_text(self.limit)
        return f"{self.feature} {self.operator} {limit}"


def value_text(value: Scalar | None) -> str:
    """A value as it is written in a condition."""
    if isinstance(value, str) and _WORD.fullmatch(value) and value not in ("true", "false"):
        return value
    return json.dumps(value, ensure_ascii=False)


def parse_condition(text: str) -> Condition:
    """The condition in a text; raises `ValueError` that says what to write."""
    text = text.strip()
    if found := _PRESENCE.fullmatch(text):
        operator: Operator = "exists" if found[1] == "exists" else "missing"
        return Condition(found[2], operator)
    found = _COMPARISON.fullmatch(text)
    if found is None:
        raise ValueError(
            f"{text!r}: write FEATURE OP VALUE (OP one of == != < <= > >=), "
            "exists(FEATURE) or missing(FEATURE)"
        )
    feature, written, value = found[1], found[2], found[3].strip()
    comparison = next(each for each in get_args(Operator) if each == written)
    if key := _KEY.fullmatch(value):
        return Condition(feature, comparison, key=key[1])
    return Condition(feature, comparison, _value(value))


def _value(text: str) -> Scalar:
    if text in ("true", "false"):
        return text == "true"
    if _NUMBER.fullmatch(text):
        return float(text) if set(text) & set(".eE") else int(text)
    if _WORD.fullmatch(text):
        return text
    if text.startswith('"'):
        try:
            value = json.loads(text)
        except ValueError:
            value = None
        if isinstance(value, str):
            return value
    raise ValueError(
        f"{text!r}: a value is a number, true, false, one word, a text in double quotes, or "
        "$section.key"
    )


def when(*texts: str) -> tuple[Condition, ...]:
    """The conditions of a rule: all of them must hold."""
    return tuple(map(parse_condition, texts))
