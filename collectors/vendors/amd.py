"""AMD: amdgpu from Linux 4.10 (powerplay) to 7.x, in sysfs, in its log, and through its tools.

Two things it refuses: to take a reply that says "busy" or "unsupported" for an
error of the controller (SMU), and to believe counts of memory errors on cards
that cannot count them. Longer than most modules, because it is a table.
"""

from __future__ import annotations

import re

import msgspec

from collectors.catalogue.entry import BDF, Action, Classification, Fault, Whose
from collectors.tools import ToolReading, amd_smi, rocm_smi
from collectors.vendors.vendor import Tool, Vendor
from ledger.identifiers import normalize_pci

_BUSY_OR_UNSUPPORTED = frozenset({0xFC, 0xFD, 0xFE})
"""SMU replies for busy, bad prerequisites and unknown command, the same on every generation."""
_ANSWERED_WITH_AN_ERROR = 0xFFFFFFFB
"""-EIO of kernels 5.4 to 5.10: any reply but "done", on cards that go on working."""
_BOGUS_RAS_STEP = 0xFFFF0
"""Cards without ECC answer each query for RAS counts with this many more."""


def _number(code: str) -> int | None:
    try:
        return int(code, 16)
    except ValueError:
        return None


def _reply(match: re.Match[str], found: Classification) -> Classification | None:
    """A reply in hexadecimal; of a failed message, or of a register."""
    if found.code is None:
        return found
    number = _number(found.code)
    if number in _BUSY_OR_UNSUPPORTED:
        return None
    if number == _ANSWERED_WITH_AN_ERROR and found.pci is not None:
        # An error of the controller would be the card's; this card works.
        return Classification(event_type="gpu_fault", kind="other", pci=found.pci, code=found.code)
    if number == 0xFFFFFFFF:
        found = msgspec.structs.replace(found, code="0xFFFFFFFF")
    if found.kind == "response_ff" and number != 0xFFFFFFFF:
        return msgspec.structs.replace(found, kind="unknown_response")
    return found


def _decimal_reply(match: re.Match[str], found: Classification) -> Classification | None:
    """A reply of powerplay's first kernels: decimal, 16 bits wide, 65535 where nobody answers."""
    number = int(match["ret"][:12]) & 0xFFFFFFFF
    found = msgspec.structs.replace(found, code=f"0x{number:X}")
    return None if number in _BUSY_OR_UNSUPPORTED else found


def _counted(match: re.Match[str], found: Classification) -> Classification | None:
    return found if int(match["count"][:18]) % _BOGUS_RAS_STEP else None


def _ended(match: re.Match[str], found: Classification) -> Classification:
    """How a reset ended, by its return code."""
    if int(match["ret"][:12]) == 0:
        return msgspec.structs.replace(found, kind="gpu_reset", code="succeeded")
    return found


def _decimal_place(match: re.Match[str], found: Classification) -> Classification:
    """powerplay writes a card's place in decimal: ``PCIe 11:0.0``."""
    if match["bus"] is None:
        return found
    bus, device, function = (int(match[name][:3]) for name in ("bus", "device", "function"))
    pci = normalize_pci(f"{bus & 255:02x}:{device & 31:02x}.{function & 7}")
    return msgspec.structs.replace(found, pci=pci)


def _smu(
    name: str, kind: str, word: str, pattern: str, meaning: str, sample: str, source: str,
    *, alone: bool = False, judged: bool = False,
) -> Fault:  # fmt: skip
    return Fault(
        name=name, event="smu_error", kind=kind, whose="card", word=word, pattern=pattern,
        meaning=meaning, sample=sample, source=source, alone=alone,
        judge=_reply if judged else None,
    )  # fmt: skip


def _fault(
    name: str, kind: str, whose: Whose, word: str, pattern: str, meaning: str, sample: str,
    source: str, *, alone: bool = False, action: Action | None = None, code: str | None = None,
) -> Fault:  # fmt: skip
    return Fault(
        name=name, kind=kind, whose=whose, word=word, pattern=pattern, meaning=meaning,
        sample=sample, source=source, alone=alone, action=action, code=code,
    )  # fmt: skip


