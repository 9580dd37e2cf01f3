"""NVIDIA: Xids by code, switches, and what the driver says without an Xid; nvidia-smi.

Classes and actions of the Xids follow NVIDIA's own catalogue ("Analyzing Xid
Errors with the Xid Catalog", "GPU Debug Guidelines"). A code that is not in
the table is kept with its number.
"""

from __future__ import annotations

import re

import msgspec

from collectors.catalogue.entry import BDF, Action, Classification, Fault, Whose
from collectors.tools import ToolReading, nvidia_smi
from collectors.vendors.vendor import Tool, Vendor

_XIDS = "NVIDIA, Analyzing Xid Errors with the Xid Catalog"
_GUIDE = "NVIDIA, GPU Debug Guidelines"
_OPEN = "NVIDIA open-gpu-kernel-modules"


def _xid(
    code: int,
    kind: str,
    whose: Whose,
    meaning: str,
    action: Action | None = None,
    said: str = "pid=812, name=python3",
) -> Fault:
    return Fault(
        name=f"xid-{code}", code=str(code), kind=kind, whose=whose, meaning=meaning, action=action,
        sample=f"NVRM: Xid (PCI:0000:01:00): {code}, {said}", source=_XIDS,
    )  # fmt: skip


_LINK_UNITS = {
    144: "SAW", 145: "RLW", 146: "TLW", 147: "TREX", 148: "NVLPW_CTRL", 149: "NETIR", 150: "MSE",
}  # fmt: skip

XIDS = (
    _xid(8, "xid", "workload", "The card stopped working on a program's channel."),
    _xid(11, "xid", "workload", "A program's command buffer was not valid."),
    _xid(13, "xid", "workload", "The graphics engine took exception to a program."),
    _xid(31, "page_fault", "workload", "A program used an address that is not its own."),
    _xid(32, "xid", "workload", "A program's command stream was not valid, or got damaged."),
    _xid(43, "xid", "workload", "A program's channel was reset; the card goes on."),
    _xid(45, "xid", "workload", "A program's channels were torn down, after an earlier fault."),
    _xid(46, "needs_reset", "card", "The card stopped working.", "reset"),
    _xid(48, "ras_uncorrectable", "card", "Two bits of the card's memory were wrong at once.",
         "reset"),
    _xid(62, "needs_reset", "card", "The card's microcontroller stopped.", "reset"),
    _xid(63, "xid", "info", "A damaged row or page of memory is set aside at the next reset."),
    _xid(64, "ras_retire", "card", "A damaged row or page of memory could not be set aside.",
         "reset"),
    _xid(66, "xid", "workload", "A program made the driver touch what is not there."),
    _xid(67, "xid", "workload", "A program made the driver touch what is not there."),
    _xid(68, "xid", "workload", "The video engine took exception to a program."),
    _xid(69, "xid", "workload", "The graphics engine took exception to a program."),
    _xid(74, "nvlink", "link", "An NVLink reports an error."),
    _xid(79, "device_lost", "card", "The card has fallen off the bus.", "reboot",
         "GPU has fallen off the bus."),
    _xid(92, "xid", "info", "Many single bits of the card's memory were corrected."),
    _xid(94, "xid", "workload", "An error of the memory was contained: only its program is lost."),
    _xid(95, "ras_uncorrectable", "card", "An error of the memory was not contained.", "reset"),
    _xid(106, "xid", "info", "A message of the driver's self-test."),
    _xid(107, "xid", "info", "A message of the driver's self-test."),
    _xid(109, "needs_reset", "card", "A switch of context did not end in time.", "reset"),
    _xid(110, "needs_reset", "card", "The card's security controller reports a fault.", "reset"),
    _xid(119, "needs_reset", "card", "The card's system processor (GSP) did not answer.", "reset"),
    _xid(120, "needs_reset", "card", "The card's system processor (GSP) reports an error.",
         "reset"),
    _xid(136, "needs_reset", "card", "The links of the card could not be trained.", "reset"),
    _xid(140, "ras_uncorrectable", "card", "The card found an error it could not correct.",
         "reset"),
    _xid(143, "needs_reset", "card", "The card could not be brought up.", "reset"),
    *(
        _xid(code, "nvlink", "link", f"An NVLink 5 unit ({unit}) reports an error; only what is "
             "said to be Fatal is one of the link, what is Nonfatal was mended.", "reset",
             f"{unit}_EVT Fatal XC0 i0 Link 01 (0x021425c6 0x00000000)")
        for code, unit in _LINK_UNITS.items()
    ),
    _xid(154, "needs_reset", "card", "What the card asks for has changed: the line names it.",
         None, "GPU recovery action changed from 0x0 (None) to 0x1 (GPU Reset Required)"),
    _xid(155, "needs_reset", "card", "An NVLink reports an error that its software defines.",
         "reset"),
    _xid(156, "needs_reset", "card", "A part of the card was taken out of use.", "reset"),
    _xid(158, "needs_reset", "card", "The card did not answer in time, for good.", "reset"),
)  # fmt: skip
"""Every code of which something is known."""

