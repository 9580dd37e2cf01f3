"""Facts about cards: where each stands on the ladder, how it looks, and why.

Longer than most: all that may be said of one card is gathered here, a method a kind of fact.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from ledger.identifiers import gpu_subject
from ledger.text import humanize
from ledger.times import SECOND_US
from rules.card import Asked, Card, Compared, Incident
from rules.facts.card_standing import asked_for, card_label, down_as, is_gone
from rules.facts.card_words import (
    asked_shown,
    asks_rma,
    incidents_said,
    operator_says,
    reinstated_by,
    together_said,
)
from rules.facts.failures import Weighing
from rules.folds.context import Context
from rules.folds.lines import DAY_US
from rules.folds.standing_out import fault_counts, hang_counts, standing_out
from rules.ladder import SITS_OUT, Standing, clean_span_us, climb, operator_state, worst
from rules.ruleset import Fact, known
from rules.state import Failure, NodeState, State

_FAILURES_NAMED = 20
"""Of more failed jobs than a rule asks for, so many of the newest are named as evidence."""

_WEEK = 7


class CardFact(msgspec.Struct, frozen=True):
    """A fact, whose card it is, and where that card stands."""

    key: str
    standing: Standing
    fact: Fact


def gpu_facts(
    state: State, context: Context, at_us: int, weighing: Weighing
) -> tuple[list[CardFact], dict[str, Standing]]:
    """What is to be judged of each card, and where each with a record stands by its key."""
    about = _Cards(state, context, at_us, weighing)
    ordered = sorted(state.cards.items(), key=lambda each: (each[1].node, each[1].pci))
    return [found for key, card in ordered for found in about.facts(key, card)], about.climbed


class _Cards:
    """Builds the facts of cards; each method is one kind of fact."""

    def __init__(self, state: State, context: Context, at_us: int, weighing: Weighing) -> None:
        self._state = state
        self._context = context
        self._gpu = context.policy.gpu
        self._at_us = at_us
        self._weighing = weighing
        self.climbed: dict[str, Standing] = {}
        self._spans = {
            "window": humanize.span(self._gpu.window_s),
            "harmless_window": humanize.span(self._gpu.harmless_window_s),
        }
        self._hung = standing_out(state, hang_counts(state, at_us, context), at_us, context)
        self._faulty = standing_out(state, fault_counts(state, at_us, context), at_us, context)

    def facts(self, key: str, card: Card) -> Iterator[CardFact]:
        """Every fact about a card; none where there is nothing to say."""
        failures = self._weighing.of(key)
        down, asked = down_as(self._state, key), asked_for(self._state, card, self._at_us)
        noisy = self._noisy_days(card)
        record = card.incidents or card.charges or card.overrides
        others = failures or noisy or key in self._hung or key in self._faulty
        if not (record or down or asked or others):
            return
        standing = self.climbed[key] = climb(card, self._context, self._at_us)
        if standing.rules == "ok" and not (standing.operator or down or asked or others):
            return
        show = self._show(key, card)
        for fact in (
            self._ladder(card, standing, show),
            self._charge(standing, show),
            self._word(standing, show),
            self._failures(failures, standing, show),
            self._stands_out("gpu_hangs", self._hung.get(key), card.hangs, card.hang_events, show),
            self._stands_out(
                "gpu_faults", self._faulty.get(key), card.faults, card.fault_events, show
            ),
            self._link(card, noisy, show),
            self._look(card, down, show),
            self._asked(asked, show),
            self._rested(card, standing, show),
        ):
            if fact is not None:
                yield CardFact(key, standing, fact)

    def _show(self, key: str, card: Card) -> dict[str, object]:
        index = None if is_gone(self._state, key) else card.index
        return {
            "card": card_label(card.node, card.pci, index),
            "subject": gpu_subject(card.node, card.pci),
            "pci": card.pci,
            "node": card.node,
            **self._spans,
        }

    def _fact(
        self,
        kind: str,
        show: dict[str, object],
        features: dict[str, object],
        more: dict[str, object],
        evidence: tuple[str, ...] | list[str],
        since_us: int,
    ) -> Fact:
        return Fact(
            kind=kind,
            subject=str(show["subject"]),
            features=known(**features),  # type: ignore[arg-type]
            show=show | more | {"since_us": since_us},
            evidence=tuple(dict.fromkeys(evidence)),
        )

    def _ladder(self, card: Card, standing: Standing, show: dict[str, object]) -> Fact | None:
        if standing.rules == "ok":
            return None
        gpu = self._gpu
        own = [each for each in standing.because if not each.cause]
        reinstated = standing.reinstated if not standing.because else None
        grounds = list(standing.because)
        if standing.rules == "retire":
            past = [each for each in standing.exclusions if isinstance(each, Incident)]
            grounds = sorted([*past, *grounds], key=lambda each: each.when)
        evidence = [incident.event for incident in grounds]
        evidence += [] if reinstated is None else [reinstated.event]
        back_us = None if reinstated is None else self._at_us - reinstated.time_us
        series = [each for each in standing.together if each.cause == "series"]
        fleet = [each for each in standing.together if each.cause == "fleet"]
        return self._fact(
            "gpu",
            show,
            {
                "incidents": len(own),
                "most_incidents": max(standing.most, len(own)),
                "crashes": standing.crashes_led,
                "on_probation": standing.on_probation,
                "grounds": standing.grounds,
                "exclusions": len(standing.exclusions),
                "reinstated": reinstated is not None,
                "back_s": None if back_us is None else back_us / SECOND_US,
                "in_series": len(series),
                "in_fleet_cause": len(fleet),
                "taken_out": operator_state(standing) in SITS_OUT,
            },
            {
                "incidents": incidents_said(own),
                "crashes": standing.crashes_led,
                "exclusions": len(standing.exclusions),
                "exclude_after": humanize.counted(gpu.exclude_after_incidents, "incident"),
                "counts_for": self._counts_for(own),
                "back": self._back(card, standing),
                "rma": " (its maker's advice is to return it)" if asks_rma(own) else "",
                "reinstated_by": reinstated_by(reinstated),
                "series": together_said(series),
                "fleet": together_said(fleet),
            },
            evidence,
            standing.since_us,
        )

    def _counts_for(self, incidents: list[Incident]) -> str:
        harmful = any(each.harmful for each in incidents)
        return humanize.span(self._gpu.window_s if harmful else self._gpu.harmless_window_s)

    def _back(self, card: Card, standing: Standing) -> str:
        """What brings an excluded card back, and how much of it is left."""
        span_us = clean_span_us(standing, self._context)
        if span_us is None:
            return ""
        done_us, looks = 0, 0
        if card.ok is not None and card.ok.first_us >= standing.since_us:
            done_us, looks = card.ok.last_us - card.ok.first_us, card.ok.looks
        left_us = max(0, span_us - done_us)
        least = self._gpu.reinstate_clean_probes
        span = humanize.span(span_us / SECOND_US)
        if not looks:
            return f"{span} of clean looks (at least {least})"
        left = humanize.to_go(left_us / SECOND_US)
        return f"{span} of clean looks (at least {least}), {left} to go"

    def _charge(self, standing: Standing, show: dict[str, object]) -> Fact | None:
        charge = standing.charge
        if charge is None:
            return None
        return self._fact(
            "gpu_charge",
            show,
            _measured("failures", charge.compared) | {"exclusions": len(standing.exclusions)},
            {
                "failures": charge.compared.count,
                "others": humanize.number(round(charge.compared.others, 1)),
                "exclusions": len(standing.exclusions),
            },
            charge.evidence,
            charge.time_us,
        )

    def _word(self, standing: Standing, show: dict[str, object]) -> Fact | None:
        word = standing.operator
        if word is None:
            return None
        more: dict[str, object] = {"operator_says": operator_says(word)}
        return self._fact("gpu_word", show, {"word": word.action}, more, [word.event], word.time_us)

    def _failures(
        self, failures: list[Failure], standing: Standing, show: dict[str, object]
    ) -> Fact | None:
        mine = [each for each in failures if each.when > standing.failures_from]
        if not mine:
            return None
        named = max(_FAILURES_NAMED, self._gpu.watch_after_job_failures)
        return self._fact(
            "gpu_failures",
            show,
            {"failures": len(mine)},
            {"failures": len(mine)},
            [failure.event for failure in mine[-named:]],
            min(each.time_us for each in mine),
        )

    def _stands_out(
        self,
        kind: str,
        compared: Compared | None,
        times: list[int],
        events: list[str],
        show: dict[str, object],
    ) -> Fact | None:
        if compared is None:
            return None
        what = kind.removeprefix("gpu_")
        oldest = self._at_us - self._context.harmless_window_us
        held = [each for each in zip(times, events, strict=True) if each[0] > oldest]
        return self._fact(
            kind,
            show,
            _measured(what, compared),
            {what: compared.count, "others": humanize.number(round(compared.others, 1))},
            [event for _, event in held[-_FAILURES_NAMED:]],
            held[0][0],
        )

    def _noisy_days(self, card: Card) -> list[int]:
        today = self._at_us // DAY_US
        return [
            day
            for day, count in card.corrected.items()
            if today - _WEEK < day <= today and count >= self._gpu.pcie_corrected_per_day
        ]

    def _link(self, card: Card, noisy: list[int], show: dict[str, object]) -> Fact | None:
        if not noisy:
            return None
        most = max(card.corrected[day] for day in noisy)
        return self._fact(
            "gpu_link",
            show,
            {"noisy_days": len(noisy), "most_a_day": most},
            {"noisy_days": len(noisy), "most": most},
            card.corrected_events,
            min(noisy) * DAY_US,
        )

    def _look(self, card: Card, down: str, show: dict[str, object]) -> Fact | None:
        if not down:
            return None
        node: NodeState = self._state.nodes[card.node]
        assert node.probe is not None
        lost = next((each for each in reversed(card.incidents) if each.found == "lost"), None)
        since_us = node.probe.time_us if lost is None else lost.time_us
        says = "is missing" if down == "missing" else "does not respond"
        return self._fact(
            "gpu_look", show, {"state": down}, {"says": says}, [node.probe.event], since_us
        )

    def _asked(self, asked: Asked | None, show: dict[str, object]) -> Fact | None:
        if asked is None:
            return None
        return self._fact(
            "gpu_reset",
            show,
            {"asked_s": (self._at_us - asked.time_us) / SECOND_US},
            asked_shown(asked),
            [asked.event],
            asked.time_us,
        )

    def _rested(self, card: Card, standing: Standing, show: dict[str, object]) -> Fact | None:
        """Clean looks of a retired card."""
        retired = worst(standing.rules, operator_state(standing)) == "retire"
        if not retired or card.ok is None:
            return None
        since_us = max(card.ok.first_us, standing.since_us)
        clean_s = (card.ok.last_us - since_us) / SECOND_US
        if clean_s <= 0:
            return None
        return self._fact(
            "gpu_rested",
            show,
            {"clean_s": clean_s},
            {"clean": humanize.span(clean_s)},
            [],
            since_us,
        )


def _measured(what: str, compared: Compared) -> dict[str, object]:
    return {what: compared.count, "others_mean": compared.others, "times_others": compared.times}
