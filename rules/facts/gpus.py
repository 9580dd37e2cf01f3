"""Facts about cards: where each stands on the ladder, and why."""

from __future__ import annotations

from itertools import groupby

import msgspec

from ledger.identifiers import gpu_subject
from ledger.times import format_time
from rules import words
from rules.causes import WEIGHING
from rules.folds.context import Context
from rules.ladder import SITS_OUT, Standing, climb, operator_state, worst
from rules.ruleset import Fact, Fired, Margin
from rules.state import Card, CleanRun, Failure, Override, State

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


def failure_facts(state: State, context: Context, at_us: int) -> list[tuple[Failure, Fact]]:
    """A fact for each failure within the window that happened on a known card."""
    oldest = at_us - context.window_us
    return [
        (
            failure,
            Fact(
                kind="failure",
                subject=failure.card,
                features={
                    "says": failure.says,
                    **{
                        f"near_{kind}": kind in failure.near
                        for kind in ("smu", "gpu", "oom", "lost")
                    },
                },
                show={"job": failure.event},
                evidence=(failure.event,),
            ),
        )
        for failure in state.failures
        if failure.card and failure.time_us > oldest
    ]


def weighing(
    state: State, context: Context, at_us: int, causes: list[tuple[Failure, str]]
) -> dict[str, list[Failure]]:
    """By card, the failures that are the card's own: of its cause, and not common to nodes."""
    oldest = at_us - context.window_us
    limit = context.policy.gpu.common_traceback_nodes
    common = {
        fingerprint
        for fingerprint, nodes in state.fingerprints.items()
        if sum(time_us > oldest for time_us in nodes.values()) >= limit
    }
    found: dict[str, list[Failure]] = {}
    for failure, cause in causes:
        if cause in WEIGHING and failure.fingerprint not in common:
            found.setdefault(failure.card, []).append(failure)
    return found


def gpu_facts(
    state: State, context: Context, at_us: int, failures: dict[str, list[Failure]]
) -> list[tuple[str, Standing, Fact]]:
    """A fact for each card that has a record: key, standing, fact."""
    facts: list[tuple[str, Standing, Fact]] = []
    for key, card in sorted(state.cards.items(), key=lambda each: (each[1].node, each[1].pci)):
        mine = failures.get(key, [])
        if not (card.incidents or card.overrides or mine):
            continue
        standing = climb(card, context, at_us)
        mine = _counting(mine, standing, context)
        index = None if is_gone(state, key) else card.index
        label = card_label(card.node, card.pci, index)
        facts.append((key, standing, _fact(card, label, standing, mine, context)))
    return facts


def _counting(failures: list[Failure], standing: Standing, context: Context) -> list[Failure]:
    """The failures since the card was last reinstated.

    Clean probes reinstate a card that failures had put on watch before them; to
    a card that was not on watch they do nothing.
    """
    limit = context.policy.gpu.watch_after_job_failures
    counting: list[Failure] = []
    for clean_us, before in groupby(failures, key=lambda each: each.clean_us):
        counting += [each for each in before if each.when > standing.failures_from]
        if clean_us is not None and len(counting) >= limit:
            counting = []
    return counting


def _fact(
    card: Card, label: str, standing: Standing, failures: list[Failure], context: Context
) -> Fact:
    gpu = context.policy.gpu
    reinstated = standing.reinstated if not standing.because else None
    words_of: list[str] = []
    for incident in standing.because:
        crash = ", and the node went down" if incident.crash else ""
        words_of.append(f"{incident.kind} at {words.moment(incident.time_us)}{crash}")
    operator = standing.operator
    crashes = sum(incident.crash for incident in standing.because)
    what = "a crash" if crashes == 1 else "crashes"
    said = (
        "" if not crashes else f", {crashes} of them {what}" if len(words_of) > 1 else ", a crash"
    )
    grounds = standing.because
    if standing.rules == "retire":
        grounds = sorted([*standing.exclusions, *grounds], key=lambda each: each.when)
    evidence = [incident.event for incident in grounds]
    if reinstated is not None:
        evidence.append(reinstated.event)
    if operator is not None:
        evidence.append(operator.event)
    named = max(_FAILURES_NAMED, gpu.watch_after_job_failures)
    evidence += [failure.event for failure in failures[-named:]]
    return Fact(
        kind="gpu",
        subject=gpu_subject(card.node, card.pci),
        features={
            "rules": standing.rules,
            "reinstated": reinstated is not None,
            "operator": operator_state(standing),
            "failures": len(failures),
        },
        show={
            "card": label,
            "subject": gpu_subject(card.node, card.pci),
            "pci": card.pci,
            "node": card.node,
            "incidents": f"{words.count(len(words_of), 'incident')}{said}: "
            f"{words.listed(words_of, 3)}",
            "exclusions": len(standing.exclusions),
            "failures": len(failures),
            "failing_since_us": min((each.time_us for each in failures), default=0),
            "window": words.span(gpu.window_s),
            "exclude_after": words.count(gpu.exclude_after_incidents, "incident"),
            "clean": gpu.reinstate_clean_probes,
            "clean_span": words.span(gpu.reinstate_after_s),
            "reinstated_by": _reinstated_by(reinstated),
            "operator_says": operator_says(operator),
        },
        evidence=tuple(dict.fromkeys(evidence)),
        margins=_margins(standing, context),
    )


def _margins(standing: Standing, context: Context) -> tuple[Margin, ...]:
    """How far the card is from the next rung that incidents lead to."""
    gpu = context.policy.gpu
    if standing.rules == "watch":
        return (
            Margin(
                rule="repeated_incident",
                what="incidents within the window",
                value=len(standing.because),
                limit=gpu.exclude_after_incidents,
                key="gpu.exclude_after_incidents",
            ),
        )
    if standing.rules == "excluded":
        return (
            Margin(
                rule="repeated_exclusion",
                what="exclusions over all time",
                value=len(standing.exclusions),
                limit=gpu.retire_after_exclusions,
                key="gpu.retire_after_exclusions",
            ),
        )
    return ()


def _reinstated_by(entry: Override | CleanRun | None) -> str:
    if entry is None:
        return ""
    if isinstance(entry, CleanRun):
        return f"clean probes until {words.moment(entry.time_us)}"
    return f"the word of {entry.by}: {entry.reason}"


def operator_says(word: Override | None) -> str:
    """An operator's word in a sentence."""
    if word is None:
        return ""
    until = "" if word.expires_us is None else f" until {words.moment(word.expires_us)}"
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
    if card.uid is not None and sum(state.sightings.get(card.uid, {}).values()) <= 1:
        entry["card_uid"] = card.uid
    entry |= {
        "state": standing.state,
        "since": format_time(standing.since_us),
        "reason": standing.reason,
        "evidence": list(standing.evidence),
    }
    return entry
