"""Every entry of the catalogue finds its own sample, and old readings agree with today's."""

from __future__ import annotations

from collections import Counter

import pytest

from collectors.faults import find_faults, known_faults
from collectors.kernel_log import classify
from collectors.kernel_log.classify import worth_reading
from ledger.registry import upcast

KNOWN = known_faults()
BY_KIND = {
    "device_lost": {79},
    "ras_uncorrectable": {48, 95, 140},
    "ras_retire": {64},
    "needs_reset": {46, 62, 109, 110, 119, 120, 136, 143, 155, 156, 158},
    "nvlink": {74},
    "page_fault": {31},
    "xid": {8, 11, 13, 32, 43, 45, 66, 67, 68, 69, 94, 63, 92, 106, 107, 1, 38, 999},
}
LINKS = range(144, 151)
OLD_FAULTS = {
    "pcie_error": "pcie_error",
    "pcie_corrected": "pcie_error",
    "pcie_uncorrected": "pcie_error",
    "gpu_reset": "gpu_reset",
    "gpu_reset_failed": "gpu_reset",
}
"""What version 1 called the kinds that it did not tell apart."""


def xid(code: int, said: str = "pid=812, name=python3") -> str:
    return f"NVRM: Xid (PCI:0000:01:00): {code}, {said}"


@pytest.mark.parametrize("known", KNOWN, ids=lambda known: f"{known.told_by}-{known.fault.name}")
def test_an_entry_finds_its_own_sample(known) -> None:
    fault = known.fault
    found = classify(fault.sample)
    assert found is not None
    assert (found.event_type, found.kind) == (fault.event, fault.kind)
    if fault.code is not None:
        assert found.code == fault.code
    assert worth_reading(fault.sample)


def test_names_are_given_once_and_every_entry_explains_itself() -> None:
    names = Counter((known.told_by, known.fault.name) for known in KNOWN)
    assert [name for name, count in names.items() if count > 1] == []
    for known in KNOWN:
        assert known.fault.meaning.endswith(".")
        assert known.fault.remedy
        assert known.fault.source


@pytest.mark.parametrize(("kind", "code"), [(k, c) for k, codes in BY_KIND.items() for c in codes])
def test_an_xid_is_told_by_its_number(kind: str, code: int) -> None:
    found = classify(xid(code))
    assert found is not None
    assert (found.kind, found.code, found.pci) == (kind, str(code), "0000:01:00.0")
    asks = kind in ("device_lost", "ras_uncorrectable", "ras_retire", "needs_reset")
    assert (found.action is not None) == asks


@pytest.mark.parametrize("code", LINKS)
@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("NETIR_LINK_EVT  Fatal   XC0 i0 Link 01 (0x021425c6)", "nvlink"),
        ("RLW_RXPIPE Nonfatal XC0 i0 Link 13 (0x0409a0c2)", "xid"),
        ("RLW_RXPIPE Non-fatal XC0 i0 Link 13 (0x0409a0c2)", "xid"),
    ],
)
def test_a_link_counts_only_where_its_error_is_fatal(code: int, said: str, kind: str) -> None:
    found = classify(xid(code, said))
    assert found is not None
    assert (found.kind, found.code) == (kind, str(code))


@pytest.mark.parametrize(
    ("to", "kind", "action"),
    [
        ("0x0 (None)", "xid", None),
        ("0x1 (GPU Reset Required)", "needs_reset", "reset"),
        ("0x2 (Node Reboot Required)", "needs_reset", "reboot"),
        ("0x3 (Drain P2P)", "needs_reset", None),
        ("0x4 (Drain and Reset)", "needs_reset", "drain_reset"),
    ],
)
def test_a_recovery_action_is_read_from_the_line(to: str, kind: str, action: str | None) -> None:
    found = classify(xid(154, f"GPU recovery action changed from 0x1 (GPU Reset) to {to}"))
    assert found is not None
    assert (found.kind, found.code, found.action) == (kind, "154", action)


def lines_of_version_1() -> list[tuple[str, str]]:
    codes = {code for codes in BY_KIND.values() for code in codes}
    lines = [("xid", xid(code)) for code in sorted(codes)]
    lines += [("xid", xid(code, f"EVT {word}")) for code in LINKS for word in ("Fatal", "Nonfatal")]
    lines += [
        ("xid", xid(154, f"GPU recovery action changed from 0x0 (None) to 0x{n} ({to})"))
        for n, to in enumerate(
            ["None", "GPU Reset Required", "Node Reboot Required", "Drain P2P", "Drain and Reset"]
        )
    ]
    for known in KNOWN:
        old = OLD_FAULTS.get(known.fault.kind)
        if (
            old is not None
            and known.fault.event == "gpu_fault"
            and "[Hardw" not in known.fault.sample
        ):
            lines.append((old, known.fault.sample))
    port = "pcieport 0000:89:02.0: AER: "
    for severity in (
        "Corrected", "Correctable", "Uncorrected (Fatal)", "Uncorrected (Non-Fatal)",
        "Uncorrectable (Fatal)", "Uncorrectable (Non-Fatal)",
    ):  # fmt: skip
        lines.append(("pcie_error", f"{port}PCIe Bus Error: severity={severity}, type=Data"))
        lines.append(("pcie_error", f"{port}Multiple {severity} error received: 0000:02:00.0"))
    lines += [("gpu_reset", f"amdgpu: GPU reset end with ret = {ret}") for ret in (0, -19, -62)]
    return lines


@pytest.mark.parametrize(("fault", "raw"), lines_of_version_1())
def test_an_old_fault_is_read_by_its_raw_line_as_todays_parser_reads_it(
    fault: str, raw: str
) -> None:
    found = classify(raw)
    assert found is not None
    old = {"node": "rig", "fault": fault, "raw": f"[  61.000000] {raw}", "pci": "0000:22:00.0"}
    read = upcast("gpu_fault", 1, old)
    assert (read["fault"], read.get("code"), read.get("action")) == (
        found.kind,
        found.code,
        found.action,
    )
    assert (read["node"], read["pci"], read["raw"]) == ("rig", "0000:22:00.0", old["raw"])


@pytest.mark.parametrize(
    "old",
    [
        {"node": "rig", "fault": "xid", "raw": xid(79), "code": "43"},
        {"node": "rig", "fault": "other", "raw": xid(79)},
        {"node": "rig", "fault": "xid", "raw": "as the operator told it"},
    ],
)
def test_what_was_told_apart_already_or_says_nothing_stays(old: dict[str, str]) -> None:
    assert upcast("gpu_fault", 1, old) == old


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        ("79", ["xid-79"]),
        ("Xid 79", ["xid-79"]),
        ("readonly_fs", ["read-only", "forced-read-only"]),
        ("smu-not-done", ["smu-not-done"]),
        ("9999", []),
    ],
)
def test_a_fault_is_found_by_code_name_or_kind(asked: str, names: list[str]) -> None:
    assert [known.fault.name for known in find_faults(asked)] == names
