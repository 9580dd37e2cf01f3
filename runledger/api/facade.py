"""One open ledger and everything that can be asked of it.

This is what WATCHER imports and what the command line is made of. Results are
typed and frozen; every error is a `RunledgerError`. Safe to use from several
threads, and from several processes each with its own.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from ledger import Appended, Event, Ledger, new_event, open_ledger, parse_filters
from ledger.identifiers import subject_problem
from ledger.payloads import (
    DecisionPayload,
    Finding,
    OverrideSet,
    Payload,
)
from rules.decide import Draft
from rules.proposal import whole_number
from runledger.api.collecting import Collecting
from runledger.api.guarding import Guarding
from runledger.api.lookback import Recalling
from runledger.api.searching import Searching
from runledger.api.session import Time
from runledger.config.catalog import Catalog
from runledger.config.settings import Settings, load_settings
from runledger.deciding.decisions import OWN_FAILURE, Decider
from runledger.deciding.proposals import receive
from runledger.errors import BadInput, RunledgerError
from runledger.studies.space import scope_texts

SOURCE = "runledger"


def open(
    location: str | Path | None = None,
    *,
    config: str | Path | None = None,
    create: bool = True,
    readonly: bool = False,
    clock: Callable[[], int] = lambda: time.time_ns() // 1000,
) -> Runledger:
    """Open a ledger by path or URL; by default the one that settings name.

    ``config`` is the path of a ``runledger.toml`` (default: the one in the
    current folder). ``readonly`` is for those who may not, or would not, write:
    whatever stores something fails then. ``clock`` gives the time in
    microseconds since the epoch.
    """
    settings = load_settings(ledger=None if location is None else str(location), config=config)
    if not readonly:
        settings.read_policy()  # a broken one is known before anything is made or stored
    ledger = open_ledger(settings.ledger, create=create, readonly=readonly, clock=clock)
    return Runledger(ledger, settings, clock=clock)


def next_parameters(
    *,
    study: str | None = None,
    scope: Mapping[str, Any] | None = None,
    step: str | None = None,
    ledger: str | Path | None = None,
) -> DecisionPayload:
    """The next run's ``trials`` and ``seed_count`` (in ``outcome``), in one call."""
    with open(ledger) as opened:
        return opened.next_parameters(study=study, scope=scope, step=step)