_CARD = "amdgpu 0000:22:00.0: amdgpu: "
_SMU_CMN = "Linux drivers/gpu/drm/amd/pm/swsmu/smu_cmn.c"
_POWERPLAY = "Linux drivers/gpu/drm/amd/powerplay"
_DEVICE = "Linux drivers/gpu/drm/amd/amdgpu/amdgpu_device.c"
_XGMI = "Linux drivers/gpu/drm/amd/amdgpu/amdgpu_xgmi.c"
_RAS = "Linux drivers/gpu/drm/amd/amdgpu/amdgpu_ras.c"
_HEX = r"(?P<code>(?:0x)?[0-9a-fA-F]+)"

_SMU_FAULTS = (
    _smu(
        "smu-response", "response_ff", "SMU: response:",
        r"SMU: response:(?P<code>0x[0-9a-fA-F]+)(?:.*?message:\s*(?P<message>\w+))?",
        "The controller's reply reads as all ones: the card is off the bus. Any other reply that "
        "the driver does not know is kept as `unknown_response`.",
        _CARD + "SMU: response:0xFFFFFFFF for index:18 param:0x00000005 "
        "message:TransferTableSmu2Dram?",
        _SMU_CMN, alone=True, judged=True,
    ),
    _smu(
        "smu-not-done", "not_done", "I'm not done with your",
        r"SMU: I'm not done with your (?:previous )?command",
        "The controller does not finish: every question now waits for seconds, holding a lock.",
        _CARD + "SMU: I'm not done with your previous command!", _SMU_CMN, alone=True,
    ),
    _smu(
        "smu-no-response", "no_response", "SMU: No response", r"SMU: No response\b",
        "The controller did not answer in time.",
        "amdgpu 0000:22:00.0: SMU: No response msg_reg: 12 resp_reg: 0", _SMU_CMN, alone=True,
    ),
    _smu(
        "smu-bus-error", "bus_error", "SMU: bus error",
        r"SMU: bus error for message: (?P<message>\w+)(?:.*?response:(?P<code>0x[0-9a-fA-F]+))?",
        "The controller could not be reached over the bus.",
        "amdgpu 0000:22:00.0: SMU: bus error for message: EnableSmuFeaturesLow(8) "
        "response:0xFFFFFFFF",
        _SMU_CMN, alone=True, judged=True,
    ),
    _smu(
        "smu-unknown-response", "unknown_response", "SMU: unknown response",
        r"SMU: unknown response\b", "The controller answered with what the driver does not know.",
        "amdgpu 0000:22:00.0: SMU: unknown response msg_reg: 12 resp_reg: 5", _SMU_CMN, alone=True,
    ),
    _smu(
        "smu-hanged", "hanged", "SMU is in hanged state", r"SMU is in hanged state",
        "The driver has given the controller up and asks it no more.",
        _CARD + "SMU is in hanged state, failed to send smu message!", _SMU_CMN, alone=True,
    ),
    _smu(
        "smu-metrics", "metrics_export_failed", "Failed to export SMU metrics table",
        r"Failed to export SMU metrics table",
        "Temperatures and clocks could not be read from the controller.",
        _CARD + "Failed to export SMU metrics table!", _SMU_CMN, alone=True,
    ),
    _smu(
        "smu-send-failed", "send_failed", "failed send message",
        r"failed send message:\s*(?P<message>\w+)\s*(?:\(\d+\))?"
        r"(?:.*?response (?P<code>-?(?:0x)?[0-9a-fA-F]+))?",
        "A message to the controller failed; 0xffffffc2 says that the time ran out.",
        _CARD + "failed send message: RunBtc (58) \tparam: 0x00000000 response 0xffffffc2",
        "Linux drivers/gpu/drm/amd/powerplay/smu_v11_0.c", judged=True,
    ),
    _smu(
        "smu-send-failed-5.3", "send_failed", "ailed to send message",
        r"[Ff]ailed to send message!? ?:?\s*(?:0x)?(?P<message>[0-9a-fA-F]+)\s*,"
        rf"\s*(?:response|ret value|error code)\s*:?\s*{_HEX}",
        "A message to the controller failed; 0x0 says that it did not answer.",
        "amdgpu 0000:22:00.0: amdgpu: Failed to send message 0x26, response 0x0",
        f"{_POWERPLAY}/smumgr/vega20_smumgr.c", judged=True,
    ),
    _smu(
        "smu-send-failed-4.19", "send_failed", "Failed message:",
        r"Failed message: (?:0x)?(?P<message>[0-9a-fA-F]+), input parameter: \S+,"
        rf" error code: {_HEX}",
        "A message to the controller failed; all ones say that the card is off the bus.",
        "amdgpu: [powerplay] Failed message: 0x5, input parameter: 0x2000, error code: 0xffffffff",
        f"{_POWERPLAY}/smumgr/vega10_smumgr.c", judged=True,
    ),
    Fault(
        name="smu-send-failed-4.10", event="smu_error", kind="send_failed", whose="card",
        word=" ret is ", judge=_decimal_reply,
        pattern=r"(?:failed to send (?:pre )?message [0-9a-f]+|last message was failed)"
        r" ret is (?P<ret>-?\d+)",
        meaning="A message to the controller failed; 65535 says that the card is off the bus, 0 "
        "that the controller did not answer.",
        sample="amdgpu: [powerplay] failed to send message 200 ret is 65535",
        source=f"{_POWERPLAY}/smumgr/smu7_smumgr.c",
    ),
    _smu(
        "smu-precheck", "precheck_failed", "Msg issuing pre-check failed",
        r"Msg issuing pre-check failed and SMU may be not in the right state",
        "The controller has not answered what came before, and is not asked again.",
        _CARD + "Msg issuing pre-check failed and SMU may be not in the right state!",
        "Linux drivers/gpu/drm/amd/powerplay/smu_v11_0.c",
    ),
)  # fmt: skip

