"""``import optuna``: the finished trials of existing studies, made into events."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from runledger.cli import exits
from runledger.cli.parser import Commands, command

if TYPE_CHECKING:
    from runledger.intake.optuna_studies import TakenIn


def add_import(sources: Commands) -> None:
    """Declare the sub-command."""
    parser = command(
        sources,
        "optuna",
        _import_optuna,
        "take in the trials of Optuna studies",
        examples=[
            "runledger import optuna optuna.db --assume-tz America/Los_Angeles",
            "runledger import optuna studies/ 'old/*.db' --assume-tz UTC",
        ],
    )
    parser.add_argument(
        "storages",
        nargs="+",
        metavar="STORAGE",
        help="SQLite or journal file, a database URL, a folder or a pattern of files",
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
    from ledger.text.characters import plain
    from runledger.cli.ledger_options import opened
    from runledger.terminal.output import print_json, say, talk

    passed_over: list[tuple[str, str]] = []
    with opened(arguments, create=True) as runledger:
        studies = runledger.import_optuna(
            arguments.storages,
            assume_tz=arguments.assume_tz,
            studies=arguments.study,
            passed_over=lambda path, why: passed_over.append((path, why)),
        )
    if not studies:
        talk(f"{', '.join(arguments.storages)}: an Optuna storage without any study")
    for _, why in passed_over:
        talk(f"passed over: {why}")
    for study in studies:
        _name_left_out(study)
    if arguments.json:
        print_json(
            {
                "studies": len(studies),
                "stored": sum(study.stored for study in studies),
                "duplicates": sum(study.duplicates for study in studies),
                "unfinished": sum(_unfinished(study) for study in studies),
                "details": [_details(study) for study in studies],
                "passed_over": [{"path": path, "why": why} for path, why in passed_over],
            }
        )
        return exits.DONE
    for study in studies:
        already = f", {study.duplicates:,} were there already" if study.duplicates else ""
        left = f", {_unfinished(study):,} unfinished left out" if study.unfinished else ""
        trials = "1 trial" if study.stored == 1 else f"{study.stored:,} trials"
        say(plain(f"{study.study}: stored {trials}{already}{left}"))
    return exits.DONE


def _details(study: TakenIn) -> dict[str, object]:
    return {
        "study": study.study,
        "stored": study.stored,
        "duplicates": study.duplicates,
        "unfinished": _unfinished(study),
        "refused": len(study.refused),
        "carried": len(study.carried),
    }


def _unfinished(study: TakenIn) -> int:
    return sum(len(numbers) for numbers in study.unfinished.values())


def _name_left_out(study: TakenIn) -> None:
    from runledger.terminal.output import talk

    for state, numbers in study.unfinished.items():
        count = "1 trial is" if len(numbers) == 1 else f"{len(numbers):,} trials are"
        talk(f"{study.study}: {count} unfinished ({state}), not imported: {ranges(numbers)}")
    if study.carried:
        talk(f"{study.study}: carried over from other studies, no news: {ranges(study.carried)}")
    for number, reason in study.refused.items():
        talk(f"{study.study}: trial {number} is not imported: {reason}")


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
