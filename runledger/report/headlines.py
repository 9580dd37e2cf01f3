"""An event in one line for a person: what it says, without its envelope."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from ledger import Event
from ledger.payloads import DecisionPayload
from ledger.text import humanize


def gist(event: Event) -> str:
    """What an event says; raw text from logs is passed on as it is."""
    if isinstance(event.data, DecisionPayload):
        return f"{event.data.kind}: {event.data.verdict}"
    tell = _TELL.get(event.type)
    return tell(event.data) if tell is not None else event.type.replace("_", " ")


def size(trials: Any, seed_count: Any) -> str:
    """``50 × 100,000``; a dash for what is not known."""
    if trials is None and seed_count is None:
        return "–"
    shown = [f"{each:,}" if isinstance(each, int) else "–" for each in (trials, seed_count)]
    return " × ".join(shown)


def _ssh_probe(data: Any) -> str:
    if data.reachable:
        return "answered"
    return "did not answer: " + ", ".join(filter(None, (data.error, data.detail)))


def _gpu_probe(data: Any) -> str:
    states = Counter(gpu.state for gpu in data.gpus)
    bad = [gpu.pci for gpu in data.gpus if gpu.state != "ok"]
    told = ", ".join(f"{amount} {state}" for state, amount in states.most_common())
    return f"{humanize.counted(len(data.gpus), 'card')}: {told or 'none'}" + (
        f" ({humanize.listed(bad, 3)})" if bad else ""
    )


def _files(data: Any) -> str:
    gone = [file.path for file in data.files if not file.present]
    if gone:
        return f"missing: {humanize.listed(gone, 3)}"
    return f"{humanize.counted(len(data.files), 'file')} there"


def _trial(data: Any) -> str:
    took = "" if data.duration_s is None else f" in {humanize.number(data.duration_s)} s"
    found = "" if data.survivors is None else f", {data.survivors:,} survivors"
    return f"trial {data.number} {data.state}{took}{found}"


def _counted(data: Any) -> str:
    return (
        f"{data.survivors:,} survivors; {data.completed_trials} of {data.trials} trials "
        f"of {data.seed_count:,} seeds"
    )


def _finished(data: Any) -> str:
    return data.outcome or "ended" if not data.reason else f"{data.outcome}: {data.reason}"


def _override(data: Any) -> str:
    until = f" until {data.expires}" if data.expires else ""
    return f"{data.action}{until}, by {data.by}: {data.reason}"


def _repair(data: Any) -> str:
    swapped = ", swapped" if data.swapped else ""
    return f"repaired: found {data.found}{swapped}, by {data.by}: {data.reason}"


def _proposal(data: Any) -> str:
    return f"{data.proposer} asked for {size(data.trials, data.seed_count)}: {data.rationale}"


_TELL: dict[str, Callable[[Any], str]] = {
    "ssh_probe": _ssh_probe,
    "gpu_probe": _gpu_probe,
    "smu_error": lambda data: data.raw,
    "gpu_fault": lambda data: data.raw,
    "node_fault": lambda data: data.raw,
    "process_killed": lambda data: data.raw,
    "kernel_log_scanned": lambda data: (
        f"{data.lines:,} lines, {data.matches:,} of interest"
        + (f", {data.unread:,} of trouble unread" if data.unread else "")
        if data.readable
        else "could not be read"
    ),
    "ramdisk_checked": _files,
    "inputs_checked": _files,
    "command_hung": lambda data: (
        f"{data.command} did not come back within {humanize.span(data.timeout_s)}"
    ),
    "cleanup_completed": lambda data: "; ".join(data.warnings) or "cleaned up",
    "remedy_completed": lambda data: f"{data.command} for {data.check}",
    "job_failed_with_traceback": lambda data: f"{data.job}: {data.exception}: {data.message}",
    "job_finished": lambda data: f"{data.job} finished",
    "trial_completed": _trial,
    "survivors_counted": _counted,
    "run_started": lambda data: f"asked for {size(data.trials, data.seed_count)}",
    "run_finished": _finished,
    "step_started": lambda data: "began",
    "step_finished": _finished,
    "override_set": _override,
    "repair_done": _repair,
    "parameters_proposed": _proposal,
    "history_redacted": lambda data: (
        f"history without secrets, from a ledger whose head was {data.sequence:,}"
    ),
    "policy_activated": lambda data: f"policy {data.name}",
    "fleet_configured": lambda data: f"fleet {data.name}",
}
