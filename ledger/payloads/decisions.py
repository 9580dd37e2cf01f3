"""What was asked, said and decided: proposals, overrides, configurations, verdicts."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Literal

from ledger.identifiers import normalize_subject
from ledger.payloads._base import Count, Identifier, Json, Part, Payload
from ledger.times import InvalidTime, format_time, parse_time


class ParametersProposed(Payload, frozen=True, kw_only=True):
    """Someone asked for trials and seeds; ``raw`` keeps a malformed proposal as it came."""

    event_type = "parameters_proposed"

    proposer: Identifier
    rationale: str
    trials: Count | None = None
    seed_count: Count | None = None
    evidence: tuple[Identifier, ...] | None = None
    raw: Json | None = None


class OverrideSet(Payload, frozen=True, kw_only=True):
    """An operator's word on a card, node or other subject, with author, reason and expiry."""

    event_type = "override_set"

    subject: Identifier
    action: Literal["watch", "exclude", "reinstate", "retire", "waive"]
    reason: str
    by: Identifier
    expires: Identifier | None = None

    @classmethod
    def normalize(cls, data: Json) -> None:
        subject, expires = data.get("subject"), data.get("expires")
        if isinstance(subject, str):
            data["subject"] = normalize_subject(subject)
        if isinstance(expires, str):
            with contextlib.suppress(InvalidTime):  # left for `contradictions` to name
                data["expires"] = format_time(parse_time(expires))

    def default_subject(self) -> str | None:
        return self.subject

    def contradictions(self, subject: str) -> Iterator[tuple[str, str, str]]:
        if self.subject != subject:
            yield (
                "data.subject",
                f"{self.subject!r} differs from the event's subject {subject!r}",
                "write the same in both",
            )
        if self.expires is not None:
            try:
                parse_time(self.expires)
            except InvalidTime as error:
                yield "data.expires", str(error), "give a full time"
        elif self.action == "waive":
            yield (
                "data.expires",
                "missing, and a waiver without an end is not accepted",
                "say until when it holds, for example 2026-01-25T06:00:00Z",
            )


class RepairDone(Payload, frozen=True, kw_only=True):
    """An operator's word about what was wrong with a card or node, and whether another is there.

    ``found`` is what was to blame; ``swapped`` that the card is another one now.
    """

    event_type = "repair_done"

    subject: Identifier
    found: Literal["card", "riser", "supply", "driver", "nothing"]
    swapped: bool
    by: Identifier
    reason: str

    @classmethod
    def normalize(cls, data: Json) -> None:
        if isinstance(data.get("subject"), str):
            data["subject"] = normalize_subject(data["subject"])

    def default_subject(self) -> str | None:
        return self.subject

    def contradictions(self, subject: str) -> Iterator[tuple[str, str, str]]:
        if self.subject != subject:
            yield (
                "data.subject",
                f"{self.subject!r} differs from the event's subject {subject!r}",
                "write the same in both",
            )
        if self.subject.partition("/")[0] not in ("gpu", "node"):
            yield (
                "data.subject",
                f"{self.subject!r} is neither a card nor a node",
                "write gpu/NODE/PCI or node/NAME",
            )


class PolicyActivated(Payload, frozen=True, kw_only=True):
    """A policy came into force; ``digest`` is the SHA-256 of ``text``, the whole policy in TOML."""

    event_type = "policy_activated"

    name: Identifier
    digest: Identifier
    text: str

    def default_subject(self) -> str | None:
        return "fleet"


class FleetConfigured(Payload, frozen=True, kw_only=True):
    """Nodes and steps as configured; ``digest`` is the SHA-256 of ``text``, the whole in TOML."""

    event_type = "fleet_configured"

    name: Identifier
    digest: Identifier
    text: str

    def default_subject(self) -> str | None:
        return "fleet"


class Finding(Part, frozen=True, kw_only=True):
    """One thing a rule found: which rule, how bad, about what, why, what to do."""

    rule: Identifier
    severity: Literal["block", "unknown", "degrade", "warn", "info"]
    subject: Identifier
    message: str
    remedy: str
    evidence: tuple[Identifier, ...]


class AsOf(Part, frozen=True, kw_only=True):
    """What a decision could know: a ledger position with its hash, and the judging time."""

    sequence: Count
    hash: Identifier
    time: Identifier


class PolicyRef(Part, frozen=True, kw_only=True):
    """A policy by name and digest."""

    name: Identifier
    digest: Identifier


class FleetRef(Part, frozen=True, kw_only=True):
    """A fleet configuration by digest."""

    digest: Identifier


class EngineRef(Part, frozen=True, kw_only=True):
    """The program that decided: its version and the digest of its rules."""

    version: Identifier
    rules: Identifier


class DecisionPayload(Payload, frozen=True, kw_only=True):
    """A decision with everything needed to make it again.

    Each kind has its own type, which fixes ``kind`` and with it ``event_type``.
    """

    decision: Identifier
    kind: str
    question: Json
    as_of: AsOf
    policy: PolicyRef
    fleet: FleetRef
    engine: EngineRef
    verdict: Identifier
    findings: tuple[Finding, ...]
    outcome: Json

    @classmethod
    def normalize(cls, data: Json) -> None:
        """Decisions are stored exactly as they were made."""

    def default_subject(self) -> str | None:
        run = self.question.get("run")
        return f"run/{run}" if isinstance(run, str) and run else "fleet"

    def contradictions(self, subject: str) -> Iterator[tuple[str, str, str]]:
        try:
            parse_time(self.as_of.time)
        except InvalidTime as error:
            yield "data.as_of.time", str(error), "give a full time"


class PreflightDecided(DecisionPayload, frozen=True, kw_only=True):
    """May this step start?"""

    event_type = "preflight_decided"

    kind: Literal["preflight"]


class ExclusionsDecided(DecisionPayload, frozen=True, kw_only=True):
    """Which cards must sit out?"""

    event_type = "exclusions_decided"

    kind: Literal["exclusions"]


class ParametersDecided(DecisionPayload, frozen=True, kw_only=True):
    """How many trials and seeds next, or: is this proposal acceptable?"""

    event_type = "parameters_decided"

    kind: Literal["parameters"]
