"""Commands around the next search: schema, context, study."""

from __future__ import annotations

import argparse
from typing import Any

from runledger.cli import exits
from runledger.cli.decide import narrowing
from runledger.cli.parser import Commands, command, count, deciding, moment, name, scope, sentence


def add(commands: Commands) -> None:
    """Declare the commands."""
    parser = command(
        commands,
        "schema",
        _schema,
        "print the JSON Schema of what can be sent in",
        examples=["runledger schema proposal", "runledger schema proposal --format gbnf"],
    )
    parser.add_argument(
        "what", choices=["proposal"], metavar="WHAT", help="proposal: what `propose` takes"
    )
    parser.add_argument(
        "--format",
        choices=["json-schema", "gbnf", "openai", "anthropic"],
        default="json-schema",
        help="a tool's parameters for an API, or a grammar for llama.cpp; default: json-schema",
    )

    parser = command(
        commands,
        "context",
        _context,
        "what a model needs to propose well",
        examples=["runledger context --study window_opt --json --max-tokens 2000"],
    )
    narrowing(parser)
    parser.add_argument(
        "--max-tokens", type=count, metavar="N", help="leave out what says least until it fits"
    )
    deciding(parser, records=False)

    _add_study(commands)


def _add_study(commands: Commands) -> None:
    what = "may a program go on with an Optuna study?"
    study = commands.add_parser("study", help=what, description=sentence(what))
    kinds = study.add_subparsers(metavar="WHAT", required=True)
    parser = command(
        kinds,
        "check",
        _check,
        "compare a program's space with the stored study",
        examples=[
            "runledger study check --study window_opt --space space.json --scope data_set=daily3"
        ],
    )
    _searched(parser)
    parser = command(
        kinds,
        "define",
        _define,
        "record what a study searches",
        examples=[
            "runledger study define --study window_opt --storage optuna.db --scope data_set=daily3"
        ],
    )
    _searched(parser)
    parser.add_argument("--at", type=moment, metavar="TIME", help="since when; default: now")
    _add_bounds(kinds)


def _add_bounds(kinds: Any) -> None:
    parser = command(
        kinds,
        "bounds",
        _bounds,
        "say where a study's survivors come from",
        examples=["runledger study bounds --study window_opt --json"],
        more="Advice to narrow the bounds of parameters; nothing is changed by it.",
    )
    parser.add_argument("--study", required=True, metavar="NAME", help="the study and its family")


def _bounds(arguments: argparse.Namespace) -> int:
    import msgspec

    from ledger.text.characters import plain
    from runledger.cli.ledger_options import opened
    from runledger.terminal.output import print_json, say, table

    with opened(arguments) as runledger:
        advice = runledger.narrow_bounds(arguments.study)
    if arguments.json:
        print_json(msgspec.to_builtins(advice))
        return exits.DONE
    say(f"{advice.with_survivors:,} of {advice.trials:,} counted trials had survivors")
    say(plain(advice.text))
    if advice.bounds:
        rows = (
            [plain(name), *(f"{value:g}" for value in numbers)]
            for name, each in advice.bounds.items()
            for numbers in [(each.low, each.high, each.tried_low, each.tried_high, each.importance)]
        )
        table(["PARAMETER", "LOW", "HIGH", "TRIED FROM", "TO", "IMPORTANCE"], rows)
    return exits.DONE


def _searched(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--study", type=name, required=True, metavar="NAME", help="the study's name"
    )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--space", metavar="FILE", help="the program's space as JSON")
    source.add_argument("--storage", metavar="STORAGE", help="the Optuna storage it is in")
    parser.add_argument(
        "--storage-study", metavar="S", help="its name in the storage; default: the study's"
    )
    scope(parser, "data set, seed range, and what else makes results comparable")


def _schema(arguments: argparse.Namespace) -> int:
    import json

    from runledger.llm.proposal_formats import proposal_format
    from runledger.terminal.output import print_json, say

    schema = proposal_format(_policy(arguments), arguments.format)
    if isinstance(schema, str):
        if arguments.json:
            print_json({"format": arguments.format, "grammar": schema})
        else:
            say(schema.rstrip("\n"))
    elif arguments.json:
        print_json(schema)
    else:
        say(json.dumps(schema, indent=2, ensure_ascii=False))
    return exits.DONE


def _policy(arguments: argparse.Namespace) -> Any:
    """The policy in force; the default one where there is no ledger yet."""
    from ledger import NotFound
    from rules.policy import default_policy
    from runledger.cli.ledger_options import opened

    try:
        with opened(arguments) as runledger:
            return runledger.policy
    except NotFound:
        from runledger.cli.ledger_options import settings_of

        settings = settings_of(arguments)
        return settings.read_policy() or default_policy()


