"""What one kernel log line says about a graphics card, in the ledger's words.

Covers amdgpu from Linux 5.4 (powerplay) to 7.x, NVIDIA's Xids, PCI Express
ports and the out-of-memory killer. Two refusals matter more than coverage: a
card is named only where the line names it as the device that speaks, and a
reply that says "busy" or "unsupported" is no error of the controller.

A rule for new wording goes into one of the two tables below; raise
`PARSER_VERSION` with it, so that `reclassify` can judge stored lines again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal, get_args

import msgspec

from ledger.identifiers import normalize_pci

PARSER_VERSION = "1"
"""Raise it whenever a stored line may now be judged differently."""

EventType = Literal["smu_error", "gpu_fault", "process_killed"]
KERNEL_TYPES: tuple[EventType, ...] = get_args(EventType)
"""Types of the events that kernel lines become."""


class Classification(msgspec.Struct, frozen=True, kw_only=True):
    """What a line says: ``kind`` is the SMU signature or the fault.

    ``code`` is the reply as the line prints it, ``message`` the SMU command,
    ``pci`` the card only where the line names it; ``process`` and ``pid`` are
    the out-of-memory killer's victim.
    """

    event_type: EventType
    kind: str
    pci: str | None = None
    code: str | None = None
    message: str | None = None
    process: str | None = None
    pid: int | None = None


_BDF = r"[0-9a-fA-F]{4,8}:[0-9a-fA-F]{2}:[0-9a-fA-F]{2}\.[0-7]"
_RESPONSE = (
    r"SMU: response:(?P<response_code>0x[0-9a-fA-F]+)(?:.*?message:\s*(?P<response_cmd>\w+))?"
)

_HEAD = re.compile(
    rf"(?:(?P<driver>[\w.-]+) (?P<pci>{_BDF}): |kfd kfd: )?"
    r"(?:(?:amdgpu|kfd|amdkfd): |\[powerplay\] |\[drm(?::[^\]\s]+(?: \[\w+\])?)?\] |\*ERROR\* "
    r"|\{\d+\} ?|socket: \d+,? |die: \d+,? )*\s*"
)
"""Device and driver in front of the words; 7.x prints ``amdgpu: `` once, older kernels twice."""

_GPU_DRIVERS = frozenset({"amdgpu", "radeon", "nvidia"})

# Words that only a graphics driver prints: enough without any prefix, as in hand-copied logs.
_UNMISTAKABLE = (
    ("response", _RESPONSE),
    ("not_done", r"SMU: I'm not done with your previous command"),
    ("no_response", r"SMU: No response\b"),
    (
        "bus_error",
        (
            r"SMU: bus error for message: (?P<bus_cmd>\w+)"
            r"(?:.*?response:(?P<bus_code>0x[0-9a-fA-F]+))?"
        ),
    ),
    ("unknown_response", r"SMU: unknown response\b"),
    ("hanged", r"SMU is in hanged state"),
    ("metrics_export_failed", r"Failed to export SMU metrics table"),
    ("device_lost", r"device lost from bus"),
    ("ring_timeout", r"ring \S+ timeout, (?:last )?signaled seq="),
    ("page_fault", r"\[(?:gfx|mm)hub\d*\] (?:(?:no-)?retry )?[Pp]age fault \(src_id"),
    ("gpu_reset", r"GPU reset begin"),
    ("gpu_reset_", r"GPU Recovery Failed|VRAM is lost due to GPU reset"),
    ("ras_interrupt", r"[Uu]ncorrectable hardware error ?\("),
    ("ras_count", r"(?P<count>\d+) (?:new )?uncorrectable hardware errors? detected in (?!total)"),
    ("other", r"failed to write reg [0-9a-f]+ wait reg [0-9a-f]+"),
    ("other_atomics", r"skipped device [0-9a-f]+:[0-9a-f]+, PCI rejects atomics"),
    ("suppressed_faults", r"gmc_\w+: \d+ callbacks suppressed"),
    (
        "suppressed",
        r"_*(?:smu|amdgpu|gfx|sdma|kfd|svm|mes)_\w+: \d+ callbacks suppressed",
    ),
)

# Common words: they count only where the line is amdgpu's.
_OF_AMDGPU = (
    (
        "send_failed",
        (
            r"failed send message:\s*(?P<send_cmd>\w+)\s*(?:\(\d+\))?"
            r"(?:.*?response (?P<send_code>-?(?:0x)?[0-9a-fA-F]+))?"
        ),
    ),
    (
        "send_failed_ret",
        r"(?:failed to send message [0-9a-f]+|last message was failed) ret is (?P<ret>-?\d+)",
    ),
    ("precheck_failed", r"Msg issuing pre-check failed and SMU may be not in the right state"),
    (
        "device_lost_power",
        (
            r"(?:Unable to|can't) change power state from \S+ to \S+ ?"
            r"(?:, device inaccessible|\(config space inaccessible\))"
        ),
    ),
    ("gpu_reset_failed", r"(?:GPU |ASIC )?(?:mode ?\d|BACO|ASIC|(?:pre|post) asic) reset failed"),
    ("gpu_reset_end", r"GPU reset(?: end |\(\d+\) (?:succeeded|failed)| succeeded| failed)"),
    ("gpu_wedged", r"device wedged\b"),
    ("ring_reset_failed", r"Ring \S+ reset failed"),
    ("page_fault_gfx8", r"GPU fault detected: \d+ 0x"),
    (
        "other_smu",
        (
            r"Failed to (?:disable smu features|setup smc hw|(?:dis|en)able gfxoff"
            r"|get current clock freq|enable requested dpm features)"
        ),
    ),
    ("other_mp1", r"\[PrepareMp1\] Failed|SMC failed to set mp1 state"),
    ("other_init", r"Fatal error during GPU init|amdgpu_device_ip_\w+ failed"),
    ("other_block", r"\w+ of IP block <\w+> failed"),
    ("other_probe", rf"probe (?:of (?P<probed>{_BDF}) |with driver \w+ )failed with error"),
    ("other_reg", r"failed to (?:read|write) reg"),
    ("other_halt", r"failed to halt cp"),
    ("other_test", r"(?:ring \S+ test|IB test|ib ring test) failed"),
    (
        "other_queue",
        (
            r"qcm fence wait loop timeout|The cp might be in an unrecoverable"
            r"|MES(?:\(\d+\))? failed to respond|MES might be in unrecoverable"
        ),
    ),
    ("other_hot", r"(?:ERROR: )?GPU over ?temperature range"),
)


def _compile(table: tuple[tuple[str, str], ...]) -> re.Pattern[str]:
    return re.compile("|".join(f"(?P<{name}>{words})" for name, words in table))


_ANYWHERE, _DRIVER = _compile(_UNMISTAKABLE), _compile(_OF_AMDGPU)

_PORT = re.compile(
    r"(?:AER|DPC|pciehp): (?:PCIe Bus Error|.*error (?:message )?received|containment event"
    r"|Slot\(\S+\): (?:Link Down|Card not present)|device recovery failed)|PCIe Bus Error:"
)
_XID = re.compile(r"NVRM: Xid \((?:PCI:)?(?P<pci>[0-9a-fA-F:]+(?:\.[0-7])?)[^)]*\):")
_NVRM_LOST = re.compile(rf"NVRM: .*?(?:GPU (?P<pci>{_BDF}).*?)?f[ae]ll(?:en)? off the bus")
_NVRM_INIT = re.compile(
    rf"NVRM: (?:GPU (?P<pci>{_BDF}): )?(?:RmInitAdapter|rm_init_adapter) failed"
)
_KILLED = re.compile(
    r"(?:.*?[Oo]ut of memory[^:]*: )?Killed process (\d+),? "
    r"\((?:(.*?)\),? (?:total-vm|UID)|([^)]*)\))"
)

_ALL_ONES = "0xffffffff"
_BUSY_OR_UNSUPPORTED = frozenset({0xFC, 0xFD, 0xFE})
"""SMU replies for busy, bad prerequisites and unknown command, the same on every generation."""

_BOGUS_RAS_STEP = 0xFFFF0
"""Cards without ECC answer each query for RAS counts with this many more."""

_SMU_SIGNATURES = frozenset(
    {
        "not_done",
        "no_response",
        "unknown_response",
        "hanged",
        "metrics_export_failed",
        "precheck_failed",
    }
)
_FAULTS = {
    "device_lost": "device_lost",
    "device_lost_power": "device_lost",
    "ring_timeout": "ring_timeout",
    "ring_reset_failed": "ring_timeout",
    "page_fault": "page_fault",
    "page_fault_gfx8": "page_fault",
    "suppressed_faults": "page_fault",
    "gpu_reset": "gpu_reset",
    "gpu_reset_": "gpu_reset",
    "gpu_reset_failed": "gpu_reset",
    "gpu_reset_end": "gpu_reset",
    "gpu_wedged": "gpu_reset",
    "ras_interrupt": "ras_uncorrectable",
}


def classify(text: str, bridges: Mapping[str, str] | None = None) -> Classification | None:
    """What ``text``, a kernel message without its stamp, reports; None for anything harmless.

    ``bridges`` maps the address of a PCI bridge to that of the only card behind
    it: lines of a PCI Express port carry the bridge's address, and without the
    map they name no card. Only the first line of ``text`` is looked at.

    >>> found = classify("amdgpu 0000:22:00.0: SMU: No response msg_reg: 12 resp_reg: 0")
    >>> found.event_type, found.kind, found.pci
    ('smu_error', 'no_response', '0000:22:00.0')
    >>> classify("amdgpu 0000:22:00.0: amdgpu: SMU is resumed successfully!") is None
    True
    """
    text = text.partition("\n")[0][:_LONGEST]
    head = _HEAD.match(text)
    assert head is not None  # every part of it is optional
    driver, address = head["driver"], head["pci"]
    if driver is None:
        found = _without_device(text)
        if found is not None:
            return found
    elif driver == "pcieport":
        if not _PORT.match(text, head.end()):
            return None
        bridge = normalize_pci(address) or address
        card = (bridges or {}).get(bridge)
        return _fault("pcie_error", normalize_pci(card) if card else None)
    elif driver not in _GPU_DRIVERS:
        return None
    pci = normalize_pci(address) if address else None
    match = _ANYWHERE.match(text, head.end())
    if match is None and "amdgpu" in head[0]:
        match = _DRIVER.match(text, head.end())
    if match is not None:
        return _judge(match, pci)
    return _fault("pcie_error", pci) if driver and _PORT.match(text, head.end()) else None


_LONGEST = 4096
"""No kernel message is longer; keeps hostile text from costing time."""


def _without_device(text: str) -> Classification | None:
    """Lines of the NVIDIA driver, which carries no device prefix, and of the OOM killer."""
    if text.startswith("NVRM: "):
        for pattern, kind in ((_XID, "xid"), (_NVRM_LOST, "device_lost"), (_NVRM_INIT, "other")):
            match = pattern.match(text)
            if match is not None:
                return _fault(kind, normalize_pci(match["pci"]) if match["pci"] else None)
        return None
    match = _KILLED.match(text)
    if match is not None:
        name = "".join(c for c in match[2] or match[3] or "" if c.isprintable())
        return Classification(
            event_type="process_killed",
            kind="out_of_memory",
            process=name or None,
            pid=int(match[1][:10]),
        )
    return None


def _judge(match: re.Match[str], pci: str | None) -> Classification | None:
    rule = match.lastgroup or ""
    if rule == "response":
        code = match["response_code"]
        signature = "response_ff" if code.lower() == _ALL_ONES else "unknown_response"
        return _smu(signature, pci, code, match["response_cmd"])
    if rule == "bus_error":
        return _smu("bus_error", pci, match["bus_code"], match["bus_cmd"])
    if rule == "send_failed":
        return _smu("send_failed", pci, match["send_code"], match["send_cmd"])
    if rule == "send_failed_ret":
        code = f"0x{int(match['ret'][:12]) & 0xFFFFFFFF:X}"
        return _smu("send_failed", pci, code, None)
    if rule in _SMU_SIGNATURES:
        return _smu(rule, pci, None, None)
    if rule == "ras_count":
        count = int(match["count"][:18])
        return _fault("ras_uncorrectable", pci) if count % _BOGUS_RAS_STEP else None
    if rule == "other_probe" and match["probed"]:
        pci = normalize_pci(match["probed"])
    return _fault(_FAULTS.get(rule, "other"), pci)


def _smu(
    signature: str, pci: str | None, code: str | None, message: str | None
) -> Classification | None:
    if code is not None and _number(code) in _BUSY_OR_UNSUPPORTED:
        return None
    if code is not None and code.lower() == _ALL_ONES:
        code = "0xFFFFFFFF"
    return Classification(
        event_type="smu_error", kind=signature, pci=pci, code=code, message=message
    )


def _number(code: str) -> int | None:
    try:
        return int(code, 16)
    except ValueError:
        return None


def _fault(fault: str, pci: str | None) -> Classification:
    return Classification(event_type="gpu_fault", kind=fault, pci=pci)
