"""``backtest``: policies scored against what happened, side by side."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from typing import TYPE_CHECKING

from runledger.cli import exits
from runledger.cli.parser import Commands, command, moment, where

if TYPE_CHECKING:
    from rules.policy import Policy
    from runledger.api.facade import Runledger
    from runledger.backtest import Candidate, Scope
    from runledger.backtest.sweep import Sweep


def add(commands: Commands) -> None:
    """Declare the command."""
    parser = command(
        commands,
        "backtest",
        _backtest,
        "score policies against what really happened",
        examples=[
            "runledger backtest --policy strict.toml --policy none",
            "runledger backtest --since 2026-01-01T00:00:00Z --where step=3",
            "runledger backtest --sweep gpu.exclude_after_incidents=1..4 --plot sweep.svg",
            "runledger backtest --sweep gpu.exclude_after_incidents=1..3 "
            "--sweep gpu.window_s=604800,2592000",
        ],
    )
    parser.add_argument(
        "--policy", action="extend", nargs="+", default=[], metavar="FILE", dest="policies",
        help="a policy to score beside the one in force, or `none` (no rule at all); default: none",
    )  # fmt: skip
    parser.add_argument(
        "--set", action="extend", nargs="+", default=[], metavar="KEY=VALUE", dest="settings",
        help="another value in each of them; of the one in force, where no other is named",
    )  # fmt: skip
    parser.add_argument(
        "--sweep", action="append", default=[], metavar="KEY=A..B",
        help="a policy for each value of a key: A..B, or A,B,C; given twice, for each pair",
    )  # fmt: skip
    parser.add_argument("--plot", metavar="FILE", help="draw the sweep (.svg, .png or .pdf)")
    parser.add_argument(
        "--since", type=moment, metavar="TIME", help="score from this time on (RFC 3339)"
    )
    parser.add_argument("--until", type=moment, metavar="TIME", help="score up to this time")
    where(parser, "score only decisions that match, and runs with them")


def _backtest(arguments: argparse.Namespace) -> int:
    from pathlib import Path

    from runledger.backtest import backtest
    from runledger.backtest.plot import check_drawable, plot
    from runledger.backtest.sweep import parse_sweep
    from runledger.cli.backtest_text import show
    from runledger.cli.ledger_options import opened
    from runledger.cli.progress import progress
    from runledger.errors import BadInput
    from runledger.terminal.output import print_json

    if arguments.plot and not arguments.sweep:
        raise BadInput("--plot draws a sweep", remedy="give --sweep KEY=A..B")
    if arguments.plot and len(arguments.policies) > 1:
        raise BadInput("--plot draws the sweep of one policy", remedy="give --policy once at most")
    if arguments.plot:
        check_drawable(Path(arguments.plot))
    sweeps = [parse_sweep(text) for text in arguments.sweep]
    scope = _scope(arguments)
    with opened(arguments) as runledger, progress("deciding again") as advance:
        policies = _policies(arguments, sweeps, runledger.policy)
        _check_own({each.policy.digest: each.policy for each in policies}.values(), runledger)
        result = backtest(runledger.ledger, runledger.catalog, policies, scope, progress=advance)
    if arguments.plot:
        plot(result, sweeps, Path(arguments.plot))
    if arguments.json:
        print_json(result.as_json())
    else:
        show(result, sweeps)
    return exits.DONE


def _scope(arguments: argparse.Namespace) -> Scope:
    from ledger import parse_filters
    from ledger.times import parse_time
    from runledger.backtest import Scope
    from runledger.errors import BadInput

    since, until = (
        None if text is None else parse_time(text) for text in (arguments.since, arguments.until)
    )
    if since is not None and until is not None and since > until:
        raise BadInput(f"--since {arguments.since} lies after --until {arguments.until}")
    return Scope(since, until, parse_filters(arguments.where))


def _check_own(policies: Iterable[Policy], runledger: Runledger) -> None:
    """Refuse own facts that the ledger does not have, and warn of what no event carries."""
    from rules.policy import check_types
    from runledger.config.policy_check import never_carried
    from runledger.terminal.output import talk

    for policy in policies:
        if policy.facts:
            check_types(policy, runledger.session.own_types.types())
            for warning in never_carried(policy, runledger.ledger):
                talk(f"warning: policy {policy.name}: {warning}")


def _policies(
    arguments: argparse.Namespace, sweeps: list[Sweep], in_force: Policy
) -> list[Candidate]:
    """The one in force, and those to compare with it."""
    from pathlib import Path

    from rules.policy import with_settings
    from runledger.backtest import Candidate
    from runledger.backtest.sweep import no_rules, swept
    from runledger.cli.whatif_change import read_policy

    named: list[tuple[str, Policy]] = []
    for name in arguments.policies:
        if name == "none" and not Path(name).exists():
            named.append(("none", no_rules()))
        else:
            path = Path(name)
            taken = path.stem in (in_force.name, *(each for each, _ in named))
            named.append((name if taken else path.stem, read_policy(path)))
    if not named and (arguments.settings or sweeps):
        named.append((in_force.name, in_force))
    if not arguments.policies and not sweeps:
        named.append(("none", no_rules()))
    if arguments.settings:
        changed = " ".join(arguments.settings)
        named = [
            (name, each)
            if name == "none"
            else (f"{name} {changed}", with_settings(each, arguments.settings))
            for name, each in named
        ]
    first = Candidate(in_force.name, in_force)
    if sweeps:
        return [first, *(one for name, each in named for one in swept(name, each, sweeps))]
    return [first, *(Candidate(name, each) for name, each in named)]