_RESETS = (
    _fault(
        "reset-begin", "gpu_reset", "info", "GPU reset begin", r"GPU reset begin",
        "The driver begins to reset a card; how that ends stands in a later line.",
        _CARD + "GPU reset begin!. Source:  1", _DEVICE, alone=True,
    ),
    _fault(
        "recovery-failed", "gpu_reset_failed", "card", "GPU Recovery Failed",
        r"GPU Recovery Failed",
        "A reset did not bring the card back.", "amdgpu: GPU Recovery Failed: -19", _DEVICE,
        alone=True,
    ),
    _fault(
        "reset-vram-lost", "gpu_reset", "info", "VRAM is lost", r"VRAM is lost due to GPU reset",
        "A reset cost what was in the card's memory.", "[drm] VRAM is lost due to GPU reset!",
        _DEVICE, alone=True,
    ),
    _fault(
        "reset-succeeded", "gpu_reset", "info", "succeeded", r"GPU reset\(\d+\) succeeded",
        "A reset brought the card back.", _CARD + "GPU reset(2) succeeded!", _DEVICE,
        code="succeeded",
    ),
    _fault(
        "reset-failed", "gpu_reset_failed", "card", "GPU reset", r"GPU reset(?:\(\d+\))? failed",
        "A reset did not bring the card back.", _CARD + "GPU reset(1) failed", _DEVICE,
    ),
    Fault(
        name="reset-end", kind="gpu_reset_failed", whose="card", word="GPU reset end",
        pattern=r"GPU reset end with ret = (?P<ret>-?\d+)", judge=_ended,
        meaning="A reset ended; any code but 0 says that the card did not come back.",
        sample="amdgpu: GPU reset end with ret = -19", source=_DEVICE,
    ),
    _fault(
        "reset-asic-failed", "gpu_reset_failed", "card", "reset failed",
        r"(?:GPU |ASIC )?(?:mode ?\d|BACO|ASIC|(?:pre|post) asic) reset failed",
        "A step of a reset failed.", _CARD + "ASIC reset failed with error, -62", _DEVICE,
    ),
    _fault(
        "reset-step", "gpu_reset", "info", " reset",
        r"GPU reset(?: end\b| succeeded|\s*\Z)"
        r"|(?:GPU )?(?:(?:psp|smu) )?(?:MODE\d|mode\d|BACO) reset\b",
        "A step of a reset.", "amdgpu 0000:03:00.0: GPU reset succeeded, trying to resume", _DEVICE,
    ),
    _fault(
        "wedged-recovered", "gpu_reset", "info", "device wedged",
        r"device wedged, but recovered through reset",
        "A card hung, and a reset brought it back.",
        "amdgpu 0000:66:00.0: [drm] device wedged, but recovered through reset",
        "Linux drivers/gpu/drm/drm_drv.c", code="succeeded",
    ),
    _fault(
        "wedged", "gpu_reset_failed", "card", "device wedged", r"device wedged\b",
        "A card hangs, and the driver cannot bring it back by itself.",
        "amdgpu 0000:2d:00.0: [drm] device wedged, needs recovery",
        "Linux drivers/gpu/drm/drm_drv.c", action="reset",
    ),
)  # fmt: skip

