"""Fleets for tests; ended, with their sshd, when the test is over."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.fleet import Fleet

MakeFleet = Callable[..., Fleet]


@pytest.fixture
def make_fleet(tmp_path: Path) -> Iterator[MakeFleet]:
    """A started fleet of its own."""
    with ExitStack() as stack:
        made = 0

        def make(**options: object) -> Fleet:
            nonlocal made
            made += 1
            fleet = Fleet(tmp_path / f"fleet-{made}", **options)  # type: ignore[arg-type]
            return stack.enter_context(fleet)

        yield make


@pytest.fixture
def fleet(make_fleet: MakeFleet) -> Fleet:
    """Three rigs of four cards and a controller of two, all well, with step 3 configured."""
    return make_fleet().configure('[steps."3"]\ntimeout_s = 7200\n')
