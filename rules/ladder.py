"""The ladder of a card: ok, watch, excluded, retire.

Climbed by incidents, descended by clean probes and by operators. A pure
function of a card's record, the policy and the judging time; an operator's
word that has expired is looked past, as if it had not been spoken, so that the
rules' state returns.
"""

from __future__ import annotations

import msgspec

from rules.folds.context import Context
from rules.state import Card, CleanRun, Incident, Override

STATES = ("ok", "watch", "excluded", "retire")
"""From best to worst."""

SITS_OUT = frozenset({"excluded", "retire"})

_OPERATOR_STATE = {"watch": "watch", "exclude": "excluded", "retire": "retire"}


class Standing(msgspec.Struct, kw_only=True):
    """Where a card stands: by the rules (``rules``), and by an operator's word.

    ``counting`` are the incidents that count, ``because`` those that led to
    ``rules``, ``most`` the largest number of them within one window since its record
    was clean; ``exclusions`` holds for each exclusion by the rules, over all
    time, the incident that completed it. ``operator`` is the newest active word
    that sets a state; failures before ``failures_from`` count no more.
    """

    rules: str = "ok"
    since_us: int = 0
    counting: list[Incident] = msgspec.field(default_factory=list)
    because: list[Incident] = msgspec.field(default_factory=list)
    most: int = 0
    exclusions: list[Incident] = msgspec.field(default_factory=list)
    operator: Override | None = None
    reinstated: Override | CleanRun | None = None
    failures_from: tuple[int, int] = (0, 0)
    anchor_us: int | None = None
    newest_us: int | None = None

    def quiet_us(self, at_us: int) -> int | None:
        """On watch: how long nothing has happened to it that keeps it there."""
        if self.rules != "watch":
            return None
        return at_us - max(self.newest_us or 0, self.anchor_us or 0)


def climb(card: Card, context: Context, at_us: int) -> Standing:
    """The card's standing at a judging time."""
    standing = Standing()
    for entry in _entries(card, at_us):
        _lapse(standing, entry.time_us, context)
        if isinstance(entry, Incident):
            _incident(standing, entry, context)
        elif isinstance(entry, CleanRun):
            _step_down(standing, entry, context, by_operator=False)
        elif entry.action == "reinstate":
            _step_down(standing, entry, context, by_operator=True)
            standing.operator = None
            standing.failures_from = entry.when
        elif entry.action in _OPERATOR_STATE:
            standing.operator = entry
    _lapse(standing, at_us, context)
    if standing.rules == "watch":
        standing.because = _within_window(standing.because, at_us, context)
    return standing


def operator_state(standing: Standing) -> str:
    """The state an operator set, or "none"."""
    return "none" if standing.operator is None else _OPERATOR_STATE[standing.operator.action]


def worst(*states: str) -> str:
    """The worst of some states; "none" counts as ok."""
    return max((state for state in states if state in STATES), key=STATES.index, default="ok")


def _entries(card: Card, at_us: int) -> list[Incident | CleanRun | Override]:
    words = [each for each in card.overrides if each.active(at_us)]
    entries: list[Incident | CleanRun | Override] = [*card.incidents, *card.clean, *words]
    return sorted(entries, key=lambda each: each.when)


def _within_window(incidents: list[Incident], at_us: int, context: Context) -> list[Incident]:
    return [each for each in incidents if each.time_us > at_us - context.window_us]


def _lapse(standing: Standing, now_us: int, context: Context) -> None:
    """Watch ends when the window holds no incident."""
    oldest = now_us - context.window_us
    if (
        standing.rules == "watch"
        and (standing.newest_us is None or standing.newest_us <= oldest)
        and (standing.anchor_us is None or standing.anchor_us <= oldest)
    ):
        standing.rules, standing.because, standing.most = "ok", [], 0


def _incident(standing: Standing, incident: Incident, context: Context) -> None:
    gpu = context.policy.gpu
    now = standing.newest_us = incident.time_us
    standing.counting.append(incident)
    if standing.rules in SITS_OUT:
        return
    recent = _within_window(standing.counting, now, context)
    standing.counting = [*recent]
    standing.most = max(standing.most, len(recent))
    if len(recent) >= gpu.exclude_after_incidents:
        standing.exclusions.append(incident)
        retired = len(standing.exclusions) >= gpu.retire_after_exclusions
        standing.rules = "retire" if retired else "excluded"
        standing.since_us, standing.because = now, recent
    elif len(recent) >= gpu.watch_after_incidents:
        if standing.rules != "watch":
            standing.since_us = now
        standing.rules, standing.because = "watch", recent
    standing.anchor_us = None


def _step_down(
    standing: Standing, entry: CleanRun | Override, context: Context, *, by_operator: bool
) -> None:
    """Reinstate: out of exclusion leads to watch, out of watch to ok."""
    state = standing.rules
    if by_operator:
        state = worst(state, operator_state(standing))
    if state == "excluded" or (state == "retire" and by_operator):
        standing.rules, standing.since_us = "watch", entry.time_us
        # A card out for longer than the window is watched for one window all the same.
        oldest = entry.time_us - context.window_us
        if standing.newest_us is None or standing.newest_us <= oldest:
            standing.anchor_us = entry.time_us
    elif state == "watch":
        standing.rules, standing.anchor_us = "ok", None
    else:
        return
    standing.counting, standing.because, standing.most = [], [], 0
    standing.reinstated = entry
    since = (entry.first_us, 0) if isinstance(entry, CleanRun) else entry.when
    standing.failures_from = max(standing.failures_from, since)