def _context(arguments: argparse.Namespace) -> int:
    from runledger.cli.ledger_options import opened
    from runledger.terminal.output import print_json

    with opened(arguments) as runledger:
        context = runledger.context(
            study=arguments.study,
            scope=arguments.scope,
            step=arguments.step,
            max_tokens=arguments.max_tokens,
            at=arguments.at,
            as_of=arguments.as_of,
        )
    if arguments.json:
        print_json(context)
    else:
        _show_context(context)
    return exits.DONE


def _identity(arguments: argparse.Namespace) -> Any:
    from runledger.studies.persistence import program_identity, stored_identity

    if arguments.space is not None:
        return program_identity(arguments.space, arguments.scope)
    return stored_identity(
        arguments.storage, arguments.storage_study or arguments.study, arguments.scope
    )[1]


def _check(arguments: argparse.Namespace) -> int:
    import msgspec

    from ledger.text.characters import plain
    from runledger.cli.ledger_options import opened
    from runledger.studies.persistence import check_study
    from runledger.terminal.output import print_json, say

    program = _identity(arguments)
    with opened(arguments) as runledger:
        checked = check_study(runledger.ledger, arguments.study, program)
    if arguments.json:
        print_json(msgspec.to_builtins(checked))
    else:
        words = {"safe": "SAFE to resume", "new_study": "A NEW STUDY", "refuse": "REFUSED"}
        say(plain(f"{words[checked.verdict]}: {checked.name}"))
        if checked.stored is None:
            say(plain(f"the ledger does not know what {arguments.study} searches yet"))
        for each in checked.differences:
            say(plain(f"  {each.what}: {each.why}"))
            say(plain(f"    stored {_json(each.stored)}, program {_json(each.program)}"))
        if checked.verdict == "new_study":
            carried = checked.carried
            say(f"past trials: {carried['added']:,} fit, {carried['enqueued']:,} to try again")
            for reason, count in carried["left_out"].items():
                say(f"  {count:,} left out: {reason}")
    return exits.NO_GO if checked.verdict == "refuse" else exits.DONE


def _define(arguments: argparse.Namespace) -> int:
    from ledger import to_wire
    from ledger.text.characters import plain
    from ledger.times import parse_time
    from runledger.cli.ledger_options import opened
    from runledger.studies.persistence import define_study
    from runledger.terminal.output import print_json, say

    identity = _identity(arguments)
    with opened(arguments, write=True) as runledger:
        at_us = runledger.now() if arguments.at is None else parse_time(arguments.at)
        event = define_study(runledger.ledger, arguments.study, identity, at_us)
    if arguments.json:
        print_json(
            {
                "study": arguments.study,
                "fingerprint": identity.fingerprint,
                "event": None if event is None else to_wire(event),
            }
        )
    else:
        done = "known already" if event is None else "recorded"
        say(plain(f"{done}: {arguments.study} {identity.fingerprint[:12]}"))
    return exits.DONE


def _json(value: Any) -> str:
    import json

    return json.dumps(value, ensure_ascii=False)


def _show_context(context: dict[str, Any]) -> None:
    from ledger.text.characters import plain
    from runledger.terminal.output import say, table

    limits, data, following = context["limits"], context["data"], context["next"]
    for key in ("trials", "seed_count"):
        each = limits[key]
        least, most = each["within_reach_now"]
        frozen = ", frozen" if each["frozen"] else ""
        say(f"{key}: {each['minimum']:,} to {each['maximum']:,}; now {least:,} to {most:,}{frozen}")
    say(
        f"next: {following['trials']:,} trials x {following['seed_count']:,} seeds "
        f"(rule: {following['rule']})"
    )
    if data["runs"]:
        say()
        keys = ("run", "outcome", "trials", "completed_trials", "seed_count", "survivors")
        table(
            [key.upper().replace("_", " ") for key in keys],
            ([_words(run.get(key)) for key in keys] for run in data["runs"]),
        )
    for title, entries in (
        ("open incidents", data["open_incidents"]),
        ("exclusions", data["exclusions"]),
    ):
        if entries:
            say()
            say(f"{title}:")
            for entry in entries:
                said = ", ".join(f"{key} {_words(value)}" for key, value in entry.items())
                say(plain(f"  {said}"))


def _words(value: Any) -> str:
    if isinstance(value, dict):
        return str(value["untrusted"])
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return "-" if value is None else str(value)
