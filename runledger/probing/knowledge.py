"""What the ledger knows of each node before it is asked: the folded state, and how far was read."""

from __future__ import annotations

from collections.abc import Sequence

from ledger import Ledger, LedgerError
from ledger.payloads import CommandHung, KernelLogScanned, SmuError
from ledger.times import SECOND_US
from rules.fold import Fold
from rules.state import NodeState, State
from runledger.config.settings import ProbeSettings
from runledger.deciding.folding import History
from runledger.probing.plan import Known


class Memory:
    """Reads a ledger for what matters to the next question, at the cost of the news."""

    def __init__(self, ledger: Ledger, fold: Fold, settings: ProbeSettings) -> None:
        self._ledger = ledger
        self._fold = fold
        self._settings = settings
        self._history = History(ledger, fold, persist=True)

    def recall(self, names: Sequence[str], now_us: int) -> tuple[dict[str, Known], NodeState]:
        """What is known of these nodes, and of the controller's inputs."""
        state = self.state(now_us)
        lately = self._lately(now_us)
        known = {}
        for name in names:
            boot_id, cursor = self._read_to(state, name)
            hung, failed, node_hung_us = lately.get(name, (set(), set(), None))
            known[name] = Known(
                state=state.nodes.get(name) or NodeState(),
                boot_id=boot_id,
                cursor=cursor,
                hung=frozenset(hung),
                failed=frozenset(failed),
                node_hung_us=node_hung_us,
            )
        controller = self._fold.settings.controller
        return known, state.nodes.get(controller) or NodeState()

    def state(self, now_us: int) -> State:
        """The folded state of the whole ledger; it changes with the next call."""
        return self._history.state_at(self._ledger.head().sequence, now_us)

    def _read_to(self, state: State, name: str) -> tuple[str | None, str | None]:
        node = state.nodes.get(name)
        if node is None or node.scan is None:
            return (None, None) if node is None or node.boot is None else (node.boot.id, None)
        try:
            data = self._ledger.get(node.scan.event).data
        except LedgerError:
            return None, None
        assert isinstance(data, KernelLogScanned)
        return data.boot_id, data.cursor

    def _lately(self, now_us: int) -> dict[str, tuple[set[str], set[str], int | None]]:
        """By node: cards that hung, cards with SMU errors, when the node hung; within the back-off.

        A hang of the node counts no longer than fresh evidence does.
        """
        span_us = round(self._settings.smu_backoff_s * SECOND_US)
        fresh_us = round(self._settings.probe_min_interval_s * SECOND_US)
        lately = self._ledger.read(
            since_us=now_us - max(span_us, fresh_us),
            until_us=now_us,
            types=("command_hung", "smu_error"),
            order="time",
        )
        found: dict[str, tuple[set[str], set[str], int | None]] = {}
        for event in lately:
            data = event.data
            assert isinstance(data, CommandHung | SmuError)
            name = self._fold.settings.node(data.node)
            hung, failed, node_hung_us = found.setdefault(name, (set(), set(), None))
            if data.pci is None:
                if isinstance(data, CommandHung):
                    found[name] = hung, failed, max(node_hung_us or 0, event.time_us)
            elif now_us - event.time_us < span_us:
                (hung if isinstance(data, CommandHung) else failed).add(data.pci)
        return found
