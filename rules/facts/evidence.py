"""Facts about evidence: is there any, could it be read, is it fresh?"""

from __future__ import annotations

import msgspec

from ledger.identifiers import node_subject
from ledger.text import humanize
from ledger.times import SECOND_US
from rules.ruleset import Fact, known


class Asked(msgspec.Struct, frozen=True):
    """For which step evidence is wanted, when, and how old it may be, in seconds and in words."""

    step: str
    at_us: int
    max_age_s: float
    max_age: str

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
        age_s = None if time_us is None else self._age_s(time_us)
        return Fact(
            kind="evidence",
            subject=node_subject(node or "localhost"),
            features=known(
                what=what, age_s=age_s, readable=None if age_s is None else not unreadable
            ),
            show={
                "node": node or "the controller",
                "what": what,
                "problem": unreadable,
                "age": "" if age_s is None else humanize.older_than(age_s, self.max_age),
                "max_age": self.max_age,
                "step": self.step,
                "mend": f"{mend}, then " if mend else "",
            },
            evidence=events,
        )
