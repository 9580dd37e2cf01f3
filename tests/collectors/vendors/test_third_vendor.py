"""A third vendor is one file and one line: its cards are found, asked and heard."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import collectors

ROOT = Path(collectors.__file__).parents[1]

VENDOR = r'''
"""Toys: a vendor that nobody has heard of."""

from collectors.catalogue.entry import Fault
from collectors.tools import CardReading, ToolReading
from collectors.vendors.vendor import Tool, Vendor


def _read(texts):
    rows = (line.split() for line in texts[0].splitlines())
    cards = (CardReading("ok", int(row[1]), row[0]) for row in rows if len(row) == 2)
    return ToolReading(tuple(cards))


TOYS = Vendor(
    name="toys",
    pci_id="1af4",
    drivers=("toygpu",),
    marks=("toygpu",),
    tools=(Tool((("toy-smi", "toy-smi --cards"),), _read),),
    faults=(
        Fault(
            name="melted", kind="device_lost", whose="card", word="core melted",
            pattern=r"core melted at (?P<code>\d+) degrees", action="rma",
            meaning="The card has melted.", source="the box",
            sample="toygpu 0000:07:00.0: core melted at 900 degrees",
        ),
    ),
)
'''

WALK = """
import json, sys
from pathlib import Path
from collectors.faults import find_faults
from collectors.kernel_log import scan
from collectors.probe import ProbeRequest, parse_probe, probe_script
from tests.rigs import Rig

with Rig(Path(sys.argv[1]), gpus=1) as rig:
    rig.write("sys/bus/pci/devices/0000:09:00.0/class", "0x030000\\n")
    rig.write("sys/bus/pci/devices/0000:09:00.0/vendor", "0x1af4\\n")
    rig.write("sys/bus/pci/devices/0000:09:00.0/device", "0x1050\\n")
    rig.printing_tool("toy-smi", "0000:07:00.0 0\\n0000:08:00.0 1\\n")
    request = ProbeRequest(nonce="5eed" * 8)
    report = parse_probe(rig.run(probe_script(request)), request)
    calls = rig.calls("toy-smi")
log = scan(
    ["2026-01-24T18:00:00,000000+00:00 toygpu 0000:07:00.0: core melted at 900 degrees\\n"],
    node="rig", source="s", now_us=1_800_000_000_000_000,
)
print(json.dumps({
    "cards": [[card.vendor, card.pci, card.state] for card in report.cards],
    "calls": calls,
    "method": report.method,
    "faults": [[e.data.fault, e.data.pci, e.data.code, e.data.action] for e in log.events],
    "explained": [known.told_by for known in find_faults("melted")],
}))
"""


def test_a_vendor_that_was_added_is_recognised_from_end_to_end(tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    for package in ("collectors", "ledger", "tests"):
        shutil.copytree(
            ROOT / package, copy / package, ignore=shutil.ignore_patterns("__pycache__", "test_*")
        )
    (copy / "collectors/vendors/toys.py").write_text(VENDOR)
    registry = copy / "collectors/vendors/__init__.py"
    text = registry.read_text()
    line = "VENDORS: tuple[Vendor, ...] = (AMD, NVIDIA)"
    assert line in text
    added = f"from collectors.vendors.toys import TOYS\n\n{line[:-1]}, TOYS)"
    registry.write_text(text.replace(line, added))
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(WALK), str(tmp_path / "rig")],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": str(copy), "PYTHONSAFEPATH": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stderr == ""
    found = json.loads(done.stdout)
    assert found == {
        "cards": [
            ["amd", "0000:04:00.0", "ok"],
            ["toys", "0000:07:00.0", "ok"],
            ["toys", "0000:08:00.0", "ok"],
            ["toys", "0000:09:00.0", "unresponsive"],
        ],
        "calls": ["--cards"],
        "method": "sysfs+toy-smi",
        "faults": [["device_lost", "0000:07:00.0", "900", "rma"]],
        "explained": ["toys"],
    }
