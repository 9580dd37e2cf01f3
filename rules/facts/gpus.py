"""Facts about cards: where each stands on the ladder, how it looks, and why.

Longer than most: all that may be said of one card is gathered here, a method a kind of fact.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from ledger.identifiers import gpu_subject
from ledger.text import humanize
from ledger.times import SECOND_US, format_time
from rules.card import Asked, Card, CleanRun, Compared, Incident, Override
from rules.facts.failures import Weighing
from rules.folds.boots import since_boot
from rules.folds.context import Context
from rules.folds.identity import identifying
from rules.folds.lines import DAY_US
from rules.folds.looks import DOWN
from rules.folds.standing_out import fault_counts, hang_counts, standing_out
from rules.ladder import SITS_OUT, Standing, clean_span_us, climb, operator_state, worst
from rules.ruleset import Fact, Fired, known
from rules.state import Failure, NodeState, State

_FAILURES_NAMED = 20
"""Of more failed jobs than a rule asks for, so many of the newest are named as evidence."""

_WEEK = 7


class CardStanding(msgspec.Struct, kw_only=True):
    """A card as a decision shows it; ``state`` is the worst that a fired rule asked for.

    ``needs_reset`` marks one that must not be used until it had a reset.
    """

    key: str
    card: Card
    standing: Standing
    state: str
    since_us: int
    reason: str
    evidence: tuple[str, ...]
    needs_reset: bool = False

    @property
    def sits_out(self) -> bool:
        """Whether the card must not be used."""
        return self.state in SITS_OUT


def card_label(node: str, pci: str, index: int | None) -> str:
    """How messages call a card."""
    return f"GPU {index} ({pci}) of {node}" if index is not None else f"GPU {pci} of {node}"


def is_gone(state: State, key: str) -> bool:
    """Whether the newest probe of its node does not show a card: its index is not current."""
    node = state.nodes.get(state.cards[key].node)
    return (
        node is not None
        and node.probe is not None
        and all(seen.card != key or seen.state == "missing" for seen in node.probe.gpus)
    )


def down_as(state: State, key: str) -> str:
    """How a card does not answer in the newest look: ``unresponsive``, ``missing``; else ""."""
    card = state.cards[key]
    node = state.nodes.get(card.node)
    if node is None or node.probe is None:
        return ""
    for seen in node.probe.gpus:
        if seen.card == key:
            return seen.state if seen.state in DOWN else ""
    return "missing" if key in node.missed and card.up is False else ""


def asked_for(state: State, card: Card, at_us: int) -> Asked | None:
    """What a card needs a reset for, where nothing has ended that need."""
    asked, node = card.asked, state.nodes.get(card.node)
    if asked is None or (node is not None and not since_boot(node, asked.time_us, asked.boot)):
        return None
    for word in card.overrides:
        if word.action == "reinstate" and word.when > asked.when and word.active(at_us):
            return None
    return asked


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
                "incidents": _incidents(own),
                "crashes": standing.crashes_led,
                "exclusions": len(standing.exclusions),
                "exclude_after": humanize.counted(gpu.exclude_after_incidents, "incident"),
                "counts_for": self._counts_for(own),
                "back": self._back(card, standing),
                "rma": " (its maker's advice is to return it)" if _rma(own) else "",
                "reinstated_by": _reinstated_by(reinstated),
                "series": _together(series),
                "fleet": _together(fleet),
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


def asked_shown(asked: Asked) -> dict[str, object]:
    """What a card asks for, in words."""
    words = {"drain_reset": "drain it and reset it", "reboot": "reboot its node"}
    return {
        "asked": f"{asked.kind} at {humanize.moment(asked.time_us)}",
        "do": words.get(asked.action, "reset it or reboot its node"),
    }


def _measured(what: str, compared: Compared) -> dict[str, object]:
    return {what: compared.count, "others_mean": compared.others, "times_others": compared.times}


def _rma(incidents: list[Incident]) -> bool:
    return any(each.rma for each in incidents)


def _incidents(because: list[Incident]) -> str:
    said: list[str] = []
    for incident in because:
        compared = incident.compared
        what = incident.kind
        if compared is not None:
            others = humanize.number(round(compared.others, 1))
            what = f"{compared.count} x {what}, the other cards {others} on average,"
        crash = ", and the node went down" if incident.crashes else ""
        said.append(f"{what} at {humanize.moment(incident.time_us)}{crash}")
    crashes = sum(bool(incident.crashes) for incident in because)
    what = "a crash" if crashes == 1 else "crashes"
    if crashes and len(said) > 1:
        what = f"{crashes} of them {what}"
    return (
        f"{humanize.counted(len(said), 'incident')}{f', {what}' if crashes else ''}: "
        f"{humanize.listed(said, 3)}"
    )


def _together(incidents: list[Incident]) -> str:
    if not incidents:
        return ""
    newest = incidents[-1]
    return (
        f"{newest.kind} at {humanize.moment(newest.time_us)}, together with "
        f"{humanize.listed(newest.beside, 4)}"
    )


def _reinstated_by(entry: Override | CleanRun | None) -> str:
    if entry is None:
        return ""
    if isinstance(entry, CleanRun):
        return f"clean looks until {humanize.moment(entry.time_us)}, on probation"
    return f"the word of {entry.by}: {entry.reason}"


def operator_says(word: Override | None) -> str:
    """An operator's word in a sentence."""
    if word is None:
        return ""
    until = "" if word.expires_us is None else f" until {humanize.moment(word.expires_us)}"
    verb = {"watch": "watched", "exclude": "excluded", "retire": "retired"}[word.action]
    return f"{verb} by {word.by}{until}: {word.reason}"


def card_standing(
    key: str, card: Card, standing: Standing, fired: list[Fired]
) -> CardStanding | None:
    """The card's state from the rules that fired for it, with the reasons of that state.

    None where they say nothing of its state.
    """
    state = worst(*(each.rule.effect["state"] for each in fired))
    if state == "ok":
        return None
    speaking = [each for each in fired if each.rule.effect["state"] == state]
    evidence: list[str] = []
    for each in speaking:
        evidence += each.fact.evidence
    return CardStanding(
        key=key,
        card=card,
        standing=standing,
        state=state,
        since_us=min(each.fact.show["since_us"] for each in speaking),
        reason="; ".join(_reason(each) for each in speaking),
        evidence=tuple(dict.fromkeys(evidence)),
        needs_reset=any(
            each.rule.name == "gpu_needs_reset" and each.severity in ("block", "degrade")
            for each in fired
        ),
    )


def _reason(fired: Fired) -> str:
    """A rule's message without the card's name, which stands beside it."""
    return fired.message.removeprefix(f"{fired.fact.show['card']}: ")


def outcome_entry(standing: CardStanding, state: State) -> dict[str, object]:
    """One card of ``outcome.gpus``; ``gone`` where the newest probe does not show it."""
    card = standing.card
    entry: dict[str, object] = {
        "subject": gpu_subject(card.node, card.pci),
        "node": card.node,
        "pci": card.pci,
    }
    if card.index is not None:
        entry["index"] = card.index
    if is_gone(state, standing.key):
        entry["gone"] = True
    if (uid := identifying(state, card.uid)) is not None:
        entry["card_uid"] = uid
    if card.way is not None:
        entry["place"] = card.way
    if down_as(state, standing.key):
        entry["down"] = True
    if standing.needs_reset:
        entry["needs_reset"] = True
    entry |= {
        "state": standing.state,
        "since": format_time(standing.since_us),
        "reason": standing.reason,
        "evidence": list(standing.evidence),
    }
    return entry
