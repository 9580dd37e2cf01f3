"""Every kind of tamper once; ``python -m tests.torture tampers`` makes a thousand."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.torture import tampers


@pytest.mark.timeout(240)
def test_every_kind_of_tamper_is_found_by_the_check_that_is_for_it(tmp_path: Path) -> None:
    report = tampers.run(tmp_path, tampers=len(tampers.TAMPERS), seed=1)
    assert report.found == []
    assert len(tampers.TAMPERS) >= 40
