"""No secret gets from a job into the ledger or its spool, by whatever way, nor holds it up."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from collectors.jobs import Guard, Job, Reporter, describe
from collectors.recorder import Recorder
from collectors.spool import Spool
from ledger import Event, Unavailable, open_ledger, to_wire

S = "s3cr3t" + "V4lue"


def test_a_job_named_after_a_secret_is_stored_without_it(tmp_path: Path) -> None:
    with open_ledger(tmp_path / "ledger.db") as ledger:
        recorder = Recorder(ledger.append, Spool(tmp_path / "spool"))
        with Guard(Reporter(recorder, Job(name=f"token={S}", source="x", run=f"token={S}"))):
            pass
        (event,) = ledger.read()
    assert S not in str(to_wire(event))
    assert to_wire(event)["data"]["job"] == "token=<redacted>"
    assert to_wire(event)["subject"] == "run/token=<redacted>"


def test_nothing_secret_waits_in_the_spool(tmp_path: Path) -> None:
    def away(events: Sequence[Event]) -> None:
        raise Unavailable("away")

    recorder = Recorder(away, Spool(tmp_path / "spool"))
    with Guard(Reporter(recorder, Job(name=f"wandb login {S}", source="x"))):
        pass
    (batch,) = (tmp_path / "spool").glob("*.ndjson")
    assert S not in batch.read_text(encoding="utf-8")


def test_a_value_of_the_environment_is_taken_out_of_a_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "plain-looking")
    with open_ledger(tmp_path / "ledger.db") as ledger:
        recorder = Recorder(ledger.append, Spool(tmp_path / "spool"))
        with Guard(Reporter(recorder, Job(name="push plain-looking", source="x"))):
            pass
        (event,) = ledger.read()
    assert to_wire(event)["data"]["job"] == "push <redacted>"


def test_a_long_message_without_blanks_is_described_at_once() -> None:
    began = time.process_time()
    described = describe("RuntimeError", "a" * 1024 * 1024, "b" * 1024 * 1024)
    assert time.process_time() - began < 2
    assert "characters left out" in described.message