_BY_CODE = {int(entry.code): entry for entry in XIDS if entry.code is not None}
_RECOVERIES: tuple[tuple[str, Action | None], ...] = (
    ("drain and reset", "drain_reset"),
    ("reboot", "reboot"),
    ("reset", "reset"),
)
_RECOVERY = re.compile(r"recovery action changed from .*? to 0x[0-9a-f]+ \((?P<to>[^)]*)\)", re.I)
_FATAL = re.compile(r"\bFatal\b")


def _by_code(match: re.Match[str], found: Classification) -> Classification:
    """What an Xid says by its number, and the few that hang on their words."""
    number = int(match["code"][:9])
    entry = _BY_CODE.get(number)
    kind, action = ("xid", None) if entry is None else (entry.kind, entry.action)
    if number in _LINK_UNITS and not _FATAL.search(match["rest"]):
        kind, action = "xid", None
    if number == 154:
        kind, action = _recovery(match["rest"])
    return msgspec.structs.replace(found, code=str(number), kind=kind, action=action)


def _recovery(rest: str) -> tuple[str, Action | None]:
    changed = _RECOVERY.search(rest)
    to = changed["to"].strip().lower() if changed is not None else ""
    if to == "none":
        return "xid", None
    return "needs_reset", next((action for word, action in _RECOVERIES if word in to), None)


def _code_of_error(match: re.Match[str], found: Classification) -> Classification:
    kind, action = _ERRORS[match["error"]]
    return msgspec.structs.replace(found, kind=kind, action=action)


_ERRORS: dict[str, tuple[str, Action | None]] = {
    "NV_ERR_GPU_IS_LOST": ("device_lost", "reboot"),
    "NV_ERR_RESET_REQUIRED": ("needs_reset", "reset"),
    "NV_ERR_ECC_ERROR": ("ras_uncorrectable", "reset"),
}

