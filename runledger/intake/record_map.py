"""The map that says where another program's records keep what a run is made of.

TOML: ``assume_tz``, and the tables ``fields`` (what we call it = where it is, a path
with dots), ``scope`` (likewise) and ``outcomes`` (their word = ours).
"""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from ledger.event_checks import unknown_names
from ledger.times import InvalidTime, from_datetime, parse_time
from rules.toml import check, parse_toml
from runledger.config.zones import parse_zone
from runledger.errors import BadInput

_Path = Annotated[str, Meta(min_length=1, max_length=500)]
_Outcome = Literal["succeeded", "failed", "aborted"]


class Fields(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a record keeps what; ``time`` is when it was written, ``started`` when its run began.

    A count is made of ``survivors``, ``completed_trials``, ``trials`` and
    ``seed_count`` together, and of nothing less.
    """

    time: _Path
    run: _Path | None = None
    started: _Path | None = None
    step: _Path | None = None
    study: _Path | None = None
    pipeline: _Path | None = None
    trials: _Path | None = None
    seed_count: _Path | None = None
    completed_trials: _Path | None = None
    survivors: _Path | None = None
    outcome: _Path | None = None
    reason: _Path | None = None


class RecordMap(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole map."""

    fields: Fields
    assume_tz: str | None = None
    scope: dict[str, _Path] = {}
    outcomes: dict[str, _Outcome] = {}


def parse_map(text: str, origin: str) -> RecordMap:
    """The map in a TOML text; raises `BadInput` naming every key that is wrong."""
    try:
        table = parse_toml(text)
    except ValueError as error:
        raise BadInput(f"{origin}: {error}") from None
    problems: list[str] = []
    known = RecordMap.__struct_fields__
    unknown = unknown_names((key for key in table if key not in known), known)
    problems += [f"{key}: unknown key; did you mean {meant}?" for key, meant in unknown]
    check(table.get("fields", {}), Fields, "fields", problems)
    if not problems:
        try:
            found = msgspec.convert(table, RecordMap)
        except msgspec.ValidationError as error:
            # "Invalid enum value 'x' - at `$.outcomes[...]`"
            problems.append(str(error).replace("$.", ""))
    if problems:
        raise BadInput("\n".join(f"{origin}: {problem}" for problem in problems))
    if found.assume_tz is not None:
        parse_zone(found.assume_tz)
    return found


def value_at(record: Any, path: str | None) -> Any:
    """What is at a path with dots; a key that has dots itself is found first. None: nothing."""
    if path is None or not isinstance(record, dict):
        return None
    if path in record:
        return record[path]
    head, _, rest = path.partition(".")
    return value_at(record.get(head), rest) if rest else None


def time_of(value: Any, zone: tzinfo | None) -> int:
    """Microseconds since the epoch of RFC 3339, naive ISO or numeric times.

    Raises `BadInput` for what is none, and for a naive time without a zone.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        if not 0 < value < 1e14:
            raise BadInput(f"{value!r} is no time")
        # Seconds up to the year 5138, else milliseconds.
        return round(value * (1_000_000 if value < 1e11 else 1_000))
    if not isinstance(value, str):
        raise BadInput(f"{value!r} is no time")
    try:
        return parse_time(value.strip())
    except InvalidTime:
        pass
    try:
        moment = datetime.fromisoformat(value.strip())
    except ValueError:
        raise BadInput(f"{value[:80]!r} is no time") from None
    if moment.tzinfo is None:
        if zone is None:
            raise BadInput(
                f"{value!r} does not say of which zone it is: write assume_tz in the map"
            )
        moment = moment.replace(tzinfo=zone)
    return from_datetime(moment.astimezone(UTC))
