"""The pipeline's node file, ``distributed_config.json``: which cards it should skip.

Card numbers in that file are indices, and indices shift when a card disappears:
only a card that the newest probe of its node shows goes in, by the index it has
there; none is guessed.
"""

from __future__ import annotations

import json
import re
from typing import Any

from rules.fleet import Fleet
from rules.ladder import SITS_OUT
from runledger.errors import BadInput

_KEYS = ("excluded_gpus", "reason")


def excerpt(
    gpus: list[dict[str, Any]], fleet: Fleet
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """``[{"hostname", "excluded_gpus": [index, …], "reason"}, …]`` and the cards without an index.

    ``gpus`` is ``outcome["gpus"]`` of an exclusions decision; the hostname is the
    node's address.
    """
    by_node: dict[str, list[dict[str, Any]]] = {}
    unplaced: list[dict[str, Any]] = []
    for gpu in gpus:
        if gpu["state"] not in SITS_OUT:
            continue
        if gpu.get("index") is None or gpu.get("gone"):
            unplaced.append(gpu)
        else:
            by_node.setdefault(gpu["node"], []).append(gpu)
    found = []
    for name, cards in by_node.items():
        node = fleet.node(name)
        cards.sort(key=lambda card: int(card["index"]))
        found.append(
            {
                "hostname": name if node is None else node.address,
                "excluded_gpus": [card["index"] for card in cards],
                "reason": "; ".join(f"GPU {card['index']}: {card['reason']}" for card in cards),
            }
        )
    return found, unplaced


def merge(text: str, nodes: list[dict[str, Any]]) -> str:
    """The node file with the excerpt in it, and nothing else in it touched.

    ``excluded_gpus`` and ``reason`` of its nodes are replaced, added, or removed
    where a node has no card out any more (its ``reason`` only together with an
    ``excluded_gpus``). Raises `BadInput` for a file that is no node file, or
    lacks a node that has cards out.
    """
    wanted = {node["hostname"]: node for node in nodes}
    spans = _node_spans(text)
    missing = sorted(set(wanted) - {host for host, _, _ in spans})
    if missing:
        raise BadInput(f"the node file has no node {', '.join(missing)}: add it there first")
    for host, start, end in reversed(spans):
        text = text[:start] + _edited(text[start:end], wanted.get(host)) + text[end:]
    return text


def _node_spans(text: str) -> list[tuple[str, int, int]]:
    """Hostname and extent of each object in the file's list of nodes."""
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise BadInput(f"the node file is not JSON: {error.msg} (line {error.lineno})") from None
    except (ValueError, RecursionError):  # Python's own limits on digits and depth
        raise BadInput("the node file is nested too deeply, or has a number without end") from None
    if not isinstance(document, dict) or not isinstance(document.get("nodes"), list):
        raise BadInput("the node file has no list under 'nodes'")
    at = _value_of(text, 0, "nodes")
    decoder = json.JSONDecoder()
    spans: list[tuple[str, int, int]] = []
    at = _skip(text, at + 1)
    while text[at] != "]":
        value, end = decoder.raw_decode(text, at)
        if isinstance(value, dict) and isinstance(value.get("hostname"), str):
            spans.append((value["hostname"], at, end))
        at = _skip(text, end)
        if text[at] == ",":
            at = _skip(text, at + 1)
    return spans


def _members(text: str) -> list[tuple[str, int, int, int]]:
    """Key, start of the key, start and end of the value, for each member of an object's text."""
    decoder = json.JSONDecoder()
    found: list[tuple[str, int, int, int]] = []
    at = _skip(text, _skip(text, 0) + 1)
    while text[at] != "}":
        key, end = decoder.raw_decode(text, at)
        value = _skip(text, _skip(text, end) + 1)
        _, stop = decoder.raw_decode(text, value)
        found.append((key, at, value, stop))
        at = _skip(text, stop)
        if text[at] == ",":
            at = _skip(text, at + 1)
    return found


def _value_of(text: str, start: int, key: str) -> int:
    # Of a key that is there twice, the last counts, as for `json.loads`.
    return [value for name, _, value, _ in _members(text[start:]) if name == key][-1] + start


def _skip(text: str, at: int) -> int:
    match = re.compile(r"[ \t\r\n\ufeff]*").match(text, at)
    return match.end() if match is not None else at


def _edited(node: str, wanted: dict[str, Any] | None) -> str:
    names = [key for key, *_ in _members(node)]
    if wanted is None:
        if "excluded_gpus" not in names:
            return node
        for key in _KEYS:
            if key in names:
                node = _without(node, key)
        return node
    for key in _KEYS:
        value = json.dumps(wanted[key], ensure_ascii=False)
        members = _members(node)
        there = next((each for each in members if each[0] == key), None)
        if there is not None:
            node = node[: there[2]] + value + node[there[3] :]
            continue
        first, last = members[0], members[-1]
        lead = node[node.index("{") + 1 : first[1]]  # the file's own line break and indent
        node = f"{node[: last[3]]},{lead or ' '}{json.dumps(key)}: {value}{node[last[3] :]}"
    return node


def _without(node: str, key: str) -> str:
    members = _members(node)
    at = next(place for place, each in enumerate(members) if each[0] == key)
    _, start, _, stop = members[at]
    if at + 1 < len(members):
        return node[:start] + node[members[at + 1][1] :]
    if at > 0:
        return node[: members[at - 1][3]] + node[stop:]
    return node[:start] + node[stop:]
