"""The tools' parsers against historical formats, and against junk."""

from __future__ import annotations

import doctest
import importlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.tools import amd_smi, nvidia_smi, rocm_smi
from collectors.tools.reading import number

HEADER = "Device  Node  IDs     Temp  Power  Partitions  SCLK  MCLK  Fan  Perf  PwrCap  VRAM%  GPU%"
ROW = "{0} 1 0x73ff,   51001  41.0°C  6.0W   N/A, N/A, 0  500Mhz  96Mhz  0%   auto  120.0W  0%  2%"
FRAGMENTS = st.lists(
    st.sampled_from(
        [
            "{",
            "}",
            "[",
            "]",
            '"card0"',
            ":",
            ",",
            '"gpu": 0',
            "\n",
            "GPU[0]\t: ",
            "PCI Bus: 0000:03:00.0",
            "N/A",
            "0000:03:00.0",
            "0%",
            " ",
            "36.0°C",
            "index, pci.bus_id",
            '{"value": 1}',
            "GPU is lost",
            "\x1b[3m",
            '"',
        ]
    )
    | st.text(max_size=5),
    max_size=30,
).map("".join)


@pytest.mark.parametrize("module", ["rocm_smi", "amd_smi", "nvidia_smi", "reading"])
def test_the_samples_in_the_parsers_hold(module):
    result = doctest.testmod(importlib.import_module(f"collectors.tools.{module}"))
    assert result.attempted > 0
    assert result.failed == 0


@given(FRAGMENTS, FRAGMENTS)
def test_no_parser_fails_on_junk(first, second):
    rocm_smi.parse(first)
    nvidia_smi.parse(first)
    amd_smi.parse(first, second)


def test_deep_nesting_and_huge_numbers_are_junk_like_any_other():
    for text in ("[" * 100_000, '{"card0":' * 10_000, '[{"gpu": ' + "9" * 5000 + "}]"):
        assert rocm_smi.parse(text).cards == ()
        assert amd_smi.parse(text).cards == ()


def test_a_partitions_column_of_na_is_healthy():
    reading = rocm_smi.parse(
        "\n".join([HEADER, "\x1b[3m     (DID,  GUID)\x1b[0m", ROW.format(0), ROW.format(1)])
    )
    assert [(card.index, card.state) for card in reading.cards] == [(0, "ok"), (1, "ok")]


def test_a_dead_card_whose_perf_still_says_auto_is_unknown_and_not_ok():
    row = "3  4  0x73ff,  51003  N/A  N/A  N/A, N/A, 0  N/A  N/A  0%  auto  N/A  0%  0%"
    assert [card.state for card in rocm_smi.parse(row).cards] == ["unknown"]


def test_a_row_without_an_address_gets_none():
    assert rocm_smi.parse(ROW.format(3)).cards[0].pci is None


def test_errors_on_the_side_are_kept_for_people():
    first = 'Expected integer value from monitor, but got ""'
    second = "ERROR: Driver not initialized (amdgpu not found in modules)"
    reading = rocm_smi.parse(f"{first}\n{second}\n")
    assert reading.cards == ()
    assert len(reading.problems) == 2


def test_renamed_keys_mean_the_same():
    old = rocm_smi.parse(
        '{"card0": {"Average Graphics Package Power (W)": "9.0", "Card series": "Navi 23"}}'
    )
    new = rocm_smi.parse(
        '{"card0": {"Current Socket Graphics Package Power (W)": "9.0", "Card Series": "Navi 23"}}'
    )
    assert old == new
    assert (new.cards[0].state, new.cards[0].model) == ("ok", "Navi 23")


def test_columns_of_nvidia_smi_are_found_by_their_header():
    text = "name, index, pci.bus_id, temperature.gpu\nRTX 3080 Ti, 1, 00000000:68:00.0, 50\n"
    (card,) = nvidia_smi.parse(text).cards
    assert (card.index, card.pci, card.temp_c, card.model) == (1, "0000:68:00.0", 50, "RTX 3080 Ti")


@pytest.mark.parametrize(
    "text", ["No devices were found\n", "NVIDIA-SMI has failed because it couldn't communicate"]
)
def test_a_driver_that_is_not_there_shows_no_card_and_says_why(text):
    reading = nvidia_smi.parse(text)
    assert reading.cards == ()
    assert reading.problems


@pytest.mark.parametrize(
    ("line", "pci"),
    [
        (
            "Unable to determine the device handle for GPU0000:68:00.0: Unknown Error",
            "0000:68:00.0",
        ),
        (
            "Unable to determine the device handle for GPU 0000:68:00.0: GPU is lost.",
            "0000:68:00.0",
        ),
        (
            "Unable to determine the device handle for GPU1: 0000:68:00.0: Unknown Error",
            "0000:68:00.0",
        ),
        ("Unable to determine the device handle for GPU00000001:68:00.0: Unknown", "0001:68:00.0"),
    ],
)
def test_a_lost_card_is_named_in_every_spelling(line, pci):
    assert [(card.pci, card.state) for card in nvidia_smi.parse(line).cards] == [
        (pci, "unresponsive")
    ]


@given(st.floats() | st.integers() | st.text() | st.none() | st.booleans() | st.binary())
def test_number_never_fails(value):
    found = number(value)
    assert found is None or -1e15 <= found <= 1e15


COLUMNS = "index, pci.bus_id, uuid, name, memory.used [MiB], memory.total [MiB], "
COLUMNS += "utilization.gpu [%], temperature.gpu, clocks.current.sm [MHz], compute_mode"
RECOVERY = ", ecc.errors.uncorrected.volatile.total, remapped_rows.pending, remapped_rows.failure"
RECOVERY += ", gpu_recovery_action"


