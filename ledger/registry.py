"""Which event types exist, at which version, and how older payloads become current ones.

A stored payload is never rewritten. One of an older ``dataschemaversion`` is
upgraded on read: the upcasts registered for its type run in order, each taking
the JSON object of one version to the next.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from ledger import payloads
from ledger.payloads import Json, OwnPayload, Payload, is_own_type

Upcast = Callable[[Json], Json]

PAYLOAD_TYPES: dict[str, type[Payload]] = {}
"""Every event type by name."""

_UPCASTS: dict[tuple[str, int], Upcast] = {}
_DECODERS: dict[str, msgspec.json.Decoder[Payload]] = {}
_own_values = msgspec.json.Decoder(Json)


def register(cls: type[Payload], upcasts: Mapping[int, Upcast] | None = None) -> type[Payload]:
    """Make an event type known; ``upcasts`` (default: the type's own) as `Payload.upcasts`.

    Raises `ValueError` where a version below the current one has no upcast, one
    stands for no such version, or the name is taken.
    """
    upcasts = cls.upcasts if upcasts is None else upcasts
    for version in sorted({*range(1, cls.version), *upcasts}):
        if version not in upcasts:
            raise ValueError(f"{cls.event_type}: no upcast from version {version}")
        if not 1 <= version < cls.version:
            raise ValueError(
                f"{cls.event_type}: an upcast from version {version}, which is no older one"
            )
    known = PAYLOAD_TYPES.get(cls.event_type)
    if known is not None and known is not cls:
        raise ValueError(f"event type {cls.event_type!r} exists already")
    PAYLOAD_TYPES[cls.event_type] = cls
    _DECODERS[cls.event_type] = msgspec.json.Decoder(cls)
    for version, upcast in upcasts.items():
        _UPCASTS[cls.event_type, version] = upcast
    return cls


def unregister(cls: type[Payload]) -> None:
    """Forget a type added by `register`; what is stored of it cannot be read any longer."""
    del PAYLOAD_TYPES[cls.event_type], _DECODERS[cls.event_type]
    for key in [key for key in _UPCASTS if key[0] == cls.event_type]:
        del _UPCASTS[key]


def upcast(event_type: str, version: int, data: Json) -> Json:
    """``data`` of ``version`` brought to the current version of its type."""
    for step in range(version, PAYLOAD_TYPES[event_type].version):
        data = _UPCASTS[event_type, step](data)
    return data


def decode_payload(event_type: str, version: int, text: str | bytes) -> Payload:
    """The current typed payload for canonical JSON of any known version.

    That of a type which a ledger declares is whatever object it is, at any version.
    Raises `KeyError` for a type or version this program does not know, and
    `msgspec.DecodeError` for text that is no such payload.
    """
    if is_own_type(event_type):
        return OwnPayload(values=_own_values.decode(text))
    decoder = _DECODERS[event_type]
    current = PAYLOAD_TYPES[event_type].version
    if version == current:
        return decoder.decode(text)
    if version > current:
        raise KeyError(f"{event_type} version {version} (this program knows up to {current})")
    data: Any = upcast(event_type, version, msgspec.json.decode(text))
    return decoder.decode(msgspec.json.encode(data))


# What this package brings is held to the same: a type whose version was raised and
# that forgot an upcast stops the program here, not the reader of an old ledger.
for _cls in vars(payloads).values():
    if isinstance(_cls, type) and issubclass(_cls, Payload) and _cls.event_type:
        register(_cls)
