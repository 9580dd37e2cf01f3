"""Facts about evidence: is there any, could it be read, is it fresh?"""

from __future__ import annotations

import msgspec

from ledger.identifiers import node_subject
from ledger.text import humanize
from ledger.times import SECOND_US
from rules.ruleset import Fact, Margin


class Asked(msgspec.Struct, frozen=True):
    """For which step evidence is wanted, when, and how old it may be (seconds)."""

    step: str
    at_us: int
    max_age_s: float

    def is_fresh(self, time_us: int) -> bool:
        """Whether evidence of that time may still be relied on."""
        return self._age_s(time_us) <= self.max_age_s

    def _age_s(self, time_us: int) -> float:
        return (self.at_us - time_us) / SECOND_US

    def evidence(
        self,
        node: str,
        what: str,
        time_us: int | None,
        events: tuple[str, ...],
        unreadable: str = "",
        mend: str = "",
    ) -> Fact:
        """The fact about one kind of evidence on a node ("" for the controller).

        ``time_us`` is its time, None where there is none; ``unreadable`` says
        what was wrong with it, ``mend`` what to do before looking again.
        """
        status, problem = "fresh", ""
        age_s = 0.0 if time_us is None else self._age_s(time_us)
        if time_us is None:
            status, problem = "missing", "is missing"
        elif unreadable:
            status, problem = "unreadable", unreadable
        elif not self.is_fresh(time_us):
            age, limit = humanize.age(age_s), humanize.span(self.max_age_s)
            age = f"over {age}" if age == limit else age
            status, problem = "stale", f"is {age} old (at most {limit})"
        margin = Margin(
            rule="evidence_missing",
            what=f"age in seconds of {what}",
            value=age_s,
            limit=self.max_age_s,
            operator=">",
            key="preflight.evidence_max_age_s",
        )
        return Fact(
            kind="evidence",
            subject=node_subject(node or "localhost"),
            features={"status": status, "what": what},
            show={
                "node": node or "the controller",
                "what": what,
                "problem": problem,
                "step": self.step,
                "mend": f"{mend}, then " if mend else "",
            },
            evidence=events,
            margins=() if time_us is None else (margin,),
        )
