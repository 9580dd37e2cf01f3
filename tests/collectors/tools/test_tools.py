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