_MEMORY = (
    _fault(
        "ras-event", "ras_uncorrectable", "card", "ERREVENT_",
        r"RAS event of type ERREVENT_\w+ detected",
        "The card reports an error of its hardware that it could not correct.",
        _CARD + "RAS event of type ERREVENT_ATHUB_INTERRUPT detected!", _RAS,
    ),
    _fault(
        "ras-interrupt", "ras_uncorrectable", "card", "ncorrectable hardware error",
        r"[Uu]ncorrectable hardware error ?\(",
        "The card reports an error of its hardware that it could not correct.",
        _CARD + "uncorrectable hardware error(ERREVENT_ATHUB_INTERRUPT) detected!", _RAS,
        alone=True,
    ),
    Fault(
        name="ras-count", kind="ras_uncorrectable", whose="card", alone=True, judge=_counted,
        word="ncorrectable hardware error",
        pattern=r"(?P<count>\d+) (?:new )?uncorrectable hardware errors? detected in (?!total)",
        meaning="A block of the card counts errors that it could not correct.",
        sample=_CARD + "2 uncorrectable hardware errors detected in umc block", source=_RAS,
    ),
    _fault(
        "ras-poison-consumed", "ras_uncorrectable", "card", "oison",
        r"(?:RAS )?[Pp]oison (?:is consumed|consumption)",
        "The card read memory that was known to be damaged: what ran on it is lost.",
        _CARD + "poison is consumed by client 27, kick off gpu reset flow",
        "Linux drivers/gpu/drm/amd/amdkfd/kfd_int_process_v11.c",
    ),
    _fault(
        "ras-deferred", "other", "info", "deferred hardware error",
        r"\d+ (?:new )?deferred hardware errors? detected in (?!total)",
        "Memory of the card was marked as damaged, and not read yet.",
        _CARD + "1 new deferred hardware errors detected in umc block", _RAS,
    ),
    _fault(
        "ras-poison-created", "other", "info", "oison creation", r"(?:RAS )?[Pp]oison creation",
        "Memory of the card was marked as damaged, and not read yet.",
        _CARD + "RAS poison creation interrupt detected", _RAS,
    ),
    _fault(
        "ras-threshold", "ras_retire", "card", "threshold",
        r".*?(?:(?:RAS records|[Bb]ad pages?).*?(?:exceed|reach)\w*(?: \w+){0,2} ?threshold"
        r"|threshold \w* ?exceeded)",
        "The card has more damaged pages of memory than can be set aside.",
        _CARD + "RAS records:130 exceed threshold:128, GPU will not be initialized. "
        "Replace this GPU or increase the threshold",
        "Linux drivers/gpu/drm/amd/amdgpu/amdgpu_ras_eeprom.c", action="rma",
    ),
    _fault(
        "ras-rma", "ras_retire", "card", "RMA", r".*?\bRMA\b",
        "The driver says that the card has to be replaced.",
        _CARD + "GPU is RMA'd, please replace it", _RAS, action="rma",
    ),
    _fault(
        "ras-retire", "ras_retire", "card", "etir",
        r"(?!.*\b(?:0|[Nn]o) (?:\w+ ){0,2}pages?\b)(?!.*\bpages?\W+(?:\w+\W+){0,2}0\b)"
        r"(?=.*\b(?:[Bb]ad|[Pp]ages?|memory|GPU|card)\b).*?\b[Rr]etir(?:e|ed|ing|ement)\b",
        "Damaged memory of the card was set aside for good.",
        _CARD + "RAS: 2 bad pages retired", _RAS,
    ),
)  # fmt: skip

