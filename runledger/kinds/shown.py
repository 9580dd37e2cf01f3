"""What every kind of decision shows: words, tones, exit codes, text, and what cases may expect.

Text is made of plain values here; the command line and the report give it
colour, width and escaping. What a recorded outcome lacks, because another
program wrote it, is passed over.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Literal, NamedTuple

import msgspec

from ledger.payloads import DecisionPayload
from rules.kinds import Decided, Kind

NO_GO = 10
NEEDS_PERSON = 11

Tone = Literal["good", "plain", "poor", "bad", "unsure"]


class Verdict(NamedTuple):
    """How a verdict is meant and said: ``loud`` in a terminal, ``spoken`` within a sentence."""

    loud: str
    tone: Tone
    exit_code: int = 0
    spoken: str = ""


class Line(NamedTuple):
    """One line of text; with ``wrap``, as many as it needs, the first begun so."""

    text: str
    tone: Tone = "plain"
    wrap: str = ""


class Table(NamedTuple):
    """Rows under a heading."""

    heading: Sequence[str]
    rows: Iterable[Sequence[Any]]


Block = Line | Table


class Said(msgspec.Struct, kw_only=True):
    """What a case may expect of every decision."""

    verdict: str | None = None
    findings: list[tuple[str, str, str]] | None = None
    rules: list[str] | None = None


class Shown(ABC):
    """What is shown of one kind of decision; holds no state."""

    kind: ClassVar[Kind]
    verdicts: ClassVar[dict[str, Verdict]] = {}
    expects: ClassVar[type[Said]]
    """What ``expect`` in a case may name."""
    cut: ClassVar[tuple[str, ...]]
    """What of the outcome a case that is cut out of a ledger expects."""

    def heading(self, decision: DecisionPayload) -> str | None:
        """What the verdict is about, where the verdict comes first."""
        return None

    def above(self, decision: DecisionPayload) -> Iterable[Block]:
        """What comes before the findings."""
        return ()

    def below(self, decision: DecisionPayload) -> Iterable[Block]:
        """What comes after them."""
        return ()

    @abstractmethod
    def effect(self, decided: Decided) -> str:
        """What a decision does, in one line: where two of them are compared."""

    def changes(self, before: Decided, after: Decided) -> list[str]:
        """What differs between two effects, a line each, so that like ones can be counted."""
        return [f"{self.effect(before)} → {self.effect(after)}"]

    def answer(self, decided: Decided) -> str:
        """What it says in the first place, in one line."""
        return decided.verdict

    def listed(self, outcome: dict[str, Any]) -> list[str]:
        """What a list of decisions adds to the verdict."""
        return []

    @abstractmethod
    def result(self, outcome: dict[str, Any]) -> str:
        """The outcome in words, as the report shows it."""

    def numbers(self, outcome: dict[str, Any]) -> str:
        """The numbers that were decided, as short as can be; none: what was found is told."""
        return ""

    def expected(self, field: str, value: Any) -> Any:
        """A field of the outcome as a case spells it."""
        return msgspec.to_builtins(value)
