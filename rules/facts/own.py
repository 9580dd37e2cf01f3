"""Facts for own rules: what built-in facts know of a subject, and own facts about it.

They are facts of kinds of their own (see `rules.own.compiled`). A card's
``out`` is the ladder's here, whatever own rules make of the card.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from ledger.identifiers import gpu_subject
from rules.card import Card
from rules.conditions import Scalar
from rules.facts.card_standing import CardStanding, card_label, is_gone
from rules.facts.node_cards import measured
from rules.facts.own_values import Asked, OwnValues, asked
from rules.folds.context import Context
from rules.folds.identity import place_key
from rules.folds.kept import NAMED
from rules.folds.looks import DOWN
from rules.ladder import Standing, counting
from rules.own.book import OwnBook
from rules.own.compiled import EXCLUSIONS, STEP, kind_of
from rules.own.declared import RuleAbout
from rules.own.texts import shown
from rules.ruleset import Fact, known
from rules.state import NodeState, Run, Seen, State

OWN = "own"
"""Under this name what is shown of a fact holds the own facts of its subject."""

_Values = dict[str, Scalar]
_Sources = dict[str, tuple[str, ...]]


class OwnFacts:
    """Builds the facts that own rules look at, of one judgement."""

    def __init__(self, book: OwnBook, state: State, context: Context, at_us: int) -> None:
        self._book = book
        self._state = state
        self._context = context
        self._at_us = at_us
        self._step: str | None = None
        self._asked: dict[str, list[Asked]] = {}

    # -- preflight -------------------------------------------------------------

    def preflight(
        self,
        question: Mapping[str, Any],
        built_in: Iterable[Fact],
        ladder: Mapping[str, CardStanding],
    ) -> Iterator[Fact]:
        """The facts of a preflight but the fleet's, made of the built-in ones."""
        self._step = self._book.step_name(str(question["step"]))
        run: Fact | None = None
        for fact in built_in:
            if fact.kind == "card":
                yield from self._card(fact, ladder)
            elif fact.kind == "node":
                name = fact.show["node"]
                sources = partial(_node_sources, fact, self._state.nodes.get(name) or NodeState())
                yield from self._of("node", name, fact.subject, fact, sources=sources)
            elif fact.kind == "question":
                yield from self._of("question", None, fact.subject, fact)
            elif fact.kind == "run":
                run = fact
        asked = question.get("run")
        if asked is None:
            return
        known = self._state.runs.get(str(asked))
        of_run = None if known is None else partial(_run_sources, known)
        yield from self._of("run", str(asked), f"run/{asked}", run, sources=of_run)
        if known is not None and known.study is not None:
            yield from self._of("study", known.study, f"study/{known.study}", None)

    def fleet(self, built_in: Fact) -> Iterator[Fact]:
        """The fleet's fact, which comes after all others."""
        return self._of("fleet", "", "fleet", built_in)

    def _card(self, fact: Fact, ladder: Mapping[str, CardStanding]) -> Iterator[Fact]:
        show = fact.show
        standing = ladder.get(show["key"])
        out = standing is not None and standing.sits_out
        key = show["key"] or place_key(show["node"], show["pci"])
        sources = partial(self._card_sources, key, standing)
        yield from self._of("card", key, fact.subject, fact, {"out": out}, sources)

    # -- exclusions --------------------------------------------------------------

    def exclusions(
        self, ladder: Mapping[str, CardStanding], climbed: Mapping[str, Standing]
    ) -> Iterator[tuple[str, Fact]]:
        """Key and fact of every card there is: where it stands by the ladder, and what it does."""
        state = self._state
        shown_as: dict[str, Seen] = {
            seen.card: seen
            for node in state.nodes.values()
            for seen in (node.probe.gpus if node.probe else ())
        }
        in_order = sorted(state.cards.items(), key=lambda each: (each[1].node, each[1].pci))
        for key, card in in_order:
            seen, standing = shown_as.get(key), ladder.get(key)
            stands = climbed.get(key)
            incidents = () if stands is None else counting(stands.held, self._at_us, self._context)
            features = known(
                state=None if seen is None else seen.state,
                out=standing is not None and standing.sits_out,
                down=None if seen is None else seen.state in DOWN,
                index=None if seen is None else seen.index,
                incidents=len(incidents),
                crashes=0 if stands is None else len(stands.crashes),
                **measured(None if seen is None else card),
            )
            yield (
                key,
                self._made(
                    EXCLUSIONS,
                    "card",
                    key,
                    gpu_subject(card.node, card.pci),
                    features,
                    partial(self._card_sources, key, standing),
                    {
                        "card": card_label(
                            card.node, card.pci, None if is_gone(state, key) else card.index
                        ),
                        "node": card.node,
                        "pci": card.pci,
                    },
                ),
            )

    def _card_sources(self, key: str, standing: CardStanding | None) -> _Sources:
        card = self._state.cards.get(key)
        node = None if card is None else self._state.nodes.get(card.node)
        probe: tuple[str, ...] = ()
        if node is not None and node.probe is not None:
            probe = (node.probe.event,)
        sources: _Sources = dict.fromkeys(self._book.features["card"], probe)
        sources["out"] = () if standing is None else standing.evidence
        sources["incidents"] = sources["crashes"] = _incidents(card)
        return sources

    # -- either ------------------------------------------------------------------

    def _of(
        self,
        about: RuleAbout,
        key: str | None,
        subject: str,
        built_in: Fact | None,
        changed: _Values | None = None,
        sources: Callable[[], _Sources] | None = None,
    ) -> Iterator[Fact]:
        """The fact about one subject, where there is a rule about such."""
        kind = kind_of(about)
        if not self._book.judges(kind):
            return
        features = {} if built_in is None else built_in.features
        evidence = () if built_in is None else built_in.evidence
        names = {} if built_in is None else {"node": built_in.show.get("node")}
        names |= {"card": built_in.show.get("card")} if about == "card" and built_in else {}
        names |= {about: key} if about in ("run", "study") else {}
        yield self._made(
            kind,
            about,
            key,
            subject,
            features | (changed or {}),
            sources or (lambda: dict.fromkeys(features, evidence)),
            names,
        )

    def _made(
        self,
        kind: str,
        about: RuleAbout,
        key: str | None,
        subject: str,
        features: _Values,
        sources: Callable[[], _Sources],
        names: Mapping[str, Any],
    ) -> Fact:
        facts = self._asked.get(kind)
        if facts is None:
            facts = self._asked[kind] = asked(self._book.facts(kind), self._state.own)
        own = OwnValues(facts, key or "", self._at_us)
        values = {**features, **own.values()}
        if self._step is not None:
            values[STEP] = self._step
        return Fact(
            kind=kind,
            subject=subject,
            features=values,
            show=_Shown({**names, "subject": subject, STEP: self._step, OWN: own}, features),
            sources=_Rests(own, sources),
        )


