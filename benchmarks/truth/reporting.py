"""How what happens on the machines reaches a ledger: through the collectors, late or never.

Kernel lines are framed as the machine's log frames them and read by the kernel-log parser;
looks at cards come from `looking`; jobs and operators tell by themselves.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from benchmarks.truth.layout import Machine, Place, S, boot_id, pci
from benchmarks.truth.looking import Look
from collectors.jobs import fingerprint
from collectors.kernel_log import scan
from ledger import Event, new_event
from ledger.payloads import (
    JobFailedWithTraceback,
    JobFinished,
    KernelLogScanned,
    OverrideSet,
    Payload,
    SshProbe,
)

OBSERVER = "controller"
_TRACEBACK = 'Traceback (most recent call last):\n  File "train.py", line 88, in step\n'


class Written(NamedTuple):
    """A line in a machine's log, of one of its boots."""

    boot: int
    boot_us: int
    at_us: int
    text: str


class Reporter:
    """Makes the events of one year; ids are counted, so that two runs of a year are equal."""

    def __init__(self) -> None:
        self._count = 0
        self.events: list[Event] = []

    def take(self) -> list[Event]:
        """The events since the last time, in the order of time."""
        events, self.events = self.events, []
        events.sort(key=lambda event: event.time_us)
        return events

    def add(self, payload: Payload, at_us: int, source: str, subject: str | None = None) -> None:
        """Tell of something; made without the checks of `new_event`, which tests make up for."""
        self._count += 1
        self.events.append(
            Event(
                id=f"t{self._count}",
                type=payload.event_type,
                source=source,
                subject=subject or payload.default_subject() or "fleet",
                time_us=at_us,
                data=payload,
            )
        )

    # -- looks ---------------------------------------------------------------------------

    def no_answer(self, machine: Machine, at_us: int) -> None:
        """The machine did not answer."""
        self.add(
            SshProbe(node=machine.name, reachable=False, error="timeout", detail="after 5 s"),
            at_us,
            f"collector/probe@{OBSERVER}",
        )

    def looked(
        self,
        machine: Machine,
        look: Look,
        at_us: int,
        *,
        boot: int,
        boot_us: int,
        written: list[Written] | None,
        skew_us: int,
    ) -> None:
        """A machine answered; ``written`` None: its log may not be read."""
        source = f"collector/probe@{OBSERVER}"
        name, this = machine.name, boot_id(machine.number, boot)
        boots = sorted({line.boot for line in written or ()} | {boot})
        scans = []
        for each in boots:
            lines = [line for line in written or () if line.boot == each]
            found = self._kernel(machine, lines, each, at_us, look, skew_us) if lines else 0
            scans.append(
                KernelLogScanned(
                    node=name, lines=len(lines), matches=found,
                    readable=written is not None, boot_id=boot_id(machine.number, each),
                )
            )  # fmt: skip
        for scanned in scans[:-1]:
            self.add(scanned, at_us, source)
        uptime = round((at_us - boot_us) / S, 3)
        reach = SshProbe(node=name, reachable=True, latency_s=0.04, boot_id=this, uptime_s=uptime)
        self.add(reach, at_us, source)
        self.add(scans[-1], at_us, source)
        for payload in look.payloads:
            self.add(payload, at_us, source)

    def _kernel(
        self,
        machine: Machine,
        lines: list[Written],
        boot: int,
        at_us: int,
        look: Look,
        skew_us: int,
    ) -> int:
        events = scan(
            ("".join(_framed(machine, lines, boot, skew_us)),),
            node=machine.name,
            source=f"collector/kernel-log@{OBSERVER}",
            now_us=at_us,
            boot_id=boot_id(machine.number, boot),
            boot_time_us=lines[0].boot_us,
            bridges=look.bridges,
        ).events
        self.events += [_not_after(event, at_us) for event in events]
        return len(events)

    # -- jobs and operators ----------------------------------------------------------------

    def finished(self, job: str, machine: Machine, slot: int, at_us: int, took_s: float) -> None:
        """A job ended well."""
        payload = JobFinished(
            job=job, node=machine.name, pci=pci(slot), attempt=1, duration_s=took_s
        )
        self.add(payload, at_us, f"scheduler@{OBSERVER}", f"gpu/{machine.name}/{pci(slot)}")

    def failed(
        self, job: str, machine: Machine, slot: int, at_us: int, said: tuple[str, str], named: bool
    ) -> None:
        """A job failed; ``named``: the report says on which card."""
        exception, message = said
        payload = JobFailedWithTraceback(
            job=job,
            attempt=1,
            exception=exception,
            message=message,
            traceback=f"{_TRACEBACK}{exception}: {message}\n",
            will_retry=True,
            fingerprint=fingerprint(exception, message, names=(job, machine.name)),
            node=machine.name,
            pci=pci(slot) if named else None,
            index=slot if named else None,
        )  # fmt: skip
        self.events.append(
            new_event(payload, time_us=at_us, source=f"scheduler@{OBSERVER}", id=self._id())
        )

    def reinstated(self, machine: Machine, place: Place, at_us: int, reason: str) -> None:
        """An operator says that a card may work again."""
        subject = f"gpu/{machine.name}/{pci(place.slot)}"
        payload = OverrideSet(subject=subject, action="reinstate", reason=reason, by="operator")
        self.events.append(
            new_event(payload, time_us=at_us, source="runledger", subject=subject, id=self._id())
        )

    def _id(self) -> str:
        self._count += 1
        return f"t{self._count}"


