"""What a report is about: a run, a node or a period, and which events belong to it.

Both ends of a period belong to it. A run's own times are widened a little, so
that the preflight before it and the node lost just after it are in its report.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from ledger import Event, Ledger, parse_filters
from ledger.errors import InvalidFilter
from ledger.filters import Filter
from ledger.payloads import DecisionPayload, RunStarted
from ledger.times import SECOND_US, format_time
from rules.fleet import Fleet
from rules.kinds import DECIDED_TYPES
from runledger.errors import BadInput, Missing

DAY_US = 86_400 * SECOND_US
DEFAULT_PERIOD_US = 30 * DAY_US
"""How much of a ledger is reported where nothing was selected."""

CONFIGURING = ("policy_activated", "fleet_configured")
"""What a ledger keeps to explain itself: it is not told, and makes no report by itself."""

_MARGIN_US = 900 * SECOND_US
_LONGEST_RUN_MARGIN = 0.1


@dataclass(frozen=True)
class Selection:
    """A chosen part of a ledger: positions up to ``upto``, times ``since_us`` to ``until_us``.

    ``nodes`` None means every node; ``default`` marks a period nobody asked for.
    """

    kind: Literal["run", "node", "period"]
    since_us: int
    until_us: int
    upto: int
    fleet: Fleet
    run: str | None = None
    study: str | None = None
    nodes: frozenset[str] | None = None
    default: bool = False
    _names: dict[str, str] = field(default_factory=dict, repr=False, compare=False)

    def resolve(self, name: str) -> str:
        """The configured name of a node, looked up once: a report asks for each event."""
        found = self._names.get(name)
        if found is None:
            found = self._names[name] = self.fleet.resolve(name)
        return found

    @property
    def span_us(self) -> int:
        """Its length in microseconds, never 0."""
        return max(self.until_us - self.since_us, 1)

    def node_of(self, event: Event) -> str | None:
        """The node an event is about, by its configured name."""
        name = getattr(event.data, "node", None)
        if name is None:
            name = node_in(event.subject)
        return None if name is None else self.resolve(name)

    def includes(self, event: Event) -> bool:
        """Whether an event of these times belongs to the report."""
        if self.kind == "period":
            return True
        if self.kind == "run":
            return self._of_run(event)
        data = event.data
        if isinstance(data, DecisionPayload):
            return self._mentioned(data)
        if isinstance(data, RunStarted):
            return data.nodes is None or any(self._has(each) for each in data.nodes)
        node = self.node_of(event)
        return self._has(node) if node is not None else event.run is not None

    def _has(self, node: str) -> bool:
        return self.nodes is None or self.resolve(node) in self.nodes

    def _of_run(self, event: Event) -> bool:
        data = event.data
        if event.run == self.run:
            return True
        if isinstance(data, DecisionPayload):
            asked = data.question
            return asked.get("run") is None and asked.get("study") in (None, self.study)
        if event.run is not None:
            return False
        node = self.node_of(event)
        if node is not None:
            return self._has(node)
        study = getattr(data, "study", None)
        return study == self.study if study is not None else event.subject == "fleet"

    def _mentioned(self, decision: DecisionPayload) -> bool:
        if any(
            (node := node_in(finding.subject)) is not None and self._has(node)
            for finding in decision.findings
        ):
            return True
        named = (*decision.outcome.get("nodes", ()), *decision.outcome.get("excluded_nodes", ()))
        return any(self._has(str(each)) for each in named)


def node_in(subject: str) -> str | None:
    """The node in a subject such as ``gpu/rig-6600/0000:22:00.0``."""
    kind, _, rest = subject.partition("/")
    return rest.partition("/")[0] or None if kind in ("node", "gpu") else None


def choose(
    ledger: Ledger,
    fleet: Fleet,
    *,
    run: str | None = None,
    node: str | None = None,
    since_us: int | None = None,
    until_us: int | None = None,
    now_us: int,
) -> Selection:
    """The selection asked for; raises `BadInput`, and `Missing` where it can hold nothing."""
    if run is not None and (node is not None or since_us is not None or until_us is not None):
        raise BadInput("a run has its own times and nodes", remedy="give --run alone")
    if since_us is not None and until_us is not None and since_us > until_us:
        raise BadInput(f"--since {format_time(since_us)} lies after --until")
    head = ledger.head().sequence
    if head == 0:
        raise Missing(
            "the ledger is empty, so there is nothing to report", remedy="see `runledger record`"
        )
    if run is not None:
        return _run(ledger, fleet, run, head)
    first = ledger.oldest_us() or 0
    # Configurations are dated by when they were first used, which may be long after the fact.
    last = _newest(ledger, now_us, CONFIGURING)
    default = node is None and since_us is None and until_us is None
    if until_us is None:
        until_us = last if since_us is None else max(last, since_us)
    if since_us is None:
        seen = _newest(ledger, now_us, (*CONFIGURING, *DECIDED_TYPES))
        since_us = max(first, min(seen, until_us) - DEFAULT_PERIOD_US) if default else first
        since_us = min(since_us, until_us)
    return Selection(
        kind="period" if node is None else "node",
        since_us=since_us,
        until_us=until_us,
        upto=head,
        fleet=fleet,
        nodes=None if node is None else frozenset([fleet.resolve(node)]),
        default=default,
    )


def _newest(ledger: Ledger, now_us: int, but: tuple[str, ...]) -> int:
    """The latest time of an event of other types that does not claim to come from the future.

    Where there is none, any event will do: it is what there is.
    """
    found = ledger.newest_us(until_us=now_us, but=but)
    if found is None:
        found = ledger.newest_us(until_us=now_us)
    if found is None:
        found = ledger.newest_us()
    assert found is not None  # the ledger is not empty
    return found


def _run(ledger: Ledger, fleet: Fleet, run: str, head: int) -> Selection:
    mine = _events_of(ledger, run, head)
    if not mine:
        meant = run.strip()
        hint = f"did you mean {meant!r}" if meant != run and _events_of(ledger, meant, head) else ""
        raise Missing(
            f"no event of run {run!r} in this ledger", remedy=hint or "see `runledger events`"
        )
    happened = [each for each in mine if not isinstance(each.data, DecisionPayload)] or mine
    since_us = min(each.time_us for each in happened)
    until_us = max(each.time_us for each in happened)
    margin = max(_MARGIN_US, round((until_us - since_us) * _LONGEST_RUN_MARGIN))
    starts = [each.data for each in mine if isinstance(each.data, RunStarted)]
    nodes: set[str] | None = {
        fleet.resolve(name) for each in mine if (name := getattr(each.data, "node", None))
    }
    if not starts or starts[-1].nodes is None:
        nodes = None
    elif nodes is not None:
        nodes |= {fleet.resolve(name) for name in starts[-1].nodes}
    return Selection(
        kind="run",
        since_us=since_us - margin,
        until_us=until_us + margin,
        upto=head,
        fleet=fleet,
        run=run,
        study=starts[-1].study if starts else None,
        nodes=None if nodes is None else frozenset(nodes),
    )


def _events_of(ledger: Ledger, run: str, head: int) -> list[Event]:
    """The events of the run of exactly this name: a filter would trim it, and take ``*``."""
    found = ledger.read(where=_exactly(run), upto=head) if run.strip() else ()
    return [event for event in found if event.run == run]


def _exactly(run: str) -> tuple[Filter, ...]:
    """Filters that find the events of a run, and perhaps some more."""
    try:
        return parse_filters([f"run={run}", f"subject=run/{run}"])
    except InvalidFilter as error:
        raise BadInput(f"{error}: a run is named by its id alone") from None
