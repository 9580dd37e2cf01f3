"""Helpers for tests that probe rigs."""

from __future__ import annotations

from collectors.probe import ProbeReport, ProbeRequest, parse_probe, probe_script
from tests.rigs import Rig

NONCE = "5eed5eed5eed5eed5eed5eed5eed5eed"
REQUEST = ProbeRequest(nonce=NONCE)
QUICK = ProbeRequest(nonce=NONCE, read_limit_s=1, tool_limit_s=1, log_limit_s=1, hash_limit_s=1)
STUCK = (
    "amdgpu 0000:22:00.0: amdgpu: SMU: I'm not done with your previous command: "
    "SMN_C2PMSG_66:0x00000012 SMN_C2PMSG_82:0x00000005"
)
HARMLESS = (
    "amdgpu 0000:0d:00.0: amdgpu: SMU is initialized successfully!",
    "amdgpu 0000:0d:00.0: amdgpu: SMU driver if version not matched",
    "Command line: BOOT_IMAGE=/vmlinuz amdgpu.ppfeaturemask=0xffffffff",
)


def probe(rig: Rig, request: ProbeRequest = REQUEST) -> ProbeReport:
    return parse_probe(rig.run(probe_script(request)), request)


def states(report: ProbeReport) -> dict[str, str]:
    return {card.pci: card.state for card in report.cards if card.state != "ok"}
