"""The pipeline's node file, ``distributed_config.json``: which cards it should skip.

From a preflight, nodes that may not be used are left out of it as well.
Card numbers in that file are indices, and indices shift when a card disappears:
only a card that the newest probe of its node shows goes in, by the index it has
there; none is guessed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from typing import Any, NamedTuple

from ledger.identifiers import gpu_subject
from ledger.payloads import DecisionPayload
from rules.fleet import Fleet
from rules.kinds import PREFLIGHT
from rules.kinds.preflight import MAY_START
from rules.ladder import SITS_OUT
from runledger.errors import BadInput

_KEYS = ("excluded_gpus", "reason")
_BLANK = " \t\r\n\ufeff"
_NO_FLEET = Fleet()


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
        if not must_be_left_out(gpu):
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


def must_be_left_out(gpu: dict[str, Any]) -> bool:
    """Whether a card of an exclusions decision is out, does not answer, or needs a reset first."""
    return gpu["state"] in SITS_OUT or bool(gpu.get("down") or gpu.get("needs_reset"))


class Merged(NamedTuple):
    """A node file by a decision: None where it must not be used.

    ``unplaced`` are cards that are out and have no current index; programs must
    find out themselves where they are.
    """

    text: str | None
    unplaced: list[dict[str, Any]]


def check(text: str) -> None:
    """Raise `BadInput` unless it is a node file."""
    _node_spans(text)


def by_decision(text: str, decision: DecisionPayload, fleet: Fleet) -> Merged:
    """The node file as an exclusions or preflight decision wants it; see `merge`.

    A preflight speaks of its step's nodes only, and of those that may not be used:
    they go. At no-go or unknown there is no file.
    """
    outcome = decision.outcome
    if decision.kind != PREFLIGHT.name:
        nodes, unplaced = excerpt(outcome["gpus"], fleet)
        return Merged(merge(text, nodes, fleet=fleet), unplaced)
    if decision.verdict not in MAY_START:
        return Merged(None, [])
    gone = set(outcome["excluded_nodes"])
    cards = [
        {"node": node, "state": "excluded", "subject": gpu_subject(node, card["pci"]), **card}
        for node, listed in outcome["excluded_gpus"].items()
        for card in listed
        if node not in gone
    ]
    nodes, unplaced = excerpt(cards, fleet)
    judged = {node.name for node in fleet.nodes_of(str(decision.question["step"]))}
    return Merged(merge(text, nodes, fleet=fleet, without=gone, touch=judged), unplaced)


def merge(
    text: str,
    nodes: list[dict[str, Any]],
    *,
    fleet: Fleet = _NO_FLEET,
    without: Collection[str] = (),
    touch: Collection[str] | None = None,
) -> str:
    """The node file with the excerpt in it, and nothing else in it touched.

    ``excluded_gpus`` and ``reason`` of its nodes are replaced, added, or removed
    where a node has no card out any more (its ``reason`` only together with an
    ``excluded_gpus``). Nodes named in ``without`` go; ``touch`` are the only ones
    that are looked at (default: all). A node of the file is one of the ``fleet``
    by its address or name. Raises `BadInput` for a file that is no node file, or
    lacks a node that has cards out.
    """
    wanted = {fleet.resolve(node["hostname"]): node for node in nodes}
    spans = [(fleet.resolve(host), start, end) for host, start, end in _node_spans(text)]
    named = {name for name, _, _ in spans}
    missing = sorted(node["hostname"] for name, node in wanted.items() if name not in named)
    if missing:
        raise BadInput(
            f"the node file has no node {', '.join(missing)}", remedy="add it there first"
        )
    for name, start, end in reversed(spans):
        if name in without:
            text = _without_element(text, start, end)
        elif touch is None or name in touch:
            text = text[:start] + _edited(text[start:end], wanted.get(name)) + text[end:]
    return text


def _without_element(text: str, start: int, end: int) -> str:
    """The text without an element of a list, and without the comma that it leaves over."""
    after = _skip(text, end)
    if text[after] == ",":
        return text[:start] + text[_skip(text, after + 1) :]
    before = len(text[:start].rstrip(_BLANK))
    if text[before - 1] == ",":
        return text[: before - 1] + text[end:]
    return text[:start] + text[end:]


def _node_spans(text: str) -> list[tuple[str, int, int]]:
    """Hostname and extent of each object in the file's list of nodes."""
    try:
        document = json.loads(text.removeprefix("\ufeff"))
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
