"""runledger itself, with its default policy: the only file here that imports a rule.

Events are folded in the order of time as a ledger folds them, late ones in their place, and
the decisions are those of the engine: `exclusions`, and a `preflight` for each machine. They
are not stored, since a year has 36,000 of them and a stored one differs in nothing but its id.
"""

from __future__ import annotations

import bisect
import heapq

import msgspec

from benchmarks.truth.judging import Decision, Observed
from benchmarks.truth.layout import SLOTS, Machine, Place, pci
from ledger import Event
from rules.decide import Judge
from rules.fleet import Fleet, parse_fleet
from rules.policy import Policy, default_policy, with_settings
from rules.state import State, dump_state, load_state

IN_FORCE = ("ok", "watch")
"""States of a card that may work."""
MAY_START = ("go", "degraded")
_SAVE_EVERY = 8
_SAVES = 200


class Runledger:
    """Decides from the events, and nothing else."""

    name = "runledger"
    wants_events = True

    def __init__(self, machines: tuple[Machine, ...], settings: list[str]) -> None:
        self._machines = machines
        self._judge = Judge(policy_with(settings), _fleet(machines))
        self._slots = {pci(slot): slot for slot in range(SLOTS)}
        self._numbers = {machine.name: machine.number for machine in machines}
        self._history = _History(self._judge)

    def decide(self, observed: Observed) -> Decision:
        """Which cards sit out, and which machines may not be used."""
        state = self._history.upto(observed.events, observed.at_us)
        out = {
            Place(self._numbers[entry["node"]], self._slots[entry["pci"]])
            for entry in self._judge.decide("exclusions", {}, state, observed.at_us).outcome["gpus"]
            if entry["pci"] in self._slots
            and (entry["state"] not in IN_FORCE or entry.get("needs_reset"))
        }
        blocked = set()
        for machine in self._machines:
            draft = self._judge.decide("preflight", {"step": machine.name}, state, observed.at_us)
            if draft.verdict not in MAY_START:
                blocked.add(machine.number)
            for entry in draft.outcome["excluded_gpus"].get(machine.name, ()):
                if entry["pci"] in self._slots:
                    out.add(Place(machine.number, self._slots[entry["pci"]]))
        return Decision(frozenset(out), frozenset(blocked))


def policy_with(settings: list[str]) -> Policy:
    """The default policy with ``section.key=value`` settings; one dead card is allowed a node."""
    policy = default_policy()
    if hasattr(policy.preflight, "allow_dead_cards"):
        settings = ["preflight.allow_dead_cards=1", *settings]
    return with_settings(policy, list(settings)) if settings else policy


def _fleet(machines: tuple[Machine, ...]) -> Fleet:
    names = [machine.name for machine in machines]
    text = "".join(f'[[nodes]]\nname = "{name}"\ngpus = {SLOTS}\n' for name in names)
    text += "".join(f'[steps."{name}"]\nnodes = ["{name}"]\n' for name in names)
    return parse_fleet(text)


class _History:
    """The fold of all events by the order of time; an event that comes late is put in its place."""

    def __init__(self, judge: Judge) -> None:
        self._fold = judge.fold
        self._state = State()
        self._folded: list[tuple[int, int, Event]] = []
        self._waiting: list[tuple[int, int, Event]] = []
        self._saved: list[tuple[int, str]] = []
        self._count = self._calls = 0

    def upto(self, events: list[Event], at_us: int) -> State:
        """The state of what is known, of times up to ``at_us``."""
        for event in events:
            self._count += 1
            numbered = msgspec.structs.replace(event, sequence=self._count)
            heapq.heappush(self._waiting, (event.time_us, self._count, numbered))
        news = []
        while self._waiting and self._waiting[0][0] <= at_us:
            news.append(heapq.heappop(self._waiting))
        if news and self._folded and news[0] < self._folded[-1]:
            self._again(news)
        else:
            self._state = self._fold.run([event for _, _, event in news], self._state)
            self._folded += news
        self._calls += 1
        if self._calls % _SAVE_EVERY == 0:
            self._saved.append((len(self._folded), dump_state(self._state)))
            del self._saved[:-_SAVES]
        return self._state

    def _again(self, news: list[tuple[int, int, Event]]) -> None:
        first = bisect.bisect(self._folded, news[0])
        self._folded = self._folded[:first] + list(heapq.merge(self._folded[first:], news))
        while self._saved and self._saved[-1][0] > first:
            self._saved.pop()
        begin, text = self._saved[-1] if self._saved else (0, None)
        state = State() if text is None else load_state(text)
        self._state = self._fold.run([event for _, _, event in self._folded[begin:]], state)
