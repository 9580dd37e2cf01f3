"""A document for a language model, cut to a number of tokens.

What says least goes first: the end of the longest list, which is the oldest or the
least of it. The bounds, what comes next and the newest run stay. How much went is said.
"""

from __future__ import annotations

import json
import math
from typing import Any

from runledger.errors import BadInput

_BYTES_A_TOKEN = 2
"""Of numbers, ids and marks a model's token holds no fewer on the whole; of prose twice as many."""
_KEPT = {"runs": 1, "findings": 1}
_LISTS = ("runs", "findings", "open_incidents", "exclusions")


def tokens(document: Any) -> int:
    """At most so many tokens: an estimate that errs on the high side, for any tokenizer."""
    return math.ceil(len(json.dumps(document, ensure_ascii=False).encode()) / _BYTES_A_TOKEN)


def fitted(document: dict[str, Any], most: int) -> dict[str, Any]:
    """The document within ``most`` tokens; raises `BadInput` where it cannot be so short."""
    data = dict(document["data"])
    document = {**document, "data": data, "left_out": {}}
    while (size := tokens(document)) > most:
        name = _longest(data)
        if name is not None:
            data[name] = data[name][:-1]
            document["left_out"][name] = document["left_out"].get(name, 0) + 1
        elif optional := next((key for key in ("advice", "last_preflight") if data.get(key)), ""):
            data[optional] = None
            document["left_out"][optional] = 1
        else:
            raise BadInput(
                f"the context needs {size:,} tokens at least, and --max-tokens is {most:,}"
            )
    return document


def _longest(data: dict[str, Any]) -> str | None:
    lists = [name for name in _LISTS if len(data[name]) > _KEPT.get(name, 0)]
    return max(lists, key=lambda name: tokens(data[name]), default=None)
