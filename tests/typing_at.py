"""A command line to type at, in a folder of its own."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from ledger import from_wire, open_ledger, to_wire
from runledger.cli import main
from tests.rules.histories import Story


class Typed(NamedTuple):
    """What came of a command."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one JSON object on stdout."""
        return json.loads(self.out)


Type = Callable[..., Typed]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, empty."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def type_(
    folder: Path, capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
) -> Type:
    """Type a command; ``stdin`` is what is piped in."""

    def run(*words: object, stdin: str | bytes | None = None) -> Typed:
        piped = stdin.encode() if isinstance(stdin, str) else stdin or b""
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(piped), encoding="utf-8"))
        capfdbinary.readouterr()
        try:
            code = main([str(word) for word in words])
        except SystemExit as left:
            code = int(left.code or 0)
        captured = capfdbinary.readouterr()
        return Typed(code, captured.out.decode(), captured.err.decode())

    return run


@pytest.fixture
def made(type_: Type) -> None:
    """A ledger in the current folder, with nothing in it."""
    assert type_("record").code == 0


def forge(*wires: dict[str, Any]) -> None:
    """Put events into the current folder's ledger that `record` would refuse."""
    with open_ledger("runledger.db") as ledger:
        ledger.append([from_wire(wire) for wire in wires])


def event(type: str, time: str, subject: str | None = None, **attributes: Any) -> dict[str, Any]:
    """An event as a program would write it; what is not an attribute is data."""
    known = ("id", "source", "runid", "step", "dataschemaversion", "specversion")
    found: dict[str, Any] = {"type": type, "source": "test", "time": time}
    if subject is not None:
        found["subject"] = subject
    found |= {key: attributes.pop(key) for key in known if key in attributes}
    return {**found, "data": attributes}


def ndjson(*events: dict[str, Any]) -> str:
    """Events, one a line."""
    return "".join(json.dumps(each) + "\n" for each in events)


def told(story: Story) -> str:
    """A story's events as NDJSON, without what the ledger sets."""
    wire = (to_wire(msgspec.structs.replace(each, sequence=0)) for each in story.events)
    return ndjson(*wire)
