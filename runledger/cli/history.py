"""Commands over recorded decisions: decisions, why, replay, whatif."""

from __future__ import annotations

import argparse
from typing import Any

from runledger.cli import exits
from runledger.cli.parser import Commands, command, position


def add(commands: Commands) -> None:
    """Declare the commands."""
    parser = command(commands, "decisions", _decisions, "list recorded decisions, oldest first")
    _where(parser)

    parser = command(commands, "why", _why, "explain a decision")
    parser.add_argument("decision", metavar="DECISION", help="its id")
    parser.add_argument(
        "--minimal", action="store_true", help="find a smallest set of events that it hangs on"
    )
    drawn = parser.add_mutually_exclusive_group()
    drawn.add_argument("--dot", action="store_true", help="draw it for Graphviz")
    drawn.add_argument("--html", action="store_true", help="draw it as one HTML page")

    parser = command(commands, "replay", _replay, "make decisions again and compare them")
    parser.add_argument("decisions", nargs="*", metavar="DECISION", help="default: all")

    parser = command(commands, "whatif", _whatif, "make decisions again under a change")
    parser.add_argument("--policy", metavar="FILE", help="another policy")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", dest="settings",
        help="another value in it, for example gpu.exclude_after_incidents=1",
    )  # fmt: skip
    parser.add_argument("--without", action="append", default=[], metavar="FILTER")
    parser.add_argument("--with", action="append", default=[], metavar="FILE", dest="added")
    parser.add_argument("--at", metavar="TIME", help="judge all of them at this time")
    parser.add_argument("--as-of", type=position, metavar="SEQ", help="on events up to here")
    parser.add_argument("--where", action="append", default=[], metavar="FILTER", help="which ones")
    parser.add_argument("--fail-on-change", action="store_true", help="exit 12 on a change")
    parser.add_argument("--junit", metavar="FILE", help="write a report for CI")


def _where(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--where", action="append", default=[], metavar="FILTER",
        help="KEY=VALUE,…; given twice it widens",
    )  # fmt: skip


def _decisions(arguments: argparse.Namespace) -> int:
    import msgspec

    from runledger.cli.opening import opened
    from runledger.cli.output import print_json, table

    with opened(arguments, create=False) as runledger:
        found: list[Any] = [event.data for event in runledger.decisions(*arguments.where)]
    if arguments.json:
        print_json({"decisions": [msgspec.to_builtins(each) for each in found]})
        return exits.DONE
    table(
        ("DECISION", "TIME", "KIND", "VERDICT", "ABOUT"),
        ((each.decision, each.as_of.time, each.kind, each.verdict, _about(each)) for each in found),
    )
    return exits.DONE


def _about(decision: Any) -> str:
    question = decision.question
    parts = [f"{key} {question[key]}" for key in ("step", "run", "study") if key in question]
    outcome = decision.outcome
    if decision.kind == "parameters" and {"trials", "seed_count", "rule"} <= set(outcome):
        parts.append(f"{outcome['trials']} x {outcome['seed_count']} ({outcome['rule']})")
    if decision.kind == "exclusions" and "gpus" in outcome:
        parts.append(f"{len(outcome['gpus'])} cards")
    return ", ".join(parts)


def _why(arguments: argparse.Namespace) -> int:
    from runledger.cli.explaining import run

    return run(arguments)


def _replay(arguments: argparse.Namespace) -> int:
    from runledger.cli.opening import opened
    from runledger.cli.output import colour, plain, print_json, say
    from runledger.cli.progress import progress

    with opened(arguments, create=False) as runledger, progress("replaying") as advance:
        result = runledger.replay(*arguments.decisions, progress=advance)
    if arguments.json:
        print_json(
            {
                "decisions": result.decisions,
                "identical": result.identical,
                "drifted": [each._asdict() for each in result.drifted],
            }
        )
    else:
        kind = "bad" if result.drifted else "good"
        say(colour(f"{result.identical} of {result.decisions} decisions identical", kind))
        for drift in result.drifted:
            say(plain(f"{drift.decision}  {drift.field}  ({drift.cause})"))
            say(plain(f"    recorded: {_short(drift.recorded)}"))
            say(plain(f"    replayed: {_short(drift.replayed)}"))
    return exits.DRIFT if result.drifted else exits.DONE


def _short(value: Any, limit: int = 300) -> str:
    import json

    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= limit else f"{text[:limit]}…"


def _whatif(arguments: argparse.Namespace) -> int:
    from runledger.cli.counterfactual import run

    return run(arguments)