_OTHERS = (
    _fault(
        "device-lost", "device_lost", "card", "device lost from bus", r"device lost from bus",
        "The card is off the bus.", "amdgpu 0000:66:00.0: device lost from bus!", _DEVICE,
        alone=True, action="reboot",
    ),
    _fault(
        "device-lost-power", "device_lost", "card", "change power state",
        r"(?:Unable to|can't) change power state from \S+ to \S+ ?"
        r"(?:, device inaccessible|\(config space inaccessible\))",
        "The card's configuration reads as all ones: it is off the bus.",
        "amdgpu 0000:03:00.0: Unable to change power state from D3cold to D0, device inaccessible",
        "Linux drivers/pci/pci.c", action="reboot",
    ),
    _fault(
        "ring-timeout", "ring_timeout", "workload", "signaled seq=",
        r"ring \S+ timeout, (?:last )?signaled seq=",
        "Work given to the card did not end in time; the card's fault or the program's.",
        _CARD + "ring comp_1.2.0 timeout, signaled seq=6, emitted seq=8",
        "Linux drivers/gpu/drm/amd/amdgpu/amdgpu_job.c", alone=True,
    ),
    _fault(
        "ring-reset-failed", "ring_timeout", "workload", "reset failed", r"Ring \S+ reset failed",
        "One queue of the card could not be reset; a reset of the whole card follows.",
        "amdgpu 0000:28:00.0: Ring gfx_0.0.0 reset failed",
        "Linux drivers/gpu/drm/amd/amdgpu/amdgpu_job.c",
    ),
    _fault(
        "page-fault", "page_fault", "workload", "age fault (src_id",
        r"\[(?:gfx|mm)hub\d*\] (?:(?:no-)?retry )?(?:VMC )?[Pp]age fault \(src_id",
        "A program used an address that is not its own.",
        _CARD + "[gfxhub] page fault (src_id:0 ring:153 vmid:8 pasid:32771)",
        "Linux drivers/gpu/drm/amd/amdgpu/gmc_v10_0.c", alone=True,
    ),
    _fault(
        "page-fault-gfx8", "page_fault", "workload", "GPU fault detected",
        r"GPU fault detected: \d+ 0x", "A program used an address that is not its own.",
        "amdgpu 0000:03:00.0: GPU fault detected: 147 0x08a02001",
        "Linux drivers/gpu/drm/amd/amdgpu/gmc_v8_0.c",
    ),
    _fault(
        "suppressed-faults", "page_fault", "workload", "callbacks suppressed",
        r"gmc_\w+: \d+ callbacks suppressed", "More page faults than the kernel cared to print.",
        "gmc_v10_0_process_interrupt: 6 callbacks suppressed", "Linux lib/ratelimit.c", alone=True,
    ),
    _fault(
        "suppressed", "other", "info", "callbacks suppressed",
        r"_*(?:smu|amdgpu|gfx|sdma|kfd|svm|mes)_\w+: \d+ callbacks suppressed",
        "More lines of one kind than the kernel cared to print.",
        "__smu_cmn_reg_print_error: 5 callbacks suppressed", "Linux lib/ratelimit.c", alone=True,
    ),
    _fault(
        "illegal-opcode", "other", "workload", "in command stream",
        r"Illegal (?:opcode|register access|instruction) in command stream",
        "A program gave the card a command that it does not know.",
        "[drm:gfx_v11_0_bad_op_irq [amdgpu]] *ERROR* Illegal opcode in command stream",
        "Linux drivers/gpu/drm/amd/amdgpu/gfx_v11_0.c",
    ),
    _fault(
        "thermal-shutdown", "thermal", "card", "going to shutdown",
        r"(?:ERROR: )?System is going to shutdown due to GPU ",
        "A card grew so hot that the driver shuts the machine down.",
        _CARD + "ERROR: System is going to shutdown due to GPU SW CTF!",
        "Linux drivers/gpu/drm/amd/pm/swsmu/smu11", code="shutdown",
    ),
    Fault(
        name="thermal", kind="thermal", whose="card", word="temperature range",
        judge=_decimal_place,
        pattern=r"(?:ERROR: )?GPU (?:over|under) ?temperature range"
        r"(?:.*? PCIe (?P<bus>\d+):(?P<device>\d+)\.(?P<function>\d))?",
        meaning="A card is hotter (or colder) than it may be.",
        sample=_CARD + "ERROR: GPU over temperature range(SW CTF) detected!",
        source="Linux drivers/gpu/drm/amd/pm/swsmu/smu11",
    ),
    _fault(
        "thermal-critical", "thermal", "card", "ritical ",
        r"(?:ERROR: )?GPU (?:HW )?[Cc]ritical [Tt]emperature",
        "A card reached the temperature at which it switches itself off.",
        "amdgpu: [powerplay] GPU Critical temperature fault detected",
        "Linux drivers/gpu/drm/amd/powerplay/hwmgr/smu_helper.c", code="shutdown",
    ),
    _fault(
        "init-fatal", "init_failed", "card", "during GPU init", r"Fatal error during GPU init",
        "The card could not be brought up.", _CARD + "Fatal error during GPU init", _DEVICE,
    ),
    _fault(
        "init-probe", "init_failed", "card", "failed with error",
        rf"probe (?:of (?P<pci>{BDF}) |with driver \w+ )failed with error",
        "The driver did not take the card.", "amdgpu: probe of 0000:03:00.0 failed with error -62",
        "Linux drivers/base/dd.c",
    ),
    _fault(
        "init-block", "init_failed", "card", " of IP block <",
        r"(?:early_init|sw_init|hw_init|late_init) of IP block <\w+> failed",
        "A part of the card could not be brought up.",
        "[drm:amdgpu_device_ip_init [amdgpu]] *ERROR* hw_init of IP block <smu> failed -62",
        _DEVICE,
    ),
    _fault(
        "init-ip", "init_failed", "card", "amdgpu_device_ip_", r"amdgpu_device_ip_\w*init failed",
        "The card could not be brought up.", _CARD + "amdgpu_device_ip_init failed", _DEVICE,
    ),
    _fault(
        "atomics", "other", "link", "PCI rejects atomics",
        r"skipped device [0-9a-f]+:[0-9a-f]+, PCI rejects atomics",
        "The card hangs on a riser or port without PCIe atomics and cannot compute.",
        "kfd kfd: amdgpu: skipped device 1002:67e3, PCI rejects atomics 730<0",
        "Linux drivers/gpu/drm/amd/amdkfd/kfd_device.c", alone=True,
    ),
    _fault(
        "xgmi-topology", "other", "link", "XGMI",
        r"XGMI\b.{0,120}?\b(?:[Ff]ail(?:ed|ure)?|[Ee]rrors?|timed? ?out)\b",
        "Cards that are joined by XGMI do not reach one another.",
        _CARD + "XGMI: Set topology failure on device 2c1e3aab", _XGMI,
    ),
    _fault(
        "xgmi", "other", "link", "xgmi",
        r"(?=.*\bxgmi\b).*?\b(?:[Ff]ail(?:ed|ure)?|[Ee]rrors?|timed? ?out)\b",
        "Cards that are joined by XGMI do not reach one another.",
        _CARD + "failed to create xgmi hive", _XGMI,
    ),
    _fault(
        "reg-write-wait", "other", "card", "failed to write reg",
        r"failed to write reg [0-9a-f]+ wait reg [0-9a-f]+",
        "A register of the card did not take its value.", "failed to write reg 2890 wait reg 28a2",
        "Linux drivers/gpu/drm/amd/amdgpu/amdgpu_gmc.c", alone=True,
    ),
    _fault(
        "reg", "other", "card", "failed to ", r"failed to (?:read|write) reg",
        "A register of the card could not be reached.", "amdgpu: failed to read reg:1629a",
        "Linux drivers/gpu/drm/amd/amdgpu/amdgpu_virt.c",
    ),
    _fault(
        "smu-command", "other", "card", "ailed to ",
        r"(?:\[\w+\] )?Failed to (?:disable (?:all )?smu features|setup smc hw"
        r"|(?:dis|en)able gfxoff|get current clock freq|enable requested dpm features"
        r"|set (?:soft|hard) (?:min|max) \w+)",
        "What the driver asked of the controller was not done; why stands beside it.",
        _CARD + "Failed to disable smu features.", _SMU_CMN,
    ),
    _fault(
        "smu-mp1", "other", "card", "mp1", r"SMC failed to set mp1 state",
        "The controller could not be prepared for a reset.",
        "[drm:amdgpu_device_ip_suspend_phase2 [amdgpu]] *ERROR* SMC failed to set mp1 state "
        "2, -121",
        _DEVICE,
    ),
    _fault(
        "smu-prepare-mp1", "other", "card", "PrepareMp1", r"\[PrepareMp1\] Failed",
        "The controller could not be prepared for a reset.", _CARD + "[PrepareMp1] Failed!",
        _SMU_CMN,
    ),
    _fault(
        "block", "other", "card", " of IP block <", r"\w+ of IP block <\w+> failed",
        "A part of the card could not be stopped or started.",
        _CARD + "resume of IP block <gfx_v10_0> failed -110", _DEVICE,
    ),
    _fault(
        "halt", "other", "card", "failed to halt cp", r"failed to halt cp",
        "The card's command processor did not stop.",
        "[drm:gfx_v10_0_cp_gfx_enable.isra.0 [amdgpu]] *ERROR* failed to halt cp gfx",
        "Linux drivers/gpu/drm/amd/amdgpu/gfx_v10_0.c",
    ),
    _fault(
        "ring-test", "other", "card", "test failed",
        r"(?:amdgpu: )?(?:ring \S+ test|IB test|ib ring test) failed",
        "A queue of the card does not work.",
        "amdgpu 0000:0b:00.0: [drm:amdgpu_ring_test_helper [amdgpu]] *ERROR* ring kiq_0.2.1.0 test "
        "failed (-110)",
        "Linux drivers/gpu/drm/amd/amdgpu/amdgpu_ring.c",
    ),
    _fault(
        "queue-wait", "other", "workload", "fence wait", r"qcm fence wait loop timeout",
        "A compute queue could not be taken off the card in time.",
        "amdgpu: qcm fence wait loop timeout expired",
        "Linux drivers/gpu/drm/amd/amdkfd/kfd_device_queue_manager.c",
    ),
    _fault(
        "queue-stuck", "other", "workload", "unrecoverable",
        r"The cp might be in an unrecoverable|MES might be in unrecoverable",
        "The card's scheduler hangs.",
        "amdgpu: The cp might be in an unrecoverable state due to an unsuccessful queues "
        "preemption",
        "Linux drivers/gpu/drm/amd/amdkfd/kfd_device_queue_manager.c",
    ),
    _fault(
        "mes", "other", "workload", "failed to respond", r"MES(?:\(\d+\))? failed to respond",
        "The card's scheduler did not answer.",
        "amdgpu 0000:03:00.0: MES failed to respond to msg=RESET",
        "Linux drivers/gpu/drm/amd/amdgpu/mes_v11_0.c",
    ),
)  # fmt: skip


