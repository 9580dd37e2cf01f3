"""A backtest as text: the policies side by side, a map of two keys, and what would have been best.

A number that is not known is a range: ``3–7``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ledger.text.characters import plain
from ledger.text.humanize import counted, listed, number
from runledger.backtest import Backtest, Scores
from runledger.backtest.measures import MEASURES
from runledger.backtest.ranges import Range, range_text
from runledger.backtest.sweep import Sweep
from runledger.terminal.output import colour, say, table, wrapped

_ROWS: tuple[tuple[str, str, str], ...] = (
    ("runs that failed, foreseeably", "preflight", "knowable"),
    ("  blocked", "preflight", "blocked_failures"),
    ("  hours saved", "preflight", "hours_saved"),
    ("runs that failed, unforeseeably", "preflight", "unforeseeable"),
    ("  blocked", "preflight", "blocked_unforeseeable"),
    ("runs kept off the cards they failed on", "preflight", "kept_off"),
    ("failures of runs prevented", "preflight", "prevented"),
    ("runs that succeeded", "preflight", "successes"),
    ("  blocked", "preflight", "blocked_successes"),
    ("  hours lost", "preflight", "hours_lost"),
    ("runs lost", "preflight", "lost"),
    ("blocks for a node or card", "preflight", "blocks"),
    ("  needless", "preflight", "needless"),
    ("runs blocked in reality (censored)", "preflight", "censored"),
    ("runs unsupported", "preflight", "unsupported"),
    ("  share of all runs", "preflight", "unsupported_share"),
    ("incidents of cards", "exclusions", "incidents"),
    ("  while it would sit out", "exclusions", "spared"),
    ("jobs that failed, not of their program", "exclusions", "failed_jobs"),
    ("  kept off the card", "exclusions", "jobs_spared"),
    ("exclusions", "exclusions", "exclusions"),
    ("  of a card that was well", "exclusions", "wrong"),
    ("GPU-hours sat out", "exclusions", "hours_out"),
    ("  bad", "exclusions", "bad_hours"),
    ("  quiet", "exclusions", "quiet_hours"),
    ("  unknown which", "exclusions", "unknown_hours"),
    ("  out in reality, too (censored)", "exclusions", "censored_hours"),
    ("parameters asked for", "parameters", "decisions"),
    ("  run as it says", "parameters", "supported"),
    ("  of these, found survivors", "parameters", "worked"),
    ("  unsupported", "parameters", "unsupported"),
    ("  share unsupported", "parameters", "unsupported_share"),
)


def show(result: Backtest, sweeps: Sequence[Sweep]) -> None:
    """The whole of it for people."""
    say(
        plain(
            f"{counted(result.runs, 'run')} and {counted(result.decisions, 'decision')}, "
            f"{result.since} to {result.until}; in force: {result.in_force}"
        )
    )
    say()
    if len(sweeps) == 2:
        _maps(result, sweeps)
    else:
        rows = [
            (what, *(_shown(getattr(getattr(each, part), name)) for each in result.policies))
            for what, part, name in _ROWS
        ]
        table(("", *(each.policy for each in result.policies)), rows)
        say()
    _best(result)
    say()
    say("A run that was blocked has no outcome: it counts as censored, never as saved.")
    say("What no event supports is unsupported, and speaks for no policy.")
    say("A range goes from what is sure to what is possible.")


def _shown(value: Any) -> str:
    return range_text(value) if isinstance(value, Range) else number(value)


def _maps(result: Backtest, sweeps: Sequence[Sweep]) -> None:
    """A table for each measure: the values of the first key across, of the second down."""
    across, down = sweeps
    in_force, *swept = result.policies
    for base in range(0, len(swept), len(across.values) * len(down.values)):
        found = swept[base : base + len(across.values) * len(down.values)]
        name = found[0].policy.partition(f"{across.key}=")[0].strip()
        for measure in MEASURES:
            heading = measure.heading + (f", {name}" if name else "")
            say(colour(plain(heading), "strong"))
            say(plain(f"in force: {range_text(measure.of(in_force))}"))
            table(
                (f"{down.key} \\ {across.key}", *across.values),
                [
                    _map_row(found, y, value, across, down, measure.of)
                    for y, value in enumerate(down.values)
                ],
            )
            say()


def _map_row(
    found: Sequence[Scores], y: int, value: str, across: Sweep, down: Sweep, of: Any
) -> tuple[str, ...]:
    cells = (found[x * len(down.values) + y] for x in range(len(across.values)))
    return (value, *(range_text(of(each)) for each in cells))


def _best(result: Backtest) -> None:
    """What would have been best, and never without how far that is known."""
    say(colour("What would have been best", "strong"))
    best = result.best
    if not best.policies:
        _sentence("Nothing failed that a policy could have prevented: history does not tell.")
        return
    alike: dict[tuple[str, ...], list[str]] = {}
    for each in result.policies:
        if each.policy in best.policies:
            measured = tuple(range_text(measure.of(each)) for measure in MEASURES)
            alike.setdefault(measured, []).append(each.policy)
    if best.sure:
        _sentence(f"{best.policies[0]}: it beats every other, however what nobody knows is read.")
    elif len(alike) == 1:
        _sentence(f"History does not tell between {listed(list(best.policies))}: they do the same.")
    else:
        _sentence(
            "History does not tell between these: none is beaten by another that prevents as much "
            "and costs no more, whichever way what nobody knows is read."
        )
    table(
        (*(f"  {measure.title.lower()}" for measure in MEASURES), "  policy"),
        [(*(f"  {each}" for each in row), f"  {listed(same, 3)}") for row, same in alike.items()],
    )
    _sentence(
        f"This rests on {counted(best.rests_on, 'failure')} of one history: another would say "
        "something else. It is no advice."
    )


def _sentence(text: str) -> None:
    for line in wrapped(text, first="  ", rest="  "):
        say(line)
