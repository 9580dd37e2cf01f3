"""Commands around the next search: schema, context, study."""

from __future__ import annotations

import argparse
from typing import Any

from runledger.cli import exits
from runledger.cli.deciding import narrowing
from runledger.cli.parser import Commands, command, deciding


def add(commands: Commands) -> None:
    """Declare the commands."""
    parser = command(commands, "schema", _schema, "print the JSON Schema of what can be sent in")
    parser.add_argument("what", choices=["proposal"], help="proposal: for `propose`")

    parser = command(commands, "context", _context, "what a model needs to propose well")
    narrowing(parser)
    deciding(parser)


def _schema(arguments: argparse.Namespace) -> int:
    import json

    from rules.proposal import proposal_schema
    from runledger.cli.output import print_json, say

    schema = proposal_schema(_policy(arguments))
    if arguments.json:
        print_json(schema)
    else:
        say(json.dumps(schema, indent=2, ensure_ascii=False))
    return exits.DONE


def _policy(arguments: argparse.Namespace) -> Any:
    """The policy in force; the default one where there is no ledger yet."""
    from ledger import NotFound
    from rules.policy import default_policy
    from runledger.cli.opening import opened

    try:
        with opened(arguments, create=False) as runledger:
            return runledger.policy
    except NotFound:
        from runledger.settings import load_settings

        settings = load_settings(ledger=arguments.ledger, config=arguments.config)
        return settings.policy or default_policy()


def _context(arguments: argparse.Namespace) -> int:
    from runledger.cli.opening import opened
    from runledger.cli.output import print_json
    from runledger.context import proposal_context

    with opened(arguments, create=False) as runledger:
        context = proposal_context(
            runledger,
            study=arguments.study,
            scope=dict(arguments.scope),
            step=arguments.step,
            at=arguments.at,
            as_of=arguments.as_of,
        )
    if arguments.json:
        print_json(context)
    else:
        _show_context(context)
    return exits.DONE


def _show_context(context: dict[str, Any]) -> None:
    from runledger.cli.output import plain, say, table

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
