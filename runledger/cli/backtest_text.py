"""A backtest as text: the policies side by side, a map of two keys, and what would have been best.

A number that is not known is a range: ``3–7``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ledger.text.characters import plain
from ledger.text.humanize import counted, listed, number
from runledger.backtest import Backtest, Scores
from runledger.backtest.measures import MEASURES
from runledger.backtest.ranges import Range, range_text
from runledger.backtest.sweep import Sweep
from runledger.terminal.output import colour, say, table, wrapped

_ROWS: tuple[tuple[str, Callable[[Scores], Range | float]], ...] = (
    ("runs that failed, foreseeably", lambda each: each.preflight.knowable),
    ("  blocked", lambda each: each.preflight.blocked_failures),
    ("  hours saved", lambda each: each.preflight.hours_saved),
    ("runs that failed, unforeseeably", lambda each: each.preflight.unforeseeable),
    ("  blocked", lambda each: each.preflight.blocked_unforeseeable),
    ("runs kept off the cards they failed on", lambda each: each.preflight.kept_off),
    ("failures of runs prevented", lambda each: each.preflight.prevented),
    ("runs that succeeded", lambda each: each.preflight.successes),
    ("  blocked", lambda each: each.preflight.blocked_successes),
    ("  hours lost", lambda each: each.preflight.hours_lost),
    ("runs lost", lambda each: each.preflight.lost),
    ("blocks for a node or card", lambda each: each.preflight.blocks),
    ("  needless", lambda each: each.preflight.needless),
    ("runs blocked in reality (censored)", lambda each: each.preflight.censored),
    ("runs unsupported", lambda each: each.preflight.unsupported),
    ("  share of all runs", lambda each: each.preflight.unsupported_share),
    ("incidents of cards", lambda each: each.exclusions.incidents),
    ("  while it would sit out", lambda each: each.exclusions.spared),
    ("jobs that failed, not of their program", lambda each: each.exclusions.failed_jobs),
    ("  kept off the card", lambda each: each.exclusions.jobs_spared),
    ("exclusions", lambda each: each.exclusions.exclusions),
    ("  of a card that was well", lambda each: each.exclusions.wrong),
    ("GPU-hours sat out", lambda each: each.exclusions.hours_out),
    ("  bad", lambda each: each.exclusions.bad_hours),
    ("  quiet", lambda each: each.exclusions.quiet_hours),
    ("  unknown which", lambda each: each.exclusions.unknown_hours),
    ("  out in reality, too (censored)", lambda each: each.exclusions.censored_hours),
    ("parameters asked for", lambda each: each.parameters.decisions),
    ("  run as it says", lambda each: each.parameters.supported),
    ("  of these, found survivors", lambda each: each.parameters.worked),
    ("  unsupported", lambda each: each.parameters.unsupported),
    ("  share unsupported", lambda each: each.parameters.unsupported_share),
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
        rows = [(what, *(_shown(of(each)) for each in result.policies)) for what, of in _ROWS]
        table(("", *(each.policy for each in result.policies)), rows)
        say()
    _best(result)
    say()
    say("A run that was blocked has no outcome: it counts as censored, never as saved.")
    say("What no event supports is unsupported, and speaks for no policy.")
    say("A range goes from what is sure to what is possible.")


def _shown(value: Range | float) -> str:
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
    found: Sequence[Scores],
    y: int,
    value: str,
    across: Sweep,
    down: Sweep,
    of: Callable[[Scores], Range],
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
