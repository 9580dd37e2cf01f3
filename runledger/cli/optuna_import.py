"""``import optuna``: the finished trials of existing studies, made into events."""

from __future__ import annotations

import argparse
from datetime import tzinfo
from typing import TYPE_CHECKING, Any

from runledger.cli import exits
from runledger.cli.parser import Commands, command

if TYPE_CHECKING:
    from collectors.optuna import ImportedStudy


def add_import(sources: Commands) -> None:
    """Declare the sub-command."""
    parser = command(sources, "optuna", _import_optuna, "take in the trials of Optuna studies")
    parser.add_argument(
        "storage", metavar="STORAGE", help="SQLite or journal file, or a database URL"
    )
    parser.add_argument(
        "--study", action="append", default=[], metavar="S", help="default: all; may be repeated"
    )
    parser.add_argument(
        "--assume-tz",
        metavar="ZONE",
        help="the zone the study's program ran in, for example America/Los_Angeles or UTC",
    )


def _import_optuna(arguments: argparse.Namespace) -> int:
    from collectors.optuna import (
        BusyStorage,
        MissingStorage,
        NoSuchStudy,
        UnusableStorage,
        VanishedStudy,
    )
    from runledger.errors import BadInput, Missing

    try:
        return _imported(arguments)
    except BusyStorage as error:
        return exits.report(str(error), exits.TRY_LATER)
    except UnusableStorage as error:
        raise BadInput(str(error)) from error
    except (NoSuchStudy, MissingStorage, VanishedStudy) as error:
        raise Missing(str(error)) from error


def _imported(arguments: argparse.Namespace) -> int:
    from collectors.optuna import import_studies
    from runledger.arrivals import store_unknown
    from runledger.cli.opening import opened
    from runledger.cli.output import plain, print_json, say, talk

    zone = None if arguments.assume_tz is None else _zone(arguments.assume_tz)
    found = import_studies(arguments.storage, zone=zone, studies=arguments.study)
    # What cannot be read must not leave a new ledger behind.
    first = next(found, None)
    report: list[dict[str, Any]] = []
    with opened(arguments, create=True) as runledger:
        for study in () if first is None else (first, *found):
            stored, duplicates = store_unknown(runledger.ledger, study.events)
            report.append(_about(study, stored, duplicates))
            _name_left_out(study)
    if not report:
        talk(f"{arguments.storage} is an Optuna storage without any study")
    totals = {
        "studies": len(report),
        **{key: sum(each[key] for each in report) for key in ("stored", "duplicates")},
        "unfinished": sum(each["unfinished"] for each in report),
    }
    if arguments.json:
        print_json({**totals, "details": report})
        return exits.DONE
    for each in report:
        already = f", {each['duplicates']:,} were there already" if each["duplicates"] else ""
        left = f", {each['unfinished']:,} unfinished left out" if each["unfinished"] else ""
        say(f"{plain(each['study'])}: stored {each['stored']:,} trials{already}{left}")
    return exits.DONE


def _about(study: ImportedStudy, stored: int, duplicates: int) -> dict[str, Any]:
    return {
        "study": study.name,
        "stored": stored,
        "duplicates": duplicates,
        "unfinished": sum(len(numbers) for numbers in study.unfinished.values()),
    }


def _name_left_out(study: ImportedStudy) -> None:
    from runledger.cli.output import talk

    for state, numbers in study.unfinished.items():
        count = "1 trial is" if len(numbers) == 1 else f"{len(numbers):,} trials are"
        talk(
            f"{study.name}: {count} still {state} and unfinished, not imported: "
            f"{ranges(numbers)}"
        )
    if study.undated:
        talk(f"{study.name}: finished at no known time, not imported: {ranges(study.undated)}")


def ranges(numbers: tuple[int, ...], most: int = 12) -> str:
    """Trial numbers, runs of them written as ``first-last``."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    shown = [f"{first}-{last}" if last > first else f"{first}" for first, last in runs[:most]]
    return ", ".join(shown) + (", …" if len(runs) > most else "")


def _zone(text: str) -> tzinfo:
    """``UTC``, a name such as ``America/Los_Angeles``, or an offset such as ``-08:00``."""
    import re
    from datetime import timedelta, timezone
    from zoneinfo import ZoneInfo

    from runledger.errors import BadInput

    offset = re.fullmatch(r"([+-])([01]\d|2[0-3]):([0-5]\d)", text, re.ASCII)
    if offset:
        sign, hours, minutes = offset.groups()
        span = timedelta(hours=int(hours), minutes=int(minutes))
        return timezone(span if sign == "+" else -span)
    try:
        return ZoneInfo("UTC" if text in ("Z", "utc") else text)
    except (KeyError, ValueError, OSError):
        raise BadInput(
            f"{text!r} is no time zone: write for example UTC, America/Los_Angeles or -08:00"
        ) from None
