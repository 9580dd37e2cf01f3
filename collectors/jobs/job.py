"""A job, and the events that tell how it went. No I/O, no clock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from collectors.jobs.capture import Captured
from ledger.event import Event, new_event
from ledger.identifiers import normalize_pci
from ledger.payloads import JobFailedWithTraceback, JobFinished, Payload


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Which job, and where it runs; ``pci`` and ``index`` are those of the card it uses.

    ``source`` is who watches it. Raises `InvalidEvents` for a name that no
    event can bear: better before the job than after it.
    """

    name: str
    source: str
    node: str | None = None
    pci: str | None = None
    index: int | None = None
    run: str | None = None
    step: str | None = None

    def __post_init__(self) -> None:
        if self.pci is not None:
            object.__setattr__(self, "pci", normalize_pci(self.pci) or self.pci)
        captured = Captured("unknown", "", "", "0")
        self.failed(captured, attempt=1, will_retry=False, gpu_state=None, time_us=0)

    @property
    def names(self) -> tuple[str, ...]:
        """What may stand in a message and is no part of a fault."""
        return tuple(name for name in (self.name, self.node, self.pci, self.run) if name)

    def failed(
        self,
        captured: Captured,
        *,
        attempt: int,
        will_retry: bool,
        gpu_state: dict[str, Any] | None,
        time_us: int,
    ) -> Event:
        """``job_failed_with_traceback``."""
        payload = JobFailedWithTraceback(
            job=self.name,
            node=self.node,
            pci=self.pci,
            index=self.index,
            attempt=attempt,
            will_retry=will_retry,
            gpu_state=gpu_state,
            **captured._asdict(),
        )
        return self._event(payload, time_us)

    def finished(self, *, attempt: int, duration_s: float, time_us: int) -> Event:
        """``job_finished``."""
        payload = JobFinished(
            job=self.name,
            node=self.node,
            pci=self.pci,
            attempt=attempt,
            duration_s=round(max(0.0, duration_s), 6),
        )
        return self._event(payload, time_us)

    def _event(self, payload: Payload, time_us: int) -> Event:
        subject = None
        if self.node is None:
            subject = f"run/{self.run}" if self.run else f"job/{self.name}"
        return new_event(
            payload,
            time_us=time_us,
            source=self.source,
            subject=subject,
            runid=self.run,
            step=self.step,
        )
