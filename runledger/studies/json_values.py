"""Values of studies and scopes as an event may hold them: finite, exact, storable JSON.

Imports nothing of Optuna's, nor of any collector's: whoever asks for a decision
brings a scope, and few of them search.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any, Literal

from ledger.canonical import canonical
from ledger.text.characters import printable, storable

MAX_COUNT = 2**53
"""Integers beyond it are not exact in every reader of JSON."""

_MAX_TEXT = 16_384
_MAX_DEPTH = 16


def json_value(value: Any, depth: int = 0) -> Any:
    """A parameter as JSON: what is not finite, too large or no JSON becomes text."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return storable(value[:_MAX_TEXT])
    if isinstance(value, Integral):
        whole = int(value)
        return whole if abs(whole) <= MAX_COUNT else str(whole)
    if isinstance(value, Real):
        number = float(value)
        # JSON makes no difference between 1e17 and an integer that readers may not keep exact.
        return repr(number) if MAX_COUNT <= abs(number) < math.inf else json_number(number)
    if depth < _MAX_DEPTH and isinstance(value, list | tuple):
        return [json_value(item, depth + 1) for item in value]
    if depth < _MAX_DEPTH and isinstance(value, Mapping):
        return {json_key(name): json_value(item, depth + 1) for name, item in value.items()}
    return storable(str(value)[:_MAX_TEXT])


def json_number(value: float) -> float | Literal["inf", "-inf", "nan"]:
    """A number; what is not finite becomes ``inf``, ``-inf`` or ``nan`` as text."""
    if math.isfinite(value):
        return value
    return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"


def json_key(name: Any) -> str:
    """A name of a parameter, without what a field's name may not hold."""
    return printable(str(name))


def scope_texts(scope: Mapping[str, Any] | None) -> dict[str, str]:
    """A scope with its values as text, as scopes are compared; none is an empty one."""
    plain = json_value(scope or {})
    return {
        key: value if isinstance(value, str) else canonical(value).decode()
        for key, value in plain.items()
    }
