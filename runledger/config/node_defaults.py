"""``[defaults]`` of a ``runledger.toml``: what holds for each node that does not say otherwise."""

from __future__ import annotations

from typing import Any

from rules.fleet import Node
from rules.toml import check

_OWN = ("name", "address")
"""What only a node itself can say."""


def with_defaults(table: dict[str, Any], problems: list[str]) -> dict[str, Any]:
    """The table with each of its nodes written out; what is wrong with the defaults is named.

    The fleet that is recorded holds each node whole, and knows of no defaults.
    """
    defaults = table.get("defaults", {})
    before = len(problems)
    if not isinstance(defaults, dict):
        problems.append("defaults: write [defaults]")
    else:
        problems += [f"defaults.{key}: each node has its own" for key in _OWN if key in defaults]
        rest = {key: value for key, value in defaults.items() if key not in _OWN}
        check({"name": "any", **rest}, Node, "defaults", problems)
    nodes = table.get("nodes")
    if len(problems) > before or not isinstance(nodes, list):
        return table
    whole = [{**defaults, **node} if isinstance(node, dict) else node for node in nodes]
    return {**table, "nodes": whole}
