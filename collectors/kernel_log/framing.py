"""Takes a line of a kernel log apart: stamp, host, level, and what the kernel said.

Knows every way in which dmesg, /dev/kmsg, journalctl and syslog frame a line.
A frame is described, not interpreted: which year a syslog stamp belongs to is
for `clock` to say. Nothing here fails: a line without a known frame is all text.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import NamedTuple

from collectors.kernel_log.journal import journal_line
from collectors.kernel_log.line import Civil, Line
from collectors.kernel_log.months import MONTH, month
from ledger.times import from_datetime

__all__ = ["frame"]

_LEVELS = {
    name: number
    for number, name in enumerate(
        ("emerg", "alert", "crit", "err", "warn", "notice", "info", "debug")
    )
}
_WEEKDAY = "Mon|Tue|Wed|Thu|Fri|Sat|Sun"
_HMS = r"(?P<h>\d\d):(?P<m>\d\d):(?P<s>\d\d)"
_BETWEEN = r"(?:\s*<\s*\+?\d+\.\d+>)?"  # dmesg --show-delta
_CALLER = r"(?:\s*\[\s*[TC]\d+\])?"  # CONFIG_PRINTK_CALLER: thread or CPU
_MONO = rf"\[\s*(?P<sec>\d{{1,10}})\.(?P<usec>\d{{1,6}}){_BETWEEN}\]{_CALLER} ?"

_LEVEL = re.compile(
    r"<(?P<pri>\d{1,3})>(?:1 (?=\d{4}-))?"  # RFC 5424 has its version in front of the stamp
    r"|[a-z]+\d?\s*:(?P<level>emerg|alert|crit|err|warn|notice|info|debug)\s*: "
)
_MONOTONIC = re.compile(_MONO, re.ASCII)
_BRACKET = re.compile(
    rf"\[(?:{MONTH}[,.]? (?P<mon>{MONTH})\s+(?P<day>\d\d?) {_HMS} (?P<year>\d{{4}}){_BETWEEN}"
    rf"|(?P<mon2>{MONTH})\s?(?P<day2>\d\d?) (?P<h2>\d\d):(?P<m2>\d\d)"
    rf"|(?:\s*[+]|<\s*)(?P<dsec>\d{{1,10}})\.(?P<dusec>\d{{1,6}})>?)\]{_CALLER} ?",
    re.ASCII,
)
_ISO = re.compile(
    rf"(?P<weekday>(?:{_WEEKDAY}) )?(?P<year>\d{{4}})-(?P<mon>\d\d)-(?P<day>\d\d)[T ]{_HMS}"
    r"(?:(?P<point>[.,])(?P<frac>\d{1,9}))?(?P<zone> ?Z| ?[+-]\d\d:?\d\d| UTC)?"
    # journalctl -o short-full names the zone; such a name tells no offset.
    r"(?(weekday)(?: (?!kernel)[A-Z]{2,5}(?= ))?)(?:\s|$)",
    re.ASCII,
)
_SYSLOG = re.compile(
    rf"(?P<mon>{MONTH})\s+(?P<day>\d\d?) {_HMS}(?:\.(?P<frac>\d{{1,6}}))?(?:\s|$)", re.ASCII
)
_CLOCK = re.compile(rf"{_HMS}(?:[.,](?P<frac>\d{{1,6}}))?(?:\s|$)", re.ASCII)
_UNIX = re.compile(r"(?P<sec>\d{9,10})\.(?P<usec>\d{6})(?:\s|$)", re.ASCII)
_KMSG = re.compile(r"(?P<pri>\d{1,5}),(?P<seq>\d{1,15}),(?P<usec>\d{1,15}),[^;]{0,80};", re.ASCII)

_KERNEL = re.compile(
    rf"(?:(?P<host>[\w.-]+) )?kernel(?:\[\d+\])?(?:: | - - - )(?:{_MONO})?", re.ASCII
)
_STREAM = re.compile(r"(?:stdout|stderr) [FP] ")
"""Between a container's stamp and its line, as Kubernetes writes it."""
_INNER = re.compile(rf"(?:[|>:] ?)?{_MONO}", re.ASCII)
_PROGRAM = re.compile(r"(?!kfd )(?P<host>[\w.-]+) [A-Za-z_][\w./@-]*(?:\[\d+\])?: ", re.ASCII)
_ESCAPED = re.compile(r"\\x([0-9a-f]{2})")
_COLOUR = re.compile(r"\x1b\[[0-9;]*[mK]")


class _Stamp(NamedTuple):
    end: int
    monotonic_us: int | None = None
    wall_us: int | None = None
    civil: Civil | None = None
    delta_us: int | None = None
    names_program: bool = False
    """Such stamps are followed by a program's name, which may not be the kernel's."""


def frame(raw: str, number: int = 0) -> Line:
    """The parts of one line, given without its line end; ``number`` is its place in the file.

    >>> line = frame("kern  :err   : [   27.000001] amdgpu: device lost from bus!")
    >>> line.monotonic_us, line.level, line.text
    (27000001, 3, 'amdgpu: device lost from bus!')
    """
    if raw[:1] == "{":
        line = journal_line(raw, number)
        if line is not None:
            return line
    text = raw
    if "\x1b" in text:
        text = _COLOUR.sub("", text)
    text = text.lstrip(" \t\0\ufeff").rstrip()
    # Most lines open with a bracket; the patterns below cannot.
    plain = text[:1] != "["
    kmsg = _KMSG.match(text) if plain else None
    if kmsg is not None:
        return Line(
            number=number,
            raw=raw,
            text=_unescape(text[kmsg.end() :]),
            monotonic_us=int(kmsg["usec"]),
            level=int(kmsg["pri"]) & 7,
            sequence=int(kmsg["seq"]),
            certain=True,
            kmsg=True,
        )
    level: int | None = None
    match = _LEVEL.match(text) if plain else None
    if match is not None:
        level = int(match["pri"]) & 7 if match["pri"] else _LEVELS[match["level"]]
        text = text[match.end() :]
    return _behind_level(text, raw, number, level)


