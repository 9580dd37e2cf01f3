# ruff: noqa: E501 (kernel lines are quoted whole)
"""Every framing in which a kernel line is met, taken apart."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.kernel_log import Civil, frame
from collectors.kernel_log.journal import dmesg_json_lines

TEXT = "amdgpu 0000:22:00.0: amdgpu: GPU reset begin!"
WALL = 1_674_180_427_000_012  # 2023-01-20T02:07:07.000012Z
STAMPS = ("monotonic_us", "wall_us", "civil", "delta_us", "host", "level")

FRAMINGS = [
    ("[ 1234.567890] ", {"monotonic_us": 1_234_567_890}),
    ("[    0.000000] ", {"monotonic_us": 0}),
    ("[  100.5] ", {"monotonic_us": 100_500_000}),
    (
        "Aug 12 17:28:02 h kernel: [9.007] ",
        {"civil": Civil(None, 8, 12, 17, 28, 2, 0), "host": "h", "monotonic_us": 9_007_000},
    ),
    ("[13600.971642] [  T53331] ", {"monotonic_us": 13_600_971_642}),
    ("[13600.971642][    C3] ", {"monotonic_us": 13_600_971_642}),
    ("[ 1234.567890 <    0.000012>] ", {"monotonic_us": 1_234_567_890}),
    ("<3>[ 1234.567890] ", {"monotonic_us": 1_234_567_890, "level": 3}),
    ("kern  :err   : [   27.000000] ", {"monotonic_us": 27_000_000, "level": 3}),
    ("kern  :info  : 2023-01-20T02:07:07,000012+00:00 ", {"wall_us": WALL, "level": 6}),
    ("[Sat Jan  7 14:25:56 2023] ", {"civil": Civil(2023, 1, 7, 14, 25, 56, 0)}),
    (
        "kern  :warn  : [Sat Jan  7 14:25:56 2023] ",
        {"civil": Civil(2023, 1, 7, 14, 25, 56, 0), "level": 4},
    ),
    ("2023-01-20T02:07:07,000012+00:00 ", {"wall_us": WALL}),
    ("2023-01-20T10:07:07.000012+08:00 host kernel: ", {"wall_us": WALL, "host": "host"}),
    ("2023-01-20T10:07:07.000012+08:00 kernel: ", {"wall_us": WALL}),
    (
        "2023-01-19T18:07:07.000012-08:00 host kernel: [2880380.352174] ",
        {"wall_us": WALL, "host": "host", "monotonic_us": 2_880_380_352_174},
    ),
    ("2023-01-20T02:07:07+0000 host kernel: ", {"wall_us": WALL - 12, "host": "host"}),
    ("Fri 2023-01-20 02:07:07.000012 UTC host kernel: ", {"wall_us": WALL, "host": "host"}),
    (
        "Thu 2023-01-19 18:07:07 PST host kernel: ",
        {"civil": Civil(2023, 1, 19, 18, 7, 7, 0), "host": "host"},
    ),
    (
        "<3>1 2023-01-20T02:07:07.000012Z host kernel - - - ",
        {"wall_us": WALL, "host": "host", "level": 3},
    ),
    ("1674180427.000012 host kernel: ", {"wall_us": WALL, "host": "host"}),
    (
        "2023-01-20 02:07:07 host kernel: ",
        {"civil": Civil(2023, 1, 20, 2, 7, 7, 0), "host": "host"},
    ),
    (
        "Aug 12 17:28:02 host kernel: [    9.700686] ",
        {"civil": Civil(None, 8, 12, 17, 28, 2, 0), "host": "host", "monotonic_us": 9_700_686},
    ),
    ("Aug  2 17:28:02 h kernel: ", {"civil": Civil(None, 8, 2, 17, 28, 2, 0), "host": "h"}),
    (
        "Aug 12 17:28:02.250000 h kernel: ",
        {"civil": Civil(None, 8, 12, 17, 28, 2, 250_000), "host": "h"},
    ),
    ("[ 1234.567890] host kernel: ", {"monotonic_us": 1_234_567_890, "host": "host"}),
    ("[Feb13 23:31] ", {"civil": Civil(None, 2, 13, 23, 31, 0, 0)}),
    ("[  +1.000025] ", {"delta_us": 1_000_025}),
    ("[  +1.25] ", {"delta_us": 1_250_000}),
    ("[<    1.000025>] ", {"delta_us": 1_000_025}),
    ("02:21:31 ", {"civil": Civil(None, None, None, 2, 21, 31, 0)}),
    ("kernel: ", {}),
    ("", {}),
    ("3,2201,4053054882,-;", {"monotonic_us": 4_053_054_882, "level": 3}),
    ("30,7,12,c,caller=T1;", {"monotonic_us": 12, "level": 6}),
    ("\x1b[32m[ 1234.567890] \x1b[0m\x1b[33m", {"monotonic_us": 1_234_567_890}),
    ("\ufeff[ 1234.567890] ", {"monotonic_us": 1_234_567_890}),
]


@pytest.mark.parametrize(("prefix", "expected"), FRAMINGS)
def test_a_frame_is_taken_off_and_read(prefix: str, expected: dict[str, object]) -> None:
    line = frame(prefix + TEXT, 7)
    assert line.text == TEXT
    assert (line.number, line.raw, line.kernel) == (7, prefix + TEXT, True)
    assert {name: getattr(line, name) for name in STAMPS} == dict.fromkeys(STAMPS) | expected


@pytest.mark.parametrize(
    "raw",
    [
        "Aug 12 17:28:02 rig sudo: michael : COMMAND=/bin/grep 0xFFFFFFFF",
        "Aug 12 17:28:02 rig python3[812]: SMU: response:0xFFFFFFFF for index:18",
        "2023-01-20T02:07:07.000012+00:00 rig runledger[7]: GPU reset begin!",
    ],
)
def test_what_another_program_logged_is_not_the_kernels_word(raw: str) -> None:
    assert frame(raw).kernel is False


@pytest.mark.parametrize(
    "raw",
    [
        "2023-01-20T02:07:07,000012+00:00 kfd kfd: amdgpu: skipped device 1002:67e3, PCI rejects atomics",
        "2023-01-20T02:07:07.000012+00:00 kfd kfd: amdgpu: skipped device 1002:67e3, PCI rejects atomics",
    ],
)
def test_a_subsystem_that_looks_like_a_host_is_still_the_kernel(raw: str) -> None:
    line = frame(raw)
    assert line.kernel
    assert line.text.startswith("kfd kfd: ")


@pytest.mark.parametrize(
    "raw",
    [
        "[Sat Jan 32 14:25:56 2023] x",
        "Feb 30 17:28:02 host kernel: x",
        "25:00:00 x",
        "2023-13-01T00:00:00Z x",
        "0000-01-01T00:00:00Z x",
        "2023-01-01T00:00:00+99:00 x",
    ],
)
def test_an_impossible_time_is_no_stamp(raw: str) -> None:
    assert not frame(raw).stamped


def test_kmsg_escapes_are_undone_so_that_the_text_equals_the_journals() -> None:
    line = frame("3,1,2,-;failed send message: RunBtc (58) \\x09param: \\xc3\\xa9")
    assert line.text == "failed send message: RunBtc (58) \tparam: é"
    assert line.sequence == 1


def test_a_journal_object_gives_both_stamps_the_boot_and_the_cursor() -> None:
    entry = {
        "MESSAGE": TEXT + "\nmore",
        "PRIORITY": "6",
        "_BOOT_ID": "0123456789abcdef0123456789abcdef",
        "_HOSTNAME": "rig-6600",
        "_TRANSPORT": "kernel",
        "_SOURCE_MONOTONIC_TIMESTAMP": "27000001",
        "__REALTIME_TIMESTAMP": "1674180427000012",
        "__CURSOR": "s=abc;i=1",
    }
    line = frame(json.dumps(entry))
    assert (line.text, line.raw) == (TEXT + "\nmore", TEXT + "\nmore")
    assert (line.monotonic_us, line.wall_us) == (27_000_001, WALL)
    assert (line.level, line.host, line.cursor) == (6, "rig-6600", "s=abc;i=1")
    assert line.boot_id == "01234567-89ab-cdef-0123-456789abcdef"


def test_a_journal_message_of_bytes_is_decoded() -> None:
    assert frame(json.dumps({"MESSAGE": [*list(TEXT.encode()), 255]})).text == TEXT + "\ufffd"


@pytest.mark.parametrize("field", [{"_TRANSPORT": "stdout"}, {"SYSLOG_IDENTIFIER": "python3"}])
def test_a_journal_entry_of_another_program_is_not_the_kernels(field: dict[str, str]) -> None:
    assert frame(json.dumps({"MESSAGE": TEXT} | field)).kernel is False


@pytest.mark.parametrize(
    "value", [None, 5, "-1", "x", "9" * 30, "٣", [1], {"a": 1}, "99999999999999999"]
)
def test_odd_values_in_a_journal_object_are_passed_over(value: object) -> None:
    names = (
        "__REALTIME_TIMESTAMP",
        "_SOURCE_MONOTONIC_TIMESTAMP",
        "_BOOT_ID",
        "PRIORITY",
        "__CURSOR",
    )
    line = frame(json.dumps(dict.fromkeys(names, value) | {"MESSAGE": TEXT}))
    assert line.text == TEXT
    assert line.wall_us is None
    assert line.boot_id is None


@pytest.mark.parametrize("indent", [None, 3])
def test_dmesg_json_is_read_on_one_line_or_many(indent: int | None) -> None:
    document = {
        "dmesg": [{"pri": 3, "time": 27.0, "msg": "a { b"}, {"pri": 6, "time": 28.5, "msg": TEXT}]
    }
    lines = list(dmesg_json_lines(json.dumps(document, indent=indent)))
    assert [(line.level, line.monotonic_us, line.text) for line in lines] == [
        (3, 27_000_000, "a { b"),
        (6, 28_500_000, TEXT),
    ]


def test_truncated_dmesg_json_is_read_up_to_where_it_ends() -> None:
    whole = '{ "dmesg": [ { "pri": 3, "time":    27.000000, "msg": "one" },{ "pri": 3, "time": 28.0, "ms'
    assert [line.text for line in dmesg_json_lines(whole)] == ["one"]


@given(st.text())
def test_arbitrary_text_never_raises(text: str) -> None:
    frame(text)
    list(dmesg_json_lines(text))


@given(st.sampled_from([prefix for prefix, _ in FRAMINGS]), st.text(), st.integers(0, 60))
def test_a_damaged_frame_never_raises(prefix: str, text: str, cut: int) -> None:
    frame(prefix[:cut] + text + prefix[cut:] + TEXT)


@given(
    st.dictionaries(
        st.sampled_from(["MESSAGE", "__CURSOR", "_BOOT_ID", "PRIORITY"]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
            max_leaves=5,
        ),
    )
)
def test_arbitrary_journal_objects_never_raise(entry: dict[str, object]) -> None:
    frame(json.dumps(entry))
