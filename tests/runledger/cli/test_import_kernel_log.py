"""`import kernel-log` and `reclassify`: kernel logs of the past, in any framing, once."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import runledger
from ledger import Ledger, new_event
from ledger.payloads import GpuFault
from runledger.intake import kernel_logs
from tests.typing_at import Type

LOST = "amdgpu 0000:22:00.0: amdgpu: SMU: response:0xFFFFFFFF for index:18 param:0x00000005 message:TransferTableSmu2Dram?"  # noqa: E501
STUCK = "amdgpu 0000:0f:00.0: amdgpu: SMU: I'm not done with your previous command!"
HARMLESS = "amdgpu 0000:0d:00.0: amdgpu: SMU is initialized successfully!"
BOOT = ("--boot-time", "2026-01-24T17:50:00Z")

FRAMINGS = [
    ("[ 1234.567890] {}", "2026-01-24T18:10:34.567890Z"),
    ("[ 1234.567890] [  T53331] {}", "2026-01-24T18:10:34.567890Z"),
    ("kern  :err   : [ 1234.567890] {}", "2026-01-24T18:10:34.567890Z"),
    ("3,2201,1234567890,-;{}", "2026-01-24T18:10:34.567890Z"),
    ("[Sat Jan 24 18:10:34 2026] {}", "2026-01-24T18:10:34Z"),
    ("2026-01-24T18:10:34,000012+00:00 {}", "2026-01-24T18:10:34.000012Z"),
    ("Jan 24 18:10:34 rig kernel: [ 1234.567890] {}", "2026-01-24T18:10:34.567890Z"),
    ("2026-01-24T10:10:34.5-08:00 rig kernel: [ 1234.567890] {}", "2026-01-24T18:10:34.567890Z"),
    ("[Jan24 18:10] {}", "2026-01-24T18:10:00Z"),
    ("18:10:34 {}", "2026-01-24T18:10:34Z"),
    ("{}", "2026-01-24T17:50:00Z"),
]


@pytest.mark.parametrize(("framing", "time"), FRAMINGS)
def test_every_framing_is_read_and_dated(
    folder: Path, type_: Type, framing: str, time: str
) -> None:
    (folder / "kern.log").write_text(f"{framing.format(HARMLESS)}\n{framing.format(LOST)}\n")
    done = type_("import", "kernel-log", "kern.log", "--node", "rig-6600", *BOOT, "--json")
    assert done.json == {
        "lines": 2,
        "stored": 1,
        "duplicates": 0,
        "events": {"smu_error": 1},
        "unread": 0,
    }
    (event,) = type_("events", "--json").json["events"]
    assert event["time"] == time
    assert event["subject"] == "gpu/rig-6600/0000:22:00.0"
    assert event["data"]["raw"] == framing.format(LOST)


def test_the_same_file_again_and_a_copy_with_more_lines_store_nothing_twice(
    folder: Path, type_: Type
) -> None:
    # A burst of equal lines is kept line by line.
    lines = [f"[  100.000000] {STUCK}"] * 3 + [f"[  102.000000] {STUCK}"]
    (folder / "a.log").write_text("\n".join(lines) + "\n")
    arguments = ("--node", "rig-6600b", *BOOT, "--json")
    assert type_("import", "kernel-log", "a.log", *arguments).json["stored"] == 4
    again = type_("import", "kernel-log", "a.log", *arguments).json
    assert (again["stored"], again["duplicates"]) == (0, 4)
    (folder / "b.log").write_text("\n".join([*lines, f"[  105.000000] {STUCK}"]) + "\n")
    more = type_("import", "kernel-log", "b.log", *arguments).json
    assert (more["stored"], more["duplicates"]) == (1, 4)
    other = type_("import", "kernel-log", "a.log", "--node", "rig-6600", *BOOT, "--json").json
    assert other["stored"] == 4


def test_an_import_that_is_killed_goes_on_where_it_was(
    folder: Path, type_: Type, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [f"[  {100 + at}.000000] {STUCK}" for at in range(5)]
    (folder / "kern.log").write_text("\n".join(lines) + "\n")
    monkeypatch.setattr(kernel_logs, "_AT_ONCE", 2)
    real, calls = Ledger.append_new, []

    def killed(*arguments: Any) -> Any:
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(Ledger, "append_new", killed)
    arguments = ("import", "kernel-log", "kern.log", "--node", "n", *BOOT, "--json")
    assert type_(*arguments).code == 130
    done = type_(*arguments).json
    assert (done["stored"], done["duplicates"]) == (3, 2)
    assert len(type_("events", "--json").json["events"]) == 5


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_packed_files_are_read(folder: Path, type_: Type, pack: Callable[[bytes], bytes]) -> None:
    packed = pack(f"[  100.000000] {STUCK}\n".encode())
    (folder / "kern.log.1.gz").write_bytes(packed)
    done = type_("import", "kernel-log", "kern.log.1.gz", "--node", "n", *BOOT, "--json")
    assert done.json["events"] == {"smu_error": 1}
    (folder / "cut.gz").write_bytes(packed[:-9])
    cut = type_("import", "kernel-log", "cut.gz", "--node", "m", *BOOT)
    assert cut.code == 2
    assert "cannot be read" in cut.err
    assert len(type_("events", "--json").json["events"]) == 1


def test_a_log_that_comes_through_a_pipe_is_read_from_its_first_byte(
    folder: Path, type_: Type
) -> None:
    os.mkfifo(folder / "pipe")
    packed = gzip.compress(f"[  100.000000] {LOST}\n".encode())
    writer = threading.Thread(target=lambda: (folder / "pipe").write_bytes(packed))
    writer.start()
    done = type_("import", "kernel-log", "pipe", "--node", "rig-6600", *BOOT, "--json").json
    writer.join()
    assert (done["lines"], done["stored"]) == (1, 1)


def test_odd_bytes_do_no_harm(folder: Path, type_: Type) -> None:
    line = f"[  100.000000] {STUCK}".encode()
    (folder / "odd.log").write_bytes(
        b"\xff\xfe\x00\x01\n"[2:] + line + b" \x00\xed\xa0\x80\r\n\xc3"
    )
    done = type_("import", "kernel-log", "odd.log", "--node", "n", *BOOT, "--json")
    assert done.json["events"] == {"smu_error": 1}
    (folder / "noise.log").write_bytes(bytes(range(256)) * 300)
    assert type_("import", "kernel-log", "noise.log", "--node", "n", "--json").json["stored"] == 0
    (folder / "empty.log").write_bytes(b"")
    assert type_("import", "kernel-log", "empty.log", "--node", "n", "--json").json["lines"] == 0


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("nowhere.log", "--node", "n"), 3, "nowhere.log"),
        ((".", "--node", "n"), 2, "directory"),
        (("kern.log", "--node", "n"), 2, "--boot-time"),
        (("kern.log", "--node", "a b"), 2, "not the name of a node"),
        (("kern.log", "--node", "n", "--boot-time", "2026-01-24 17:50:00"), 2, "offset"),
        (("kern.log", "--node", "n", "--assume-tz", "Mars/Base"), 2, "no time zone"),
        (("kern.log", "--node", "n", "--boot-id", "a\nb", *BOOT), 2, "not a boot id"),
        (("kern.log", "--node", "n", "--boot-id", "", *BOOT), 2, "not a boot id"),
        (("export.log", "--node", "n"), 2, "-o json"),
        (("verbose.log", "--node", "n"), 2, "-o json"),
        (("pretty.log", "--node", "n"), 2, "-o json"),
        (("binary.journal", "--node", "n"), 2, "journalctl"),
        (("kern.log",), 2, "--node"),
    ],
)
def test_what_cannot_be_imported_is_said_and_nothing_is_stored(
    folder: Path, type_: Type, arguments: tuple[str, ...], code: int, said: str
) -> None:
    (folder / "kern.log").write_text(f"[  100.000000] {STUCK}\n")
    (folder / "binary.journal").write_bytes(b"LPKSHHRH" + bytes(100))
    (folder / "export.log").write_text(f"__CURSOR=s=1;i=2\nMESSAGE={LOST}\n\n")
    (folder / "pretty.log").write_text(f'{{\n\t"MESSAGE" : "{LOST}"\n}}\n')
    (folder / "verbose.log").write_text(
        f"Sat 2026-01-24 18:02:11.123456 UTC [s=0af1;i=1;b=2]\n    MESSAGE={LOST}\n"
    )
    done = type_("import", "kernel-log", *arguments)
    assert done.code == code
    assert said in done.err
    with runledger.open(folder / "runledger.db", create=True) as opened:
        assert opened.ledger.head().sequence == 0


def test_stamps_without_an_offset_are_read_in_the_zone_that_is_given(
    folder: Path, type_: Type
) -> None:
    (folder / "kern.log").write_text(f"[Sat Jan 24 10:10:34 2026] {LOST}\n")
    arguments = ("--node", "n", "--assume-tz", "America/Los_Angeles", "--json")
    assert type_("import", "kernel-log", "kern.log", *arguments).json["stored"] == 1
    (event,) = type_("events", "--json").json["events"]
    assert event["time"] == "2026-01-24T18:10:34Z"


def test_stored_lines_are_judged_again_by_new_events_that_point_to_the_old(
    folder: Path, type_: Type
) -> None:
    with runledger.open(folder / "runledger.db") as opened:
        old: Any = new_event(
            GpuFault(node="rig-6600", fault="other", raw=f"[  100.000000] {STUCK}"),
            time_us=1_769_277_600_000_000,
            source="import/kernel-log",
        )
        opened.record(old)
    done = type_("reclassify", "--json").json
    assert done == {"lines": 1, "stored": 1, "duplicates": 0, "events": {"smu_error": 1}}
    newer = type_("events", "--where", "type=smu_error", "--json").json["events"]
    assert [event["causationid"] for event in newer] == [old.id]
    assert type_("reclassify", "--json").json["stored"] == 0
