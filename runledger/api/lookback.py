"""The part of the facade that looks back: recorded decisions, and what can be asked of them.

Thin calls: what each does is in the module it names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from ledger import Event, NotFound, parse_filters
from ledger.payloads import DecisionPayload
from runledger.api.session import Opened, Time
from runledger.errors import Missing
from runledger.replaying.replay import DECIDED_TYPES, Replayed, replay

if TYPE_CHECKING:
    import pandas
    import polars

    from runledger.explaining.explanation import Explanation
    from runledger.replaying.whatif import Change, WhatIf


class Recalling(Opened):
    """What `Runledger` can do with what was recorded."""

    def decisions(self, *where: str) -> Iterator[Event]:
        """Recorded decisions, oldest first; filters widen one another."""
        return self.ledger.read(types=DECIDED_TYPES, where=parse_filters(where))

    def decision(self, id: str) -> Event:
        """One recorded decision; raises `Missing`."""
        try:
            event = self.ledger.get(id)
        except NotFound:
            event = None
        if event is None or not isinstance(event.data, DecisionPayload):
            raise Missing(f"no decision {id!r} in this ledger: see `runledger decisions`")
        return event

    def replay(self, *ids: str, progress: Callable[[int], None] = lambda _: None) -> Replayed:
        """Rerun recorded decisions (all, or those named) and compare them to the byte."""
        decided = [self.decision(id) for id in dict.fromkeys(ids)] if ids else self.decisions()
        return replay(self.ledger, self.catalog, decided, progress)

    def what_if(
        self, change: Change, *where: str, progress: Callable[[int], None] = lambda _: None
    ) -> WhatIf:
        """Rerun recorded decisions (all, or those that match) under a change; leaves no trace."""
        from runledger.replaying.whatif import what_if

        return what_if(self.ledger, self.catalog, self.decisions(*where), change, progress)

    def why(self, id: str, *, minimal: bool = False) -> Explanation:
        """Explain a recorded decision; with ``minimal``, find the events it hangs on."""
        from runledger.explaining.explanation import explain

        return explain(self, id, minimal=minimal)

    def report(
        self,
        *,
        run: str | None = None,
        node: str | None = None,
        since: Time = None,
        until: Time = None,
        title: str | None = None,
    ) -> str:
        """What happened to a run, a node or in a period, as one HTML page; see `runledger.report`.

        Both ends of a period belong to it; with nothing chosen, it is the 30
        days up to the newest event. Raises `Missing` where there is nothing.
        """
        from runledger.report import report_of

        return report_of(self, run=run, node=node, since=since, until=until, title=title).html

    def to_pandas(self, what: str) -> pandas.DataFrame:
        """A view such as ``v_runs``, or one SELECT, as a pandas frame (extra ``analysis``)."""
        from runledger.exporting.data_frames import to_pandas

        return to_pandas(self.ledger, what)

    def to_polars(self, what: str) -> polars.DataFrame:
        """A view such as ``v_runs``, or one SELECT, as a polars frame (extra ``analysis``)."""
        from runledger.exporting.data_frames import to_polars

        return to_polars(self.ledger, what)
