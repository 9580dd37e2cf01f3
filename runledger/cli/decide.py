"""Commands that decide: preflight, exclusions, next, propose, override."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from runledger.cli import exits
from runledger.cli.parser import (
    Commands,
    command,
    count,
    deciding,
    moment,
    moment_ahead,
    name,
    scope,
)

if TYPE_CHECKING:
    from ledger.payloads import DecisionPayload
    from runledger.api.facade import Runledger
    from runledger.config.settings import Settings


def add(commands: Commands) -> None:
    """Declare the commands."""
    # Long: a list of commands with their options, one after another.
    parser = command(
        commands,
        "preflight",
        _preflight,
        "may this step start?",
        examples=[
            "runledger preflight --step 3 --run R-20260124 --trials 50 --seed-count 100000",
            "runledger preflight --step 3 --merge distributed_config.json > today.json",
        ],
    )
    parser.add_argument(
        "--step", type=name, required=True, metavar="S", help="the pipeline step, for example 3"
    )
    parser.add_argument(
        "--run", type=name, dest="run_id", metavar="ID", help="the run it belongs to"
    )
    parser.add_argument("--trials", type=count, metavar="N", help="trials the step will run")
    parser.add_argument("--seed-count", type=count, metavar="N", help="seeds a trial")
    # What is to be mended, a probe finds out.
    looking = parser.add_mutually_exclusive_group()
    looking.add_argument("--no-probe", action="store_true", help="judge on what is recorded")
    looking.add_argument("--remedy", action="store_true", help="run configured remedies first")
    _merging(parser, "print this node file without what must not be used")
    deciding(parser)

    parser = command(
        commands,
        "exclusions",
        _exclusions,
        "which GPUs must sit out?",
        examples=[
            "runledger exclusions",
            "runledger exclusions --merge distributed_config.json > new.json",
        ],
    )
    parser.add_argument("--format", choices=["distributed-config"], help="the node file's excerpt")
    _merging(parser, "print this node file with the excerpt in it")
    deciding(parser)

    parser = command(
        commands,
        "next",
        _next,
        "how many trials and seeds next?",
        examples=["runledger next --study window_opt --scope data_set=daily3 --step 1"],
    )
    narrowing(parser)
    deciding(parser)

    parser = command(
        commands,
        "propose",
        _propose,
        "judge proposed trials and seeds",
        examples=[
            "runledger propose --trials 120 --seed-count 200000 --proposer me --rationale "
            "'more seeds'",
            "runledger propose --from answer.json --proposer watcher-llm",
        ],
    )
    parser.add_argument("--trials", metavar="N", help="trials of the next run")
    parser.add_argument("--seed-count", metavar="N", help="seeds a trial")
    parser.add_argument("--proposer", required=True, metavar="P", help="who proposes")
    parser.add_argument("--rationale", metavar="TEXT", help="why; it must be given")
    parser.add_argument(
        "--from", dest="sent", metavar="FILE", help="what a model sent, as it is (-: stdin)"
    )
    narrowing(parser)
    deciding(parser)

    parser = command(
        commands,
        "override",
        _override,
        "record an operator's word",
        examples=[
            "runledger override gpu/rig-6600/0000:22:00.0 reinstate --reason 'new riser' "
            "--by michael",
            "runledger override node/rig-6600 waive --reason 'spare rig' --by michael "
            "--expires 2026-02-01T00:00:00Z",
        ],
    )
    parser.add_argument("subject", metavar="SUBJECT", help="for example gpu/rig-6600/0000:22:00.0")
    parser.add_argument(
        "action",
        metavar="ACTION",
        choices=["watch", "exclude", "reinstate", "retire", "waive"],
        help="watch, exclude, reinstate, retire or waive",
    )
    parser.add_argument(
        "--reason", required=True, metavar="TEXT", help="why; it is shown wherever the word counts"
    )
    parser.add_argument("--by", required=True, metavar="WHO", help="whose word it is")
    parser.add_argument(
        "--expires", type=moment_ahead, metavar="TIME", help="until when it holds (waive needs it)"
    )
    parser.add_argument("--at", type=moment, metavar="TIME", help="when it was said; default: now")


def _to_judge(
    arguments: argparse.Namespace, settings: Settings | None = None, *, create: bool | None = False
) -> Runledger:
    """The ledger to judge, which must be there; a policy that is none is said first."""
    from runledger.cli.ledger_options import opened, settings_of

    settings = settings_of(arguments) if settings is None else settings
    settings.read_policy()
    return opened(arguments, write=True, create=create, settings=settings)


def _merging(parser: argparse.ArgumentParser, what: str) -> None:
    parser.add_argument("--merge", metavar="FILE", help=f"{what}; the verdict goes to stderr")


def narrowing(parser: argparse.ArgumentParser) -> None:
    """The options that say which runs are compared."""
    parser.add_argument("--study", type=name, metavar="NAME", help="runs of this study only")
    scope(parser, "runs of this scope only")
    parser.add_argument(
        "--step",
        type=name,
        metavar="S",
        help="warn where the numbers do not fit this step's timeout",
    )


def _preflight(arguments: argparse.Namespace) -> int:
    from runledger.cli.ledger_options import settings_of
    from runledger.config.settings import fleet_to_reach
    from runledger.terminal.output import talk

    settings = settings_of(arguments)
    node_file = _node_file(arguments)
    about_now = _about_now(arguments)
    if arguments.remedy and not arguments.dry_run:
        fleet_to_reach(settings)
        if not about_now:
            talk("note: a preflight of the past looks at nothing, and runs no remedy")
    looks = about_now and not arguments.no_probe and not arguments.dry_run
    # What it sees itself is a beginning; any other ledger that is not there is a slip.
    create = None if looks and settings.ledger_from_file else False
    with _to_judge(arguments, settings, create=create) as runledger:
        if looks:
            from runledger.cli.probe import probe_for_step

            probe_for_step(runledger, arguments.step, remedy=arguments.remedy)
        decision = runledger.preflight(
            arguments.step,
            run=arguments.run_id,
            trials=arguments.trials,
            seed_count=arguments.seed_count,
            at=arguments.at,
            as_of=arguments.as_of,
            record=not arguments.dry_run,
        )
        if node_file is not None:
            return _merge(node_file, decision, arguments, runledger)
    return _print(decision, arguments, runledger)


def _node_file(arguments: argparse.Namespace) -> str | None:
    """The text of the node file to merge into, which is one: said before anything is probed."""
    from ledger.input_files import open_input
    from runledger.config.node_file import check

    if arguments.merge is None:
        return None
    with open_input(arguments.merge) as file:
        text = file.read().decode("utf-8")
    check(text)
    return text


def _merge(
    node_file: str, decision: DecisionPayload, arguments: argparse.Namespace, runledger: Runledger
) -> int:
    """The node file on stdout, where there may be one; the verdict on stderr."""
    import contextlib

    from runledger.config.node_file import by_decision
    from runledger.terminal.output import talk

    merged = by_decision(node_file, decision, runledger.fleet)
    with contextlib.redirect_stdout(sys.stderr):
        code = _print(decision, arguments, runledger)
    for card in merged.unplaced:
        talk(f"{card['subject']} ({card['state']}) has no current index: not in the node file")
    if merged.text is not None:
        sys.stdout.write(merged.text)
    return code


def _about_now(arguments: argparse.Namespace) -> bool:
    """Whether what is seen now could bear on the decision: not on one about the past."""
    import time

    from ledger.times import SECOND_US, parse_time

    if arguments.as_of is not None:
        return False
    return arguments.at is None or parse_time(arguments.at) >= time.time() * SECOND_US


def _exclusions(arguments: argparse.Namespace) -> int:
    from runledger.terminal.output import print_json, talk

    node_file = _node_file(arguments)
    with _to_judge(arguments) as runledger:
        decision = runledger.exclusions(
            at=arguments.at, as_of=arguments.as_of, record=not arguments.dry_run
        )
        if node_file is not None:
            return _merge(node_file, decision, arguments, runledger)
        if arguments.format is None:
            return _print(decision, arguments, runledger)
        from runledger.config.node_file import excerpt

        nodes, unplaced = excerpt(decision.outcome["gpus"], runledger.fleet)
    talk(f"by the ledger {runledger.settings.shown_ledger}")
    for card in unplaced:
        talk(f"{card['subject']} ({card['state']}) has no current index: not in the excerpt")
    print_json(nodes)
    return exits.DONE


def _next(arguments: argparse.Namespace) -> int:
    with _to_judge(arguments) as runledger:
        decision = runledger.next_parameters(**_question(arguments))
    return _print(decision, arguments, runledger)


def _propose(arguments: argparse.Namespace) -> int:
    from ledger.input_files import read_text
    from runledger.errors import BadInput

    own = (arguments.trials, arguments.seed_count, arguments.rationale)
    if arguments.sent is None and arguments.rationale is None:
        raise BadInput("say why: --rationale TEXT; or name what a model sent: --from FILE")
    if arguments.sent is not None and any(each is not None for each in own):
        raise BadInput("--from FILE is the whole proposal: leave the other numbers and texts out")
    sent = sys.stdin.read() if arguments.sent == "-" else None
    if arguments.sent not in (None, "-"):
        sent = read_text(arguments.sent)
    with _to_judge(arguments) as runledger:
        if sent is not None:
            decision = runledger.propose_as_sent(
                sent, proposer=arguments.proposer, **_question(arguments)
            )
        else:
            decision = runledger.propose(
                trials=arguments.trials,
                seed_count=arguments.seed_count,
                proposer=arguments.proposer,
                rationale=arguments.rationale,
                **_question(arguments),
            )
    return _print(decision, arguments, runledger)


def _question(arguments: argparse.Namespace) -> dict[str, Any]:
    return {
        "study": arguments.study,
        "scope": arguments.scope,
        "step": arguments.step,
        "at": arguments.at,
        "as_of": arguments.as_of,
        "record": not arguments.dry_run,
    }


def _override(arguments: argparse.Namespace) -> int:
    from ledger import to_wire
    from ledger.text.characters import plain
    from ledger.times import parse_time
    from runledger.api.facade import check_word
    from runledger.cli.ledger_options import opened
    from runledger.errors import BadInput
    from runledger.terminal.output import print_json, say, talk

    if arguments.action == "waive" and arguments.expires is None:
        raise BadInput(
            "waive needs an end", remedy="add --expires, for example 2026-01-25T06:00:00Z"
        )
    check_word(arguments.subject, reason=arguments.reason, by=arguments.by)
    with opened(arguments, write=True) as runledger:
        known = runledger.seen(arguments.subject)
        event = runledger.override(
            arguments.subject,
            arguments.action,
            reason=arguments.reason,
            by=arguments.by,
            expires=arguments.expires,
            at=arguments.at,
        )
        over = arguments.expires is not None and parse_time(arguments.expires) <= runledger.now()
    if not known:
        talk(f"note: nothing in this ledger is about {event.subject} yet: is it spelt right?")
    if over:
        talk(f"note: it expired at {arguments.expires}: it changes nothing from now on")
    if arguments.json:
        print_json(to_wire(event))
    else:
        say(plain(f"recorded: {arguments.action} {event.subject}, by {arguments.by}"))
    return exits.DONE


def _print(decision: Any, arguments: argparse.Namespace, runledger: Runledger) -> int:
    import msgspec

    from runledger.cli.streams import reader_may_leave
    from runledger.kinds import SHOWN
    from runledger.terminal.decision_text import print_decision
    from runledger.terminal.output import print_json

    with reader_may_leave():  # a no-go is none the less one for being piped to `head`
        if arguments.json:
            print_json(msgspec.to_builtins(decision))
        else:
            print_decision(decision, runledger.settings.shown_ledger)
    return SHOWN[decision.kind].verdicts[decision.verdict].exit_code
