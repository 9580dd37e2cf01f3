"""``why``: a decision explained, as text, JSON or a drawing."""

from __future__ import annotations

import argparse
import json
from typing import Any

import msgspec

from ledger import Event
from ledger.text.characters import plain
from rules.explain import NearMiss
from runledger.cli import exits
from runledger.cli.ledger_options import opened
from runledger.cli.progress import progress
from runledger.explaining.explanation import (
    Compared,
    Explanation,
    FiredRule,
    explain,
    explanation_json,
)
from runledger.kinds import SHOWN
from runledger.terminal.decision_text import print_decision
from runledger.terminal.output import colour, cut, print_json, say, width, wrapped

_NEAR = 0.5
"""What is further from its limit than this share of it is left to ``--json``."""

_LONGEST = 200
"""Characters of an event's line where no terminal limits them."""


def run(arguments: argparse.Namespace) -> int:
    """The command."""
    with opened(arguments) as runledger, progress("asking") as advance:
        found = explain(
            runledger.ledger,
            runledger.catalog,
            runledger.decision(arguments.decision),
            minimal=arguments.minimal,
            progress=advance,
        )
    if arguments.json:
        print_json(explanation_json(found))
    elif arguments.dot:
        from runledger.explaining.graph import to_dot

        say(to_dot(found).rstrip("\n"))
    elif arguments.html:
        from runledger.explaining.graph import to_html

        say(to_html(found).rstrip("\n"))
    else:
        _print(found, runledger.settings.shown_ledger)
    return exits.DONE


def _print(found: Explanation, ledger: str) -> None:
    decision = found.decision
    print_decision(decision, ledger)
    question = ", ".join(f"{key} {_value(value)}" for key, value in decision.question.items())
    _heading("Asked")
    say(plain(f"  {decision.kind}{': ' if question else ''}{question}"))
    say(
        plain(
            f"  on events up to position {decision.as_of.sequence}, at {decision.as_of.time}, "
            f"with policy {decision.policy.name} ({decision.policy.digest[:12]})"
        )
    )
    if not found.same:
        say(colour("  Today's rules say something else; they are the ones shown below.", "poor"))
    _heading("Rules that fired")
    for fired in found.fired:
        _rule(fired)
    if not found.fired:
        say("  none")
    near = [miss for miss in found.nearly if miss.closeness <= _NEAR]
    if near:
        _heading("Rules that nearly fired")
        for miss in near:
            say(plain(f"  {_nearly(miss)}"))
    _heading("Evidence")
    for event in found.evidence:
        say(plain(f"  {_event(event)}"))
    if not found.evidence:
        say("  no event: nothing was known")
    if found.minimal is not None:
        _minimal(found)


def _heading(text: str) -> None:
    say()
    say(colour(text, "strong"))


def _rule(fired: FiredRule) -> None:
    say(plain(f"  {fired.rule} ({fired.severity}) on {fired.subject}"))
    for line in wrapped(fired.message, first="    ", rest="    "):
        say(line)
    say(colour(plain(f"    because {' and '.join(map(_because, fired.conditions))}"), "dim"))


def _because(each: Compared) -> str:
    """A condition that held: a number beside its limit; what a value is or is not, once."""
    key = f" ({each.key})" if each.key else ""
    if each.operator == "missing":
        return f"{each.feature} is not known"
    if each.operator == "exists":
        return f"{each.feature} is known ({_value(each.value)})"
    if isinstance(each.value, bool) and each.operator == "==":
        return each.feature if each.value else f"not {each.feature}"
    if each.operator == "==":
        return f"{each.feature} is {_value(each.limit)}{key}"
    value = _value(each.value)
    if isinstance(each.value, float) and _number(each.value) != _number(each.limit):
        value = _number(each.value)
    return f"{each.feature} {value} {each.operator} {_value(each.limit)}{key}"


def _nearly(miss: NearMiss) -> str:
    key = f" ({miss.key})" if miss.key else ""
    return (
        f"{miss.rule} on {miss.subject}: {miss.what} is {_number(miss.value)}, fires at "
        f"{miss.operator} {_number(miss.limit)}{key}"
    )


def _event(event: Event) -> str:
    fields = {
        key: value
        for key, value in msgspec.to_builtins(event.data.as_json()).items()
        if value is not None and key not in ("node", "pci", "gpus", "traceback")
    }
    told = ", ".join(f"{key} {_value(value)}" for key, value in fields.items())
    line = f"{event.sequence:>7}  {event.time}  {event.type}  {event.subject}  {told}"
    return cut(line, (width() or _LONGEST) - 2)


def _minimal(found: Explanation) -> None:
    assert found.minimal is not None
    _heading("It hangs on")
    if found.minimal.cut_short:
        had = "it had found:" if found.minimal.events else "it had found nothing"
        say(f"  the search was cut short after {found.minimal.asked:,} tries; {had}")
    elif not found.minimal.events:
        say("  no set of events: leaving any of them out does not change what it says")
        return
    by_id = {event.id: event for event in found.evidence}
    for id in found.minimal.events:
        say(plain(f"  {_event(by_id[id])}" if id in by_id else f"  {id}"))
    without = found.minimal.without
    if without is not None:
        say(
            plain(
                f"  without {'it' if len(found.minimal.events) == 1 else 'them'}: "
                f"{SHOWN[found.decision.kind].answer(without)}"
            )
        )
    if not found.minimal.exhaustive and not found.minimal.cut_short:
        say("  (leaving out one less of them changes nothing; smaller parts were not all tried)")


def _value(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _number(value: float) -> str:
    return f"{int(value):,}" if value == int(value) else f"{value:,.6g}"
