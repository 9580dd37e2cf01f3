"""Read what ``amd-smi list --json`` and ``amd-smi metric --json`` print.

A bare array in 6.x:

>>> cards = '''[{"gpu": 0, "bdf": "0000:0B:00.0", "uuid": "1f-73ff-0001", "kfd_id": 7,
...     "node_id": 1, "partition_id": 0}]'''
>>> parse(cards, '[{"gpu": 0, "usage": {"gfx_activity": 12, "umc_activity": 3}}]').cards[0].busy_pct
12

An object in 7.2, with units since 6.1, and ``"N/A"`` for what is missing. Text may follow:

>>> metrics = '''{"gpu_data": [{"gpu": 0, "usage": {"gfx_activity": {"value": 4, "unit": "%"}},
...     "temperature": {"edge": {"value": 40, "unit": "C"}},
...     "mem_usage": {"total_vram": {"value": 8176, "unit": "MB"},
...                   "used_vram": {"value": 21, "unit": "MB"}}}]}
... Legend:
...   * = Current mode'''
>>> card = parse(cards, metrics).cards[0]
>>> card.pci, card.state, card.vram_used_mib, card.temp_c, card.card_uid
('0000:0b:00.0', 'ok', 21, 40, '1f-73ff-0001')
>>> parse(cards, '[{"gpu": 0, "usage": {"gfx_activity": "N/A"}}]').cards[0].state
'unknown'

Its "MB" are MiB. The uuid may be the same on several cards; that is for the
reader of many probes to notice. The tool never says that a card is dead, so
nothing here is ``unresponsive``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from collectors.tools.reading import (
    HOTTEST_C,
    CardReading,
    ToolReading,
    amount,
    impossible,
    json_values,
    name,
    number,
)
from ledger.identifiers import normalize_pci


def parse(list_text: str, metric_text: str = "") -> ToolReading:
    """The cards of ``amd-smi list``, with what ``amd-smi metric`` says of them, by their number."""
    metrics = dict(_items(metric_text))
    cards: dict[int, CardReading] = {}
    for index, item in _items(list_text):
        metric = metrics.get(index, {})
        busy = amount(_part(metric, "usage").get("gfx_activity"))
        memory = _part(metric, "mem_usage")
        bus = item.get("bdf", _part(item, "bus").get("bdf"))
        heat_c = number(_part(metric, "temperature").get("edge"))
        pci = normalize_pci(bus.strip()) if isinstance(bus, str) else None
        lies = _lies(metric)
        # A partition's use is counted with that of the first one.
        answered = busy is not None or _shares(item, pci, cards)
        cards[index] = CardReading(
            "unresponsive" if lies else "ok" if answered else "unknown",
            index,
            pci,
            card_uid=name(item.get("uuid")),
            model=name(_part(item, "asic").get("market_name")),
            busy_pct=busy,
            vram_used_mib=amount(memory.get("used_vram")),
            vram_total_mib=amount(memory.get("total_vram")),
            temp_c=heat_c,
            detail="its numbers cannot be" if lies else "",
        )
    return ToolReading(tuple(cards[index] for index in sorted(cards)))


def _shares(item: dict[str, Any], pci: str | None, cards: dict[int, CardReading]) -> bool:
    """Whether this is a further partition of a card whose first one is well."""
    partition = item.get("partition_id")
    if not isinstance(partition, int) or partition < 1 or pci is None:
        return False
    device = pci.rpartition(".")[0]
    return any(
        card.state == "ok" and card.pci is not None and card.pci.startswith(f"{device}.")
        for card in cards.values()
    )


def _lies(metric: dict[str, Any]) -> bool:
    heat = _part(metric, "temperature")
    readings = [*heat.values(), _part(metric, "usage").get("gfx_activity")]
    return any(map(impossible, readings)) or any(
        (number(each) or 0) > HOTTEST_C for each in heat.values()
    )


def _items(text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects about one GPU each, in all the wrappings."""
    for value in json_values(text):
        if isinstance(value, dict):
            value = value.get("gpu_data", [value])
        for item in value if isinstance(value, list) else []:
            if isinstance(item, dict):
                index = item.get("gpu")
                if isinstance(index, int) and not isinstance(index, bool) and 0 <= index < 10_000:
                    yield index, item


def _part(item: dict[str, Any], key: str) -> dict[str, Any]:
    part = item.get(key)
    return part if isinstance(part, dict) else {}
