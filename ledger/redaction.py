"""Events without the secrets that their texts and names hold.

Collectors give every event through here before it is stored or spooled: whatever
a job, a rig or a driver says may hold a password. Ids are never touched.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from typing import Any

import tomli_w

from ledger.canonical import digest
from ledger.errors import InvalidEvents
from ledger.event import Event, from_wire, to_wire
from ledger.payloads import Json
from ledger.text.secrets import redact, redact_value

_NAMES = ("source", "subject", "runid", "step")
_CONFIGURED = ("policy_activated", "fleet_configured")


def redacted(event: Event, secrets: Sequence[str] = ()) -> Event:
    """The event without secrets: the very same where it holds none.

    ``secrets`` are values that must not be in it wherever they stand.
    """
    wire = to_wire(event)
    told = redacted_wire(wire, secrets)
    if told == wire:
        return event
    try:
        return from_wire(told)
    except InvalidEvents:
        # A field of fixed form that looks like a secret: better kept than the event lost.
        return event


def redacted_wire(wire: Json, secrets: Sequence[str] = ()) -> Json:
    """An event's CloudEvents object without secrets; equal to ``wire`` where it holds none."""
    names = {name: redact(wire[name], secrets) for name in _NAMES if wire.get(name) is not None}
    data: Any = wire["data"]
    if wire["type"] in _CONFIGURED and isinstance(data.get("text"), str):
        # Its digest is that of its text, and the text must be read again.
        text = _configuration(data["text"], secrets)
        data = data if text == data["text"] else {**data, "text": text, "digest": _digest(text)}
    else:
        data = redact_value(data, secrets)
    return {**wire, **names, "data": data}


def _configuration(text: str, secrets: Sequence[str]) -> str:
    told = redact(text, secrets)
    if told == text:
        return text
    try:
        tomllib.loads(told)
    except tomllib.TOMLDecodeError:
        return tomli_w.dumps(redact_value(tomllib.loads(text), secrets))
    return told


def _digest(text: str) -> str:
    return digest(text.encode())
