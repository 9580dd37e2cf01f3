"""What a fold remembers of a history: plain, mutable records that serialise.

The state is bounded by the fleet and the policy's windows, not by the length
of the history. Every record keeps the ids of the events it rests on. Times are
microseconds since the epoch. Only `rules.fold` changes a state. Longer than most:
a state is one thing, and is read from top to bottom.
"""

from __future__ import annotations

from typing import Any

import msgspec

from rules.card import Card, Dated, Override, Record


class Boot(Record, kw_only=True):
    """The boot a node is in: ``since_us`` when first seen, ``started_us`` by its uptime.

    ``first`` marks the first boot ever seen of the node: what came before it
    happened in an unknown boot. ``before`` are the ids of earlier ones, the newest last.
    """

    id: str | None = None
    since_us: int
    started_us: int | None = None
    last_seen_us: int
    first: bool = False
    event: str
    before: list[str] = []


class Reach(Record, kw_only=True):
    """The newest SSH probe."""

    time_us: int
    event: str
    reachable: bool
    error: str = ""
    detail: str = ""
    mem_total_mib: float | None = None
    mem_available_mib: float | None = None
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
    way: str | None = None
    detail: str = ""


class Probe(Record, kw_only=True):
    """The newest GPU probe; ``detail`` says why it shows too few cards, where a tool told."""

    time_us: int
    event: str
    expected: int | None = None
    detail: str = ""
    gpus: list[Seen]


class Hung(Record, kw_only=True):
    """A command that hung since the newest GPU probe."""

    event: str
    command: str
    timeout_s: float
    pci: str | None = None


class Scan(Record, kw_only=True):
    """The newest scan of the kernel log; ``unread`` lines of trouble could not be placed."""

    time_us: int
    event: str
    readable: bool
    boot: str | None = None
    unread: int = 0


class Noted(Record, kw_only=True):
    """The newest of one kind of line that blames no card."""

    time_us: int
    event: str
    boot: str | None = None


class File(Record, kw_only=True):
    """The newest look at one file."""

    time_us: int
    event: str
    present: bool
    size: int | None = None
    sha256: str | None = None
    expected_sha256: str | None = None


class Free(Record, kw_only=True):
    """What the newest look at a ramdisk found free."""

    event: str
    mib: float


class Cleanup(Record, kw_only=True):
    """The newest clean-up."""

    time_us: int
    event: str
    warnings: list[str]
    orphans: dict[str, float]


class CardError(Dated, kw_only=True):
    """A line about a card, remembered while it may turn out to be its node's, or another card's.

    ``pci`` is where the line says the card is; "" where a uid names it. What it weighs:
    ``counts`` by itself, ``ambiguous`` only beside others; ``gone`` marks kinds by which a
    card is gone, ``asks`` for what it needs.
    """

    card: str
    event: str
    kind: str = ""
    pci: str = ""
    boot: str | None = None
    counts: bool = True
    ambiguous: bool = False
    gone: bool = False
    asks: str = ""
    rma: bool = False


class CleanLooks(Record, kw_only=True):
    """Looks in a row that showed all cards of a node ok but the same few (``but``)."""

    first_us: int
    looks: int
    but: list[str] = []


class CommonCause(Record, kw_only=True):
    """Many cards of a node failed together, or one after another, until ``last_us``.

    ``share`` is that of the node's cards, ``boot`` the boot of its last error, where it
    is known. ``looks`` are the clean ones since; ``quiet_but`` holds the sets of cards
    such that it is over where these sit out.
    """

    since_us: int
    last_us: int
    sequence: int
    cards: int
    share: float = 0.0
    boot: str | None = None
    evidence: list[str]
    looks: CleanLooks | None = None
    quiet_but: list[list[str]] = []


class Mark(Record, kw_only=True):
    """Something that may explain a job's failure: ``oom``, ``lost``; ``smu``, ``gpu`` of a card."""

    time_us: int
    kind: str
    card: str = ""


class Failure(Dated, kw_only=True):
    """A failed job, with what its text says and what happened around it.

    ``alike`` marks one that failed as so many others of its node did at the same time.
    """

    event: str
    node: str = ""
    card: str = ""
    fingerprint: str
    says: str
    near: list[str] = []
    alike: bool = False


class Kept(Record, kw_only=True):
    """Events kept of one subject over a window, oldest first: by an own fact, or failed jobs.

    ``values`` are there where a field is kept, ``events`` names the newest few.
    ``beyond`` counts what was not kept, by part of the window.
    """

    times: list[int] = []
    values: list[str | int | float | bool] = []
    events: list[str] = []
    beyond: list[tuple[int, int]] = []


class NodeState(Record, kw_only=True):
    """Everything remembered of one node; the name "" is the controller's.

    ``missed`` are the cards that its probes have shown, and the newest does not; once
    a probe shows as many cards as there should be, those that it misses are gone.
    ``lost_us`` is when it stopped answering; ``fresh`` are the lines about cards since
    the newest probe; ``before`` is where cards were in the boot before, by address.
    ``common``, ``series`` and ``fleet`` are the common causes that go on.
    """

    reach: Reach | None = None
    boot: Boot | None = None
    probe: Probe | None = None
    missed: list[str] = []
    hung: list[Hung] = []
    scan: Scan | None = None
    ramdisk: dict[str, File] = {}
    ramdisk_free: Free | None = None
    failed: Kept | None = None
    inputs: dict[str, File] = {}
    cleanup: Cleanup | None = None
    smu: Noted | None = None
    faults: dict[str, Noted] = {}
    gpu_faults: dict[str, Noted] = {}
    lost_us: int | None = None
    fresh: list[CardError] = []
    before: dict[str, str] = {}
    before_boot: str | None = None
    errors: list[CardError] = []
    common: CommonCause | None = None
    series: CommonCause | None = None
    fleet: CommonCause | None = None
    marks: list[Mark] = []


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


class Witness(Record, kw_only=True):
    """The heads (``SEQUENCE:HASH``) that a witness remembers and the ledger did not hold.

    Each with the time at which the witness was shown it.
    """

    event: str
    heads: dict[str, int]


class State(Record, kw_only=True):
    """A history folded: the whole of what decisions look at."""

    nodes: dict[str, NodeState] = {}
    cards: dict[str, Card] = {}
    places: dict[str, str] = {}
    ways: dict[str, str] = {}
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
    witnesses: dict[str, Witness] = {}
    witnesses_accepted_us: int | None = None
    sealed: list[str] = []
    own: dict[str, dict[str, Kept]] = {}
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
