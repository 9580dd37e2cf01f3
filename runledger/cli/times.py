"""Times on a command line, made RFC 3339 once all of it has been read.

A time without an offset is in the zone of ``--tz``, which may stand after it,
else in the one that the settings name; text output says which.
"""

from __future__ import annotations

import argparse
import time
from datetime import UTC, tzinfo
from typing import Any

from runledger.cli.parser import Typed, TypedFilter


def resolve(arguments: argparse.Namespace) -> None:
    """Replace every time that was typed, also in filters; says the zone that it went by."""
    typed = {name: value for name, value in vars(arguments).items() if _holds_times(value)}
    if not typed:
        return
    reader = _Reader(arguments)
    for name, value in typed.items():
        setattr(arguments, name, reader.read(value))
    if reader.noted and not arguments.json:
        _say(reader)


def _holds_times(value: Any) -> bool:
    return isinstance(value, Typed) or (
        isinstance(value, list) and any(isinstance(each, TypedFilter) for each in value)
    )


class _Reader:
    """Reads times of one command line, all by the same clock."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self._arguments = arguments
        self._now_us = time.time_ns() // 1000
        self._zone: tzinfo | None = None
        self.zone_shown = ""
        self.noted: dict[str, str] = {}
        """What each time in that zone is, by how it was typed."""

    def read(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._filter(each) if isinstance(each, TypedFilter) else each for each in value]
        return self._time(str(value), ahead=value.ahead)

    def _filter(self, text: str) -> str:
        terms = []
        for term in text.split(","):
            key, equals, value = (part.strip() for part in term.partition("="))
            if key in ("since", "until") and value:
                term = f"{key}{equals}{self._in_filter(value)}"
            terms.append(term)
        return ",".join(terms)

    def _in_filter(self, text: str) -> str:
        from ledger.times import InvalidTime

        try:
            return self._time(text)
        except InvalidTime:
            return text  # for the filter's own reader to refuse, which names it whole

    def _time(self, text: str, *, ahead: bool = False) -> str:
        from ledger.times import format_time
        from runledger.config.moments import needs_zone, parse_moment

        local = needs_zone(text)
        zone = self._by_settings() if local else UTC
        found = format_time(parse_moment(text, now_us=self._now_us, zone=zone, ahead=ahead))
        if local:
            self.noted[text] = found
        return found

    def _by_settings(self) -> tzinfo:
        if self._zone is None:
            from runledger.config.settings import load_settings
            from runledger.config.zones import Zone

            named = self._arguments.tz
            chosen = (
                Zone(named, "by --tz") if named else load_settings(config=self._arguments.config).tz
            )
            self._zone = chosen.read()
            self.zone_shown = f"{chosen.name}, {chosen.by}"
        return self._zone


def _say(reader: _Reader) -> None:
    from runledger.terminal.output import talk

    told = ", ".join(f"{text} is {found}" for text, found in reader.noted.items())
    talk(f"note: {told} (in {reader.zone_shown})")
