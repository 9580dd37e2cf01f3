"""What a probe of a machine brings back: the frames that its script prints, read by our parsers.

The same state of a machine prints the same frames, so each is parsed once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from benchmarks.truth.layout import SLOTS, Machine, boot_id, path, pci, uid
from collectors.probe import ProbeReport, ProbeRequest, parse_probe, report_to_payloads
from ledger.payloads import Payload

Shown = Literal["ok", "off", "gone", "stuck", "hung", "spared", "undriven", "empty"]
"""How a slot shows itself: ``off`` reads all ones, ``gone`` is not listed at all, ``stuck``
answers with an error, ``hung`` not in time; ``spared`` was not asked, since its log has errors;
``undriven``: no driver took the card; ``empty``: there is none."""

_NONCE = "0123456789abcdef0123456789abcdef"
_REQUEST = ProbeRequest(nonce=_NONCE)
_MIB = 1024 * 1024


class Look(NamedTuple):
    """One look at the cards of a machine: the payloads, and the map from ports to cards."""

    payloads: tuple[Payload, ...]
    bridges: dict[str, str]
    states: Mapping[str, str]


class Looker:
    """Looks at machines; remembers what it saw printed."""

    def __init__(self) -> None:
        self._seen: dict[tuple[object, ...], Look] = {}

    def look(self, machine: Machine, shown: Sequence[Shown], cards: Sequence[int | None]) -> Look:
        """The look at a machine whose slots show themselves so."""
        uids = tuple(None if card is None else uid(machine, card) for card in cards)
        key = (machine.number, tuple(shown), uids)
        known = self._seen.get(key)
        if known is None:
            known = self._seen[key] = self._parse(machine, shown, uids)
        return known

    def _parse(self, machine: Machine, shown: Sequence[Shown], uids: Sequence[str | None]) -> Look:
        output = frames(machine, shown, uids)
        report: ProbeReport = parse_probe(output, _REQUEST)
        payloads = report_to_payloads(report, machine.name, expected=SLOTS)
        states = {card.pci: card.state for card in report.cards}
        return Look(payloads, dict(report.bridges), states)


def frames(machine: Machine, shown: Sequence[Shown], uids: Sequence[str | None]) -> bytes:
    """What the probe's script prints on this machine."""
    amd = machine.generation.device.startswith("1002")
    driver = "amdgpu" if amd else "nvidia"
    listed = [slot for slot in range(SLOTS) if shown[slot] not in ("gone", "empty", "undriven")]
    cards = [f"card card{slot} {pci(slot)} {machine.generation.device} {driver}" for slot in listed]
    cards += [
        f"undriven {pci(slot)} {machine.generation.device}"
        for slot in range(SLOTS)
        if shown[slot] == "undriven"
    ]
    places = [
        f"place {path(slot)}" for slot in range(SLOTS) if shown[slot] not in ("gone", "empty")
    ]
    sections = [
        ("node", [f"boot_id {boot_id(machine.number, 0)}", f"hostname {machine.name}"], "0"),
        ("cards", cards, "0"),
        ("places", places, "0"),
        ("values", _values(machine, listed, shown, uids), "0"),
    ]  # fmt: skip
    sections += _smu(listed, shown) if amd else _nvidia_smi(machine, listed, shown, uids)
    text = f"\nrunledger-probe/1 {_NONCE}\n"
    for title, lines, status in sections:
        body = "".join(f"{line}\n" for line in lines)
        text += f"\n{_NONCE} begin {title}\n{body}\n{_NONCE} end {title} {status}\n"
    return (text + f"\n{_NONCE} done\n").encode()


Sections = list[tuple[str, list[str], str]]


def _values(
    machine: Machine, listed: list[int], shown: Sequence[Shown], uids: Sequence[str | None]
) -> list[str]:
    lines = ["try - config"]
    device = machine.generation.device
    head = f"{device[2:4]} {device[:2]} {device[7:9]} {device[5:7]}"
    for slot in listed:
        name = f"card{slot}"
        lines.append(f"config {name} {'ff ff ff ff' if shown[slot] == 'off' else head}")
        if shown[slot] == "off" or not device.startswith("1002"):
            continue
        lines += [
            f"value {name} mem_info_vram_total {8176 * _MIB}",
            f"value {name} mem_info_vram_used {4180 * _MIB}",
            f"value {name} power_dpm_force_performance_level auto",
        ]
        if uids[slot] is not None:
            lines.append(f"value {name} unique_id {uids[slot]}")
        if shown[slot] == "spared":
            lines.append(f"spare {name} smu_error_in_log")
    return lines


def _smu(listed: list[int], shown: Sequence[Shown]) -> Sections:
    asked = [slot for slot in listed if shown[slot] in ("ok", "stuck", "hung")]
    if not asked:
        return []
    hung = next((slot for slot in asked if shown[slot] == "hung"), None)
    before = asked if hung is None else asked[: asked.index(hung)]
    lines = [f"asked card{slot}" for slot in asked]
    lines += ["answer 97" for slot in before if shown[slot] == "ok"]
    errors = [
        f"cat: /sys/class/drm/card{slot}/device/gpu_busy_percent: Connection timed out"
        for slot in before
        if shown[slot] == "stuck"
    ]
    status = "124" if hung is not None else "1" if errors else "0"
    sections: Sections = [("smu", lines, status), ("smu.err", errors, status)]
    if hung is not None:  # those behind it are asked side by side
        for slot in asked[asked.index(hung) + 1 :]:
            well = shown[slot] == "ok"
            answer = ["answer 97"] if well else ["answer "]
            error = (
                []
                if well
                else [
                    f"cat: /sys/class/drm/card{slot}/device/gpu_busy_percent: Connection timed out"
                ]
            )
            ended = "0" if well else "1"
            sections += [
                ("smu1", [f"asked card{slot}", *answer], ended),
                ("smu1.err", error, ended),
            ]
    return sections


def _nvidia_smi(
    machine: Machine, listed: list[int], shown: Sequence[Shown], uids: Sequence[str | None]
) -> Sections:
    lines = [
        "index, pci.bus_id, uuid, name, memory.used [MiB], memory.total [MiB], "
        "utilization.gpu [%], temperature.gpu, clocks.current.sm [MHz], compute_mode"
    ]
    errors = []
    index = 0
    for slot in listed:
        bus = f"0000{pci(slot)}".upper()
        if shown[slot] == "off":
            errors.append(
                f"Unable to determine the device handle for GPU{slot}: {pci(slot)}: Unknown Error"
            )
            continue
        model = f"NVIDIA {machine.generation.model}"
        if shown[slot] in ("stuck", "hung"):
            lines.append(
                f"{index}, {bus}, {uids[slot]}, {model}, 11, 12288, [Unknown Error], ERR!, "
                "[Unknown Error], Default"
            )
        else:
            lines.append(
                f"{index}, {bus}, {uids[slot]}, {model}, 10240, 12288, 97, 64, 1695, Default"
            )
        index += 1
    status = "15" if errors else "0"
    return [("nvidia-smi", lines, status), ("nvidia-smi.err", errors, status)]
