"""``policy``, ``rules`` and ``facts``: what decides, and what there is to decide by."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runledger.cli import exits
from runledger.cli.parser import Commands, command

if TYPE_CHECKING:
    from rules.own.fields import Types
    from rules.policy import Policy
    from runledger.api.facade import Runledger

_POLICY_HELP = "by this policy; default: the one in force"


def add(commands: Commands) -> None:
    """Declare the commands."""
    what = "check, show and compare policies"
    policy = commands.add_parser("policy", help=what, description=f"{what.capitalize()}.")
    actions = policy.add_subparsers(metavar="WHAT", required=True)
    checking = command(
        actions,
        "check",
        _check,
        "find everything wrong with a policy",
        examples=["runledger policy check policy.toml"],
        more="With a ledger, also which event types it declares, and what its events never carry.",
    )
    checking.add_argument("files", nargs="+", metavar="FILE", help="policies, includes and all")
    showing = command(
        actions,
        "show",
        _show,
        "show a policy: what differs from the default, or all of it",
        examples=["runledger policy show", "runledger policy show strict.toml --effective"],
    )
    showing.add_argument("policy", nargs="?", metavar="POLICY", help=_NAMED)
    showing.add_argument("--effective", action="store_true", help="the whole of it, as recorded")
    diffing = command(
        actions,
        "diff",
        _diff,
        "say what differs between two policies",
        examples=["runledger policy diff default policy.toml"],
    )
    diffing.add_argument("one", metavar="A", help=_NAMED)
    diffing.add_argument("other", metavar="B", help="likewise")

    rules = command(
        commands,
        "rules",
        _rules,
        "list the rules there are, own ones included",
        examples=["runledger rules", "runledger rules gpu_unresponsive --json"],
    )
    rules.add_argument("name", nargs="?", metavar="NAME", help="one rule; default: all")
    rules.add_argument("--policy", metavar="FILE", help=_POLICY_HELP)
    facts = command(
        commands,
        "facts",
        _facts,
        "list what rules can look at, own facts included",
        examples=["runledger facts card", "runledger facts --policy policy.toml --json"],
    )
    facts.add_argument(
        "name", nargs="?", metavar="NAME", help="a kind, or an own fact; default: all"
    )
    facts.add_argument("--policy", metavar="FILE", help=_POLICY_HELP)


_NAMED = 'a file, "default", "in-force", or the digest of one that the ledger holds'


# -- policies --------------------------------------------------------------------


def _check(arguments: argparse.Namespace) -> int:
    from rules.policy import InvalidPolicy, policy_digest
    from runledger.config.policy_check import never_carried, unknown_types, unused
    from runledger.config.policy_files import read_policy_file
    from runledger.terminal.output import print_json, say, talk

    found: list[dict[str, Any]] = []
    with _at_hand(arguments) as runledger:
        types = None if runledger is None else runledger.session.own_types.types()
        for name in arguments.files:
            report: dict[str, Any] = {"file": name, "ok": True, "problems": [], "warnings": []}
            found.append(report)
            try:
                policy = read_policy_file(Path(name), types=types)
            except InvalidPolicy as error:
                report |= {"ok": False, "problems": list(error.problems)}
                continue
            report |= {"name": policy.name, "digest": policy_digest(policy)}
            warnings = unused(policy)
            if runledger is None:
                warnings += unknown_types(policy)
            else:
                warnings += never_carried(policy, runledger.ledger)
            report["warnings"] = warnings
    wrong = [each for each in found if not each["ok"]]
    if arguments.json:
        print_json({"ok": not wrong, "policies": found})
    for each in found if not arguments.json else ():
        for problem in each["problems"]:
            talk(f"runledger: policy {each['file']}: {problem}")
        for warning in each["warnings"]:
            talk(f"warning: policy {each['file']}: {warning}")
        if each["ok"]:
            say(f"{each['file']}: nothing is wrong; its digest is {each['digest'][:12]}")
    return exits.BAD_INPUT if wrong else exits.DONE


def _show(arguments: argparse.Namespace) -> int:
    import tomli_w

    from rules.policy import default_policy, policy_digest, policy_text
    from runledger.config.policy_diff import changes
    from runledger.terminal.output import print_json, say

    with _at_hand(arguments) as runledger:
        policy = _named(arguments.policy or "in-force", runledger)
    table = changes(default_policy(), policy)
    text = policy_text(policy) if arguments.effective else tomli_w.dumps(table)
    if arguments.json:
        print_json({"name": policy.name, "digest": policy_digest(policy), "text": text})
    else:
        say(text.rstrip() or f"# {policy.name}: nothing differs from the default")
    return exits.DONE


def _diff(arguments: argparse.Namespace) -> int:
    from ledger.text.characters import plain
    from runledger.config.policy_diff import differences
    from runledger.terminal.output import print_json, say

    with _at_hand(arguments) as runledger:
        one, other = (_named(name, runledger) for name in (arguments.one, arguments.other))
    found = differences(one, other)
    if arguments.json:
        print_json({"differences": [{**each._asdict(), "words": each.words} for each in found]})
    else:
        for each in found:
            say(plain(each.words))
        if not found:
            say("they decide alike: nothing differs")
    return exits.DONE


class _Maybe:
    """The ledger at hand, or None: named, or there where it would be looked for."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self._arguments = arguments
        self._opened: Runledger | None = None

    def __enter__(self) -> Runledger | None:
        from ledger import NotFound
        from runledger.cli.ledger_options import opened

        try:
            self._opened = opened(self._arguments)
            self._opened.ledger.head()
        except NotFound:
            self.__exit__()
            if self._arguments.ledger:
                raise
        return self._opened

    def __exit__(self, *_: object) -> None:
        if self._opened is not None:
            self._opened.close()
            self._opened = None


