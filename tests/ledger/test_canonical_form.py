"""Which version of the canonical form an event is in: 1 where it does not say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ledger import InvalidEvents, export_lines, from_wire, open_ledger, restore
from ledger.canonical import CANONICAL_FORM
from ledger.testing import sample_event

WIRE = {
    "type": "job_finished",
    "source": "t",
    "time": "2026-01-24T12:00:00Z",
    "data": {"job": "j", "attempt": 1},
}


def test_an_event_in_the_form_of_today_need_not_say_so() -> None:
    assert CANONICAL_FORM == 1
    said, unsaid = (from_wire({**WIRE, "id": "a", **more}) for more in ({"canonicalform": 1}, {}))
    assert said == unsaid


@pytest.mark.parametrize("form", [2, 0, "1", 1.0, True, [1]])
def test_an_event_in_another_form_is_refused_by_name(form: Any) -> None:
    with pytest.raises(InvalidEvents, match=r"canonicalform: .* is not the form 1"):
        from_wire({**WIRE, "canonicalform": form})


def test_an_export_of_a_later_program_is_refused_before_its_hashes_are_called_wrong(
    tmp_path: Path,
) -> None:
    with open_ledger(tmp_path / "a.db") as ledger, open_ledger(tmp_path / "b.db") as copy:
        ledger.append(sample_event(1))
        (line,) = export_lines(ledger)
        later = line.replace(b'{"data"', b'{"canonicalform":2,"data"')
        with pytest.raises(InvalidEvents, match="line 1: canonicalform") as caught:
            restore(copy, [later])
        assert "hash" not in str(caught.value)
