"""The ladder of cards computed the slow way: from the whole list of events, at one time.

No fold, no rules, nothing remembered: every question is answered by looking at
all events again. Cards are places here; moves of cards, cards that stand out and
the noise of boots have tests of their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ledger import Event
from ledger.times import SECOND_US, parse_time
from rules.policy import Gpu

Place = tuple[str, str]

_WORDS = {"watch": "watch", "exclude": "excluded", "retire": "retire"}
_ORDER = ("ok", "watch", "down", "excluded", "retire")
_OUT = ("excluded", "retire")
_SILENT = ("unresponsive", "missing")


@dataclass
class Failed:
    """An incident."""

    place: Place
    opened: Event
    last_us: int
    lost: bool = False
    crashes: set[int] = field(default_factory=set)
    harm: bool = False
    shared: bool = False

    @property
    def time_us(self) -> int:
        return self.opened.time_us

    @property
    def order(self) -> tuple[int, int]:
        return self.opened.time_us, self.opened.sequence


def standings(
    events: Iterable[Event], gpu: Gpu, gpus: Mapping[str, int], at_us: int
) -> dict[Place, tuple[str, int]]:
    """State and since, of every card that is not ok; ``gpus`` says how many a node has."""
    known = sorted((each for each in events if each.time_us <= at_us), key=_order)
    story = _Story(known, gpu, gpus)
    found: dict[Place, tuple[str, int]] = {}
    for place in sorted({place for each in known for place in _places(each)}):
        state, since_us = _Climber(story, place, at_us).standing()
        if state != "ok":
            found[place] = state, since_us
    return found


def _order(event: Event) -> tuple[int, int]:
    return event.time_us, event.sequence


def _places(event: Event) -> list[Place]:
    """The cards that an event is about."""
    data: Any = event.data
    if event.type == "ssh_probe":
        return []
    if event.type == "gpu_probe":
        return [(data.node, gpu.pci) for gpu in data.gpus]
    if event.type == "override_set":
        _, node, pci = data.subject.split("/")
        return [(node, pci)]
    return [(data.node, data.pci)]


class _Story:
    """What happened to all cards: their incidents, the failures that weigh, the looks."""

    def __init__(self, events: list[Event], gpu: Gpu, gpus: Mapping[str, int]) -> None:
        self.events, self.gpu, self.gpus = events, gpu, gpus
        self.gap_us = round(gpu.incident_gap_s * SECOND_US)
        self.link_us = round(gpu.crash_link_s * SECOND_US)
        self.failures = self._own_failures()
        self.up: dict[Place, bool] = {}
        self.shown_ok: dict[Place, int] = {}
        self.missed: dict[str, list[Place]] = {}
        self.incidents: list[Failed] = []
        for position, event in enumerate(events):
            self._take(position, event)
        self.incidents = self._standing(len(events) - 1)
        self._crashes()
        for incident in self.incidents:
            incident.harm = any(
                failure.time_us - incident.last_us <= self.link_us
                and incident.time_us - failure.time_us <= self.link_us
                for failure in self.failures
                if (failure.data.node, failure.data.pci) == incident.place  # type: ignore[attr-defined]
            )
        self._share()

    # -- errors ------------------------------------------------------------

    def is_error(self, event: Event) -> bool:
        data: Any = event.data
        return event.type == "smu_error" or (
            event.type == "gpu_fault" and data.fault in self.gpu.incident_faults
        )

    def _common(self, position: int) -> set[str]:
        """The errors that are a node's and no card's, as far as is known at a position."""
        known = [each for each in self.events[: position + 1] if self.is_error(each)]
        common: set[str] = set()
        for number, error in enumerate(known):
            near = [
                each
                for each in known[: number + 1]
                if each.data.node == error.data.node  # type: ignore[attr-defined]
                and error.time_us - each.time_us < self.gap_us
            ]
            failing = {each.data.pci for each in near}  # type: ignore[attr-defined]
            share = len(failing) / self.gpus[error.data.node]  # type: ignore[attr-defined]
            if (
                len(failing) >= self.gpu.common_cause_min_gpus
                and share >= self.gpu.common_cause_share
            ):
                common |= {each.id for each in near}
        return common

    def _standing(self, position: int) -> list[Failed]:
        """The incidents that are ones as far as is known: not those that a node is to blame for."""
        common = self._common(position)
        return [each for each in self.incidents if each.lost or each.opened.id not in common]

    def _take(self, position: int, event: Event) -> None:
        if self.is_error(event):
            self._error(position, event)
        elif event.type == "gpu_probe":
            self._look(position, event)

    def _error(self, position: int, event: Event) -> None:
        if event.id in self._common(position):
            return
        (place,) = _places(event)
        mine = [
            each
            for each in self.events[:position]
            if self.is_error(each) and _places(each) == [place]
        ]
        burst_us = event.time_us
        for each in reversed(mine):
            if burst_us - each.time_us >= self.gap_us:
                break
            burst_us = each.time_us
        for incident in reversed(
            [each for each in self._standing(position) if each.place == place]
        ):
            if not incident.lost and incident.time_us < burst_us:
                break
            if not incident.lost or event.time_us - incident.last_us < self.gap_us:
                incident.last_us = event.time_us
                return
        self.incidents.append(Failed(place, event, event.time_us))

    # -- looks ---------------------------------------------------------------

    def _look(self, position: int, event: Event) -> None:
        data: Any = event.data
        node, total = data.node, self.gpus[data.node]
        shown = {(node, gpu.pci): gpu.state for gpu in data.gpus}
        before = [*self.missed.get(node, []), *self._shown_before(position, node)]
        missed = [place for place in dict.fromkeys(before) if place not in shown]
        self.missed[node] = missed = [] if len(shown) >= total else missed
        vanished = missed if len(missed) <= total - len(shown) else []
        silent = [place for place, state in shown.items() if state in _SILENT]
        lost = [place for place in dict.fromkeys([*silent, *vanished]) if self.up.get(place)]
        self.up |= dict.fromkeys(lost, False)
        many = len(lost) >= self.gpu.common_cause_min_gpus
        if not (many and len(lost) / total >= self.gpu.common_cause_share):
            for place in lost:
                self._lose(position, event, place)
        for place, state in shown.items():
            if state == "ok":
                self.up[place], self.shown_ok[place] = True, event.time_us

    def _shown_before(self, position: int, node: str) -> list[Place]:
        looks = [
            each
            for each in self.events[:position]
            if each.type == "gpu_probe" and each.data.node == node  # type: ignore[attr-defined]
        ]
        return _places(looks[-1]) if looks else []

    def _lose(self, position: int, event: Event, place: Place) -> None:
        since_us = self.shown_ok.get(place, 0)
        mine = [each for each in self._standing(position) if each.place == place]
        if any(each.last_us > since_us for each in mine):
            return
        if self._blamed_us(position, place[0]) > since_us:
            return
        self.incidents.append(Failed(place, event, event.time_us, lost=True))

    def _blamed_us(self, position: int, node: str) -> int:
        """The last error of a common cause of the node that goes on; a newer boot ends it."""
        common = self._common(position)
        times = [
            each.time_us
            for each in self.events[: position + 1]
            if each.id in common and each.data.node == node  # type: ignore[attr-defined]
        ]
        newest = max(times, default=0)
        booted = max((start for start, _ in self.boots(node, position)), default=0)
        return 0 if booted > newest else newest

    # -- boots ---------------------------------------------------------------

    def boots(self, node: str, position: int) -> list[tuple[int, int]]:
        """Start of each newer boot, and when the node was lost before it."""
        found, boot, lost = [], None, None
        for event in self.events[: position + 1]:
            data: Any = event.data
            if event.type != "ssh_probe" or data.node != node:
                continue
            if not data.reachable:
                lost = event.time_us if lost is None else lost
                continue
            start = event.time_us - round(data.uptime_s * SECOND_US)
            if boot is not None and data.boot_id != boot:
                found.append((start, start if lost is None else lost))
            boot, lost = data.boot_id, None
        return found

    def started_us(self, node: str) -> int:
        """When the node's newest boot began, as the first look in it told."""
        started, boot = 0, None
        for event in self.events:
            data: Any = event.data
            if event.type == "ssh_probe" and data.node == node and data.reachable:
                if data.boot_id != boot:
                    started = event.time_us - round(data.uptime_s * SECOND_US)
                boot = data.boot_id
        return started

    def _crashes(self) -> None:
        for incident in self.incidents:
            for start, lost in self.boots(incident.place[0], len(self.events) - 1):
                if any(0 <= time - incident.last_us <= self.link_us for time in (start, lost)):
                    incident.crashes.add(start)

    # -- what many had ---------------------------------------------------------

    def _share(self) -> None:
        gpu = self.gpu
        self._mark(lambda each: each.place, gpu.series_s, gpu.series_cards, within_node=True)
        fleet = max(gpu.fleet_cause_nodes, 0.25 * len(self.gpus))
        self._mark(lambda each: each.place[0], gpu.fleet_cause_s, fleet, within_node=False)

    def _mark(self, of: Any, span_s: float, least: float, *, within_node: bool) -> None:
        ordered = sorted(self.incidents, key=lambda each: each.order)
        for end in ordered:
            near = [
                each
                for each in ordered
                if each.order <= end.order
                and end.time_us - each.time_us <= span_s * SECOND_US
                and (not within_node or each.place[0] == end.place[0])
            ]
            if len({of(each) for each in near}) >= least:
                for each in near:
                    each.shared = True

    # -- jobs ------------------------------------------------------------------

    def _own_failures(self) -> list[Event]:
        failures: list[Any] = [
            each for each in self.events if each.type == "job_failed_with_traceback"
        ]
        return [
            each for each in failures if each.data.message == "GPU hang" and not self._alike(each)
        ]

    def _alike(self, failure: Event) -> bool:
        """Whether it is one of so many failures of its node that were alike and at once."""
        data: Any = failure.data
        same = [
            each
            for each in self.events
            if each.type == "job_failed_with_traceback"
            and (each.data.node, each.data.fingerprint) == (data.node, data.fingerprint)  # type: ignore[attr-defined]
        ]
        for end in same:
            near = [
                each
                for each in same
                if _order(each) <= _order(end) and end.time_us - each.time_us < self.gap_us
            ]
            cards = len({each.data.pci for each in near})  # type: ignore[attr-defined]
            many = cards >= self.gpu.common_cause_min_gpus
            if (
                failure in near
                and many
                and cards / self.gpus[data.node] >= self.gpu.common_cause_share
            ):
                return True
        return False

    def common_fingerprint(self, fingerprint: str, at_us: int) -> bool:
        window_us = self.gpu.window_s * SECOND_US
        nodes: dict[str, int] = {}
        for each in self.events:
            if each.type == "job_failed_with_traceback" and each.data.fingerprint == fingerprint:  # type: ignore[attr-defined]
                nodes[each.data.node] = each.time_us  # type: ignore[attr-defined]
        recent = [time_us for time_us in nodes.values() if time_us > at_us - window_us]
        return len(recent) >= self.gpu.common_traceback_nodes


