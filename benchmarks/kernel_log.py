"""How fast a kernel log is read, against Python searching its lines for one fixed word.

``python -m benchmarks.kernel_log`` writes a log of half a million lines, one
in a hundred of them about a graphics card, reads it both ways and prints
lines per second and their ratio. Medians of several runs on one core.
"""

from __future__ import annotations

import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from collectors.kernel_log import scan
from collectors.kernel_log.clock import Clock
from collectors.kernel_log.scanning import Scanner

LINES = 500_000
RUNS = 5
WORD = "0xFFFFFFFF"
BOOT_US = 1_769_274_000_000_000
NOW_US = BOOT_US + 10**13

_NOISE = (
    "usb 1-{a}: new high-speed USB device number {b} using xhci_hcd",
    (
        'audit: type=1400 audit(1769274000.{b}:{a}): apparmor="STATUS" operation="profile_load" '
        'profile="unconfined" name="snap.x" pid={b} comm="apparmor_parser"'
    ),
    "docker0: port {a}(veth{b:x}) entered blocking state",
    "IPv6: ADDRCONF(NETDEV_CHANGE): veth{b:x}: link becomes ready",
    "EXT4-fs (nvme0n1p{a}): mounted filesystem with ordered data mode. Opts: (null)",
    "[UFW BLOCK] IN=eth0 OUT= SRC=192.168.3.{a} DST=224.0.0.1 LEN=36 TOS=0x00 TTL=1 ID={b} PROTO=2",
    "systemd[1]: Started Journal Service {b}.",
    "perf: interrupt took too long ({b} > 2500), lowering kernel.perf_event_max_sample_rate to {b}",
)
_CARDS = (
    "amdgpu 0000:{a:02x}:00.0: amdgpu: ring gfx_0.0.0 uses VM inv eng 0 on hub 0",
    "amdgpu 0000:{a:02x}:00.0: amdgpu: SMU is initialized successfully!",
    "amdgpu 0000:{a:02x}:00.0: amdgpu: smu driver if version = 0x00000040, smu fw program = 0",
    (
        "amdgpu 0000:{a:02x}:00.0: amdgpu: SMU: response:0xFFFFFFFF for index:18 param:0x00000005 "
        "message:TransferTableSmu2Dram?"
    ),
)


def write_log(path: Path, lines: int = LINES) -> None:
    """A log as a rig writes it, always the same."""
    chance = random.Random(1)
    seconds = 0.0
    with path.open("w", encoding="utf-8") as file:
        for _ in range(lines):
            seconds += chance.random()
            text = chance.choice(_CARDS if chance.random() < 0.01 else _NOISE)
            message = text.format(a=chance.randint(1, 9), b=chance.randint(1, 9999))
            file.write(f"[{seconds:12.6f}] {message}\n")


def search_lines(path: Path) -> int:
    """The yardstick: every line read and searched for one word."""
    found = 0
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            if WORD in line:
                found += 1
    return found


def parse(path: Path) -> int:
    """Every line judged; those that report something framed, dated and classified."""
    scanner = Scanner(Clock(now_us=NOW_US, boot_time_us=BOOT_US))
    return sum(1 for _ in scanner.scan(_pieces(path)))


def parse_into_events(path: Path) -> int:
    """The same, and checked ledger events made of them."""
    log = scan(_pieces(path), node="rig", source="benchmark", now_us=NOW_US, boot_time_us=BOOT_US)
    return len(log.events)


def _pieces(path: Path) -> Iterator[str]:
    with path.open(encoding="utf-8", errors="replace") as file:
        while piece := file.read(1 << 16):
            yield piece


def measure(work: Callable[[Path], int], path: Path, runs: int = RUNS) -> float:
    """Seconds that ``work`` takes, the median of ``runs``."""
    taken = []
    for _ in range(runs):
        before = time.perf_counter()
        work(path)
        taken.append(time.perf_counter() - before)
    return statistics.median(taken)


def main() -> None:
    """Print our figures, the yardstick's and the ratios."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "kernel.log"
        write_log(path)
        yardstick = measure(search_lines, path)
        print(f"{'search for one word':24} {LINES / yardstick:12,.0f} lines/s")
        for name, work in (("parse", parse), ("parse into events", parse_into_events)):
            seconds = measure(work, path)
            print(f"{name:24} {LINES / seconds:12,.0f} lines/s   ratio {yardstick / seconds:.2f}")


if __name__ == "__main__":
    main()
