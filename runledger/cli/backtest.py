"""``backtest``: policies scored against what happened, side by side."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from runledger.cli import exits
from runledger.cli.parser import Commands, command

if TYPE_CHECKING:
    from rules.policy import Policy
    from runledger.backtest import Backtest


def add(commands: Commands) -> None:
    """Declare the command."""
    parser = command(
        commands,
        "backtest",
        _backtest,
        "score policies against what really happened",
        examples=[
            "runledger backtest --policy strict.toml --policy none",
            "runledger backtest --sweep gpu.exclude_after_incidents=1..4 --plot sweep.svg",
        ],
    )
    parser.add_argument(
        "--policy", action="extend", nargs="+", default=[], metavar="FILE", dest="policies",
        help="a policy to score, or `none` (no rule at all); default: the one in force, and none",
    )  # fmt: skip
    parser.add_argument(
        "--set", action="extend", nargs="+", default=[], metavar="KEY=VALUE", dest="settings",
        help="another value in each of them",
    )  # fmt: skip
    parser.add_argument(
        "--sweep", metavar="KEY=A..B", help="a policy for each value of a key: A..B, or A,B,C"
    )
    parser.add_argument("--plot", metavar="FILE", help="draw the sweep (.svg, .png or .pdf)")


def _backtest(arguments: argparse.Namespace) -> int:
    from pathlib import Path

    import msgspec

    from runledger.backtest import backtest
    from runledger.backtest.plot import check_drawable, plot
    from runledger.cli.ledger_options import opened
    from runledger.cli.progress import progress
    from runledger.errors import BadInput
    from runledger.terminal.output import print_json

    if arguments.plot and not arguments.sweep:
        raise BadInput("--plot draws a sweep: give --sweep KEY=A..B")
    if arguments.plot:
        check_drawable(Path(arguments.plot))
    with opened(arguments) as runledger, progress("deciding again") as advance:
        policies = _policies(arguments, runledger.policy)
        result = backtest(runledger.ledger, runledger.catalog, policies, progress=advance)
    if arguments.plot:
        plot(result, arguments.sweep.partition("=")[0], Path(arguments.plot))
    if arguments.json:
        shown: dict[str, Any] = msgspec.to_builtins(result)
        for scores, each in zip(shown["policies"], result.policies, strict=True):
            scores["exclusions"] = each.exclusions._asdict()
        print_json(shown)
    else:
        _show(result)
    return exits.DONE


def _policies(arguments: argparse.Namespace, in_force: Policy) -> list[tuple[str, Policy]]:
    from pathlib import Path

    from rules.policy import with_settings
    from runledger.backtest.sweep import no_rules, swept
    from runledger.cli.whatif_change import read_policy

    named: list[tuple[str, Policy]] = []
    for name in arguments.policies:
        if name == "none" and not Path(name).exists():
            named.append(("none", no_rules()))
        else:
            named.append((Path(name).stem, read_policy(Path(name))))
    if not named:
        named = [(in_force.name, in_force)]
        if not arguments.sweep:
            named.append(("none", no_rules()))
    if arguments.settings:
        changed = " ".join(arguments.settings)
        named = [
            (name, each)
            if name == "none"
            else (f"{name} {changed}", with_settings(each, arguments.settings))
            for name, each in named
        ]
    if arguments.sweep:
        named = [each for name, policy in named for each in swept(name, policy, arguments.sweep)]
    return named


_ROWS: tuple[tuple[str, str, str], ...] = (
    ("runs that failed, foreseeably", "preflight", "knowable"),
    ("  blocked", "preflight", "blocked_failures"),
    ("  hours saved", "preflight", "hours_saved"),
    ("runs that failed, unforeseeably", "preflight", "unforeseeable"),
    ("  blocked", "preflight", "blocked_unforeseeable"),
    ("runs that succeeded", "preflight", "successes"),
    ("  blocked", "preflight", "blocked_successes"),
    ("  hours lost", "preflight", "hours_lost"),
    ("runs blocked in reality (censored)", "preflight", "censored"),
    ("runs unsupported", "preflight", "unsupported"),
    ("  share of all runs", "preflight", "unsupported_share"),
    ("incidents of cards", "exclusions", "incidents"),
    ("  while it would sit out", "exclusions", "spared"),
    ("GPU-hours sat out", "exclusions", "hours_out"),
    ("  healthy", "exclusions", "healthy_hours"),
    ("  out in reality, too (censored)", "exclusions", "censored_hours"),
    ("parameters asked for", "parameters", "decisions"),
    ("  run as it says", "parameters", "supported"),
    ("  of these, found survivors", "parameters", "worked"),
    ("  unsupported", "parameters", "unsupported"),
    ("  share unsupported", "parameters", "unsupported_share"),
)


def _show(result: Backtest) -> None:
    from ledger.text.characters import plain
    from runledger.terminal.output import say, table

    say(
        plain(
            f"{result.runs:,} runs and {result.decisions:,} decisions, "
            f"{result.since} to {result.until}"
        )
    )
    say()
    rows = [
        (what, *(_number(getattr(getattr(each, part), name)) for each in result.policies))
        for what, part, name in _ROWS
    ]
    table(("", *(each.policy for each in result.policies)), rows)
    say()
    say("A run that was blocked has no outcome: it counts as censored, never as saved.")
    say("What no event supports is unsupported, and speaks for no policy.")


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:,.3f}".rstrip("0").rstrip(".")
