"""Facts about cards: where each stands on the ladder, and why."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from ledger.identifiers import gpu_subject
from ledger.text import humanize
from ledger.times import SECOND_US, format_time
from rules.facts.failures import counting
from rules.folds.context import Context
from rules.folds.identity import identifying
from rules.ladder import SITS_OUT, Standing, climb, operator_state, worst
from rules.ruleset import Fact, Fired, known
from rules.state import Card, CleanRun, Failure, Incident, Override, State

_FAILURES_NAMED = 20
"""Of more failed jobs than a rule asks for, so many of the newest are named as evidence."""


class CardStanding(msgspec.Struct, kw_only=True):
    """A card as a decision shows it; ``state`` is the worst that a fired rule asked for."""

    key: str
    card: Card
    standing: Standing
    state: str
    since_us: int
    reason: str
    evidence: tuple[str, ...]

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
        and all(seen.card != key for seen in node.probe.gpus)
    )


def gpu_facts(
    state: State, context: Context, at_us: int, failures: dict[str, list[Failure]]
) -> list[tuple[str, Standing, Fact]]:
    """Key, standing and fact of each card that has a record: one for all that speaks of it."""
    facts: list[tuple[str, Standing, Fact]] = []
    for key, card in sorted(state.cards.items(), key=lambda each: (each[1].node, each[1].pci)):
        mine = failures.get(key, [])
        if not (card.incidents or card.overrides or mine):
            continue
        standing = climb(card, context, at_us)
        mine = counting(mine, standing, context)
        index = None if is_gone(state, key) else card.index
        label = card_label(card.node, card.pci, index)
        about = _About(card, label, context, at_us)
        facts += [(key, standing, fact) for fact in about.facts(standing, mine)]
    return facts


class _About:
    """The facts of one card, each with what it rests on."""

    def __init__(self, card: Card, label: str, context: Context, at_us: int) -> None:
        self._gpu = context.policy.gpu
        self._at_us = at_us
        self._subject = gpu_subject(card.node, card.pci)
        self._show = {"card": label, "subject": self._subject, "pci": card.pci, "node": card.node}

    def facts(self, standing: Standing, failures: list[Failure]) -> Iterator[Fact]:
        """Where it stands by the rules, what an operator said of it, what failed on it."""
        yield self._ladder(standing)
        if standing.operator is not None:
            yield self._word(standing.operator)
        if failures:
            yield self._failures(failures)

    def _ladder(self, standing: Standing) -> Fact:
        gpu = self._gpu
        reinstated = standing.reinstated if not standing.because else None
        grounds = standing.because
        if standing.rules == "retire":
            grounds = sorted([*standing.exclusions, *grounds], key=lambda each: each.when)
        quiet_us = standing.quiet_us(self._at_us)
        evidence = [incident.event for incident in grounds]
        evidence += [] if reinstated is None else [reinstated.event]
        return Fact(
            kind="gpu",
            subject=self._subject,
            features=known(
                incidents=len(standing.because),
                most_incidents=standing.most,
                exclusions=len(standing.exclusions),
                reinstated=reinstated is not None,
                quiet_s=None if quiet_us is None else quiet_us / SECOND_US,
                taken_out=operator_state(standing) in SITS_OUT,
            ),
            show=self._show
            | {
                "incidents": _incidents(standing.because),
                "exclusions": len(standing.exclusions),
                "window": humanize.span(gpu.window_s),
                "exclude_after": humanize.counted(gpu.exclude_after_incidents, "incident"),
                "clean": gpu.reinstate_clean_probes,
                "clean_span": humanize.span(gpu.reinstate_after_s),
                "reinstated_by": _reinstated_by(reinstated),
            },
            evidence=tuple(dict.fromkeys(evidence)),
        )

    def _word(self, word: Override) -> Fact:
        return Fact(
            kind="gpu_word",
            subject=self._subject,
            features={"word": word.action},
            show=self._show | {"operator_says": operator_says(word)},
            evidence=(word.event,),
        )

    def _failures(self, failures: list[Failure]) -> Fact:
        named = max(_FAILURES_NAMED, self._gpu.watch_after_job_failures)
        return Fact(
            kind="gpu_failures",
            subject=self._subject,
            features={"failures": len(failures)},
            show=self._show
            | {
                "failures": len(failures),
                "failing_since_us": min(each.time_us for each in failures),
                "window": humanize.span(self._gpu.window_s),
            },
            evidence=tuple(failure.event for failure in failures[-named:]),
        )


def _incidents(because: list[Incident]) -> str:
    said: list[str] = []
    for incident in because:
        crash = ", and the node went down" if incident.crash else ""
        said.append(f"{incident.kind} at {humanize.moment(incident.time_us)}{crash}")
    crashes = sum(incident.crash for incident in because)
    what = "a crash" if crashes == 1 else "crashes"
    if crashes and len(said) > 1:
        what = f"{crashes} of them {what}"
    return (
        f"{humanize.counted(len(said), 'incident')}{f', {what}' if crashes else ''}: "
        f"{humanize.listed(said, 3)}"
    )


def _reinstated_by(entry: Override | CleanRun | None) -> str:
    if entry is None:
        return ""
    if isinstance(entry, CleanRun):
        return f"clean probes until {humanize.moment(entry.time_us)}"
    return f"the word of {entry.by}: {entry.reason}"


def operator_says(word: Override | None) -> str:
    """An operator's word in a sentence."""
    if word is None:
        return ""
    until = "" if word.expires_us is None else f" until {humanize.moment(word.expires_us)}"
    verb = {"watch": "watched", "exclude": "excluded", "retire": "retired"}[word.action]
    return f"{verb} by {word.by}{until}: {word.reason}"


def card_standing(key: str, card: Card, standing: Standing, fired: list[Fired]) -> CardStanding:
    """The card's state from the rules that fired for it, with the reasons of that state."""
    state = worst(*(each.rule.effect["state"] for each in fired))
    speaking = [each for each in fired if each.rule.effect["state"] == state]
    evidence: list[str] = []
    for each in speaking:
        evidence += each.fact.evidence
    since = [standing.since_us] if standing.rules == state else []
    if standing.operator is not None and operator_state(standing) == state:
        since.append(standing.operator.time_us)
    if not since:  # on watch for failed jobs only
        since = [each.fact.show["failing_since_us"] for each in speaking]
    return CardStanding(
        key=key,
        card=card,
        standing=standing,
        state=state,
        since_us=min(since),
        reason="; ".join(_reason(each) for each in speaking),
        evidence=tuple(dict.fromkeys(evidence)),
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
    entry |= {
        "state": standing.state,
        "since": format_time(standing.since_us),
        "reason": standing.reason,
        "evidence": list(standing.evidence),
    }
    return entry