def nvidia_row(**changed: str) -> str:
    row = {
        "index": "0", "pci": "00000000:2A:00.0", "uuid": "GPU-b", "name": "NVIDIA H100",
        "used": "0", "total": "81559", "busy": "0", "heat": "31", "clock": "345", "mode": "Default",
    }  # fmt: skip
    return ", ".join((row | changed).values())


@pytest.mark.parametrize(
    ("changed", "state"),
    [
        ({}, "ok"),
        ({"busy": "[N/A]", "mode": "[Not Supported]"}, "ok"),
        ({"busy": "[GPU requires reset]"}, "unresponsive"),
        ({"clock": "[GPU requires reset]"}, "unresponsive"),
        ({"used": "[Unknown Error]"}, "unresponsive"),
        ({"mode": "[GPU is lost]"}, "unresponsive"),
        ({"clock": "[Insufficient Permissions]"}, "unknown"),
        ({"heat": "151"}, "unresponsive"),
        ({"heat": "4294967295"}, "unresponsive"),
        ({"busy": "65535"}, "unresponsive"),
        ({"used": "18446744073709551615"}, "unresponsive"),
        (dict.fromkeys(("uuid", "used", "total", "busy", "heat", "clock"), "[N/A]"), "unknown"),
    ],
)
def test_a_card_of_nvidia_is_ok_only_where_nothing_speaks_against_it(changed, state):
    (card,) = nvidia_smi.parse(f"{COLUMNS}\n{nvidia_row(**changed)}\n").cards
    assert (card.pci, card.state) == ("0000:2a:00.0", state)
    assert bool(card.detail) == (state != "ok" and changed.get("heat") != "[N/A]")


@pytest.mark.parametrize(
    ("said", "state", "words"),
    [
        ("0, No, No, None", "ok", ""),
        ("[N/A], [N/A], [N/A], [N/A]", "ok", ""),
        ("0, No, No, Reset", "unresponsive", "asks for: Reset"),
        ("0, No, No, Drain and Reset", "unresponsive", "asks for: Drain and Reset"),
        ("0, No, No, Reboot", "unresponsive", "asks for: Reboot"),
        ("2, No, No, None", "ok", "2 errors"),
        ("0, Yes, No, None", "ok", "next reset"),
        ("0, No, Yes, None", "ok", "replaced"),
    ],
)
def test_what_a_card_asks_for_and_what_its_memory_went_through_are_read(said, state, words):
    (card,) = nvidia_smi.parse(f"{COLUMNS}{RECOVERY}\n{nvidia_row()}, {said}\n").cards
    assert card.state == state
    assert words in card.detail
    assert bool(words) == bool(card.detail)


DIE = '{{"PCI Bus": "0000:C{0}:00.0", "Performance Level": "{1}", {2}}}'
POWER = '"Average Graphics Package Power (W)": "92.0"'
SHARED = '"Average Graphics Package Power (W)": "N/A (Secondary die)"'


@pytest.mark.parametrize(
    ("first", "states"),
    [(("auto", POWER), ["ok", "ok"]), (("unknown", POWER), ["unresponsive", "unknown"])],
)
def test_a_second_die_is_as_well_as_the_first_whose_power_meter_it_shares(first, states):
    text = f'{{"card0": {DIE.format(1, *first)}, "card1": {DIE.format(6, "auto", SHARED)}}}'
    assert [card.state for card in rocm_smi.parse(text).cards] == states


@pytest.mark.parametrize("heat", ["200.0c", "65535.0c"])
def test_a_temperature_that_cannot_be_is_no_sign_of_life(heat):
    row = f"1  {heat}  10.0W   852Mhz  167Mhz  14.9%  auto  170.0W  1%    0%"
    assert [card.state for card in rocm_smi.parse(row).cards] == ["unresponsive"]


def partition(index: int, number: int, usage: str) -> tuple[str, str]:
    return (
        f'{{"gpu": {index}, "bdf": "0000:05:00.{number}", "partition_id": {number}}}',
        f'{{"gpu": {index}, "usage": {usage}}}',
    )


@pytest.mark.parametrize(
    ("first", "states"), [('{"gfx_activity": 0}', ["ok", "ok"]), ('"N/A"', ["unknown", "unknown"])]
)
def test_a_further_partition_is_as_well_as_the_first(first, states):
    cards, metrics = zip(partition(0, 0, first), partition(1, 1, '"N/A"'), strict=True)
    reading = amd_smi.parse(f"[{', '.join(cards)}]", f"[{', '.join(metrics)}]")
    assert [card.state for card in reading.cards] == states


def test_an_address_of_garbage_is_none():
    text = 'Fail to open libdrm_amdgpu.so.1\n[{"gpu": 0, "bdf": "695f7570672f:31:05.7"}]'
    assert [(card.pci, card.state) for card in amd_smi.parse(text).cards] == [(None, "unknown")]


@pytest.mark.parametrize(
    ("said", "asked"),
    [("None", "None"), ("Drain and Reset", "Drain and Reset"), ("[N/A]", None), ("", None)],
)
def test_what_a_card_of_nvidia_asks_for_is_told_where_its_tool_knows(said, asked):
    row = f"{nvidia_row()}, 0, No, No, {said}"
    (card,) = nvidia_smi.parse(f"{COLUMNS}{RECOVERY}\n{row}\n").cards
    assert card.recovery_action == asked