class _Shown(dict[str, Any]):
    """What messages mention: features in words, made when one is mentioned."""

    def __init__(self, names: Mapping[str, Any], features: Mapping[str, Scalar]) -> None:
        super().__init__(names)
        self._features = features

    def __missing__(self, name: str) -> str:
        said: str | None = self[OWN].said(name)
        return shown(self._features.get(name)) if said is None else said


class _Rests(dict[str, tuple[str, ...]]):
    """The events that features rest on, found when one is asked for."""

    def __init__(self, own: OwnValues, built_in: Callable[[], _Sources]) -> None:
        super().__init__()
        self._own = own
        self._built_in = built_in

    def __missing__(self, feature: str) -> tuple[str, ...]:
        events = self._own.events(feature)
        return self._built_in().get(feature, ()) if events is None else events


def _incidents(card: Card | None) -> tuple[str, ...]:
    return () if card is None else tuple(each.event for each in card.incidents[-NAMED:])


def _node_sources(fact: Fact, seen: NodeState) -> _Sources:
    """The events that what is known of a node rests on, by feature."""
    reach = () if seen.reach is None else (seen.reach.event,)
    return {
        **dict.fromkeys(fact.features, fact.evidence),
        **dict.fromkeys(("reachable", "mem_total_mib", "mem_available_mib"), reach),
        "cards": () if seen.probe is None else (seen.probe.event,),
        "uptime_s": () if seen.boot is None else (seen.boot.event,),
        "ramdisk_free_mib": () if seen.ramdisk_free is None else (seen.ramdisk_free.event,),
        "jobs_failed": () if seen.failed is None else tuple(seen.failed.events),
    }


def _run_sources(run: Run) -> _Sources:
    """Likewise of a run."""
    asked = () if run.started_event is None else (run.started_event,)
    counted = () if run.counted is None else (run.counted.event,)
    return {
        **dict.fromkeys(("dropped", "trials", "seed_count"), asked),
        **dict.fromkeys(("completed_trials", "survivors"), counted),
    }
