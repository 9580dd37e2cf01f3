"""``test`` and ``case``: small histories with the decisions expected of them."""

from __future__ import annotations

import argparse
import re

from runledger.cli import exits
from runledger.cli.parser import DECISION, Commands, command


def add(commands: Commands) -> None:
    """Declare the commands."""
    parser = command(
        commands,
        "test",
        _test,
        "run the cases in a folder",
        examples=["runledger test cases --policy strict.toml"],
    )
    parser.add_argument("folder", metavar="DIR", help="every folder below it with a case.toml")
    parser.add_argument("--policy", metavar="FILE", help="judge by this policy, not the cases' own")
    parser.add_argument("--junit", metavar="FILE", help="write a report for CI")
    parser.add_argument(
        "--cover", action="store_true", help="fail (12) where no case fires one of the own rules"
    )

    parser = command(
        commands,
        "case",
        _case,
        "cut a case out of the ledger",
        examples=["runledger case 01a20dee-84f3-7510-a409-8f053a7771f6 --output cases/night"],
    )
    parser.add_argument("decision", metavar="DECISION", help=DECISION)
    parser.add_argument("--output", metavar="DIR", help="a folder to make; default: cases/DECISION")
    parser.add_argument(
        "--near", nargs="?", const="", metavar="RULE",
        help="keep what brought a rule close to firing: this one; default: the closest",
    )  # fmt: skip


def _test(arguments: argparse.Namespace) -> int:
    from pathlib import Path

    from ledger.text.characters import plain
    from ledger.text.humanize import counted
    from runledger.cases.case import find_cases, run_case
    from runledger.cases.coverage import Coverage
    from runledger.cli.progress import progress
    from runledger.cli.whatif_change import read_policy
    from runledger.terminal.output import colour, print_json, say

    policy = None if arguments.policy is None else read_policy(Path(arguments.policy))
    results = []
    with progress("cases") as advance:
        for count, folder in enumerate(find_cases(Path(arguments.folder)), 1):
            results.append(run_case(folder, policy))
            advance(count)
    failed = [each for each in results if each.differences]
    coverage = Coverage()
    for each in results:
        coverage = coverage.with_more(each.coverage)
    code = exits.DRIFT if failed or (arguments.cover and coverage.silent(own=True)) else exits.DONE
    if arguments.junit:
        from runledger.replaying.junit import Case, write_junit

        cases = []
        for result in results:
            case = Case(result.name, "runledger.test")
            if result.differences:
                case.fail("it decides otherwise", "\n".join(result.lines()))
            cases.append(case)
        write_junit(Path(arguments.junit), "runledger test", cases)
    if arguments.json:
        print_json(
            {
                "cases": len(results),
                "failed": [each.as_json() for each in failed],
                "coverage": coverage.as_json(),
            }
        )
        return code
    for result in results:
        mark = colour("FAIL", "bad") if result.differences else colour("ok", "good")
        say(f"{mark}  {plain(result.name)}")
        for line in result.lines():
            say(plain(f"      {line}"))
    say(f"{len(results) - len(failed)} of {counted(len(results), 'case')} decide as expected")
    own = sum(each.own for each in coverage.known)
    silent = coverage.silent(own=True)
    built_in = len(coverage.rules_not_fired(own=False))
    if own:
        say(f"{own - len(silent)} of {own} branches of own rules fired")
    for branch in silent:
        say(plain(f"  no case fires {branch.rule}: {' and '.join(branch.when)}"))
    say(f"{counted(built_in, 'built-in rule')} fired in no case; --json names them")
    return code


def _case(arguments: argparse.Namespace) -> int:
    from pathlib import Path

    from ledger.text.characters import plain
    from ledger.text.humanize import counted
    from runledger.cases.case_slices import cut_case
    from runledger.cli.ledger_options import opened
    from runledger.cli.progress import progress
    from runledger.terminal.output import print_json, say, talk

    with opened(arguments) as runledger, progress("asking") as advance:
        decided = runledger.decision(arguments.decision)
        # An id may be any text, and must not lead out of the folder.
        name = re.sub(r"[^\w.-]|^[.]", "_", decided.id)
        folder = Path(arguments.output or f"cases/{name}")
        cut = cut_case(
            runledger.ledger,
            runledger.catalog,
            decided,
            folder,
            near=arguments.near,
            progress=advance,
        )
    if not cut.same_today:
        talk("note: today's rules decide otherwise than was recorded; the case holds what they say")
    if arguments.json:
        print_json({"case": str(folder), **cut.as_json()})
    else:
        if cut.near is not None:
            say(plain(f"{cut.near.rule} nearly fires: {cut.near.words}"))
        say(
            plain(
                f"{folder}: a case of {counted(cut.events, 'event')}; "
                f"run it with `runledger test {folder}`"
            )
        )
    return exits.DONE