class Runledger(Collecting, Searching, Guarding, Recalling):
    """An open ledger with its settings."""

    def __init__(self, ledger: Ledger, settings: Settings, *, clock: Callable[[], int]) -> None:
        self.ledger = ledger
        self.settings = settings
        self.catalog = Catalog(ledger)
        self._clock = clock
        self._decider = Decider(ledger, self.catalog, source=SOURCE)

    def __enter__(self) -> Runledger:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the ledger's connections."""
        self.ledger.close()

    # -- recording ---------------------------------------------------------------

    def record(self, events: Event | Iterable[Event]) -> Appended:
        """Append events; see `ledger.Ledger.append`."""
        return self.ledger.append(events)

    def note(
        self, payload: Payload, *, source: str = SOURCE, at: Time = None, **attributes: Any
    ) -> Event:
        """Append one event made of a payload, and return it; ``attributes`` as `new_event`."""
        event = new_event(payload, time_us=self._time(at), source=source, **attributes)
        self.ledger.append(event)
        return event

    def override(
        self,
        subject: str,
        action: str,
        *,
        reason: str,
        by: str,
        expires: str | None = None,
        at: Time = None,
    ) -> Event:
        """Record an operator's word on a subject such as ``gpu/rig-6600/0000:22:00.0``.

        Raises `BadInput` for a subject that no decision is about, and for a word
        without a reason or an author.
        """
        _check_subject(subject)
        for name, text in (("reason", reason), ("by", by)):
            if not text.strip():
                raise BadInput(f"{name} is empty: an operator's word needs a reason and an author")
        payload = OverrideSet(
            subject=subject,
            action=action,  # type: ignore[arg-type]  # checked when the event is made
            reason=reason,
            by=by,
            expires=expires,
        )
        return self.note(payload, at=at)

    def seen(self, subject: str) -> bool:
        """Whether any event of the ledger is about a subject, or a card's place was probed.

        Raises `BadInput` as `override` does.
        """
        _check_subject(subject)
        kind, _, rest = subject.partition("/")
        node, _, pci = rest.partition("/")
        wheres = [f"subject={subject}"]
        if kind in ("node", "gpu") and "," not in rest:
            wheres.append(f"node={node}" + (f",pci={pci}" if pci else ""))
        found = self.ledger.read(where=parse_filters(w for w in wheres if w.count(",") <= 1))
        return next(iter(found), None) is not None

    # -- deciding ----------------------------------------------------------------

    def preflight(
        self,
        step: str,
        *,
        run: str | None = None,
        trials: int | str | None = None,
        seed_count: int | str | None = None,
        at: Time = None,
        as_of: int | None = None,
    ) -> DecisionPayload:
        """May this step start? Judged on what the ledger holds; nothing is probed.

        Numbers may come as text. A failure of our own gives the verdict ``unknown`` and
        says what failed.
        """
        question: dict[str, Any] = {"step": str(step)} | _given(
            run=None if run is None else str(run),
            trials=_count("trials", trials),
            seed_count=_count("seed_count", seed_count),
        )
        try:
            return self._decide("preflight", question, at, as_of)
        except RunledgerError:
            raise
        except Exception as error:  # our own fault must not read as "go"
            return self._failed("preflight", question, error, at)

    def exclusions(self, *, at: Time = None, as_of: int | None = None) -> DecisionPayload:
        """Which GPUs must sit out."""
        return self._decide("exclusions", {}, at, as_of)

    def next_parameters(
        self,
        *,
        study: str | None = None,
        scope: Mapping[str, Any] | None = None,
        step: str | None = None,
        at: Time = None,
        as_of: int | None = None,
    ) -> DecisionPayload:
        """How many trials and seeds next (``outcome["trials"]``, ``outcome["seed_count"]``)."""
        question = _given(
            study=study,
            scope=scope_texts(scope) or None,
            step=None if step is None else str(step),
        )
        return self._decide("parameters", question, at, as_of)

    def propose(
        self,
        *,
        trials: Any = None,
        seed_count: Any = None,
        proposer: str,
        rationale: str,
        study: str | None = None,
        scope: Mapping[str, Any] | None = None,
        step: str | None = None,
        evidence: Iterable[str] = (),
        at: Time = None,
        as_of: int | None = None,
    ) -> DecisionPayload:
        """Judge a proposal and record both it and the answer, whatever the answer.

        Numbers may come as text; what is malformed is kept as it came.
        """
        question = _given(
            study=study,
            scope=scope_texts(scope) or None,
            step=None if step is None else str(step),
        )
        payload, proposal = receive(
            trials=trials,
            seed_count=seed_count,
            proposer=proposer,
            rationale=rationale,
            evidence=evidence,
        )
        event = self.note(payload, at=at, subject=f"study/{study}" if study else "fleet")
        question["proposal"] = {**proposal, "event": event.id}
        return self._decide("parameters", question, at, as_of, cause=event.id)

    def _decide(
        self,
        kind: str,
        question: dict[str, Any],
        at: Time,
        as_of: int | None,
        cause: str | None = None,
    ) -> DecisionPayload:
        if as_of is not None and as_of < 0:
            raise BadInput(f"{as_of} is not a position: give 0 or more")
        self._take_in_spooled()
        policy, fleet = self.policy, self.fleet
        self.catalog.activate(policy, fleet, now_us=self._clock(), source=SOURCE)
        return self._decider.decide(
            kind,
            question,
            policy=policy,
            fleet=fleet,
            at_us=self._time(at),
            as_of=as_of,
            cause=cause,
        )

    def _failed(
        self, kind: str, question: dict[str, Any], error: Exception, at: Time
    ) -> DecisionPayload:
        finding = Finding(
            rule=OWN_FAILURE,
            severity="unknown",
            subject="fleet",
            message=f"runledger itself failed: {type(error).__name__}: {error}",
            remedy="report it with the output of: runledger doctor",
            evidence=(),
        )
        outcome: dict[str, Any] = {"nodes": [], "excluded_nodes": [], "excluded_gpus": {}}
        return self._decider.record_draft(
            kind,
            question,
            Draft("unknown", (finding,), outcome),
            policy=self.policy,
            fleet=self.fleet,
            at_us=self._time(at),
        )


def _check_subject(subject: str) -> None:
    problem = subject_problem(subject)
    if problem is not None:
        raise BadInput(f"subject {subject!r}: {problem}")


def _given(**values: Any) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}


def _count(name: str, value: Any) -> int | None:
    number = None if value is None else whole_number(value)
    if value is not None and (number is None or number < 0):
        raise BadInput(f"{name} = {value!r}: give a whole number, 0 or more")
    return number
