"""What a fold remembers of one card: plain, mutable records that serialise.

From these a card's place on the ladder is computed (`rules.ladder`). Times are
microseconds since the epoch; every record keeps the ids of the events it rests on.
"""

from __future__ import annotations

import msgspec


class Record(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Base of everything that a fold remembers."""


class Dated(Record, kw_only=True):
    """Something that has its place in a history: ``sequence`` tells apart what is of one time."""

    time_us: int
    sequence: int

    @property
    def when(self) -> tuple[int, int]:
        """Its place in the order that folds go by."""
        return self.time_us, self.sequence


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


class Compared(Record, kw_only=True):
    """How often a card was at it, against the others at work.

    ``others`` is their mean, ``times`` the multiple of it (`TIMES_OF_NONE` where
    they have none).
    """

    count: int
    others: float
    times: float


class Incident(Dated, kw_only=True):
    """A card failed: its time is that of the first error, its boot that of the last.

    ``kind`` is what was seen, in words. ``found`` says how: ``error`` (lines that
    count by themselves), ``lost`` (a look), ``stands_out`` (ambiguous lines, with
    the comparison in ``compared``). ``crashes`` are the reboots of its node that it led
    to; ``harm`` says that a job failed with it. ``cause`` names the common cause that it
    was a part of (``series``, ``fleet``), ``beside`` the other subjects of that.
    """

    last_us: int
    event: str
    kind: str
    found: str = "error"
    boot: str | None = None
    errors: int = 1
    crashes: list[int] = []
    harm: bool = False
    cause: str = ""
    beside: list[str] = []
    compared: Compared | None = None
    rma: bool = False

    @property
    def harmful(self) -> bool:
        """Whether it took its node or a job down."""
        return self.harm or bool(self.crashes)


class Charge(Dated, kw_only=True):
    """So many jobs failed on a card that stands out in it that it must sit out."""

    event: str
    since_us: int
    compared: Compared
    evidence: list[str]


class CleanRun(Dated, kw_only=True):
    """Looks in a row showed the card ok, long enough to end exclusion number ``level``."""

    first_us: int
    event: str
    level: int = 1


class OkCount(Record, kw_only=True):
    """Looks in a row that showed a card ok; ``level`` is the longest clean run in them."""

    first_us: int
    last_us: int
    looks: int
    level: int = 0


class Doubt(Record, kw_only=True):
    """A count that an error ended, and how it goes on if the error turns out to be no incident."""

    time_us: int
    count: OkCount | None
    runs: list[CleanRun] = []


class Asked(Dated, kw_only=True):
    """The newest fault after which a card needs a reset; ``action`` is what its source asks for."""

    event: str
    kind: str
    action: str
    boot: str | None = None


class Card(Record, kw_only=True):
    """A card's record: which it is, where it is, and what its ladder is computed from.

    ``way`` is the place that its probe gave; what was measured is of the newest look.
    ``burst_us`` is when the newest burst of errors began, whoever was to blame. ``up`` tells
    whether the newest look that could tell showed it ok. ``faults`` (ambiguous ones, a burst
    being one) and ``hangs`` are times, with the events in ``fault_events`` and ``hang_events``;
    ``corrected`` counts its link's corrected errors by day. ``counted_from`` is when its failed
    jobs were last forgiven.
    """

    node: str
    pci: str
    way: str | None = None
    uid: str | None = None
    model: str | None = None
    index: int | None = None
    temp_c: float | None = None
    busy_pct: float | None = None
    vram_used_mib: float | None = None
    vram_total_mib: float | None = None
    probed: bool = False
    up: bool | None = None
    shown_ok_us: int | None = None
    worked_us: int | None = None
    last_error_us: int | None = None
    burst_us: int = 0
    incidents: list[Incident] = []
    charges: list[Charge] = []
    clean: list[CleanRun] = []
    ok: OkCount | None = None
    doubts: list[Doubt] = []
    overrides: list[Override] = []
    asked: Asked | None = None
    last_fault_us: int | None = None
    faults: list[int] = []
    fault_events: list[str] = []
    hangs: list[int] = []
    hang_events: list[str] = []
    corrected: dict[int, int] = {}
    corrected_events: list[str] = []
    counted_from: tuple[int, int] = (0, 0)

    @property
    def blank(self) -> bool:
        """Whether there is nothing to remember of it but where it is."""
        return not (
            self.incidents
            or self.charges
            or self.overrides
            or self.asked
            or self.faults
            or self.hangs
            or self.corrected
            or self.last_error_us is not None
        )
