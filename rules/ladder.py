"""The ladder of a card: ok, watch, excluded, retire.

Climbed by incidents, crashes and failed jobs, descended by clean looks and by
operators. A pure function of a card's record, the policy and the judging time; an
operator's word that has expired is looked past, as if it had not been spoken, so that
the rules' state returns. What is part of a series or a fleet cause puts a card on
watch and takes none out. See docs/ladder.md.
"""

from __future__ import annotations

import msgspec

from rules.card import Card, Charge, CleanRun, Incident, Override
from rules.folds.context import Context

STATES = ("ok", "watch", "down", "excluded", "retire")
"""From best to worst; ``down`` is what a look says, not a rung of the ladder."""

SITS_OUT = frozenset({"excluded", "retire"})

_OPERATOR_STATE = {"watch": "watch", "exclude": "excluded", "retire": "retire"}


class Standing(msgspec.Struct, kw_only=True):
    """Where a card stands: by the rules (``rules``), and by an operator's word.

    ``held`` are the incidents since a return or a person's word, ``because`` those that
    led to ``rules`` (on watch: those that still count), ``most`` the largest number that
    counted at once since its record was clean. ``crashes`` are the reboots that it led to since
    a person's word. ``exclusions`` holds for each exclusion by the rules, over all time, what
    completed it. What took it out, in numbers: ``crashes_led``, ``on_probation`` and ``charge``;
    ``grounds`` is how many of the limits it reached. ``back_us`` is when it came back by clean
    looks, ``watch_until_us`` until when a return keeps it on watch. ``operator`` is the newest
    active word that sets a state; failures before ``failures_from`` count no more.
    """

    rules: str = "ok"
    since_us: int = 0
    held: list[Incident] = []
    because: list[Incident] = []
    most: int = 0
    crashes: list[int] = []
    crashes_led: int = 0
    on_probation: int = 0
    charge: Charge | None = None
    grounds: int = 0
    exclusions: list[Incident | Charge] = []
    operator: Override | None = None
    reinstated: Override | CleanRun | None = None
    failures_from: tuple[int, int] = (0, 0)
    back_us: int | None = None
    watch_until_us: int | None = None

    @property
    def together(self) -> list[Incident]:
        """Those of ``because`` that were part of a series or a fleet cause."""
        return [each for each in self.because if each.cause]


def climb(card: Card, context: Context, at_us: int) -> Standing:
    """The card's standing at a judging time."""
    standing = Standing()
    for entry in _entries(card, at_us):
        _lapse(standing, entry.time_us, context)
        if isinstance(entry, Incident):
            _incident(standing, entry, context)
        elif isinstance(entry, Charge):
            _charge(standing, entry, context)
        elif isinstance(entry, CleanRun):
            _clean(standing, entry, context)
        elif entry.action == "reinstate":
            _reinstate(standing, entry, context)
        elif entry.action in _OPERATOR_STATE:
            standing.operator = entry
    _lapse(standing, at_us, context)
    if standing.rules == "watch":
        standing.because = counting(standing.held, at_us, context)
    return standing


def operator_state(standing: Standing) -> str:
    """The state an operator set, or "none"."""
    return "none" if standing.operator is None else _OPERATOR_STATE[standing.operator.action]


def worst(*states: str) -> str:
    """The worst of some states; "none" counts as ok."""
    return max((state for state in states if state in STATES), key=STATES.index, default="ok")


def counting(incidents: list[Incident], at_us: int, context: Context) -> list[Incident]:
    """The incidents that count at a time: those that did harm count longer."""
    harmful_us, harmless_us = at_us - context.window_us, at_us - context.harmless_window_us
    return [
        each
        for each in incidents
        if each.time_us > (harmful_us if each.harm or each.crashes else harmless_us)
    ]


def clean_span_us(standing: Standing, context: Context) -> int | None:
    """How long clean looks must span to bring an excluded card back; None: they never do."""
    spans = context.clean_spans_us
    if standing.rules != "excluded" or not spans:
        return None
    return spans[min(len(standing.exclusions), len(spans)) - 1]