def _at_hand(arguments: argparse.Namespace) -> _Maybe:
    return _Maybe(arguments)


def _named(name: str, runledger: Runledger | None) -> Policy:
    from rules.policy import default_policy
    from runledger.config.policy_files import read_policy_file
    from runledger.errors import Missing

    types = _types(runledger)
    if name == "default":
        return default_policy()
    if name == "in-force":
        return default_policy() if runledger is None else runledger.policy
    if Path(name).exists():
        return read_policy_file(Path(name), types=types)
    found = [] if runledger is None else runledger.catalog.policies_like(name)
    if len(found) == 1:
        assert runledger is not None
        return runledger.catalog.policy(found[0])
    raise Missing(
        f"no policy {name!r}: name a file, default, in-force, or a digest that the ledger holds"
        + (f" (that begins {len(found)} of them)" if found else "")
    )


def _types(runledger: Runledger | None) -> Types | None:
    return None if runledger is None else runledger.session.own_types.types()


# -- rules and facts -------------------------------------------------------------


def _in_force(arguments: argparse.Namespace) -> tuple[Policy, Types | None]:
    with _at_hand(arguments) as runledger:
        return _named(arguments.policy or "in-force", runledger), _types(runledger)


def _rules(arguments: argparse.Namespace) -> int:
    from ledger.event_checks import nearest
    from ledger.text.characters import plain
    from runledger.config.listed import listed_rules
    from runledger.errors import Missing
    from runledger.terminal.output import print_json, say, table, wrapped

    policy, _ = _in_force(arguments)
    shown = listed_rules(policy)
    if arguments.name is not None:
        known = {each["name"] for each in shown}
        if arguments.name not in known:
            meant = nearest(arguments.name, known)
            raise Missing(f"there is no rule {arguments.name!r}; did you mean {meant}?")
        shown = [each for each in shown if each["name"] == arguments.name]
    if arguments.json:
        print_json({"rules": shown})
    elif arguments.name is None:
        rows = (
            (
                each["name"],
                each["decides"],
                each["about"],
                each["severity"],
                " and ".join(each["when"]),
            )
            for each in shown
        )
        table(("rule", "decides", "about", "severity", "when"), rows)
    else:
        for each in shown:
            off = "" if each["enabled"] else ", switched off"
            what = f"{each['decides']}, about {each['about']}, {each['severity']}{off}"
            say(plain(f"{each['name']}: {what}"))
            for heading in ("when", "message", "remedy", "steps", "effect"):
                value = each.get(heading)
                text = " and ".join(value) if isinstance(value, list) else value
                for line in wrapped(text, first=f"  {heading:9}", rest=" " * 11) if text else ():
                    say(line)
    return exits.DONE


def _facts(arguments: argparse.Namespace) -> int:
    from ledger.event_checks import nearest
    from runledger.config.listed import listed_facts
    from runledger.errors import Missing
    from runledger.terminal.output import print_json, say, table

    policy, types = _in_force(arguments)
    shown = listed_facts(policy, types)
    if arguments.name is not None:
        kinds = [each for each in shown if each["name"] == arguments.name]
        if not kinds:
            kinds = [
                {**each, "features": [one]}
                for each in shown
                for one in each["features"]
                if one["name"] == arguments.name
            ]
        if not kinds:
            known = {each["name"] for each in shown}
            known |= {one["name"] for each in shown for one in each["features"]}
            meant = nearest(arguments.name, known)
            raise Missing(f"there is no fact {arguments.name!r}; did you mean {meant}?")
        shown = kinds
    if arguments.json:
        print_json({"facts": shown})
        return exits.DONE
    for number, kind in enumerate(shown):
        if number:
            say()
        say(f"{kind['name']}: {kind['says']}")
        rows = ((one["name"], one["type"], one["unit"], one["says"]) for one in kind["features"])
        table(("feature", "type", "unit", "says"), rows)
    return exits.DONE
