# ruff: noqa: E501 (kernel lines are quoted whole)
"""What kernel lines of every generation are taken for, one line a case."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.kernel_log import classify
from collectors.kernel_log.classify import worth_reading

CARD = "0000:22:00.0"

SMU_ERRORS = [
    # kernel text, signature, card, code, command
    (
        (
            "amdgpu 0000:22:00.0: amdgpu: SMU: response:0xFFFFFFFF for index:18 param:0x00000005 "
            "message:TransferTableSmu2Dram?"
        ),
        ("response_ff", CARD, "0xFFFFFFFF", "TransferTableSmu2Dram"),
    ),
    (
        "amdgpu 0000:22:00.0: SMU: response:0xFFFFFFFF for index:41 param:0x00000000 message:DisallowGfxOff",
        ("response_ff", CARD, "0xFFFFFFFF", "DisallowGfxOff"),
    ),
    (
        "SMU: response:0xFFFFFFFF for message:TransferTableSmu2Dram",
        ("response_ff", None, "0xFFFFFFFF", "TransferTableSmu2Dram"),
    ),
    (
        "amdgpu 0000:22:00.0: amdgpu: SMU: response:0x000000AB for index:4 param:0x00000000 message:RunBtc?",
        ("unknown_response", CARD, "0x000000AB", "RunBtc"),
    ),
    (
        "amdgpu 0000:22:00.0: amdgpu: SMU: I'm not done with your previous command!",
        ("not_done", CARD, None, None),
    ),
    (
        (
            "amdgpu 0000:22:00.0: amdgpu: SMU: I'm not done with your previous command: "
            "SMN_C2PMSG_66:0x00000012 SMN_C2PMSG_82:0x00000005"
        ),
        ("not_done", CARD, None, None),
    ),
    (
        "amdgpu 0000:22:00.0: amdgpu: Failed to export SMU metrics table!",
        ("metrics_export_failed", CARD, None, None),
    ),
    ("Failed to export SMU metrics table", ("metrics_export_failed", None, None, None)),
    (
        "amdgpu: [powerplay] Failed to export SMU metrics table!",
        ("metrics_export_failed", None, None, None),
    ),
    (
        (
            "amdgpu: [powerplay] failed send message: TransferTableSmu2Dram (18) \tparam: 0x00000006 "
            "response 0xffffffc2"
        ),
        ("send_failed", None, "0xffffffc2", "TransferTableSmu2Dram"),
    ),
    (
        (
            "amdgpu 0000:28:00.0: amdgpu: failed send message:     RunBtc (58) \tparam: 0x00000000 "
            "response 0xffffffc2"
        ),
        ("send_failed", "0000:28:00.0", "0xffffffc2", "RunBtc"),
    ),
    (
        (
            "amdgpu 0000:03:00.0: amdgpu: failed send message: SetSoftMaxByFreq (27)  param: 0x000504f2 "
            "response 0xff"
        ),
        ("send_failed", "0000:03:00.0", "0xff", "SetSoftMaxByFreq"),
    ),
    ("amdgpu: [powerplay] last message was failed ret is 0", ("send_failed", None, "0x0", None)),
    (
        "amdgpu 0000:03:00.0: amdgpu: Msg issuing pre-check failed and SMU may be not in the right state!",
        ("precheck_failed", "0000:03:00.0", None, None),
    ),
    (
        "amdgpu 0000:22:00.0: amdgpu: SMU is in hanged state, failed to send smu message!",
        ("hanged", CARD, None, None),
    ),
    (
        "amdgpu 0000:22:00.0: SMU: No response msg_reg: 12 resp_reg: 0",
        ("no_response", CARD, None, None),
    ),
    (
        "amdgpu 0000:22:00.0: SMU: bus error for message: EnableSmuFeaturesLow(8) response:0xFFFFFFFF ",
        ("bus_error", CARD, "0xFFFFFFFF", "EnableSmuFeaturesLow"),
    ),
]

GPU_FAULTS = [
    ("amdgpu 0000:66:00.0: device lost from bus!", "device_lost", "0000:66:00.0"),
    ("amdgpu: device lost from bus!", "device_lost", None),
    (
        "amdgpu 0000:03:00.0: Unable to change power state from D3cold to D0, device inaccessible",
        "device_lost",
        "0000:03:00.0",
    ),
    (
        "amdgpu 0000:03:00.0: can't change power state from D3cold to D0 (config space inaccessible)",
        "device_lost",
        "0000:03:00.0",
    ),
    ("NVRM: GPU 0000:91:00.0: GPU has fallen off the bus.", "device_lost", "0000:91:00.0"),
    (
        "NVRM: The NVIDIA GPU 0000:91:00.0 fell off the bus and is not responding to commands.",
        "device_lost",
        "0000:91:00.0",
    ),
    ("NVRM: GPU has fallen off the bus.", "device_lost", None),
    (
        "[drm:amdgpu_job_timedout [amdgpu]] *ERROR* ring gfx_0.0.0 timeout, signaled seq=6, emitted seq=8",
        "ring_timeout",
        None,
    ),
    (
        "amdgpu 0000:66:00.0: amdgpu: ring comp_1.2.0 timeout, signaled seq=6, emitted seq=8",
        "ring_timeout",
        "0000:66:00.0",
    ),
    ("ring gfx_0.0.0 timeout, signaled seq=6, emitted seq=8", "ring_timeout", None),
    ("amdgpu 0000:0b:00.0: amdgpu: GPU reset begin!", "gpu_reset", "0000:0b:00.0"),
    ("amdgpu: GPU reset begin!. Source:  1", "gpu_reset", None),
    ("amdgpu: GPU reset end with ret = -19", "gpu_reset_failed", None),
    ("amdgpu 0000:0b:00.0: amdgpu: GPU reset(2) succeeded!", "gpu_reset", "0000:0b:00.0"),
    ("amdgpu 0000:0b:00.0: amdgpu: GPU reset(1) failed", "gpu_reset_failed", "0000:0b:00.0"),
    ("amdgpu: GPU Recovery Failed: -19", "gpu_reset_failed", None),
    ("[drm] VRAM is lost due to GPU reset!", "gpu_reset", None),
    (
        "amdgpu 0000:66:00.0: [drm] device wedged, but recovered through reset",
        "gpu_reset",
        "0000:66:00.0",
    ),
    (
        (
            "amdgpu 0000:03:00.0: amdgpu: [gfxhub] page fault (src_id:0 ring:153 vmid:8 pasid:32771, "
            "for process p pid 3557 thread p pid 3557)"
        ),
        "page_fault",
        "0000:03:00.0",
    ),
    (
        "amdgpu 0000:03:00.0: amdgpu: [mmhub0] no-retry page fault (src_id:0 ring:40 vmid:1 pasid:3)",
        "page_fault",
        "0000:03:00.0",
    ),
    ("gmc_v10_0_process_interrupt: 6 callbacks suppressed", "page_fault", None),
    (
        "amdgpu 0000:e3:00.0: amdgpu: uncorrectable hardware error(ERREVENT_ATHUB_INTERRUPT) detected!",
        "ras_uncorrectable",
        "0000:e3:00.0",
    ),
    (
        "amdgpu 0000:e3:00.0: amdgpu: 2 uncorrectable hardware errors detected in umc block",
        "ras_uncorrectable",
        "0000:e3:00.0",
    ),
    (
        (
            "amdgpu 0000:e3:00.0: amdgpu: {7}socket: 0, die: 1, 3 new uncorrectable hardware errors detected "
            "in gfx block"
        ),
        "ras_uncorrectable",
        "0000:e3:00.0",
    ),
    ("pcieport 0000:00:01.1: pciehp: Slot(0): Link Down", "pcie_error", None),
    ("pcieport 0000:00:01.1: pciehp: Slot(0): Card not present", "pcie_error", None),
    (
        "pcieport 0000:00:01.4: DPC: containment event, status:0x1f01 source:0x0000",
        "pcie_error",
        None,
    ),
    (
        "pcieport 0000:89:02.0: AER: PCIe Bus Error: severity=Uncorrected (Fatal), type=Transaction Layer",
        "pcie_uncorrected",
        None,
    ),
    (
        "pcieport 0000:00:1d.0: AER: Multiple Correctable error message received from 0000:02:00.0",
        "pcie_corrected",
        "0000:02:00.0",
    ),
    (
        "pcieport 0000:00:1d.0: AER: Corrected error received: 0000:02:00.0",
        "pcie_corrected",
        "0000:02:00.0",
    ),
    (
        "amdgpu 0000:03:00.0: PCIe Bus Error: severity=Uncorrected (Non-Fatal), type=Transaction Layer",
        "pcie_uncorrected",
        "0000:03:00.0",
    ),
    ("NVRM: Xid (PCI:0000:01:00): 79, GPU has fallen off the bus.", "device_lost", "0000:01:00.0"),
    ("NVRM: Xid (PCI:0000:0A:00 GPU-I:05): 94, pid=1, Contained error", "xid", "0000:0a:00.0"),
    ("NVRM: Xid (0000:03:00): 14, Channel 00000001", "xid", "0000:03:00.0"),
    ("NVRM: Xid (03:00): 31, MMU Fault", "page_fault", "0000:03:00.0"),
    ("amdgpu: qcm fence wait loop timeout expired", "other", None),
    ("amdgpu 0000:03:00.0: amdgpu: Failed to disable smu features.", "other", "0000:03:00.0"),
    ("amdgpu 0000:03:00.0: amdgpu: [PrepareMp1] Failed!", "other", "0000:03:00.0"),
    (
        "[drm:amdgpu_device_ip_suspend_phase2 [amdgpu]] *ERROR* SMC failed to set mp1 state 2, -121",
        "other",
        None,
    ),
    (
        "amdgpu 0000:03:00.0: amdgpu: resume of IP block <gfx_v10_0> failed -110",
        "other",
        "0000:03:00.0",
    ),
    ("amdgpu: probe of 0000:03:00.0 failed with error -62", "init_failed", "0000:03:00.0"),
    (
        "amdgpu 0000:03:00.0: probe with driver amdgpu failed with error -62",
        "init_failed",
        "0000:03:00.0",
    ),
    ("[drm:gfx_v10_0_cp_gfx_enable.isra.0 [amdgpu]] *ERROR* failed to halt cp gfx", "other", None),
    (
        "amdgpu 0000:0b:00.0: [drm:amdgpu_ring_test_helper [amdgpu]] *ERROR* ring kiq_0.2.1.0 test failed",
        "other",
        "0000:0b:00.0",
    ),
    ("amdgpu: failed to read reg:1629a    37896", "other", None),
    ("failed to write reg 2890 wait reg 28a2", "other", None),
    ("__smu_cmn_reg_print_error: 5 callbacks suppressed", "other", None),
    ("kfd kfd: amdgpu: skipped device 1002:67e3, PCI rejects atomics 730<0", "other", None),
    ("kfd kfd: skipped device 1002:7340, PCI rejects atomics", "other", None),
]

HARMLESS = [
    "amdgpu 0000:22:00.0: amdgpu: SMU is resumed successfully!",
    "amdgpu 0000:22:00.0: amdgpu: SMU is initialized successfully!",
    "amdgpu 0000:22:00.0: amdgpu: SMU driver if version not matched",
    "amdgpu 0000:22:00.0: amdgpu: smu driver if version = 0x00000040, smu fw if version = 0x00000041",
    "amdgpu 0000:22:00.0: amdgpu: SMU: unknown command: index:40 param:0x00000000 message:AllowGfxOff",
    "amdgpu 0000:22:00.0: amdgpu: SMU: valid command, bad prerequisites: index:1 param:0x00000000 message:X",
    "amdgpu 0000:22:00.0: amdgpu: SMU: I'm very busy for your command: index:1 param:0x00000000 message:X",
    "amdgpu 0000:22:00.0: SMU: I'm very busy msg_reg: 3f resp_reg: fc",
    "amdgpu 0000:22:00.0: SMU: unknown command msg_reg: 3f resp_reg: fe",
    "amdgpu 0000:28:00.0: amdgpu: failed send message:  RunBtc (58) \tparam: 0x00000000 response 0xfc",
    "amdgpu 0000:28:00.0: amdgpu: failed send message:  RunBtc (58) \tparam: 0x00000000 response 0xfe",
    "amdgpu: [powerplay] failed to send message 148 ret is 253",
    "in params:00000006",
    "amdgpu 0000:22:00.0: amdgpu: RAS Init Status: 0xFFFFFFFF",
    "amdgpu 0000:22:00.0: amdgpu: 0 uncorrectable hardware errors detected in umc block",
    "amdgpu 0000:22:00.0: amdgpu: no uncorrectable hardware errors detected in umc block",
    "amdgpu 0000:22:00.0: 1048560 uncorrectable hardware errors detected in umc block",
    "amdgpu 0000:22:00.0: 2097120 uncorrectable hardware errors detected in umc block",
    "amdgpu 0000:22:00.0: 7 correctable hardware errors detected in umc block",
    "amdgpu 0000:22:00.0: socket: 0, die: 0, 4 uncorrectable hardware errors detected in total in umc block",
    "amdgpu 0000:22:00.0: amdgpu: ring gfx_0.0.0 timeout, but soft recovered",
    "[drm:amdgpu_job_timedout [amdgpu]] *ERROR* ring gfx timeout, but soft recovered",
    "amdgpu 0000:22:00.0: Ring gfx_0.0.0 reset succeeded",
    "amdgpu 0000:22:00.0: amdgpu: ring gfx_0.0.0 uses VM inv eng 0 on hub 0",
    "amdgpu 0000:22:00.0: amdgpu: amdgpu: finishing device.",
    "amdgpu 0000:22:00.0: amdgpu:   in page starting at address 0x0000800106b53000 from client 0x12 (VMC)",
    "amdgpu 0000:22:00.0: amdgpu: MMVM_L2_PROTECTION_FAULT_STATUS:0x00141651",
    "[drm:amdgpu_job_timedout [amdgpu]] *ERROR* Process information: process python pid 1 thread python",
    "amdgpu:  Process python pid 51590",
    "kfd kfd: amdgpu: added device 1002:73ff",
    "BIOS-e820: [mem 0x00000000ff000000-0x00000000ffffffff] reserved",
    "Command line: BOOT_IMAGE=/vmlinuz root=UUID=x ro amdgpu.ppfeaturemask=0xffffffff",
    "amdgpu.ppfeaturemask=0xffffffff",
    "RAX: ffffffffffffffda RBX: 0000000000000003 RCX: 00007ff0e1d49a7f",
    "iwlwifi 0000:03:00.0: 0xFFFFFFFF | ADVANCED_SYSASSERT",
    "snd_hda_intel 0000:03:00.1: Unable to change power state from D3cold to D0, device inaccessible",
    "nvme 0000:01:00.0: PCIe Bus Error: severity=Corrected, type=Physical Layer, (Receiver ID)",
    "pcieport 0000:00:01.4:   device [1022:14ab] error status/mask=00000020/04004000",
    "pcieport 0000:00:01.4:    [ 5] SDES                   (First)",
    "pcieport 0000:00:01.1: AER: enabled with IRQ 28",
    "pcieport 0000:00:01.1: DPC: enabled with IRQ 28",
    "pcieport 0000:00:01.1: AER: device recovery successful",
    "pcieport 0000:00:01.1: pciehp: Slot(0): Card present",
    "pcieport 0000:00:01.1: pciehp: Slot(0): Link Up",
    "NVRM: GPU at PCI:0000:91:00: GPU-b6c3b2be-c55b-d076-fa0e-d464e4c7e08b",
    "amdgpu 0000:22:00.0: amdgpu: retired pages are 0",
    "amdgpu 0000:22:00.0: amdgpu: 0 bad pages retired",
    "nvme nvme0: I/O 5 QID 3 timeout, completion polled",
    "blk_update_request: I/O error, dev fd0, sector 0",
    "EXT4-fs (sda1): mounted filesystem read-only with ordered data mode",
    "mce: [Hardware Error]: Machine check events logged",
    "{7}[Hardware Error]: event severity: corrected",
    "amdgpu 0000:22:00.0: {1}[Hardware Error]: Accelerator Check Architecture events logged",
    "AMD-Vi: Event logged [IO_PAGE_FAULT device=05:00.0 domain=0x0014 address=0x5f38]",
    "NVRM: loading NVIDIA UNIX x86_64 Kernel Module  535.104.05",
    "oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),task=python,pid=812,uid=1000",
    "oom_reaper: reaped process 812 (python), now anon-rss:0kB, file-rss:0kB, shmem-rss:0kB",
    "Out of memory: Kill process 812 (python) score 900 or sacrifice child",
    "Sig. Max Wait Duration:  18446744073709551615 (0xFFFFFFFFFFFFFFFF) (timestamp count)",
    "",
]


@pytest.mark.parametrize(("text", "expected"), SMU_ERRORS)
def test_smu_errors_carry_signature_card_code_and_command(
    text: str, expected: tuple[str, str | None, str | None, str | None]
) -> None:
    found = classify(text)
    assert found is not None
    assert found.event_type == "smu_error"
    assert (found.kind, found.pci, found.code, found.message) == expected


@pytest.mark.parametrize(("text", "fault", "pci"), GPU_FAULTS)
def test_other_faults_are_told_apart(text: str, fault: str, pci: str | None) -> None:
    found = classify(text)
    assert found is not None
    assert (found.event_type, found.kind, found.pci) == ("gpu_fault", fault, pci)


@pytest.mark.parametrize("text", HARMLESS)
def test_harmless_lines_report_nothing(text: str) -> None:
    assert classify(text) is None


@pytest.mark.parametrize(
    ("text", "process", "pid"),
    [
        ("Out of memory: Killed process 812 (python) total-vm:9kB, anon-rss:8kB", "python", 812),
        ("Memory cgroup out of memory: Killed process 9 (python3) total-vm:9kB", "python3", 9),
        ("Killed process 5173 (my (odd) name) total-vm:1kB", "my (odd) name", 5173),
        ("Out of memory: Killed process 8 (train)", "train", 8),
        ("Killed process 77 (tuner), UID 1000, total-vm:1kB", "tuner", 77),
    ],
)
def test_the_out_of_memory_killer_names_its_victim(text: str, process: str, pid: int) -> None:
    found = classify(text)
    assert found is not None
    assert (found.event_type, found.process, found.pid) == ("process_killed", process, pid)


def test_a_bridge_stands_for_a_card_only_where_a_map_says_so() -> None:
    text = "pcieport 0000:20:01.1: pciehp: Slot(0): Link Down"
    known, other = {"0000:20:01.1": "22:00.0"}, {"0000:20:01.2": "22:00.0"}
    assert [getattr(classify(text, bridges), "pci", "?") for bridges in (None, known, other)] == [
        None,
        "0000:22:00.0",
        None,
    ]


def test_only_the_first_line_of_a_message_is_judged() -> None:
    assert classify("usb 1-1: new device\nSMU: response:0xFFFFFFFF for message:X") is None


@pytest.mark.parametrize("text", [case[0] for case in (*SMU_ERRORS, *GPU_FAULTS)])
def test_every_line_that_counts_holds_a_word_that_is_searched_for(text: str) -> None:
    assert worth_reading(text)


@given(
    st.text()
    | st.sampled_from([case[0] for case in SMU_ERRORS]).flatmap(lambda t: st.text().map(t.__add__))
)
def test_arbitrary_text_never_raises(text: str) -> None:
    classify(text)


@given(
    st.sampled_from(
        ["amdgpu 0000:22:00.0: ", "NVRM: ", "pcieport 0000:00:01.0: ", "Killed process "]
    ),
    st.text(),
)
def test_arbitrary_text_after_a_driver_never_raises(head: str, text: str) -> None:
    classify(head + text)
