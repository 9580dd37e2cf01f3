"""What a fold remembers of a history: plain, mutable records that serialise.

The state is bounded by the fleet and the policy's windows, not by the length
of the history. Every record keeps the ids of the events it rests on. Times are
microseconds since the epoch. Only `rules.fold` changes a state.
"""

from __future__ import annotations

from typing import Any

import msgspec


class Record(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Base of everything below."""


class Dated(Record, kw_only=True):
    """Something that has its place in a history: ``sequence`` tells apart what is of one time."""

    time_us: int
    sequence: int

    @property
    def when(self) -> tuple[int, int]:
        """Its place in the order that folds go by."""
        return self.time_us, self.sequence


class Boot(Record, kw_only=True):
    """The boot a node is in: ``since_us`` when first seen, ``started_us`` by its uptime.

    ``first`` marks the first boot ever seen of the node: what came before it
    happened in an unknown boot.
    """

    id: str | None = None
    since_us: int
    started_us: int | None = None
    last_seen_us: int
    first: bool = False
    event: str


class Reach(Record, kw_only=True):
    """The newest SSH probe."""

    time_us: int
    event: str
    reachable: bool
    error: str = ""
    detail: str = ""
    remedy: str = ""

    @property
    def is_wrong(self) -> bool:
        """Whether something answered that was not the probe, or not all of it."""
        return self.reachable and self.error == "protocol"


class Seen(Record, kw_only=True):
    """One card in the newest GPU probe."""

    pci: str
    state: str
    card: str
    index: int | None = None
    uid: str | None = None


class Probe(Record, kw_only=True):
    """The newest GPU probe."""

    time_us: int
    event: str
    expected: int | None = None
    gpus: list[Seen]


class Hung(Record, kw_only=True):
    """A command that hung since the newest GPU probe."""

    event: str
    command: str
    timeout_s: float
    pci: str | None = None


class Scan(Record, kw_only=True):
    """The newest scan of the kernel log."""

    time_us: int
    event: str
    readable: bool


class File(Record, kw_only=True):
    """The newest look at one file."""

    time_us: int
    event: str
    present: bool
    size: int | None = None
    sha256: str | None = None
    expected_sha256: str | None = None


class Cleanup(Record, kw_only=True):
    """The newest clean-up."""

    time_us: int
    event: str
    warnings: list[str]
    orphans: dict[str, float]


class CardError(Dated, kw_only=True):
    """An error of a card, remembered while it may turn out to be the node's."""

    card: str
    event: str


class CommonCause(Record, kw_only=True):
    """Many cards, ``share`` of its node's, failed together until ``last_us``: it is to blame."""

    since_us: int
    last_us: int
    sequence: int
    cards: int
    share: float
    evidence: list[str]


class Mark(Record, kw_only=True):
    """Something that may explain a job's failure: ``oom``, ``lost``; ``smu``, ``gpu`` of a card."""

    time_us: int
    kind: str
    card: str = ""


class Failure(Dated, kw_only=True):
    """A failed job, with what its text says and what happened around it.

    ``clean_us`` is when the first clean run of its card that began after it was complete.
    """

    event: str
    node: str = ""
    card: str = ""
    fingerprint: str
    says: str
    near: list[str] = []
    clean_us: int | None = None


class Override(Dated, kw_only=True):
    """An operator's word."""

    event: str
    action: str
    by: str
    reason: str
    expires_us: int | None = None

    def active(self, at_us: int) -> bool:
        """Whether it still holds: the judging time is before its expiry."""
        return self.expires_us is None or at_us < self.expires_us


class NodeState(Record, kw_only=True):
    """Everything remembered of one node; the name "" is the controller's.

    ``missed`` are the cards that its probes have shown, and the newest does not; once
    a probe shows as many cards as there should be, those that it misses are gone.
    """

    reach: Reach | None = None
    boot: Boot | None = None
    probe: Probe | None = None
    missed: list[str] = []
    hung: list[Hung] = []
    scan: Scan | None = None
    ramdisk: dict[str, File] = {}
    inputs: dict[str, File] = {}
    cleanup: Cleanup | None = None
    smu: Scan | None = None
    errors: list[CardError] = []
    common: CommonCause | None = None
    marks: list[Mark] = []


class Incident(Dated, kw_only=True):
    """A burst of errors of one card: its time is that of its first error, its boot of its last."""

    last_us: int
    event: str
    kind: str
    boot: str | None = None
    errors: int = 1
    crash: bool = False


class CleanRun(Dated, kw_only=True):
    """Enough probes in a row, over enough time, showed the card ok."""

    first_us: int
    event: str


class OkCount(Record, kw_only=True):
    """Probes in a row that showed a card ok, on their way to a clean run."""

    first_us: int
    probes: int


class Doubt(Record, kw_only=True):
    """A count that an error ended, and how it goes on if the error turns out to be the node's."""

    time_us: int
    count: OkCount | None
    runs: list[CleanRun] = []


class Card(Record, kw_only=True):
    """A card's record: where it is, and what its ladder is computed from.

    ``burst_us`` is when the newest burst of errors began, whoever was to blame.
    """

    node: str
    pci: str
    uid: str | None = None
    index: int | None = None
    probed: bool = False
    last_error_us: int | None = None
    burst_us: int = 0
    incidents: list[Incident] = []
    clean: list[CleanRun] = []
    ok: OkCount | None = None
    doubts: list[Doubt] = []
    overrides: list[Override] = []


class Counted(Dated, kw_only=True):
    """A ``survivors_counted`` event; ``uncounted`` is a share of the run, ``partial`` in words."""

    event: str
    trials: int
    completed_trials: int
    seed_count: int
    survivors: int
    study: str | None = None
    scope: dict[str, Any] | None = None
    uncounted: float = 0.0
    partial: str = ""


class Loss(Record, kw_only=True):
    """When a node was first lost while a run was going on, as far as was known then."""

    node: str
    event: str
    time_us: int


class RunStep(Record, kw_only=True):
    """One step of a run: whether it ran, and which parameters did not reach its program."""

    ran: bool = False
    event: str = ""
    dropped: list[str] = []


class Run(Record, kw_only=True):
    """One run: what was asked, what happened, what was counted.

    ``steps`` are those known of it; ``stopped``: a preflight's verdict ended it.
    """

    id: str
    started_us: int | None = None
    started_event: str | None = None
    study: str | None = None
    scope: dict[str, Any] | None = None
    nodes: list[str] | None = None
    trials: int | None = None
    seed_count: int | None = None
    timeout_s: float | None = None
    dropped: list[str] = []
    steps: dict[str, RunStep] = {}
    stopped: bool = False
    finished_us: int | None = None
    finished_sequence: int = 0
    finished_event: str | None = None
    outcome: str | None = None
    reason: str = ""
    counted: Counted | None = None
    lost: list[Loss] = []

    @property
    def ended_us(self) -> int | None:
        """When it ended; where only its count is known, then. An earlier try's count is none."""
        if self.finished_us is not None or self.counted is None:
            return self.finished_us
        counted_us = self.counted.time_us
        return counted_us if counted_us >= (self.started_us or 0) else None

    @property
    def losses(self) -> list[Loss]:
        """The nodes lost before it ended."""
        end_us = self.ended_us
        return [loss for loss in self.lost if end_us is None or loss.time_us <= end_us]


class State(Record, kw_only=True):
    """A history folded: the whole of what decisions look at."""

    nodes: dict[str, NodeState] = {}
    cards: dict[str, Card] = {}
    places: dict[str, str] = {}
    sightings: dict[str, dict[str, int]] = {}
    card_of_uid: dict[str, str] = {}
    overrides: dict[str, list[Override]] = {}
    failures: list[Failure] = []
    failures_kept: int = 0
    fingerprints: dict[str, dict[str, int]] = {}
    runs: dict[str, Run] = {}
    counted_steps: list[str] = []
    trial_times: dict[str, list[float]] = {}
    trial_events: dict[str, list[str]] = {}
    newest_us: int = 0

    def node(self, name: str) -> NodeState:
        """The node's record, made where it is missing."""
        found = self.nodes.get(name)
        if found is None:
            found = self.nodes[name] = NodeState()
        return found


# Keys stay in the order in which a fold met them: a state that was saved goes on as it was.
_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(State)


def dump_state(state: State) -> str:
    """The state as text: the same for states that the same events were folded into."""
    return _encoder.encode(state).decode()


def load_state(text: str) -> State:
    """The state in a text of `dump_state`."""
    return _decoder.decode(text)
