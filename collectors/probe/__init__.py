"""One look at a rig: what to send, how to understand the answer, which events it makes.

The far side is ``probe.sh``, a POSIX shell script that is sent over stdin to
``sh -s``; this side composes its input, parses its output and does no I/O
(beyond reading that script from the package).
"""

from __future__ import annotations

from collectors.probe.parse import parse_probe
from collectors.probe.payloads import (
    inputs_checked,
    kernel_scans,
    report_to_payloads,
)
from collectors.probe.report import (
    Card,
    FileSeen,
    Hung,
    KernelLog,
    ProbeReport,
)
from collectors.probe.request import ProbeRequest, WantedFile, probe_script

__all__ = [
    "Card",
    "FileSeen",
    "Hung",
    "KernelLog",
    "ProbeReport",
    "ProbeRequest",
    "WantedFile",
    "inputs_checked",
    "kernel_scans",
    "parse_probe",
    "probe_script",
    "report_to_payloads",
]