_FAULTS = (
    Fault(
        name="xid", kind="xid", whose="info", word="Xid (", judge=_by_code,
        pattern=r"Xid \((?:(?:PCI:)?(?P<pci>[0-9a-fA-F:]+(?:\.[0-7])?))?[^)]*\): ?"
        r"(?P<code>\d+)\b(?P<rest>.*)",
        meaning="The driver's report of a fault, by a number.",
        sample="NVRM: Xid (PCI:0000:01:00): 38, pid=812, name=python3", source=_XIDS,
    ),
    Fault(
        name="sxid", event="node_fault", kind="fabric", whose="node", word="SXid",
        pattern=r"SXid \([^)]*\): ?(?P<code>\d+)",
        meaning="A switch between the cards reports a fault; no card is one.",
        sample="nvidia-nvswitch1: SXid (PCI:0000:84:00.0): 12028, Non-fatal, Link 32 egress",
        source="NVIDIA, Fabric Manager User Guide",
    ),
    Fault(
        name="off-the-bus", kind="device_lost", whose="card", word="the bus", action="reboot",
        pattern=rf"(?:.*?\bGPU ?\d?:? ?(?P<pci>{BDF}))?.*?f[ae]ll(?:en)? off the bus",
        meaning="The card is off the bus.",
        sample="NVRM: GPU 0000:91:00.0: GPU has fallen off the bus.", source=_GUIDE,
    ),
    Fault(
        name="error-name", kind="needs_reset", whose="card", word="NV_ERR_", judge=_code_of_error,
        pattern=rf"(?:.*?\bGPU ?\d?:? ?(?P<pci>{BDF}))?.*?\b(?P<error>{'|'.join(_ERRORS)})\b",
        meaning="The driver met a card that is lost, needs a reset or has damaged memory.",
        sample="NVRM: nvAssertOkFailedNoLog: Assertion failed: Reset required "
        "[NV_ERR_RESET_REQUIRED] (0x00000062) returned from status @ kernel_channel.c:2874",
        source=f"{_OPEN}, nvstatuscodes.h",
    ),
    Fault(
        name="lost", kind="device_lost", whose="card", word="lost", action="reboot",
        pattern=rf"(?:.*?\bGPU ?\d?:? ?(?P<pci>{BDF}))?.*?\bGPU (?:is )?lost\b",
        meaning="The card is off the bus.", sample="NVRM: GPU 0000:91:00.0: GPU is lost.",
        source=f"{_OPEN}, osinit.c",
    ),
    Fault(
        name="power-state", kind="device_lost", whose="card", word="change power state",
        pattern=r"(?:Unable to|can't) change power state from \S+ to \S+ ?"
        r"(?:, device inaccessible|\(config space inaccessible\))",
        meaning="The card's configuration reads as all ones: it is off the bus.",
        sample="nvidia 0000:91:00.0: Unable to change power state from D3cold to D0, "
        "device inaccessible",
        source="Linux drivers/pci/pci.c", action="reboot",
    ),
    Fault(
        name="init", kind="init_failed", whose="card", word="dapter failed",
        pattern=rf"(?:GPU (?P<pci>{BDF}): )?(?:RmInitAdapter|rm_init_adapter) failed",
        meaning="The card could not be brought up.",
        sample="NVRM: GPU 0000:01:00.0: RmInitAdapter failed! (0x62:0xffff:2477)", source=_GUIDE,
    ),
    Fault(
        name="probe", kind="init_failed", whose="card", word="failed with error",
        pattern=rf"probe (?:of (?P<pci>{BDF}) |with driver \w+ )failed with error",
        meaning="The driver did not take the card.",
        sample="nvidia: probe of 0000:01:00.0 failed with error -1",
        source="Linux drivers/base/dd.c",
    ),
    Fault(
        name="probe-routine", kind="init_failed", whose="card", word="probe routine",
        pattern=r"The NVIDIA probe routine failed for \d+ device",
        meaning="The driver did not take a card; which one is not said.",
        sample="NVRM: The NVIDIA probe routine failed for 1 device(s).", source=_OPEN,
    ),
    Fault(
        name="needs-reset", kind="needs_reset", whose="card", word="needs reset", action="reset",
        pattern=rf"(?:.*?\bGPU ?\d?:? ?(?P<pci>{BDF}))?.*?\bGPU needs reset\b",
        meaning="A card asks for a reset.", sample="NVRM: GPU 0000:91:00.0: GPU needs reset.",
        source=_OPEN,
    ),
)  # fmt: skip


def _asking(title: str, *more: str) -> Tool:
    columns = ",".join((*nvidia_smi.QUERY, *more))
    command = f"nvidia-smi --query-gpu={columns} --format=csv,nounits"
    return Tool(((title, command),), _nvidia_smi)


def _nvidia_smi(texts: tuple[str, ...]) -> ToolReading:
    return nvidia_smi.parse(texts[0])


NVIDIA = Vendor(
    name="nvidia",
    pci_id="10de",
    drivers=("nvidia",),
    marks=("NVRM", "nvidia"),
    # An older one refuses a whole question for one word it does not know.
    tools=(
        _asking("nvidia-smi", *nvidia_smi.MEMORY_QUERY, *nvidia_smi.RECOVERY_QUERY),
        _asking("nvidia-smi.memory", *nvidia_smi.MEMORY_QUERY),
        _asking("nvidia-smi.basic"),
    ),
    prefixes=(r"NVRM: ", r"nvidia-nvswitch\d+: ", r"nvidia: "),
    split_heads=(rf"NVRM: The NVIDIA GPU {BDF}",),
    faults=(*_FAULTS, *XIDS),
)
