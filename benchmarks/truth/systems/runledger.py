"""runledger itself, with its default policy: the only file here that imports a rule.

Events are folded in the order of time as a ledger folds them, late ones in their place, and
the decisions are those of the engine: `exclusions`, and a `preflight` of a step on each machine.
They are not stored: a stored one differs in nothing but its id.
"""

from __future__ import annotations

import bisect
import heapq

import msgspec

from benchmarks.truth.judging import Decision, Observed
from benchmarks.truth.layout import SLOTS, Machine, Place, pci
from ledger import Event
from ledger.errors import BadInput
from rules.decide import Draft, Judge
from rules.fleet import Fleet, parse_fleet
from rules.policy import Policy, default_policy, with_settings
from rules.state import State, dump_state, load_state

IN_FORCE = ("ok", "watch")
"""States of a card that may work."""
MAY_START = ("go", "degraded")
WHOLE_FLEET = "whole fleet"
_SAVE_EVERY = 8
_SAVES = 200


class Runledger:
    """Decides from the events, and nothing else."""

    name = "runledger"
    wants_events = True

    def __init__(self, machines: tuple[Machine, ...], settings: list[str]) -> None:
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
        whole = self._judge.decide("preflight", {"step": WHOLE_FLEET}, state, observed.at_us)
        for node, entries in whole.outcome["excluded_gpus"].items():
            slots = [self._slots[each["pci"]] for each in entries if each["pci"] in self._slots]
            out.update(Place(self._numbers[node], slot) for slot in slots)
        for name in self._doubted(whole):
            draft = self._judge.decide("preflight", {"step": name}, state, observed.at_us)
            if draft.verdict not in MAY_START:
                blocked.add(self._numbers[name])
        return Decision(frozenset(out), frozenset(blocked))

    def _doubted(self, whole: Draft) -> set[str]:
        """The machines of which a step on the whole fleet says something that could stop it.

        Only these are asked about one by one: a year has 35,000 questions about single
        machines, and for all others the answer is known from this one.
        """
        subjects = {
            finding.subject
            for finding in whole.findings
            if finding.severity in ("block", "unknown")
        }
        if any(subject.partition("/")[0] not in ("node", "gpu") for subject in subjects):
            return set(self._numbers)
        return {subject.split("/")[1] for subject in subjects} & set(self._numbers)


def policy_with(settings: list[str]) -> Policy:
    """The default policy with ``section.key=value`` settings; one dead card is allowed a node."""
    policy = default_policy()
    if hasattr(policy.preflight, "allow_dead_cards"):
        settings = ["preflight.allow_dead_cards=1", *settings]
    return with_settings(policy, list(settings)) if settings else policy


def problem_of(settings: list[str]) -> str | None:
    """What is wrong with settings, in words; None: they are good."""
    try:
        policy_with(settings)
    except BadInput as error:
        return str(error)
    return None


def _fleet(machines: tuple[Machine, ...]) -> Fleet:
    names = [machine.name for machine in machines]
    text = "".join(f'[[nodes]]\nname = "{name}"\ngpus = {SLOTS}\n' for name in names)
    text += f'[steps."{WHOLE_FLEET}"]\n'
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