def _behind_level(text: str, raw: str, number: int, level: int | None) -> Line:
    stamp = _stamp(text)
    rest, host, kernel, monotonic_us = text[stamp.end :], None, True, stamp.monotonic_us
    certain = stamp.end > 0 and not stamp.names_program
    if stamp.wall_us is not None and (stream := _STREAM.match(rest)):
        rest = rest[stream.end() :]
    match = _KERNEL.match(rest)
    if match is not None:
        rest, host, certain = rest[match.end() :], match["host"], True
        if match["sec"] and monotonic_us is None:
            monotonic_us = _micros(match["sec"], match["usec"])
    elif stamp.end and stamp.monotonic_us is None and (inner := _INNER.match(rest)):
        # A console, a container's log: a stamp of theirs, then the kernel's own line.
        rest, monotonic_us = rest[inner.end() :], _micros(inner["sec"], inner["usec"])
        certain = True
    elif stamp.names_program:
        program = _PROGRAM.match(rest)
        if program is not None:
            rest, host, kernel = rest[program.end() :], program["host"], False
    return Line(
        number=number,
        raw=raw,
        text=rest,
        monotonic_us=monotonic_us,
        wall_us=stamp.wall_us,
        civil=stamp.civil,
        delta_us=stamp.delta_us,
        host=host,
        level=level,
        kernel=kernel,
        certain=certain,
    )


def _stamp(text: str) -> _Stamp:
    """The stamp at the start of ``text``; one that names no possible time is no stamp."""
    first = text[:1]
    if first == "[":
        match = _MONOTONIC.match(text)
        if match is not None:
            return _Stamp(match.end(), monotonic_us=_micros(match["sec"], match["usec"]))
        match = _BRACKET.match(text)
        return _bracket(match) if match is not None else _Stamp(0)
    if not first.isalnum():
        return _Stamp(0)
    match = _ISO.match(text)
    if match is not None:
        return _iso(match)
    match = _SYSLOG.match(text)
    if match is not None and (of_year := month(match["mon"])) is not None:
        civil = Civil(None, of_year, int(match["day"]), *_hms(match))
        return (
            _Stamp(match.end(), civil=civil, names_program=True) if civil.possible() else _Stamp(0)
        )
    match = _CLOCK.match(text)
    if match is not None:
        civil = Civil(None, None, None, *_hms(match))
        return _Stamp(match.end(), civil=civil) if civil.possible() else _Stamp(0)
    match = _UNIX.match(text)
    if match is not None:
        return _Stamp(match.end(), wall_us=_micros(match["sec"], match["usec"]), names_program=True)
    return _Stamp(0)


def _bracket(match: re.Match[str]) -> _Stamp:
    if match["dsec"]:
        return _Stamp(match.end(), delta_us=_micros(match["dsec"], match["dusec"]))
    of_year = month(match["mon2"] or match["mon"])
    if of_year is None:
        return _Stamp(0)
    if match["mon2"]:
        hour, minute = int(match["h2"]), int(match["m2"])
        civil = Civil(None, of_year, int(match["day2"]), hour, minute, 0, 0)
    else:
        civil = Civil(int(match["year"]), of_year, int(match["day"]), *_hms(match))
    return _Stamp(match.end(), civil=civil) if civil.possible() else _Stamp(0)


def _iso(match: re.Match[str]) -> _Stamp:
    civil = Civil(int(match["year"]), int(match["mon"]), int(match["day"]), *_hms(match))
    if not civil.possible():
        return _Stamp(0)
    # dmesg writes a comma and no host; syslog and journalctl a point, a host and a program.
    names_program = match["point"] != ","
    zone = match["zone"]
    if zone is None:
        return _Stamp(match.end(), civil=civil, names_program=names_program)
    zone = zone.strip()
    offset = "+00:00" if zone in ("Z", "UTC") else zone if ":" in zone else f"{zone[:3]}:{zone[3:]}"
    try:
        whole = datetime.fromisoformat(
            f"{match[0][match.start('year') - match.start() :][:10]}T00:00:00{offset}"
        )
        midnight_us = from_datetime(whole)
    except (ValueError, OverflowError):
        return _Stamp(0)
    wall_us = midnight_us + civil.of_day_us()
    return _Stamp(match.end(), wall_us=wall_us, names_program=names_program)


def _hms(match: re.Match[str]) -> tuple[int, int, int, int]:
    fraction = match.groupdict().get("frac") or "0"
    return int(match["h"]), int(match["m"]), int(match["s"]), int(fraction[:6].ljust(6, "0"))


def _micros(seconds: str, fraction: str) -> int:
    # The kernel writes six digits; who copies a line into a report may have shortened them.
    return int(seconds) * 1_000_000 + int(fraction.ljust(6, "0"))


def _unescape(text: str) -> str:
    """/dev/kmsg writes control and other odd bytes as ``\\x09``; dmesg and the journal do not."""
    if "\\x" not in text:
        return text
    joined = _ESCAPED.sub(lambda match: chr(int(match[1], 16)), text)
    try:
        return joined.encode("latin-1").decode("utf-8", "replace")
    except UnicodeEncodeError:  # already held characters beyond bytes
        return joined
