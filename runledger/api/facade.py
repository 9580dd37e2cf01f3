"""One open ledger and everything that can be asked of it.

This is what WATCHER imports and what the command line is made of. Results are
typed and frozen; every error is a `RunledgerError`. Safe to use from several
threads, and from several processes each with its own.

Longer than most, so that all of it is read in one place: each method is a call
into the room that does the work, which is imported when it is called.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from ledger import Appended, Event, Ledger, new_event, open_ledger, parse_filters
from ledger.identifiers import subject_problem
from ledger.payloads import DecisionPayload, OverrideSet, Payload, WitnessAccepted
from ledger.redaction import redacted
from rules.kinds import DECIDED_TYPES, EXCLUSIONS, PARAMETERS
from rules.proposal import whole_number
from runledger.api.guarding import Context, Decorator, Function, decorate, reporter_of
from runledger.api.live_decisions import LiveDecisions
from runledger.config.session import Session, Time
from runledger.config.settings import Settings, fleet_to_reach, load_settings
from runledger.errors import BadInput
from runledger.intake.admission import admit
from runledger.studies.json_values import scope_texts

if TYPE_CHECKING:
    import pandas
    import polars
    from optuna import Study

    from collectors.jobs import Guard
    from collectors.recorder import Recorder
    from collectors.spool import Delivered
    from rules.fleet import Fleet
    from rules.policy import Policy
    from runledger.cleanup import CompileCache
    from runledger.cleanup.service import Cleaned
    from runledger.explaining.explanation import Explanation
    from runledger.intake.foreign_records import TakenIn as RecordsTakenIn
    from runledger.intake.kernel_logs import Imported, Reclassified
    from runledger.intake.optuna_studies import TakenIn
    from runledger.probing import Probed, Prober, WitnessSaid
    from runledger.replaying.replay import Replayed
    from runledger.replaying.whatif import Change, WhatIf
    from runledger.status import Status
    from runledger.studies import AskedTrial, RunledgerCallback, SearchRun
    from runledger.studies.narrowing import Narrowing

_DELIVERY_S = 10.0
"""How long a decision waits at most for spooled events to be delivered."""

_log = logging.getLogger("runledger.spool")

SOURCE = "runledger"


def open(
    location: str | Path | None = None,
    *,
    config: str | Path | None = None,
    create: bool | None = None,
    readonly: bool = False,
    clock: Callable[[], int] = lambda: time.time_ns() // 1000,
) -> Runledger:
    """Open a ledger by path or URL; by default the one that settings name.

    A missing ledger is made by what is recorded first; whatever judges or looks
    back raises `Missing` until then, so that a slip in a path is not taken for a
    clean record. ``create=True`` makes it at once, ``False`` asks that it be there.
    ``config`` is the path of a ``runledger.toml`` (default: the one in the
    current folder). ``readonly`` is for those who may not, or would not, write:
    whatever stores something fails then. ``clock`` gives the time in
    microseconds since the epoch.
    """
    settings = load_settings(ledger=None if location is None else str(location), config=config)
    return open_with(settings, create=create, readonly=readonly, clock=clock)


def open_with(
    settings: Settings,
    *,
    create: bool | None = None,
    readonly: bool = False,
    clock: Callable[[], int] = lambda: time.time_ns() // 1000,
) -> Runledger:
    """As `open`, by settings that were read already."""
    ledger = open_ledger(settings.ledger, create=create, readonly=readonly, clock=clock)
    return Runledger(ledger, settings, clock=clock)


def run(
    id: str,
    *,
    ledger: str | Path | None = None,
    config: str | Path | None = None,
    **options: Any,
) -> SearchRun:
    """`Runledger.run` without opening a ledger first: the search begins even if it is away."""
    from runledger.intake.spooling import recorder_at
    from runledger.studies import SearchRun

    settings = load_settings(ledger=None if ledger is None else str(ledger), config=config)
    return SearchRun(recorder_at(settings), id, **options)


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


class Runledger:
    """An open ledger with its settings.

    ``ledger``, ``settings`` and ``catalog`` are those of its ``session``, which
    is what the rooms below are given.
    """

    def __init__(self, ledger: Ledger, settings: Settings, *, clock: Callable[[], int]) -> None:
        self.session = Session(ledger, settings, clock=clock)
        self.ledger = ledger
        self.settings = settings
        self.catalog = self.session.catalog
        self._live = LiveDecisions(self.session, source=SOURCE, deliver=self._deliver_first)

    def __enter__(self) -> Runledger:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- what it is opened with --------------------------------------------------

    def now(self) -> int:
        """The time, in microseconds since the epoch."""
        return self.session.now()

    @property
    def policy(self) -> Policy:
        """The policy in force: that of ``runledger.toml``, else the ledger's newest."""
        return self.session.policy

    @property
    def fleet(self) -> Fleet:
        """The fleet in force: that of ``runledger.toml``, else the ledger's newest."""
        return self.session.fleet

    @cached_property
    def recorder(self) -> Recorder:
        """Stores events in this ledger or, while it is away, in the spool beside it."""
        from runledger.intake.spooling import recorder_of

        return recorder_of(self.ledger, self.settings)

    # -- recording ---------------------------------------------------------------

    def close(self) -> None:
        """Close the ledger's connections."""
        self.ledger.close()

    def record(self, events: Event | Iterable[Event]) -> Appended:
        """Append events, as `ledger.Ledger.append` does.

        Raises `InvalidEvents` also for decisions, which are made and not recorded,
        and for a policy or fleet that is none or has another digest.
        """
        batch = [events] if isinstance(events, Event) else list(events)
        admit(self.ledger, batch)
        return self.ledger.append(batch)

    def note(
        self, payload: Payload, *, source: str = SOURCE, at: Time = None, **attributes: Any
    ) -> Event:
        """Append one event made of a payload, and return it; ``attributes`` as `new_event`."""
        event = redacted(
            new_event(payload, time_us=self.session.time(at), source=source, **attributes)
        )
        self.record(event)
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
        check_word(subject, reason=reason, by=by)
        payload = OverrideSet(
            subject=subject,
            action=action,  # type: ignore[arg-type]  # checked when the event is made
            reason=reason,
            by=by,
            expires=expires,
        )
        event = new_event(payload, time_us=self.session.time(at), source=SOURCE)
        self.ledger.head()  # a word on what a ledger holds: it makes none
        self.record(event)
        return event

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
        record: bool = True,
    ) -> DecisionPayload:
        """May this step start? Judged on what the ledger holds; nothing is probed.

        Numbers may come as text; without ``record`` nothing is stored. A failure of our own
        gives the verdict ``unknown`` and says what failed.
        """
        question: dict[str, Any] = {"step": str(step)} | _given(
            run=None if run is None else str(run),
            trials=_count("trials", trials),
            seed_count=_count("seed_count", seed_count),
        )
        return self._live.preflight(question, at=at, as_of=as_of, record=record)

    def exclusions(
        self, *, at: Time = None, as_of: int | None = None, record: bool = True
    ) -> DecisionPayload:
        """Which GPUs must sit out; without ``record`` nothing is stored."""
        return self._live.decide(EXCLUSIONS, {}, at=at, as_of=as_of, record=record)

    def node_file(self, file: str | Path, decision: DecisionPayload) -> str | None:
        """The pipeline's node file without what a preflight or exclusions decision leaves out.

        Cards by their index, nodes by their hostname, nothing else in it touched. None
        where the preflight is neither go nor degraded.
        """
        from ledger.input_files import open_input
        from runledger.config.node_file import by_decision

        with open_input(file) as opened:
            text = opened.read().decode("utf-8")
        return by_decision(text, decision, self.fleet).text

    def next_parameters(
        self,
        *,
        study: str | None = None,
        scope: Mapping[str, Any] | None = None,
        step: str | None = None,
        at: Time = None,
        as_of: int | None = None,
        record: bool = True,
    ) -> DecisionPayload:
        """How many trials and seeds next (``outcome["trials"]``, ``outcome["seed_count"]``)."""
        question = _given(
            study=study,
            scope=scope_texts(scope) or None,
            step=None if step is None else str(step),
        )
        return self._live.decide(PARAMETERS, question, at=at, as_of=as_of, record=record)

    def narrow_bounds(self, study: str) -> Narrowing:
        """Where the survivors of a study come from: advice, never applied by itself."""
        from runledger.studies.narrowing import narrow_bounds

        return narrow_bounds(self.ledger, study)

    def propose(
        self,
        *,
        trials: Any = None,
        seed_count: Any = None,
        proposer: Any = None,
        rationale: Any = None,
        study: str | None = None,
        scope: Mapping[str, Any] | None = None,
        step: str | None = None,
        evidence: Any = (),
        at: Time = None,
        as_of: int | None = None,
        record: bool = True,
        **extra: Any,
    ) -> DecisionPayload:
        """Judge a proposal and record both it and the answer, whatever the answer.

        Numbers may come as text, and under the names that the policy gives them; what is
        malformed, and what has no place, is kept as it came. For what a model sent, as it
        is: `propose_as_sent`.
        """
        from runledger.deciding.proposals import as_sent

        self.ledger.head()
        numbers = _given(trials=trials, seed_count=seed_count)
        sent = as_sent({**numbers, **extra}, self.policy.proposal.names)
        sent |= _given(proposer=proposer, rationale=rationale, evidence=evidence)
        return self._judge_proposal(
            sent, study=study, scope=scope, step=step, at=at, as_of=as_of, record=record
        )

    def _judge_proposal(
        self,
        sent: Mapping[str, Any],
        *,
        study: str | None = None,
        scope: Mapping[str, Any] | None = None,
        step: str | None = None,
        at: Time = None,
        as_of: int | None = None,
        record: bool = True,
    ) -> DecisionPayload:
        from runledger.deciding.proposals import receive

        question = _given(
            study=study,
            scope=scope_texts(scope) or None,
            step=None if step is None else str(step),
        )
        payload, proposal = receive(**sent)
        if not record:
            question["proposal"] = proposal
            return self._live.decide(PARAMETERS, question, at=at, as_of=as_of, record=False)
        event = self.note(payload, at=at, subject=f"study/{study}" if study else "fleet")
        question["proposal"] = {**proposal, "event": event.id}
        return self._live.decide(PARAMETERS, question, at=at, as_of=as_of, cause=event.id)

    def propose_as_sent(self, proposal: Any, *, proposer: str, **question: Any) -> DecisionPayload:
        """Judge what a model sent, an object or its JSON text, whatever is in it.

        ``question`` is ``study``, ``scope``, ``step``, ``at``, ``as_of``, ``record`` of `propose`;
        nothing that the model sent is taken for one of these.
        """
        from runledger.deciding.proposals import as_sent

        self.ledger.head()
        sent = as_sent(proposal, self.policy.proposal.names)
        return self._judge_proposal({**sent, "proposer": proposer}, **question)

    def context(
        self,
        *,
        study: str | None = None,
        scope: Mapping[str, Any] | None = None,
        step: str | None = None,
        max_tokens: int | None = None,
        at: Time = None,
        as_of: int | None = None,
    ) -> dict[str, Any]:
        """What a language model needs to propose well, as data; see `runledger.llm`.

        With ``max_tokens`` the least telling of what happened is left out until it
        fits. Records nothing.
        """
        from runledger.llm.prompt_context import proposal_context

        return proposal_context(
            self.session,
            study=study,
            scope=scope,
            step=None if step is None else str(step),
            max_tokens=max_tokens,
            at=at,
            as_of=as_of,
        )

    # -- looking at machines, taking in what others wrote --------------------------

    def prober(self, *, keep_open: bool = False) -> Prober:
        """Looks at the nodes, for ``with``; with ``keep_open`` over connections that stay open."""
        from runledger.probing import Prober

        fleet = fleet_to_reach(self.settings)
        fold = self.session.judge().fold
        self.ledger.make()
        return Prober(
            self.ledger,
            fleet,
            fold,
            settings=self.settings.probe,
            folder=self.settings.folder,
            clock=self.now,
            keep_open=keep_open,
            place=self.settings.place,
            witness_files=self.settings.witness_files,
        )

    def ask_witnesses(self) -> list[WitnessSaid]:
        """Ask every witness which heads it remembers; shows them none, and stores nothing.

        Raises `BadInput` where none is configured.
        """
        from runledger.probing import ask_witnesses
        from runledger.probing.witness_heads import shown_now

        settings = self.settings
        nodes = [node for node in fleet_to_reach(settings).nodes if node.witness]
        if not nodes and not settings.witness_files:
            raise BadInput(
                "no witness is configured",
                remedy="write witness = true at a node of runledger.toml, "
                'or [[witnesses]] with path = "FILE"',
            )
        return ask_witnesses(
            self.ledger,
            shown_now(self.ledger, settings.place, self.now()),
            nodes,
            settings.witness_files,
            settings=settings.probe,
            folder=settings.folder,
        )

    def accept_witnesses(self, *, reason: str, by: str, at: Time = None) -> Event:
        """Record that what witnesses were shown until now need not be held (after a restore)."""
        check_word("fleet", reason=reason, by=by)
        payload = WitnessAccepted(reason=reason, by=by)
        event = new_event(payload, time_us=self.session.time(at), source=SOURCE)
        self.ledger.head()  # a word on what a ledger holds: it makes none
        self.record(event)
        return event

    def probe(
        self,
        nodes: Iterable[str] | None = None,
        *,
        step: str | None = None,
        remedy: bool = False,
        progress: Callable[[int], None] = lambda _: None,
    ) -> Probed:
        """Look at nodes (all of a step, all there are) and store what is seen; see `Prober`."""
        names = None if nodes is None else tuple(nodes)
        with self.prober() as prober:
            return prober.probe(names=names, step=step, remedy=remedy, progress=progress)

    def cleanup(
        self,
        nodes: Iterable[str] | None = None,
        *,
        dry_run: bool = False,
        sudo: bool = False,
        compile_caches: Collection[CompileCache] = (),
        progress: Callable[[int], None] = lambda _: None,
    ) -> Cleaned:
        """Clean up after a batch: `runledger.cleanup.service`. No node's failure stops the rest."""
        from runledger.cleanup.service import clean_up

        names = None if nodes is None else tuple(nodes)
        with self.prober() as prober:
            return clean_up(
                prober,
                names=names,
                dry_run=dry_run,
                sudo=sudo,
                compile_caches=compile_caches,
                progress=progress,
            )

    def import_kernel_log(
        self,
        file: str | Path,
        *,
        node: str,
        boot_id: str | None = None,
        boot_time: Time = None,
        assume_tz: str = "UTC",
    ) -> Imported:
        """Store what a kernel log file reports; see `runledger.intake.kernel_logs`."""
        from runledger.config.zones import parse_zone
        from runledger.intake.kernel_logs import import_kernel_log

        return import_kernel_log(
            self.ledger,
            file,
            node=node,
            now_us=self.now(),
            boot_id=boot_id,
            boot_time_us=None if boot_time is None else self.session.time(boot_time),
            zone=parse_zone(assume_tz),
        )

    def import_optuna(
        self,
        storage: str | Path | Iterable[str | Path],
        *more: str | Path,
        assume_tz: str | None = None,
        studies: Iterable[str] = (),
        passed_over: Callable[[str, str], object] | None = None,
    ) -> list[TakenIn]:
        """Store the finished trials of existing studies; see `runledger.intake.optuna_studies`.

        A storage is what Optuna takes, a path, a pattern or a folder; ``passed_over`` is
        told of a file in these that is no storage, and why. ``assume_tz`` is the zone
        that the studies' programs ran in: Optuna does not say.
        """
        from runledger.config.zones import parse_zone
        from runledger.intake.optuna_studies import import_optuna

        zone = None if assume_tz is None else parse_zone(assume_tz)
        first = [storage] if isinstance(storage, str | Path) else list(storage)
        places = [str(each) for each in (*first, *more)]
        return import_optuna(
            self.ledger,
            places,
            zone=zone,
            studies=tuple(studies),
            passed_over=passed_over or (lambda path, why: None),
        )

    def import_records(
        self,
        *,
        map: str | Path,
        decisions: str | Path | None = None,
        results: str | Path | None = None,
    ) -> RecordsTakenIn:
        """Rebuild runs from another program's log (``decisions``: JSON, an object a line) or
        files (``results``: a folder); see `runledger.intake.foreign_records`.

        ``map`` is a TOML file that says where a record keeps what.
        """
        from ledger.input_files import read_text
        from runledger.intake.foreign_records import files_of, import_records, lines_of
        from runledger.intake.record_map import parse_map

        record_map = parse_map(read_text(map), str(map))
        if (decisions is None) == (results is None):
            raise BadInput("name either decisions or results")
        texts = files_of(results or "") if decisions is None else lines_of(decisions)
        return import_records(self.ledger, texts, record_map)

    def reclassify(self) -> Reclassified:
        """Judge stored kernel lines with today's parser; new events correct old ones."""
        from runledger.intake.kernel_logs import reclassify_stored

        return reclassify_stored(self.ledger)

    # -- looking back --------------------------------------------------------------

    def decisions(self, *where: str) -> Iterator[Event]:
        """Recorded decisions, oldest first; filters widen one another."""
        return self.ledger.read(types=DECIDED_TYPES, where=self.session.filters(where))

    def decision(self, id: str) -> Event:
        """One recorded decision: an id, a beginning of it, a position, or ``last``.

        See `runledger.deciding.naming`. Raises `Missing`, and `BadInput` where it is not clear.
        """
        from runledger.deciding.naming import find_decision

        return find_decision(self.ledger, id)

    def replay(self, *ids: str, progress: Callable[[int], None] = lambda _: None) -> Replayed:
        """Rerun recorded decisions (all, or those named) and compare them to the byte."""
        from runledger.replaying.replay import replay

        named = {event.id: event for event in map(self.decision, ids)}
        decided = named.values() if ids else self.decisions()
        return replay(self.ledger, self.catalog, decided, progress)

    def what_if(
        self, change: Change, *where: str, progress: Callable[[int], None] = lambda _: None
    ) -> WhatIf:
        """Rerun recorded decisions (all, or those that match) under a change; leaves no trace."""
        from runledger.replaying.whatif import what_if

        return what_if(self.ledger, self.catalog, self.decisions(*where), change, progress)

    def why(self, id: str, *, minimal: bool = False) -> Explanation:
        """Explain a recorded decision; with ``minimal``, find the events it hangs on."""
        from runledger.explaining.explanation import explain

        return explain(self.ledger, self.catalog, self.decision(id), minimal=minimal)

    def status(self) -> Status:
        """How ledger, fleet, runs and decisions are just now; records nothing."""
        from runledger.status import status_of

        return status_of(self.session)

    def report(
        self,
        *,
        run: str | None = None,
        node: str | None = None,
        since: Time = None,
        until: Time = None,
        title: str | None = None,
    ) -> str:
        """What happened to a run, a node or in a period, as one HTML page; see `runledger.report`.

        Both ends of a period belong to it; with nothing chosen, it is the 30
        days up to the newest event. Raises `Missing` where there is nothing.
        """
        from runledger.report import report_of

        return report_of(
            self.session, run=run, node=node, since=since, until=until, title=title
        ).html

    def to_pandas(self, what: str) -> pandas.DataFrame:
        """A view such as ``v_runs``, or one SELECT, as a pandas frame (extra ``analysis``)."""
        from runledger.exporting.data_frames import to_pandas

        return to_pandas(self.ledger, what)

    def to_polars(self, what: str) -> polars.DataFrame:
        """A view such as ``v_runs``, or one SELECT, as a polars frame (extra ``analysis``)."""
        from runledger.exporting.data_frames import to_polars

        return to_polars(self.ledger, what)

    # -- guarding jobs -------------------------------------------------------------

    def job(self, name: str, *, attempt: int = 1, will_retry: bool = False, **about: Any) -> Guard:
        """Around one attempt at a job: ``with fleet.job("step3-0007", node=…, pci=…):``.

        ``about`` may be ``node``, ``pci``, ``index`` (of the card), ``run`` and
        ``step``. Records ``job_finished``, or ``job_failed_with_traceback`` before
        the exception goes on its way; ``async with`` works as well.
        """
        from collectors.jobs import Guard

        reporter = reporter_of(self._context(), name, **about)
        return Guard(reporter, attempt=attempt, will_retry=will_retry)

    @overload
    def guarded(self, function: Function, /) -> Function: ...
    @overload
    def guarded(self, job: str | None = None, /, **options: Any) -> Decorator: ...

    def guarded(self, function: Any = None, /, **options: Any) -> Any:
        """As the function `guarded`, with this ledger."""
        return decorate(self._context, function, **options)

    def deliver_spooled(self, *, budget_s: float | None = None) -> Delivered:
        """Store what was spooled while the ledger was away; see `collectors.spool`."""
        return self.recorder.deliver(budget_s=budget_s)

    def _context(self) -> Context:
        return Context(self.recorder, self.settings.fleet, self.settings.folder)

    def _deliver_first(self) -> None:
        """Before a decision, as what waits is evidence; where nothing waits it costs nothing."""
        try:
            self.deliver_spooled(budget_s=_DELIVERY_S)
        except Exception:  # a decision is due, with or without it
            _log.warning("what is spooled could not be delivered", exc_info=True)

    # -- searching with Optuna -----------------------------------------------------

    def optuna_callback(
        self, *, run: str | None = None, step: str | None = None
    ) -> RunledgerCallback:
        """For ``study.optimize(…, callbacks=[…])``: records every finished trial."""
        from runledger.studies import RunledgerCallback

        return RunledgerCallback(self.recorder, run=run, step=step)

    def trial(self, study: Study, **options: Any) -> AbstractContextManager[AskedTrial]:
        """Ask for one trial and tell it: ``with fleet.trial(study, run="R7") as trial:``.

        The options are those of `runledger.studies.runledger_trial`.
        """
        from runledger.studies import runledger_trial

        return runledger_trial(study, self.recorder, **options)

    def run(self, id: str, **options: Any) -> SearchRun:
        """Around a search: ``with fleet.run("R7", study=…, trials=…, seed_count=…) as run:``.

        The options are those of `runledger.studies.SearchRun`.
        """
        from runledger.studies import SearchRun

        return SearchRun(self.recorder, id, **options)


def check_word(subject: str, *, reason: str, by: str) -> None:
    """Raise `BadInput` unless an operator's word is about something, and has reason and author."""
    _check_subject(subject)
    for name, text in (("reason", reason), ("by", by)):
        if not text.strip():
            raise BadInput(f"{name} is empty: an operator's word needs a reason and an author")


def _check_subject(subject: str) -> None:
    problem = subject_problem(subject)
    if problem is not None:
        raise BadInput(f"subject {subject!r}: {problem}")


def _given(**values: Any) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}


def _count(name: str, value: Any) -> int | None:
    number = None if value is None else whole_number(value)
    if value is not None and (number is None or number < 0):
        raise BadInput(f"{name} = {value!r}", remedy="give a whole number, 0 or more")
    return number
