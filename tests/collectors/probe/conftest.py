"""Rigs for the probe's tests; none may be left with a file of ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.rigs import Rig


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Rig]]:
    rigs: list[Rig] = []

    def _make(**options: object) -> Rig:
        rigs.append(Rig(tmp_path / f"rig-{len(rigs)}", **options))  # type: ignore[arg-type]
        return rigs[-1]

    yield _make
    for rig in rigs:
        assert rig.leftovers == []
        rig.close()
