"""Power lost at every sync and after every acknowledgement, with what was not synced in doubt."""

from __future__ import annotations

import hashlib
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from tests.torture.batches import examine
from tests.torture.disk import Disk
from tests.torture.report import Report
from tests.torture.shim import ACKNOWLEDGED, Change, compile_shim, environment, read_log

_IN_MEMORY = Path("/dev/shm")
_ENOUGH = 20
"""Losses after which there is no need to look for more."""


class Crash(NamedTuple):
    """A moment at which the power goes: the disk then, and what was acknowledged before."""

    disk: Disk
    acknowledged: list[str]


def run(
    folder: Path,
    *,
    batches: int,
    extra: int,
    seed: int = 1,
    pragmas: tuple[str, ...] = (),
    progress: Callable[[int], None] = lambda _: None,
    name: str = "power loss",
) -> Report:
    """Record one workload, then look at what every crash of it may leave behind.

    ``extra`` is how many images are drawn by chance for each crash, beside the
    extremes. With ``pragmas``, durability is lowered: then loss is expected.
    """
    report = Report(name)
    changes = record(folder, batches, seed, pragmas)
    report.counts["changes recorded"] = len(changes)
    report.counts["syncs"] = sum(change.kind == "S" for change in changes)
    chance = random.Random(seed)
    looked_at: set[bytes] = set()
    for crash in crashes(changes):
        report.counts["crashes"] += 1
        for image in crash.disk.images(chance, extra):
            mark = _mark(image, crash.acknowledged)
            if mark in looked_at:
                continue
            looked_at.add(mark)
            report.counts["disks examined"] += 1
            progress(report.counts["disks examined"])
            found = _examine(image, crash.acknowledged, chance)
            when = f"crash {report.counts['crashes']}"
            report.found += [f"{when}: {line}" for line in found]
        if len(report.found) >= _ENOUGH:
            break
    return report


def record(folder: Path, batches: int, seed: int, pragmas: tuple[str, ...] = ()) -> list[Change]:
    """Every change that the workload makes to its folder."""
    ledger_folder = folder / "ledger"
    ledger_folder.mkdir()
    log = folder / "changes"
    subprocess.run(
        [
            *(sys.executable, "-m", "tests.torture.workload"),
            *(str(ledger_folder), str(batches), str(seed), *pragmas),
        ],
        check=True,
        env=environment(compile_shim(folder), ledger_folder, log=log),
        cwd=Path(__file__).parents[2],
        timeout=300,
    )
    changes = list(read_log(log))
    # An index for readers, in memory by its nature; SQLite makes it anew.
    return [change for change in changes if not change.path.endswith("-shm")]


def crashes(changes: list[Change]) -> Iterator[Crash]:
    """Before each sync (when most is in doubt), after each acknowledgement, and at the end."""
    disk, acknowledged = Disk(), []
    for change in changes:
        if change.path == ACKNOWLEDGED:
            if change.kind == "W":
                acknowledged.append(change.data.decode().strip())
                yield Crash(disk, acknowledged)
            continue
        if change.kind == "S":
            yield Crash(disk, acknowledged)
        disk.apply(change)
    yield Crash(disk, acknowledged)


def _examine(image: dict[str, bytes], acknowledged: list[str], chance: random.Random) -> list[str]:
    memory = _IN_MEMORY if _IN_MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(dir=memory, prefix="runledger-torture-") as folder:
        for name, content in image.items():
            (Path(folder) / name).write_bytes(content)
        if "ledger.db" in image and chance.random() < 0.2:
            (Path(folder) / "ledger.db-shm").write_bytes(chance.randbytes(32768))
        found, _ = examine(Path(folder) / "ledger.db", acknowledged)
    return found


def _mark(image: dict[str, bytes], acknowledged: list[str]) -> bytes:
    digest = hashlib.blake2b(str(len(acknowledged)).encode())
    for name in sorted(image):
        digest.update(f"{name} {len(image[name])} ".encode())
        digest.update(image[name])
    return digest.digest()
