"""Event types: all documented by their fields, upgraded on read, never rewritten."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ledger import InvalidEvents, export_lines, from_wire, open_ledger, restore, verify
from ledger.payloads import Payload
from ledger.registry import PAYLOAD_TYPES, register, unregister


class Lamp(Payload, frozen=True, kw_only=True):
    event_type = "test_lamp"

    on: bool


class Lamp2(Payload, frozen=True, kw_only=True):
    event_type = "test_lamp"
    version = 2

    state: str


class Lamp3(Payload, frozen=True, kw_only=True):
    event_type = "test_lamp"
    version = 3

    state: str
    watts: int = 0


def _to_state(data: dict[str, Any]) -> dict[str, Any]:
    return {"state": "on" if data["on"] else "off"}


def _to_watts(data: dict[str, Any]) -> dict[str, Any]:
    return {**data, "watts": 60 if data["state"] == "on" else 0}


def wire(**data: Any) -> dict[str, Any]:
    return {"type": "test_lamp", "source": "t", "subject": "fleet",
            "time": "2026-01-24T12:00:00Z", "data": data}  # fmt: skip


@pytest.fixture
def lamp() -> Iterator[None]:
    register(Lamp)
    yield
    for cls in (Lamp, Lamp2, Lamp3):
        if PAYLOAD_TYPES.get("test_lamp") is cls:
            unregister(cls)


@pytest.mark.usefixtures("lamp")
def test_old_payloads_are_upgraded_on_read_and_stay_as_they_were_stored(tmp_path: Path) -> None:
    with open_ledger(tmp_path / "a.db") as ledger:
        ledger.append([from_wire(wire(on=True)), from_wire(wire(on=False))])
        before = list(export_lines(ledger))
        unregister(Lamp)
        register(Lamp3, {1: _to_state, 2: _to_watts})
        assert [event.data for event in ledger.read()] == [
            Lamp3(state="on", watts=60),
            Lamp3(state="off"),
        ]
        assert list(export_lines(ledger)) == before
        assert verify(ledger).ok
        with open_ledger(tmp_path / "b.db") as copy:
            assert restore(copy, before).head == ledger.head()
        stored = json.loads(before[0])
        assert stored["dataschemaversion"] == 1
        assert stored["data"] == {"on": True}


@pytest.mark.usefixtures("lamp")
def test_a_version_that_is_not_known_is_refused() -> None:
    with pytest.raises(InvalidEvents, match="dataschemaversion"):
        from_wire({**wire(on=True), "dataschemaversion": 2})


@pytest.mark.usefixtures("lamp")
def test_a_type_must_say_how_each_older_version_becomes_current() -> None:
    unregister(Lamp)
    with pytest.raises(ValueError, match="no upcast from version 2"):
        register(Lamp3, {1: _to_state})
    register(Lamp)


@pytest.mark.usefixtures("lamp")
def test_an_upcast_from_no_older_version_is_refused() -> None:
    unregister(Lamp)
    for version in (0, 2):
        with pytest.raises(ValueError, match=f"from version {version}, which is no older one"):
            register(Lamp2, {1: _to_state, version: _to_watts})
    register(Lamp)


def test_a_type_of_our_own_that_was_raised_without_an_upcast_stops_the_import() -> None:
    script = (
        "import importlib; from ledger import payloads, registry; "
        "payloads.JobFinished.version = 2; importlib.reload(registry)"
    )
    done = subprocess.run([sys.executable, "-c", script], stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1
    assert done.stderr.endswith("ValueError: job_finished: no upcast from version 1\n")


@pytest.mark.usefixtures("lamp")
def test_a_name_is_taken_once() -> None:
    with pytest.raises(ValueError, match="exists already"):
        register(Lamp2, {1: _to_state})


@pytest.mark.parametrize("name", sorted(PAYLOAD_TYPES))
def test_every_type_says_what_it_is(name: str) -> None:
    cls = PAYLOAD_TYPES[name]
    assert cls.__doc__
    assert cls.event_type == name
    assert cls.version >= 1