def _entries(card: Card, at_us: int) -> list[Incident | Charge | CleanRun | Override]:
    words = [each for each in card.overrides if each.active(at_us)]
    entries: list[Incident | Charge | CleanRun | Override] = [*card.incidents, *card.charges]
    entries += [*card.clean, *words]
    return sorted(entries, key=lambda each: each.when)


def _lapse(standing: Standing, now_us: int, context: Context) -> None:
    """Watch ends when no incident counts, and no return is of late."""
    if standing.rules != "watch" or now_us < (standing.watch_until_us or 0):
        return
    if not counting(standing.held, now_us, context):
        standing.rules, standing.because, standing.most = "ok", [], 0


def _incident(standing: Standing, incident: Incident, context: Context) -> None:
    gpu, now = context.policy.gpu, incident.time_us
    standing.held = [*counting(standing.held, now, context), incident]
    if not incident.cause:
        standing.crashes = list(dict.fromkeys([*standing.crashes, *incident.crashes]))
    if standing.rules in SITS_OUT:
        return
    own = [each for each in standing.held if not each.cause]
    if incident.cause:
        _watch(standing, now)
        return
    crashes = len(standing.crashes) if incident.crashes else 0
    back_us = standing.back_us
    on_probation = int(back_us is not None and now < back_us + context.window_us)
    grounds = (
        (len(own) >= gpu.exclude_after_incidents)
        + (crashes >= gpu.exclude_after_crashes)
        + on_probation
    )
    standing.crashes_led = crashes
    if grounds:
        standing.because = own
        standing.on_probation, standing.charge = on_probation, None
        _take_out(standing, incident, grounds, context)
    elif len(own) >= gpu.watch_after_incidents:
        standing.most = max(standing.most, len(own))
        _watch(standing, now)


def _watch(standing: Standing, now_us: int) -> None:
    if standing.rules != "watch":
        standing.rules, standing.since_us = "watch", now_us


def _charge(standing: Standing, charge: Charge, context: Context) -> None:
    if standing.rules in SITS_OUT:
        return
    standing.because, standing.crashes_led, standing.on_probation = [], 0, 0
    standing.charge = charge
    _take_out(standing, charge, 1, context)


def _take_out(standing: Standing, entry: Incident | Charge, grounds: int, context: Context) -> None:
    standing.exclusions = [*standing.exclusions, entry]
    retired = len(standing.exclusions) >= context.policy.gpu.retire_after_exclusions
    standing.rules, standing.since_us = "retire" if retired else "excluded", entry.time_us
    standing.grounds, standing.most = grounds, 0
    standing.back_us = standing.watch_until_us = standing.reinstated = None


def _clean(standing: Standing, run: CleanRun, context: Context) -> None:
    """Clean looks bring back what is excluded, on probation; nothing else changes by them."""
    if standing.rules != "excluded" or run.first_us < standing.since_us:
        return
    if run.level < min(len(standing.exclusions), len(context.clean_spans_us)):
        return
    _come_back(standing, run, context)
    standing.back_us = run.time_us
    standing.failures_from = max(standing.failures_from, (run.first_us, 0))


def _reinstate(standing: Standing, word: Override, context: Context) -> None:
    """A person's word: out leads to watch, watch to ok; earlier incidents no longer count."""
    state = worst(standing.rules, operator_state(standing))
    standing.operator = None
    if state in SITS_OUT:
        _come_back(standing, word, context)
    else:
        standing.rules, standing.reinstated, standing.watch_until_us = "ok", None, None
        standing.held, standing.because, standing.most = [], [], 0
    standing.crashes, standing.back_us = [], None
    standing.failures_from = max(standing.failures_from, word.when)


def _come_back(standing: Standing, entry: CleanRun | Override, context: Context) -> None:
    standing.rules, standing.since_us = "watch", entry.time_us
    standing.watch_until_us = entry.time_us + context.window_us
    standing.held, standing.because, standing.most = [], [], 0
    standing.crashes_led = standing.on_probation = standing.grounds = 0
    standing.charge, standing.reinstated = None, entry