class _Climber:
    """One card, from its first event to the judging time."""

    def __init__(self, story: _Story, place: Place, at_us: int) -> None:
        self.story, self.gpu, self.place, self.at_us = story, story.gpu, place, at_us
        self.window_us = round(self.gpu.window_s * SECOND_US)
        self.rules, self.since_us, self.exclusions = "ok", 0, 0
        self.held: list[Failed] = []
        self.crashes: set[int] = set()
        self.back_us: int | None = None
        self.watch_until_us = 0
        self.word: Event | None = None
        self.forgiven: tuple[int, int] = (0, 0)
        self.ok: list[int] = []

    def standing(self) -> tuple[str, int]:
        moments: list[tuple[tuple[int, int], Any]] = [
            ((each.time_us, each.sequence), each)
            for each in self.story.events
            if self.place in _places(each) and each.type in ("gpu_probe", "override_set")
        ]
        moments += [
            (_order(each), "shown otherwise")
            for each in self.story.events
            if each.type == "gpu_probe" and self._missing_in(each)
        ]
        moments += [(each.order, each) for each in self.story.incidents if each.place == self.place]
        moments += [(_order(each), "error") for each in self._errors()]
        for (now, _), what in sorted(
            moments, key=lambda each: (each[0], isinstance(each[1], Failed))
        ):
            self._lapse(now)
            if isinstance(what, Failed):
                self._incident(what)
            elif isinstance(what, str):
                self.ok = []
            elif what.type == "gpu_probe":
                self._shown(what)
            else:
                self._said(what)
        self._lapse(self.at_us)
        return self._worst()

    def _errors(self) -> list[Event]:
        """Its own errors: each starts the count of clean looks anew."""
        common = self.story._common(len(self.story.events) - 1)
        return [
            each
            for each in self.story.events
            if self.story.is_error(each) and _places(each) == [self.place] and each.id not in common
        ]

    def _missing_in(self, look: Event) -> bool:
        """Whether a look misses this card, and it can be told that it is this one."""
        data: Any = look.data
        if data.node != self.place[0] or self.place in _places(look):
            return False
        position = self.story.events.index(look)
        total, missed = self.story.gpus[data.node], list[Place]()
        for each in self.story.events[: position + 1]:
            if each.type != "gpu_probe" or each.data.node != data.node:  # type: ignore[attr-defined]
                continue
            shown = _places(each)
            before = self.story._shown_before(self.story.events.index(each), data.node)
            known = dict.fromkeys([*missed, *before])
            missed = [] if len(shown) >= total else [place for place in known if place not in shown]
        return self.place in missed and len(missed) <= total - len(_places(look))

    def _counting(self, now: int) -> list[Failed]:
        harmless_us = round(self.gpu.harmless_window_s * SECOND_US)
        return [
            each
            for each in self.held
            if each.time_us > now - (self.window_us if each.harm or each.crashes else harmless_us)
        ]

    def _lapse(self, now: int) -> None:
        if self.rules == "watch" and now >= self.watch_until_us and not self._counting(now):
            self.rules = "ok"

    def _incident(self, incident: Failed) -> None:
        now, gpu = incident.time_us, self.gpu
        self.held.append(incident)
        if not incident.shared:
            self.crashes |= incident.crashes
        if self.rules in _OUT:
            return
        own = [each for each in self._counting(now) if not each.shared]
        too_many = len(own) >= gpu.exclude_after_incidents
        too_often = bool(incident.crashes) and len(self.crashes) >= gpu.exclude_after_crashes
        probation = self.back_us is not None and now < self.back_us + self.window_us
        if not incident.shared and (too_many or too_often or probation):
            self.exclusions += 1
            retired = self.exclusions >= gpu.retire_after_exclusions
            self.rules, self.since_us = "retire" if retired else "excluded", now
            self.back_us, self.watch_until_us = None, 0
        elif self.rules == "ok" and (incident.shared or len(own) >= gpu.watch_after_incidents):
            self.rules, self.since_us = "watch", now

    def _shown(self, event: Event) -> None:
        data: Any = event.data
        (state,) = (gpu.state for gpu in data.gpus if gpu.pci == self.place[1])
        if state != "ok":
            self.ok = []
            return
        self.ok.append(event.time_us)
        gpu = self.gpu
        if self.rules != "excluded":
            return
        first_us = min((each for each in self.ok), default=0)
        need_us = gpu.reinstate_after_s * gpu.reinstate_growth ** (self.exclusions - 1) * SECOND_US
        if len(self.ok) >= gpu.reinstate_clean_probes and event.time_us - first_us >= need_us:
            self._come_back(event.time_us)
            self.back_us = event.time_us
            self.forgiven = max(self.forgiven, (first_us, 0))

    def _come_back(self, now: int) -> None:
        self.held, self.rules, self.since_us = [], "watch", now
        self.watch_until_us = now + self.window_us

    def _said(self, event: Event) -> None:
        word: Any = event.data
        if word.expires is not None and self.at_us >= parse_time(word.expires):
            return
        if word.action == "reinstate":
            said = "ok" if self.word is None else _WORDS[self.word.data.action]  # type: ignore[attr-defined]
            if max(self.rules, said, key=_ORDER.index) in _OUT:
                self._come_back(event.time_us)
            else:
                self.rules, self.held, self.watch_until_us = "ok", [], 0
            self.word, self.back_us, self.crashes = None, None, set()
            self.forgiven = max(self.forgiven, _order(event))
        elif word.action in _WORDS:
            self.word = event

    def _worst(self) -> tuple[str, int]:
        failures = [
            each
            for each in self.story.failures
            if (each.data.node, each.data.pci) == self.place  # type: ignore[attr-defined]
            and each.time_us > self.at_us - self.window_us
            and _order(each) > self.forgiven
            and not self.story.common_fingerprint(each.data.fingerprint, self.at_us)  # type: ignore[attr-defined]
        ]
        failing = len(failures) >= self.gpu.watch_after_job_failures
        said = "ok" if self.word is None else _WORDS[self.word.data.action]  # type: ignore[attr-defined]
        silent = self._silent_since()
        asked = self._asked_since()
        state = max(
            self.rules,
            said,
            "watch" if failing or asked is not None else "ok",
            "ok" if silent is None else "down",
            key=_ORDER.index,
        )
        since = [self.since_us] if self.rules == state else []
        since += [self.word.time_us] if self.word is not None and said == state else []
        since += [failures[0].time_us] if failing and state == "watch" else []
        since += [asked] if asked is not None and state == "watch" else []
        since += [silent] if silent is not None and state == "down" else []
        return state, min(since or [0])

    def _asked_since(self) -> int | None:
        """Since when the card needs a reset: it was lost, and no boot and no word came since."""
        lost = [
            each
            for each in self.story.events
            if each.type == "gpu_fault"
            and _places(each) == [self.place]
            and each.data.fault == "device_lost"  # type: ignore[attr-defined]
        ]
        if not lost or lost[-1].time_us < self.story.started_us(self.place[0]):
            return None
        words: list[Any] = [
            each
            for each in self.story.events
            if each.type == "override_set" and _places(each) == [self.place]
        ]
        if any(
            word.data.action == "reinstate"
            and _order(word) > _order(lost[-1])
            and (word.data.expires is None or self.at_us < parse_time(word.data.expires))
            for word in words
        ):
            return None
        return lost[-1].time_us

    def _silent_since(self) -> int | None:
        """Since when the card does not answer, if it does not in the newest look."""
        looks: list[Any] = [
            each
            for each in self.story.events
            if each.type == "gpu_probe" and each.data.node == self.place[0]  # type: ignore[attr-defined]
        ]
        if not looks:
            return None
        shown = {gpu.pci: gpu.state for gpu in looks[-1].data.gpus}
        state = shown.get(self.place[1])
        missed = self.place in self.story.missed.get(self.place[0], [])
        if state in _SILENT or (
            state is None and missed and self.story.up.get(self.place) is False
        ):
            lost = [each for each in self.story.incidents if each.place == self.place and each.lost]
            return lost[-1].time_us if lost else looks[-1].time_us
        return None
