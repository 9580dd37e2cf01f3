"""How payloads of built-in types that were written by an older version are read today.

An upcast is part of what a ledger means: it depends on nothing but the payload,
and a version once released keeps its upcast unchanged. (What a later parser
makes of a stored line is said by new events, see `runledger reclassify`.)
"""

from __future__ import annotations

import re
from collections.abc import Callable

from ledger.payloads._base import Json

_XID = re.compile(r"NVRM: (?:GPU\d+ )?Xid \([^)]*\): ?(?P<code>\d{1,9})\b(?P<rest>.*)")
_XID_FAULTS: dict[int, tuple[str, str | None]] = {
    31: ("page_fault", None),
    64: ("ras_retire", "reset"),
    74: ("nvlink", None),
    79: ("device_lost", "reboot"),
    **dict.fromkeys((48, 95, 140), ("ras_uncorrectable", "reset")),
    **dict.fromkeys(
        (46, 62, 109, 110, 119, 120, 136, 143, 155, 156, 158), ("needs_reset", "reset")
    ),
}
"""Fault and action by Xid; all others keep ``xid``."""
_LINK_XIDS = range(144, 151)
_FATAL = re.compile(r"\bFatal\b")
_RECOVERY = re.compile(r"recovery action changed from .*? to 0x[0-9a-f]+ \((?P<to>[^)]*)\)", re.I)
_RECOVERIES = (("drain and reset", "drain_reset"), ("reboot", "reboot"), ("reset", "reset"))

_SEVERITY = re.compile(
    r"(?:severity=|AER: (?:Multiple )?)"
    r"(?P<said>Correct|(?:Uncorrect\w+ ?\(?)?(?:Non-?)?Fatal|Uncorrect)"
)
_RESET_END = re.compile(r"GPU reset end with ret = (?P<ret>-?\d+)")
_SUCCEEDED = re.compile(r"GPU reset\(\d+\) succeeded|device wedged, but recovered")
_FAILED = re.compile(
    r"GPU Recovery Failed|GPU reset(?:\(\d+\))? failed"
    r"|(?:mode ?\d|BACO|ASIC|(?:pre|post) asic) reset failed|device wedged\b"
)


def gpu_fault_1(data: Json) -> Json:
    """Version 1 told neither Xids nor PCIe errors nor ends of resets apart: the raw line does.

    Node, card and raw line stay. A payload that has a code was told apart already.
    """
    raw = data.get("raw")
    read = _READERS.get(str(data.get("fault")))
    if read is None or not isinstance(raw, str) or data.get("code") is not None:
        return data
    fault, code, action = read(raw)
    added = {"fault": fault, "code": code, "action": action}
    return data | {key: value for key, value in added.items() if value is not None}


Reading = tuple[str, str | None, str | None]


def _xid(raw: str) -> Reading:
    match = _XID.search(raw)
    if match is None:
        return "xid", None, None
    number, rest = int(match["code"]), match["rest"]
    fault, action = _XID_FAULTS.get(number, ("xid", None))
    if number in _LINK_XIDS and _FATAL.search(rest):
        fault, action = "nvlink", "reset"
    if number == 154:
        changed = _RECOVERY.search(rest)
        to = changed["to"].strip().lower() if changed is not None else ""
        if to != "none":
            fault = "needs_reset"
            action = next((known for word, known in _RECOVERIES if word in to), None)
    return fault, str(number), action


def _pcie(raw: str) -> Reading:
    match = _SEVERITY.search(raw)
    if match is None:
        return "pcie_error", None, None
    said = match["said"].lower().replace("-", "")
    if said.startswith("correct"):
        return "pcie_corrected", "correctable", None
    return (
        "pcie_uncorrected",
        "fatal" if "fatal" in said.replace("nonfatal", "") else "nonfatal",
        None,
    )


def _reset(raw: str) -> Reading:
    end = _RESET_END.search(raw)
    if _SUCCEEDED.search(raw) or (end is not None and int(end["ret"][:12]) == 0):
        return "gpu_reset", "succeeded", None
    if end is not None or _FAILED.search(raw):
        return "gpu_reset_failed", None, "reset" if "device wedged" in raw else None
    return "gpu_reset", None, None


_READERS: dict[str, Callable[[str], Reading]] = {
    "xid": _xid, "pcie_error": _pcie, "gpu_reset": _reset,
}  # fmt: skip
