"""Cutting a case out of a ledger: the fewest events that give the same decision, secrets out."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import tomli_w

from ledger import AlreadyThere, Event, Filter, Ledger, from_wire, to_wire
from ledger.canonical import canonical
from ledger.payloads import DecisionPayload
from ledger.text.secrets import redact_value
from ledger.times import format_time
from rules.decide import Digests, Draft, Judge
from rules.explain import NearMiss, Watched
from rules.fleet import fleet_text
from rules.policy import policy_text
from runledger.cases.case import CASE, EVENTS, FLEET, POLICY, folded, said
from runledger.config.catalog import Catalog
from runledger.errors import Missing
from runledger.kinds import SHOWN
from runledger.replaying.replay import recorded_cut

_HOUR_US = 3_600_000_000
_WINDOWS_H = (1, 6, 24, 7 * 24, 31 * 24, 366 * 24)
_AT_MOST_ASKED = 3_000
_AT_MOST_FOLDED = 3_000_000
"""Events to fold, over all tries: half a minute of work or so."""

_OURS = ("sequence", "recordedtime", "prevhash", "hash")


class CutOut(NamedTuple):
    """A case cut out: how many events it holds, and whether it is what was recorded."""

    events: int
    same_today: bool
    near: NearMiss | None = None

    def as_json(self) -> dict[str, Any]:
        """As ``runledger case --json`` prints it."""
        near = {} if self.near is None else {"near": msgspec.to_builtins(self.near)}
        return {"events": self.events, "same_today": self.same_today, **near}


def cut_case(
    ledger: Ledger,
    catalog: Catalog,
    decided: Event,
    folder: Path,
    *,
    near: str | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> CutOut:
    """Write a case that decides as a recorded decision did.

    Where today's rules decide otherwise, the case holds what they decide. With
    ``near``, it also brings that rule as close to firing (empty: the closest). The
    slice is as small as leaving out one event after the other makes it, in a
    bounded number of tries. Raises `AlreadyThere` where the folder exists.
    """
    if folder.exists():
        raise AlreadyThere(f"{folder} is there already", remedy="name a new folder with --output")
    decision = decided.data
    assert isinstance(decision, DecisionPayload)
    judge = catalog.recorded(Digests(decision.policy.digest, decision.fleet.digest))
    cutter = _Cutter(ledger, judge, decision, near, progress)
    events = [_without_secrets(event) for event in cutter.smallest()]
    at_us = recorded_cut(decision)[1]
    question = redact_value(decision.question)
    draft = judge.decide(decision.kind, question, folded(judge, events, at_us), at_us)
    _write(folder, decision.kind, at_us, question, judge, events, draft)
    return CutOut(len(events), cutter.same_today, cutter.near)


class _Cutter:
    """Looks for the fewest events that still give the same draft."""

    def __init__(
        self,
        ledger: Ledger,
        judge: Judge,
        decision: DecisionPayload,
        near: str | None,
        progress: Callable[[int], None],
    ) -> None:
        self._ledger = ledger
        self._judge = judge
        self._decision = decision
        self._sequence, self._at_us = recorded_cut(decision)
        self._progress = progress
        self._asked = self._folded = 0
        self._watched = None if near is None else Watched(judge.policy, judge.fleet)
        whole = self._since(None)
        self._wanted = _told(self._drafted(whole))
        self.near = None if near is None else _nearest(self._nearly(whole), near)
        self.same_today = self._wanted == _told(decision)

    def smallest(self) -> list[Event]:
        """The slice, in the order of positions."""
        events = self._enough()
        size = max(1, len(events) // 2)
        while True:
            kept = self._without_parts(events, size)
            if size == 1 and len(kept) == len(events):
                return sorted(kept, key=lambda event: event.sequence)
            events = kept
            size = max(1, min(size // 2, len(events) // 2))
            if self._spent():
                return sorted(events, key=lambda event: event.sequence)

    def _enough(self) -> list[Event]:
        """The events of the shortest stretch before the decision that give the same draft."""
        for hours in _WINDOWS_H:
            events = self._since(self._at_us - hours * _HOUR_US)
            if self._same(events):
                return events
        return self._since(None)

    def _without_parts(self, events: list[Event], size: int) -> list[Event]:
        at = len(events)
        while at > 0 and not self._spent():
            start = max(0, at - size)
            left = events[:start] + events[at:]
            if self._same(left):
                events = left
            at = start
        return events

    def _since(self, since_us: int | None) -> list[Event]:
        return list(
            self._ledger.read(
                upto=self._sequence,
                until_us=self._at_us,
                types=self._judge.fold.types,
                where=() if since_us is None else (Filter("", since_us=since_us),),
            )
        )

    def _spent(self) -> bool:
        return self._asked >= _AT_MOST_ASKED or self._folded >= _AT_MOST_FOLDED

    def _same(self, events: list[Event]) -> bool:
        self._asked += 1
        self._folded += len(events)
        self._progress(self._asked)
        if _told(self._drafted(events)) != self._wanted:
            return False
        return self.near is None or _as_near(self.near) in map(_as_near, self._nearly(events))

    def _drafted(self, events: list[Event]) -> Draft:
        state = folded(self._judge, events, self._at_us)
        return self._judge.decide(self._decision.kind, self._decision.question, state, self._at_us)

    def _nearly(self, events: list[Event]) -> tuple[NearMiss, ...]:
        assert self._watched is not None
        decision = self._decision
        state = folded(self._watched.judge, events, self._at_us)
        return self._watched.decide(decision.kind, decision.question, state, self._at_us).nearly


def _nearest(nearly: Sequence[NearMiss], rule: str) -> NearMiss:
    """The closest miss, of a rule where one is named, of own rules first; raises `Missing`."""
    found = [each for each in nearly if rule in ("", each.rule)]
    if not found:
        which = f"{rule} did not nearly fire" if rule else "no rule nearly fired"
        named = ", ".join(dict.fromkeys(each.rule for each in nearly)) or "none"
        raise Missing(f"{which} in this decision; those that did: {named}")
    return min(found, key=lambda each: not each.rule.startswith("own."))


def _as_near(miss: NearMiss) -> tuple[str, str, str, float, float]:
    return miss.rule, miss.subject, miss.what, miss.value, miss.limit


def _told(decided: Draft | DecisionPayload) -> bytes:
    """What was decided, but for the evidence of findings, which a slice may rest on less of."""
    findings = [[each.rule, each.severity, each.subject, each.message] for each in decided.findings]
    return canonical([decided.verdict, decided.outcome, findings])


def _without_secrets(event: Event) -> Event:
    wire = {key: value for key, value in to_wire(event).items() if key not in _OURS}
    wire["data"] = redact_value(wire["data"])
    return msgspec.structs.replace(from_wire(wire), sequence=event.sequence)


def _write(
    folder: Path,
    kind: str,
    at_us: int,
    question: dict[str, Any],
    judge: Judge,
    events: Sequence[Event],
    draft: Draft,
) -> None:
    """The whole folder, or nothing."""
    expect: dict[str, Any] = {
        "verdict": draft.verdict,
        "findings": said(kind, draft, "findings"),
    }
    for field in SHOWN[kind].cut:
        value = said(kind, draft, field)
        if value is not None:
            expect[field] = value
    case = {
        "decisions": [
            {
                "kind": kind,
                "at": format_time(at_us),
                "question": question,
                "expect": expect,
            }
        ]
    }
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        (part / CASE).write_text(tomli_w.dumps(case), encoding="utf-8")
        (part / POLICY).write_text(policy_text(judge.policy), encoding="utf-8")
        (part / FLEET).write_text(fleet_text(judge.fleet), encoding="utf-8")
        with (part / EVENTS).open("w", encoding="utf-8") as lines:
            for event in events:
                wire = {key: value for key, value in to_wire(event).items() if key not in _OURS}
                lines.write(json.dumps(wire, ensure_ascii=False, sort_keys=True) + "\n")
        part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
