"""The one table of rates that worlds are drawn by, each with where it comes from.

No rate is set so that anybody's rules look good. Where nothing is published the
source says "assumed", and the other sets (`SETS`) tell how much hangs on it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple


class Rate(NamedTuple):
    """One number of the world: its unit, and its source."""

    value: float
    unit: str
    source: str


ASSUMED = "assumed"
LLAMA = (
    "Llama 3 (Meta 2024, table 5): 419 interruptions of 16,384 H100 in 54 days: 148 GPU, "
    "72 HBM3, 19 SRAM, 17 GSP, 6 thermal, 6 silent corruption, 35 network, 3 power supply"
)
DELTA = "Cui et al. 2025, arXiv 2503.11901: 1,056 A100 and H100, 2.5 years of errors"
RSC = (
    "Kokolis et al. 2024, arXiv 2410.21680: 6.5 (RSC-1) and 2.3 (RSC-2) failures in 1,000 node-days"
)
RIGS = "mining rigs that became a compute fleet: its public change logs of January 2026"

RATES: dict[str, Rate] = {
    # -- how many cards go bad
    "episodes_per_card_year": Rate(
        0.25,
        "1/year",
        "assumed: a quarter of the cards a year, as in a fleet of old cards on risers; "
        f"a data centre sees about 0.11 ({LLAMA})",
    ),
    # -- of which kind (shares; they are made to sum to 1)
    "share.degrading": Rate(0.15, "", f"{RIGS}: controllers that stop answering lead"),
    "share.bus_drops": Rate(0.15, "", f"{RIGS}: a card lost from the bus, the rig with it"),
    "share.dead": Rate(0.08, "", ASSUMED),
    "share.memory": Rate(0.20, "", f"between {RIGS} (rare) and a third of all in {LLAMA}"),
    "share.silent_drops": Rate(0.07, "", ASSUMED),
    "share.hangs": Rate(0.12, "", f"{DELTA}: hangs and GSP time-outs are the commonest"),
    "share.slow_burn": Rate(0.09, "", ASSUMED),
    "share.link_storms": Rate(0.08, "", f"{DELTA}: NVLink and PCIe errors that mostly recover"),
    "share.riser": Rate(0.06, "", ASSUMED),
    # -- how often a bad card shows it
    "gap_days.degrading": Rate(5.0, "days", "assumed; shrinks to a sixth until the repair"),
    "gap_days.bus_drops": Rate(2.0, "days", f"{RIGS}: about every 36 hours while it lasted"),
    "gap_days.memory": Rate(3.0, "days", ASSUMED),
    "gap_days.silent_drops": Rate(4.0, "days", ASSUMED),
    "gap_days.hangs": Rate(1.5, "days", ASSUMED),
    "gap_days.slow_burn": Rate(18.0, "days", "assumed: seldom enough to be forgotten between"),
    "gap_days.link_storms": Rate(1.0, "days", ASSUMED),
    "gap_days.riser": Rate(2.5, "days", ASSUMED),
    "load_share": Rate(0.8, "", "assumed: symptoms that need load; hangs and memory errors all do"),
    "crash_share": Rate(
        0.4, "", f"{RIGS}: a bus drop takes the machine along about every second time"
    ),
    "stuck_share": Rate(0.35, "", "assumed: a failed controller that only a reboot brings back"),
    "wordless_share": Rate(0.4, "", "assumed: hangs of which the kernel says nothing"),
    "lost_words_share": Rate(
        0.4, "", "assumed: last words that a crash does not let reach the disk"
    ),
    # -- how people look after them
    "reboot_hours": Rate(
        20.0, "hours, median", "assumed: somebody sees that a card is off its bus"
    ),
    "crash_hours": Rate(3.0, "hours, median", "assumed: somebody power-cycles a machine"),
    "repair_days": Rate(
        20.0, "days, median", "assumed: small fleets repair when somebody comes by"
    ),
    "repair_days.dead": Rate(12.0, "days, median", ASSUMED),
    "repair_days.slow_burn": Rate(80.0, "days, median", ASSUMED),
    "fix.swap": Rate(0.45, "", "assumed: another card in its place"),
    "fix.reseat": Rate(0.30, "", "assumed: the same card, well again"),
    "fix.move": Rate(0.10, "", "assumed: moved to another slot to see; the fault goes along"),
    "fix.nothing_found": Rate(0.15, "", "assumed: put back as it was; the fault goes on"),
    "told_at_once": Rate(0.7, "", "assumed: a repair is noted the same day"),
    "told_late": Rate(0.2, "", "assumed: within two weeks; the rest never"),
    # -- what many cards have in common
    "psu_per_node_year": Rate(
        0.12,
        "1/year",
        f"{LLAMA}: 3 in 54 days of 2,048 nodes is 0.01; assumed higher on mining supplies",
    ),
    "gap_days.psu": Rate(3.0, "days", ASSUMED),
    "heat_per_room_year": Rate(1.2, "1/year", "assumed: a hot spell a summer"),
    "switch_per_half_node_year": Rate(0.06, "1/year", ASSUMED),
    "gap_days.switch": Rate(4.0, "days", ASSUMED),
    "upgrades_per_generation_year": Rate(2.0, "1/year", ASSUMED),
    "bad_upgrade_share": Rate(0.4, "", "assumed: a driver with a hang, rolled back within weeks"),
    "bad_upgrade_hangs_per_card_year": Rate(6.0, "1/year", ASSUMED),
    "network_per_node_year": Rate(
        0.08,
        "1/year",
        f"assumed: a cable that flaps half a dozen times; {LLAMA}: 0.12 single interruptions",
    ),
    "gap_days.network": Rate(1.5, "days", ASSUMED),
    # -- what happens to healthy cards
    "blips_per_card_year": Rate(
        0.25, "1/year", f"{DELTA}: most cards with an error have one and no more"
    ),
    "workload_faults_per_card_year": Rate(
        2.5, "1/year", f"{LLAMA}: 54 software bugs; small users write worse ones"
    ),
    "bug_days_per_year": Rate(6.0, "1/year", "assumed: a bad program is sent to many cards"),
    "chatty_link_share": Rate(
        0.05, "", "assumed: links that log corrected errors and never lose a job"
    ),
    "node_crashes_per_year": Rate(
        1.5, "1/year", f"{RSC}; those of a card or a supply are drawn apart"
    ),
    "maintenance_per_node_year": Rate(4.0, "1/year", ASSUMED),
    "moves_per_year": Rate(4.0, "1/year", "assumed: two cards of a machine change places, untold"),
    # -- how well it is all seen
    "no_answer_share": Rate(0.004, "", "assumed: SSH that times out on a machine that is well"),
    "unreadable_nodes": Rate(
        3.0, "nodes", "assumed: a month or two without the right to read the log"
    ),
    "skewed_nodes": Rate(3.0, "nodes", "assumed: a month with a clock minutes to hours off"),
    "finished_told_share": Rate(
        1.0, "", "assumed: the scheduler tells of every job that ended well"
    ),
    "failure_names_card_share": Rate(
        0.85, "", "assumed: failed jobs that say which card they ran on"
    ),
}

CARD_KINDS = tuple(key.removeprefix("share.") for key in RATES if key.startswith("share."))
"""Faults of one card or its place; `dead` has no gap: it happens once."""
COMMON_KINDS = ("psu", "heat", "switch", "driver", "network")
"""Faults with a cause that many cards share."""

SETS: dict[str, dict[str, float]] = {
    "default": {},
    "x4": {"episodes_per_card_year": 1.0},
    "x0.4": {"episodes_per_card_year": 0.11},
    "noisy": {
        "blips_per_card_year": 0.75,
        "workload_faults_per_card_year": 7.5,
        "bug_days_per_year": 18.0,
        "chatty_link_share": 0.15,
        "no_answer_share": 0.012,
    },
    "seldom": {key: rate.value * 2.5 for key, rate in RATES.items() if key.startswith("gap_days.")},
    "common": {
        "psu_per_node_year": 0.36,
        "heat_per_room_year": 3.6,
        "switch_per_half_node_year": 0.18,
        "network_per_node_year": 0.3,
        "bad_upgrade_share": 0.9,
    },
    "blind": {
        "unreadable_nodes": 10.0,
        "skewed_nodes": 8.0,
        "lost_words_share": 0.8,
        "wordless_share": 0.7,
        "failure_names_card_share": 0.4,
    },
}
"""Other worlds, by what differs from the table."""


class UnknownRate(ValueError):
    """A rate or a set of rates that there is not."""


def rates_of(name: str) -> dict[str, float]:
    """All rates of a set of `SETS`, or of a TOML file with ``"key" = number`` on top of them."""
    if name in SETS:
        changes: Mapping[str, object] = SETS[name]
    elif (path := Path(name)).is_file():
        changes = tomllib.loads(path.read_text(encoding="utf-8"))
    else:
        raise UnknownRate(f"rates {name!r}: neither a file nor one of {', '.join(SETS)}")
    values = {key: rate.value for key, rate in RATES.items()}
    for key, value in changes.items():
        if key not in values:
            raise UnknownRate(f"{name}: no rate {key!r}; the table is in benchmarks/truth/rates.py")
        if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
            raise UnknownRate(f"{name}: {key} = {value!r}; give a number, 0 or more")
        values[key] = float(value)
    return values