def _framed(machine: Machine, lines: Iterable[Written], boot: int, skew_us: int) -> Iterable[str]:
    boot_hex = boot_id(machine.number, boot).replace("-", "")
    for number, line in enumerate(lines):
        since = max(0, line.at_us - line.boot_us)
        if machine.log == "journal":
            entry = {
                "__CURSOR": f"s={boot_hex};i={number:x}",
                "__REALTIME_TIMESTAMP": str(line.at_us + skew_us),
                "_SOURCE_MONOTONIC_TIMESTAMP": str(since),
                "_BOOT_ID": boot_hex,
                "PRIORITY": "3",
                "MESSAGE": line.text,
            }
            yield json.dumps(entry) + "\n"
        elif machine.log == "kmsg":
            yield f"3,{1000 + number},{since},-;{line.text}\n"
        else:
            yield f"[{since / S:12.6f}] {line.text}\n"


def _not_after(event: Event, at_us: int) -> Event:
    """As the probe does it: nothing was logged after now, whatever the machine's clock says."""
    return event if event.time_us <= at_us else msgspec.structs.replace(event, time_us=at_us)


def job_words(nvidia: bool, why: str, rng: random.Random) -> tuple[str, str]:
    """Exception and message of a job that failed for a reason."""
    word = "CUDA" if nvidia else "HIP"
    if why in ("off", "gone", "dead"):
        return "RuntimeError", f"No {word} GPUs are available"
    if why in ("timeout", "stuck", "hung"):
        return "TimeoutError", f"no result after {rng.randint(3, 6) * 3600} s"
    if why in ("crash", "net", "power"):
        return "ConnectionLost", "connection to the node was lost"
    if why == "ecc" and nvidia and rng.random() < 0.7:
        return "RuntimeError", "CUDA error: uncorrectable ECC error encountered"
    if why == "program":
        return rng.choice(
            (
                ("ValueError", "shapes (64,128) and (256,) not aligned"),
                ("RuntimeError", f"{word} error: an illegal memory access was encountered"),
                ("OutOfMemoryError", f"{word} out of memory. Tried to allocate 2.00 GiB"),
                ("KeyError", "'train'"),
            )
        )
    return "RuntimeError", f"{word} error: unspecified launch failure"


def job_name(tick: int, place: Place) -> str:
    """A job's name: one a card and tick."""
    return f"j{tick}-{place.node}-{place.slot}"
