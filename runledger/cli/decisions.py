"""Commands over recorded decisions: decisions, why, replay, whatif."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from runledger.cli import exits
from runledger.cli.listing import chosen_of, stretch, until_interrupted
from runledger.cli.parser import DECISION, Commands, command, filter_, moment, position, where

if TYPE_CHECKING:
    from ledger import Event


def add(commands: Commands) -> None:
    """Declare the commands."""
    # Long: a list of commands with their options, one after another.
    parser = command(
        commands,
        "decisions",
        _decisions,
        "list recorded decisions, oldest first",
        examples=[
            "runledger decisions --where step=3,since=2026-01-24T00:00:00Z",
            "runledger decisions --last 10 --follow",
        ],
    )
    where(parser, "those that match")
    stretch(parser)

    parser = command(
        commands,
        "why",
        _why,
        "explain a decision",
        examples=["runledger why 01a20dee-84f3-7510-a409-8f053a7771f6 --minimal"],
    )
    parser.add_argument("decision", metavar="DECISION", help=DECISION)
    parser.add_argument(
        "--minimal", action="store_true", help="find a smallest set of events that it hangs on"
    )
    drawn = parser.add_mutually_exclusive_group()
    drawn.add_argument("--dot", action="store_true", help="draw it for Graphviz")
    drawn.add_argument("--html", action="store_true", help="draw it as one HTML page")

    parser = command(
        commands,
        "replay",
        _replay,
        "make decisions again and compare them",
        examples=["runledger replay"],
    )
    parser.add_argument(
        "decisions", nargs="*", metavar="DECISION", help=f"{DECISION}; default: all"
    )

    parser = command(
        commands,
        "whatif",
        _whatif,
        "make decisions again under a change",
        examples=[
            "runledger whatif --set gpu.exclude_after_incidents=1",
            "runledger whatif --without type=smu_error,pci=22:00.0 --where step=3",
            "runledger whatif --policy strict.toml --summary",
        ],
    )
    parser.add_argument("--policy", metavar="FILE", help="another policy")
    parser.add_argument(
        "--set", action="extend", nargs="+", default=[], metavar="KEY=VALUE", dest="settings",
        help="another value in it, for example gpu.exclude_after_incidents=1",
    )  # fmt: skip
    parser.add_argument(
        "--without",
        action="extend",
        nargs="+",
        type=filter_,
        default=[],
        metavar="FILTER",
        help="as if the events that match had not been",
    )
    parser.add_argument(
        "--with",
        action="append",
        default=[],
        metavar="FILE",
        dest="added",
        help="as if these events had been, too",
    )
    parser.add_argument("--at", type=moment, metavar="TIME", help="judge all of them at this time")
    parser.add_argument("--as-of", type=position, metavar="SEQ", help="on events up to here")
    where(parser, "only decisions that match")
    parser.add_argument(
        "--summary", action="store_true", help="a line for each sort of change, with how many"
    )
    parser.add_argument("--fail-on-change", action="store_true", help="exit 12 on a change")
    parser.add_argument("--junit", metavar="FILE", help="write a report for CI")


def _decisions(arguments: argparse.Namespace) -> int:
    import msgspec

    from ledger import parse_filters
    from rules.kinds import DECIDED_TYPES
    from runledger.cli.ledger_options import opened
    from runledger.terminal.output import note_no_match, print_json, table, talk

    where = parse_filters(arguments.where)
    with opened(arguments) as runledger:
        chosen = chosen_of(runledger.ledger, arguments, where=where, types=DECIDED_TYPES)
        if arguments.follow:
            with until_interrupted():
                _write_each(chosen, as_json=arguments.json)
            return exits.DONE
        found: list[Any] = [event.data for event in chosen]
    note_no_match(len(found), arguments.where)
    if arguments.json:
        print_json({"decisions": [msgspec.to_builtins(each) for each in found]})
        return exits.DONE
    if not found:
        if not arguments.where:
            talk("no decision is recorded yet: ask for one, as in `runledger preflight --step 1`")
        return exits.DONE
    table(("DECISION", "TIME", "KIND", "VERDICT", "ABOUT"), map(_row, found))
    return exits.DONE


def _write_each(chosen: Iterable[Event], *, as_json: bool) -> None:
    """A line a decision, each at once."""
    import msgspec

    from ledger.text.characters import plain
    from runledger.terminal.output import print_json, say

    for event in chosen:
        if as_json:
            print_json(msgspec.to_builtins(event.data))
        else:
            say(plain("  ".join(_row(event.data))))
        sys.stdout.flush()


def _row(decision: Any) -> tuple[str, ...]:
    from ledger.text.humanize import to_the_second

    time = to_the_second(decision.as_of.time)
    return decision.decision, time, decision.kind, decision.verdict, _about(decision)


def _about(decision: Any) -> str:
    from runledger.kinds import SHOWN

    question = decision.question
    parts = [f"{key} {question[key]}" for key in ("step", "run", "study") if key in question]
    try:
        parts += SHOWN[decision.kind].listed(decision.outcome)
    except (AttributeError, LookupError, TypeError, ValueError):
        parts.append("an outcome of another program's shape")
    return ", ".join(parts)


def _why(arguments: argparse.Namespace) -> int:
    from runledger.cli.why import run

    return run(arguments)


def _replay(arguments: argparse.Namespace) -> int:
    from ledger.text.characters import plain
    from ledger.text.humanize import counted
    from runledger.cli.ledger_options import opened
    from runledger.cli.progress import progress
    from runledger.terminal.output import colour, print_json, say

    with opened(arguments) as runledger, progress("replaying") as advance:
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
        say(
            colour(
                f"{result.identical:,} of {counted(result.decisions, 'decision')} identical", kind
            )
        )
        for drift in result.drifted:
            say(plain(f"{drift.decision}  {drift.field}  ({drift.cause})"))
            recorded, replayed = _apart(drift.recorded, drift.replayed)
            say(plain(f"    recorded: {recorded}"))
            say(plain(f"    replayed: {replayed}"))
    return exits.DRIFT if result.drifted else exits.DONE


def _apart(recorded: Any, replayed: Any, most: int = 200) -> tuple[str, str]:
    """Two values as JSON, from a little before the place where they part."""
    import json
    from itertools import takewhile

    texts = [json.dumps(value, ensure_ascii=False) for value in (recorded, replayed)]
    same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(*texts, strict=False)))
    start = max(0, same - most // 4)
    one, other = (
        ("…" if start else "")
        + text[start : start + most]
        + ("…" if len(text) > start + most else "")
        for text in texts
    )
    return one, other


def _whatif(arguments: argparse.Namespace) -> int:
    from runledger.cli.whatif_change import run

    return run(arguments)
