"""The ladder of cards computed the slow way: from the whole list of events, at one time.

No fold, no rules, nothing remembered: every question is answered by looking at
all events again. Cards are places here; moves of cards have tests of their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ledger import Event
from ledger.times import SECOND_US, parse_time
from rules.policy import Gpu

Place = tuple[str, str]

_STATES = ("ok", "watch", "excluded", "retire")
_WORDS = {"watch": "watch", "exclude": "excluded", "retire": "retire"}


def standings(
    events: Iterable[Event], gpu: Gpu, gpus: Mapping[str, int], at_us: int
) -> dict[Place, tuple[str, int]]:
    """State and since, of every card that is not ok; ``gpus`` says how many a node has."""
    known = sorted((each for each in events if each.time_us <= at_us), key=_order)
    common = _common_errors(known, gpu, gpus)
    weighing = _weighing(known, gpu, at_us)
    found: dict[Place, tuple[str, int]] = {}
    for place in sorted({place for each in known for place in _places(each)}):
        card = _Card(place, [each for each in known if place in _places(each)], gpu, at_us)
        state, since_us = card.standing(common, weighing)
        if state != "ok":
            found[place] = state, since_us
    return found


def _order(event: Event) -> tuple[int, int]:
    return event.time_us, event.sequence


def _places(event: Event) -> list[Place]:
    """The cards that an event is about."""
    data: Any = event.data
    if event.type == "gpu_probe":
        return [(data.node, gpu.pci) for gpu in data.gpus]
    if event.type == "override_set":
        _, node, pci = data.subject.split("/")
        return [(node, pci)]
    return [(data.node, data.pci)]


def _is_error(event: Event, gpu: Gpu) -> bool:
    data: Any = event.data
    return event.type == "smu_error" or (
        event.type == "gpu_fault" and data.fault in gpu.incident_faults
    )


def _common_errors(events: list[Event], gpu: Gpu, gpus: Mapping[str, int]) -> set[str]:
    """Ids of the errors that are their node's: enough cards failed within one gap."""
    errors = [each for each in events if _is_error(each, gpu)]
    common: set[str] = set()
    for position, last in enumerate(errors):
        together = [
            each
            for each in errors[: position + 1]
            if each.data.node == last.data.node
            and last.time_us - each.time_us < gpu.incident_gap_s * SECOND_US
        ]
        cards = len({each.data.pci for each in together})
        if (
            cards >= gpu.common_cause_min_gpus
            and cards / gpus[last.data.node] >= gpu.common_cause_share
        ):
            common |= {each.id for each in together}
    return common


def _weighing(events: list[Event], gpu: Gpu, at_us: int) -> set[str]:
    """Ids of the failed jobs within the window that are a card's own doing."""
    oldest = at_us - gpu.window_s * SECOND_US
    failures = [
        each
        for each in events
        if each.type == "job_failed_with_traceback" and each.time_us > oldest
    ]
    nodes: dict[str, set[str]] = {}
    for each in failures:
        nodes.setdefault(each.data.fingerprint, set()).add(each.data.node)
    return {
        each.id
        for each in failures
        if "GPU hang" in each.data.message
        and len(nodes[each.data.fingerprint]) < gpu.common_traceback_nodes
    }


class _Card:
    """One card walked through its events, in order."""

    def __init__(self, place: Place, events: list[Event], gpu: Gpu, at_us: int) -> None:
        self.place, self.events, self.gpu, self.at_us = place, events, gpu, at_us
        self.window_us = gpu.window_s * SECOND_US
        self.rules, self.since_us, self.exclusions = "ok", 0, 0
        self.incidents: list[int] = []  # those that count
        self.newest: int | None = None  # of all, the last incident
        self.watched_from: int | None = None  # back after more than a window
        self.word: Event | None = None
        self.failures: list[int] = []
        self.ok: list[int] = []

    def standing(self, common: set[str], weighing: set[str]) -> tuple[str, int]:
        burst: list[Event] = []
        for event in self.events:
            self._lapse(event.time_us)
            if _is_error(event, self.gpu):
                gap_us = self.gpu.incident_gap_s * SECOND_US
                if burst and event.time_us - burst[-1].time_us >= gap_us:
                    burst = []
                own = event.id not in common
                if own and all(each.id in common for each in burst):
                    self._incident(event.time_us)
                if own:
                    self.ok = []
                burst.append(event)
            elif event.type == "gpu_probe":
                self._shown(event)
            elif event.type == "override_set":
                self._said(event)
            elif event.id in weighing:
                self.failures.append(event.time_us)
        self._lapse(self.at_us)
        return self._worst()

    def _lapse(self, now: int) -> None:
        held = [each for each in (self.newest, self.watched_from) if each is not None]
        if self.rules == "watch" and all(each <= now - self.window_us for each in held):
            self.rules = "ok"

    def _incident(self, now: int) -> None:
        self.newest, self.watched_from = now, None
        self.incidents.append(now)
        recent = [each for each in self.incidents if each > now - self.window_us]
        if self.rules in ("excluded", "retire"):
            return
        if len(recent) >= self.gpu.exclude_after_incidents:
            self.exclusions += 1
            retired = self.exclusions >= self.gpu.retire_after_exclusions
            self.rules, self.since_us = "retire" if retired else "excluded", now
        elif len(recent) >= self.gpu.watch_after_incidents and self.rules == "ok":
            self.rules, self.since_us = "watch", now

    def _shown(self, event: Event) -> None:
        (state,) = (gpu.state for gpu in event.data.gpus if gpu.pci == self.place[1])
        if state != "ok":
            self.ok = []
            return
        self.ok.append(event.time_us)
        first_us = self.ok[0]
        if (
            len(self.ok) >= self.gpu.reinstate_clean_probes
            and event.time_us - first_us >= self.gpu.reinstate_after_s * SECOND_US
        ):
            self.ok = []
            before = [each for each in self.failures if each < first_us]
            stepped = self.rules in ("watch", "excluded")
            if stepped or len(before) >= self.gpu.watch_after_job_failures:
                self.failures = [each for each in self.failures if each >= first_us]
            if stepped:
                self._step_down(self.rules, event.time_us)

    def _said(self, event: Event) -> None:
        word = event.data
        if word.expires is not None and self.at_us >= parse_time(word.expires):
            return
        if word.action == "reinstate":
            said = "ok" if self.word is None else _WORDS[self.word.data.action]
            self._step_down(max(self.rules, said, key=_STATES.index), event.time_us)
            self.word, self.failures = None, []
        elif word.action in _WORDS:
            self.word = event

    def _step_down(self, state: str, now: int) -> None:
        if state == "ok":
            return
        self.incidents = []
        self.watched_from = None
        if state == "watch":
            self.rules = "ok"
            return
        self.rules, self.since_us = "watch", now
        if self.newest is None or self.newest <= now - self.window_us:
            self.watched_from = now

    def _worst(self) -> tuple[str, int]:
        failing = len(self.failures) >= self.gpu.watch_after_job_failures
        said = "ok" if self.word is None else _WORDS[self.word.data.action]
        state = max(self.rules, said, "watch" if failing else "ok", key=_STATES.index)
        since = [self.since_us] if self.rules == state else []
        since += [self.word.time_us] if self.word is not None and said == state else []
        return state, min(since or self.failures or [0])
