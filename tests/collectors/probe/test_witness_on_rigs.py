"""A rig remembers the heads that it is shown, for each ledger, and adds to them only."""

from __future__ import annotations

import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from collectors.probe.witness import RememberedHead
from tests.probing import QUICK, probe
from tests.rigs import Rig

LEDGER, PLACE = "ab" * 16, "cd" * 16
OTHER = "ef" * 16
ASKING = replace(QUICK, cards=False, kernel_log=False, recall=f"{LEDGER} {PLACE}")


def head(number: int, ledger: str = LEDGER, place: str = PLACE) -> RememberedHead:
    return RememberedHead(ledger, place, number, f"{number:064x}", 1_769_277_731_000_000 + number)


def show(rig: Rig, one: RememberedHead) -> tuple[RememberedHead, ...] | None:
    recall = f"{one.ledger} {one.place}"
    return probe(rig, replace(ASKING, recall=recall, remember=one.line())).heads


def kept(rig: Rig) -> Path:
    return rig.home / ".local/state/runledger/witness"


@pytest.mark.parametrize("shell", ["sh", "busybox sh"])
def test_what_it_was_shown_before_is_what_it_tells(make: Callable[..., Rig], shell: str) -> None:
    rig = make(gpus=0, shell=shell)
    assert show(rig, head(1)) == ()
    assert show(rig, head(2)) == (head(1),)
    assert probe(rig, ASKING).heads == (head(1), head(2))
    assert probe(rig, ASKING).heads == (head(1), head(2))
    assert kept(rig).read_text() == f"{head(1).line()}\n{head(2).line()}\n"
    assert stat.S_IMODE(kept(rig).stat().st_mode) == 0o600


def test_a_ledger_is_known_by_itself_or_by_where_it_is_kept(make: Callable[..., Rig]) -> None:
    rig = make(gpus=0)
    moved, replaced, strange = head(2, place=OTHER), head(3, ledger=OTHER), head(4, OTHER, OTHER)
    for each in (head(1), moved, replaced, strange):
        show(rig, each)
    assert probe(rig, ASKING).heads == (head(1), moved, replaced)


def test_nothing_is_asked_or_left_unless_it_is_a_witness(make: Callable[..., Rig]) -> None:
    rig = make(gpus=1)
    assert probe(rig, QUICK).heads is None
    assert list(rig.home.rglob("*")) == []


def test_of_many_heads_the_newest_are_told_and_fewer_of_the_older(
    make: Callable[..., Rig],
) -> None:
    rig = make(gpus=0)
    show(rig, head(1))
    kept(rig).write_text("".join(f"{head(number).line()}\n" for number in range(1, 1001)))
    heads = probe(rig, ASKING).heads
    assert heads is not None
    assert heads[-32:] == tuple(head(number) for number in range(969, 1001))
    assert len(heads) < 80
    assert heads[0].sequence < 40


def test_its_file_is_bounded_and_what_was_in_it_is_kept_beside_it(
    make: Callable[..., Rig],
) -> None:
    rig = make(gpus=0)
    show(rig, head(1))
    kept(rig).write_text("".join(f"{head(number).line()}\n" for number in range(1, 2001)))
    show(rig, head(2001))
    assert kept(rig).read_text() == head(2001).line() + "\n"
    heads = probe(rig, ASKING).heads
    assert heads is not None
    assert heads[-2:] == (head(2000), head(2001))


@pytest.mark.parametrize("kind", ["link", "folder", "junk"])
def test_a_file_that_is_none_is_left_alone(make: Callable[..., Rig], kind: str) -> None:
    rig = make(gpus=0)
    target = rig.home / "target"
    target.write_text("mine")
    kept(rig).parent.mkdir(parents=True)
    if kind == "link":
        kept(rig).symlink_to(target)
    elif kind == "folder":
        kept(rig).mkdir()
    else:
        kept(rig).write_bytes(b"\xff\x00 junk\n" * 20 + b"x" * 5000 + b"\n")
    heads = show(rig, head(1))
    assert heads == (() if kind == "junk" else None)
    assert target.read_text() == "mine"


def test_a_home_that_hangs_or_cannot_be_written_costs_the_rest_of_the_probe_nothing(
    make: Callable[..., Rig],
) -> None:
    rig = make(gpus=2, shell="sh")
    (rig.home / ".local").write_text("no folder")
    report = probe(rig, replace(QUICK, recall=f"{LEDGER} {PLACE}", remember=head(1).line()))
    assert report.heads is None
    assert report.complete
    assert len(report.cards) == 2
