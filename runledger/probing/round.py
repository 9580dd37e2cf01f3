"""One round of looks: answers become events and are stored while other nodes still answer."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable, Iterator, Sequence

from collectors.reach import NodeResult
from ledger import Event, Ledger, NodeLocks
from ledger.redaction import redacted
from runledger.probing.outcome import NodeLook
from runledger.probing.plan import Ask, Known
from runledger.probing.results import Answer, answer
from runledger.probing.targets import Target
from runledger.probing.witness_heads import Shown, witness_read

Progress = Callable[[int], None]
"""Told how many nodes are done."""


class Round:
    """The results of one round.

    A thread of its own makes answers into events and stores them, so that
    reaching the other nodes does not wait for the disk.
    """

    def __init__(
        self,
        ledger: Ledger,
        observer: str,
        step: str | None,
        progress: Progress,
        shown: Shown | None = None,
    ) -> None:
        self._ledger, self._observer = ledger, observer
        self.shown = shown
        """What witnesses are shown in this round; all the same, so that they can agree."""
        self._step, self._progress = step, progress
        self.looks: list[NodeLook] = []
        self.stored = self.duplicates = 0

    def known_already(self, target: Target, known: Known) -> None:
        """What is known of this node is fresh enough."""
        state = known.state
        reach, probe = state.reach, state.probe
        self.add(
            NodeLook(
                node=target.name,
                reachable=None if target.node is None or reach is None else reach.reachable,
                reused=True,
                error=(reach.error or None) if reach is not None else None,
                gpus={} if probe is None else {gpu.pci: gpu.state for gpu in probe.gpus},
            )
        )

    @contextlib.contextmanager
    def storing(self, locks: NodeLocks) -> Iterator[Callable[[Ask, NodeResult, int], None]]:
        """What to hand results to, with the time they came; at the end all are stored.

        A node's turn ends as its answer is stored. Raises what storing raised.
        """
        results: queue.SimpleQueue[tuple[Ask, NodeResult, int] | None] = queue.SimpleQueue()
        problems: list[BaseException] = []

        def work() -> None:
            while (batch := _batch(results)) is not None:
                try:
                    if not problems:
                        self._store([self._answer(*each) for each in batch])
                except BaseException as error:  # told to the caller once all is over
                    problems.append(error)
                finally:
                    for each in batch:
                        with contextlib.suppress(Exception):
                            locks.give_back(each[0].target.name)

        worker = threading.Thread(target=work, name="runledger-store", daemon=True)
        worker.start()
        try:
            yield lambda ask, result, now_us: results.put((ask, result, now_us))
        finally:
            results.put(None)
            worker.join()
        if problems:
            raise problems[0]

    def _answer(self, ask: Ask, result: NodeResult, now_us: int) -> Answer:
        return answer(ask, result, now_us=now_us, observer=self._observer, step=self._step)

    def _store(self, answers: Sequence[Answer]) -> None:
        events = [redacted(event) for each in answers for event in each.events]
        events += [event for each in answers for event in self._remembered(each)]
        done = self._ledger.append_new(events)
        self.stored += done.stored
        self.duplicates += done.duplicates
        for each in answers:
            self.add(each.look)

    def _remembered(self, answer: Answer) -> Iterator[Event]:
        if answer.heads is not None and self.shown is not None and answer.events:
            newest = answer.events[-1]
            event = witness_read(
                self._ledger,
                self.shown,
                answer.look.node,
                answer.heads,
                now_us=newest.time_us,
                source=newest.source,
            )
            if event is not None:
                yield event

    def add(self, look: NodeLook) -> None:
        """Note a look as done."""
        self.looks.append(look)
        self._progress(len(self.looks))


def _batch(
    results: queue.SimpleQueue[tuple[Ask, NodeResult, int] | None],
) -> list[tuple[Ask, NodeResult, int]] | None:
    """What has come; waits for the first. None at the end."""
    first = results.get()
    if first is None:
        return None
    batch = [first]
    with contextlib.suppress(queue.Empty):
        while (more := results.get_nowait()) is not None:
            batch.append(more)
        results.put(None)
    return batch
