"""``upgrade --preview``: what today's rules judge otherwise, before anything changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runledger.cli import exits

if TYPE_CHECKING:
    from runledger.replaying.preview import Otherwise


def show(location: str, *, as_json: bool) -> int:
    """Print it; reads the ledger as it is, of an older schema, too."""
    from ledger import open_ledger
    from ledger.text.characters import plain
    from ledger.text.humanize import counted
    from runledger.replaying.preview import preview
    from runledger.terminal.output import print_json, say

    with open_ledger(location, create=False, readonly=True, older=True) as ledger:
        found = preview(ledger)
    parts = {"cards": found.cards, "steps": found.steps, "others": found.others}
    if as_json:
        told = {name: [each._asdict() for each in part] for name, part in parts.items()}
        print_json({"decisions": found.decisions, **told, "problems": found.problems})
        return exits.DONE
    say(
        f"the newest {counted(found.decisions, 'decision')}, one for each question, made again by "
        f"today's rules: {counted(sum(map(len, parts.values())), 'thing')} judged otherwise"
    )
    for each in (*found.cards, *found.steps, *found.others):
        say(plain(_line(each)))
    for id, problem in found.problems.items():
        say(plain(f"{id} could not be made again: {problem}"))
    say("nothing was changed")
    return exits.DONE


def _line(each: Otherwise) -> str:
    return f"  {each.subject}: {each.before} -> {each.after}"
