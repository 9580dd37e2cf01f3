"""Time zones as people write them."""

from __future__ import annotations

import re
from datetime import UTC, timedelta, timezone, tzinfo
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from runledger.errors import BadInput

_OFFSET = re.compile(r"([+-])((?:0\d|1[0-4])):?([0-5]\d)\Z", re.ASCII)


def parse_zone(text: str) -> tzinfo:
    """The zone in ``UTC``, ``America/Los_Angeles`` or ``-08:00``; raises `BadInput`."""
    if text.upper() in ("UTC", "Z"):
        return UTC
    offset = _OFFSET.match(text)
    if offset is not None:
        size = timedelta(hours=int(offset[2]), minutes=int(offset[3]))
        return timezone(-size if offset[1] == "-" else size)
    try:
        return ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise BadInput(
            f"{text!r} is no time zone",
            remedy="write for example UTC, America/Los_Angeles or -08:00",
        ) from None


class Zone(NamedTuple):
    """A time zone as it was written, and who named it, in words."""

    name: str = "UTC"
    by: str = "by default"

    def read(self) -> tzinfo:
        """The zone; raises `BadInput` where it was named wrongly."""
        try:
            return parse_zone(self.name)
        except BadInput as error:
            raise BadInput(f"the zone {self.by}: {error.what}", remedy=error.remedy) from None
