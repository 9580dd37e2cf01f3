"""Probing: all nodes at once, each answer stored whole as it comes.

A probe that is killed has stored what had arrived, and asks for the rest next
time. Two that run at the same time share one look at each node.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Self

from collectors.probe import probe_script
from collectors.reach import BlockingConnections, Limits, NodeResult, NodeSpec, run_script_blocking
from ledger import Ledger, NodeLocks, new_event
from ledger.payloads import CommandHung
from ledger.times import SECOND_US
from rules.fleet import Fleet
from rules.fold import Fold
from rules.state import State
from runledger.config.settings import ProbeSettings
from runledger.errors import BadInput, RunledgerError
from runledger.probing import witness_files
from runledger.probing.knowledge import Memory
from runledger.probing.outcome import NodeLook, Probed, joined
from runledger.probing.plan import Ask, ask, wanted
from runledger.probing.round import Progress, Round
from runledger.probing.targets import Target, targets
from runledger.probing.witness_heads import Shown, shown_now, witness_read

_POLL_S = 0.05
_GRACE_S = 2.0


class Prober:
    """Looks at the nodes of one fleet for one ledger; for one thread, and for ``with``.

    With ``keep_open`` SSH connections stay open between probes. ``folder`` is
    where the configuration's relative paths begin, ``place`` says where the
    ledger is kept, and ``witness_files`` remember its heads as nodes do.
    """

    def __init__(
        self,
        ledger: Ledger,
        fleet: Fleet,
        fold: Fold,
        *,
        settings: ProbeSettings,
        folder: Path,
        clock: Callable[[], int],
        keep_open: bool = False,
        place: str = "",
        witness_files: Sequence[Path] = (),
    ) -> None:
        self.ledger, self.fleet, self.settings, self.folder = ledger, fleet, settings, folder
        self._place, self._witness_files = place, tuple(witness_files)
        self.observer = _hostname()
        self._source = f"collector/probe@{self.observer}"
        self._clock = clock
        self._memory = Memory(ledger, fold, settings)
        self._limits = Limits(
            connect_s=settings.connect_timeout_s,
            command_s=settings.total_timeout_s,
            total_s=settings.total_timeout_s + _GRACE_S,
            concurrency=settings.concurrency,
        )
        self._connections = BlockingConnections(self._limits) if keep_open else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections that were kept."""
        if self._connections is not None:
            self._connections.close()

    def probe(
        self,
        *,
        names: Collection[str] | None = None,
        step: str | None = None,
        remedy: bool = False,
        progress: Progress = lambda _: None,
    ) -> Probed:
        """Look at what a step needs (without one: at everything), as far as it is not known.

        Every answer is stored before this returns, failures too. With
        ``remedy`` the configured commands run for files that were found missing,
        which are then looked for again. Raises `Missing` for an unknown name,
        `BadInput` where no nodes are configured, and the ledger's errors.
        """
        wanted_targets = targets(self.fleet, folder=self.folder, step=step, names=names)
        if not wanted_targets and step is None:
            raise BadInput(
                "no nodes are configured", remedy="name them in runledger.toml (runledger init)"
            )
        return self._safely(wanted_targets, step, remedy, progress)

    def look(self, wanted_targets: Sequence[Target]) -> Probed:
        """As `probe`, for these targets."""
        return self._safely(wanted_targets, None, False, lambda _: None)

    def state(self) -> State:
        """The folded state of now; it changes with the next call of anything here."""
        return self._memory.state(self._clock())

    def now(self) -> int:
        """The time, in microseconds since the epoch."""
        return self._clock()

    def _safely(
        self, wanted_targets: Sequence[Target], step: str | None, remedy: bool, progress: Progress
    ) -> Probed:
        try:
            done = self._look(wanted_targets, step, progress)
            if remedy and step is not None:
                return self._remedied(done, wanted_targets, step, progress)
        except RunledgerError:
            raise
        except Exception as error:  # a fault of our own is not to be taken for silence
            why = f"runledger itself failed: {type(error).__name__}: {error}"
            self._fail(wanted_targets, why, step)
            return Probed(
                looks=tuple(NodeLook(node=each.name, problems=(why,)) for each in wanted_targets)
            )
        return done

    def _remedied(
        self, done: Probed, wanted_targets: Sequence[Target], step: str, progress: Progress
    ) -> Probed:
        """Run the remedies that are needed, then look again at what they were for."""
        from runledger.probing.remedies import needed, run_all

        configured = self.fleet.step(step)
        if configured is None:
            return done
        known, controller = self._memory.recall(
            [each.name for each in wanted_targets], self._clock()
        )
        remedies = needed(wanted_targets, step, configured, known, controller)
        if not remedies:
            return done
        remedied, events = run_all(
            remedies,
            folder=self.folder,
            timeout_s=self.settings.remedy_timeout_s,
            source=self._source,
            clock=self._clock,
        )
        self.ledger.append(events)
        names = {each.target.name for each in remedies}
        again = self._look([each for each in wanted_targets if each.name in names], step, progress)
        return joined(done, again, tuple(remedied))

    # -- one round -------------------------------------------------------------

    def _look(
        self, wanted_targets: Sequence[Target], step: str | None, progress: Progress
    ) -> Probed:
        asked_us = self._clock()
        give_up = time.monotonic() + self._limits.total_s
        waiting = list(wanted_targets)
        round_ = Round(self.ledger, self.observer, step, progress, self._shown(wanted_targets))
        self._ask_files(round_)
        with self.ledger.node_locks() as locks:
            while waiting:
                mine = [each for each in waiting if locks.take(each.name)]
                if mine:
                    self._ask(mine, locks, round_, asked_us)
                    waiting = [each for each in waiting if each not in mine]
                elif time.monotonic() >= give_up:
                    self._not_looked_at(waiting, round_, step)
                    break
                else:
                    time.sleep(_POLL_S)
        order = {each.name: at for at, each in enumerate(wanted_targets)}
        looks = sorted(round_.looks, key=lambda look: order.get(look.node, len(order)))
        return Probed(looks=tuple(looks), stored=round_.stored, duplicates=round_.duplicates)

    def _ask(self, mine: Sequence[Target], locks: NodeLocks, round_: Round, asked_us: int) -> None:
        now_us = self._clock()
        known, controller = self._memory.recall([each.name for each in mine], now_us)
        interval_us = round(self.settings.probe_min_interval_s * SECOND_US)
        asks = {}
        for target in mine:
            what = wanted(
                target,
                known[target.name],
                controller,
                now_us=now_us,
                asked_us=asked_us,
                interval_us=interval_us,
            )
            if what.nothing:
                round_.known_already(target, known[target.name])
                locks.give_back(target.name)
            else:
                asked = ask(target, what, known[target.name], self.settings, now_us=now_us)
                asks[target.spec] = _witnessing(asked, round_.shown)
        if asks:
            with round_.storing(locks) as take:
                self._run(asks, take)

    def _shown(self, wanted_targets: Sequence[Target]) -> Shown | None:
        asked = any(each.node is not None and each.node.witness for each in wanted_targets)
        if not asked and not self._witness_files:
            return None
        return shown_now(self.ledger, self._place, self._clock())

    def _ask_files(self, round_: Round) -> None:
        if round_.shown is None:
            return
        for path in self._witness_files:
            try:
                remembered = witness_files.recall(path)
                if round_.shown.remember is not None:
                    witness_files.remember(path, round_.shown.remember)
            except OSError as error:
                why = f"this witness cannot be read and added to: {error.strerror or error}"
                round_.looks.append(NodeLook(node=str(path), problems=(why,)))
                continue
            event = witness_read(
                self.ledger,
                round_.shown,
                str(path),
                remembered,
                now_us=self._clock(),
                source=self._source,
            )
            if event is not None:
                round_.stored += self.ledger.append(event).stored

    def _run(self, asks: dict[NodeSpec, Ask], take: Callable[[Ask, NodeResult, int], None]) -> None:
        def script_for(spec: NodeSpec) -> bytes:
            asks[spec].begun_us = self._clock()
            return probe_script(asks[spec].request)

        def on_result(result: NodeResult) -> None:
            take(asks[result.node], result, self._clock())

        if self._connections is not None:
            self._connections.run_script(list(asks), script_for, on_result=on_result)
        else:
            run_script_blocking(asks, script_for, limits=self._limits, on_result=on_result)

    def _not_looked_at(self, waiting: Sequence[Target], round_: Round, step: str | None) -> None:
        why = "another process is looking at it, and was not done in time"
        self._fail(waiting, why, step)
        for each in waiting:
            round_.add(NodeLook(node=each.name, problems=(why,)))

    def _fail(self, wanted_targets: Sequence[Target], why: str, step: str | None) -> None:
        """Store that nodes could not be looked at, so that nothing older speaks for them."""
        now_us = self._clock()
        self.ledger.append(
            new_event(
                CommandHung(
                    node=each.name,
                    command="runledger probe",
                    timeout_s=float(self.settings.total_timeout_s),
                    detail=why[:2000],
                ),
                time_us=now_us,
                source=self._source,
                step=step,
            )
            for each in wanted_targets
            if each.node is not None
        )


def _witnessing(asked: Ask, shown: Shown | None) -> Ask:
    """The question, to one that is a witness with what it is shown and asked for."""
    node = asked.target.node
    if shown is not None and node is not None and node.witness:
        asked.request = replace(asked.request, recall=shown.recall, remember=shown.remember)
    return asked


def _hostname() -> str:
    name = "".join(c for c in socket.gethostname() if c.isprintable() and not c.isspace())
    return name or "unknown"
