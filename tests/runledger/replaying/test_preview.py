"""`upgrade --preview`: what today's rules judge otherwise, told before anything changes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

import runledger
from ledger import open_ledger
from ledger.payloads import DecisionPayload
from runledger.replaying.preview import preview
from tests.rules.histories import H, Story
from tests.typing_at import Type


@pytest.fixture
def decided(folder: Path) -> Path:
    """A card with two incidents, and decisions on it by today's rules."""
    story = Story().healthy().error(-30 * H).error(-20 * H).healthy()
    path = folder / "runledger.db"
    with runledger.open(path, create=True) as fleet:
        fleet.record([msgspec.structs.replace(each, sequence=0) for each in story.events])
        fleet.exclusions(at="2026-01-24T12:10:00Z")
        fleet.preflight("3", at="2026-01-24T12:10:00Z")
    return path


def _judged_otherwise(path: Path, kind: str, change: Any) -> None:
    """Append the newest decision of a kind again, as rules of another time would have made it."""
    with open_ledger(path) as ledger:
        *_, event = ledger.read(types=[f"{kind}_decided"])
        assert isinstance(event.data, DecisionPayload)
        id = f"{event.id}-old"
        data = msgspec.structs.replace(change(event.data), decision=id)
        ledger.append(
            msgspec.structs.replace(event, id=id, data=data, time_us=event.time_us + 1, kept=None)
        )


def test_what_is_judged_alike_is_not_told(decided: Path, type_: Type) -> None:
    with open_ledger(decided) as ledger:
        assert preview(ledger) == (2, [], [], [], {})
    assert "0 things judged otherwise" in type_("upgrade", "--preview").out


def test_cards_and_steps_that_are_judged_otherwise_are_named(decided: Path, type_: Type) -> None:
    _judged_otherwise(
        decided, "exclusions", lambda data: msgspec.structs.replace(data, outcome={"gpus": []})
    )
    _judged_otherwise(
        decided, "preflight", lambda data: msgspec.structs.replace(data, verdict="go", findings=())
    )
    before = decided.read_bytes()
    shown = type_("upgrade", "--preview", "--json").json
    assert decided.read_bytes() == before
    (card,) = shown["cards"]
    assert card["subject"].startswith("gpu/rig/")
    assert (card["before"], card["after"] != "ok") == ("ok", True)
    (step,) = shown["steps"]
    assert (step["subject"], step["before"]) == ("3", "go")
    assert "nothing was changed" in type_("upgrade", "--preview").out