def _rocm_smi(texts: tuple[str, ...]) -> ToolReading:
    return rocm_smi.parse(texts[0])


def _amd_smi(texts: tuple[str, ...]) -> ToolReading:
    return amd_smi.parse(*texts)


AMD = Vendor(
    name="amd",
    pci_id="1002",
    drivers=("amdgpu",),
    marks=("amdgpu",),
    older_drivers=("radeon",),
    sysfs=True,
    # Of what is asked only the power is read through the SMU, once a card: a temperature
    # would be three reads, and the use of a dead card is said to be 0.
    tools=(
        Tool(
            (
                (
                    "rocm-smi",
                    "rocm-smi --showbus --showperflevel --showmeminfo vram --showpower --json",
                ),
            ),
            _rocm_smi,
            smu_reads=1,
        ),
        Tool(
            (
                ("amd-smi.list", "amd-smi list --json"),
                ("amd-smi.metric", "amd-smi metric --usage --mem-usage --json"),
            ),
            _amd_smi,
            smu_reads=1,
        ),
    ),
    prefixes=(
        r"(?:amdgpu|kfd|amdkfd) ?: ",
        r"kfd kfd: ",
        r"\[powerplay\] ?",
        r"\[drm(?::[^\]\s]+(?: \[\w+\])?)?\] ",
        r"\*ERROR\* ",
        r"\{\d+\} ?",
        r"socket: \d+,? ",
        r"die: \d+,? ",
    ),
    split_heads=(rf"(?:amdgpu(?: {BDF})? ?: ?)+(?:\[powerplay\])?",),
    faults=(*_SMU_FAULTS, *_RESETS, *_MEMORY, *_OTHERS),
)
