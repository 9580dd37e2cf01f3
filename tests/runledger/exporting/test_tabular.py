"""CSV and Parquet: every event, filtered, whole or not at all."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from ledger import AlreadyThere, new_event, open_ledger, parse_filters
from ledger.payloads import SmuError
from ledger.testing import NIGHT_US, sample_events
from runledger.exporting.tabular import COLUMNS, safe_cell, write_csv, write_parquet
from tests.typing_at import Type


def _nothing(_: int) -> None:
    pass


def test_csv_holds_every_event_and_any_text(tmp_path: Path) -> None:
    raw = 'a "b", c\r\nd;\u2028é𝄞'
    odd = new_event(
        SmuError(node="n", signature="s", raw=raw), time_us=NIGHT_US, source="=1+1", id="odd"
    )
    out = io.BytesIO()
    with open_ledger(tmp_path / "l.db") as ledger:
        ledger.append([*sample_events(20), odd])
        stored = list(ledger.read())
        write_csv(ledger, (), out, _nothing)
    rows = list(csv.DictReader(io.StringIO(out.getvalue().decode(), newline="")))
    assert tuple(rows[0]) == COLUMNS
    assert [row["id"] for row in rows] == [event.id for event in stored]
    assert [row["hash"] for row in rows] == [event.hash for event in stored]
    assert rows[-1]["source"] == "'=1+1"  # a spreadsheet must not run it
    assert '\\"b\\"' in rows[-1]["data"]


def test_a_disk_that_is_full_closes_no_stream_of_the_caller(tmp_path: Path) -> None:
    with open_ledger(tmp_path / "l.db") as ledger, open("/dev/full", "wb", buffering=0) as full:
        ledger.append(sample_events(3))
        with pytest.raises(OSError, match="No space left"):
            write_csv(ledger, (), full, lambda _: None)
        assert not full.closed


def test_parquet_is_typed(tmp_path: Path) -> None:
    pq = pytest.importorskip("pyarrow.parquet", reason="needs pyarrow")
    with open_ledger(tmp_path / "l.db") as ledger:
        ledger.append(sample_events(50))
        stored = list(ledger.read())
        write_parquet(ledger, (), tmp_path / "e.parquet", _nothing)
        write_parquet(ledger, parse_filters(["node=zeus"]), tmp_path / "z.parquet", _nothing)
    table = pq.read_table(tmp_path / "e.parquet")
    assert tuple(table.column_names) == COLUMNS
    assert table["sequence"].to_pylist() == list(range(1, 51))
    assert str(table.schema.field("time").type) == "timestamp[us, tz=UTC]"
    assert table.schema.metadata[b"canonicalform"] == b"1"
    assert [int(each.timestamp() * 1e6 + 0.5) for each in table["time"].to_pylist()] == [
        event.time_us for event in stored
    ]
    assert pq.read_table(tmp_path / "z.parquet").num_rows == sum(
        event.subject == "node/zeus" for event in stored
    )


def test_nothing_is_overwritten_and_nothing_left_half_done(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="needs pyarrow")
    (tmp_path / "e.parquet").write_text("mine")

    def stop(_: int) -> None:
        raise KeyboardInterrupt

    with open_ledger(tmp_path / "l.db") as ledger:
        ledger.append(sample_events(10))
        with pytest.raises(AlreadyThere, match="exists already"):
            write_parquet(ledger, (), tmp_path / "e.parquet", _nothing)
        with pytest.raises(KeyboardInterrupt):
            write_parquet(ledger, (), tmp_path / "f.parquet", stop)
    assert (tmp_path / "e.parquet").read_text() == "mine"
    assert [each.name for each in tmp_path.iterdir() if "f.parquet" in each.name] == []


def test_numbers_are_not_made_safe() -> None:
    assert safe_cell(-1) == -1
    assert safe_cell("-1") == "'-1"
    assert safe_cell("rig") == "rig"


def test_as_typed(type_: Type, folder: Path) -> None:
    with open_ledger("runledger.db") as ledger:
        ledger.append(sample_events(12))
    assert type_("export", "--format", "csv").out.count("\r\n") == 13
    assert type_("export", "--format", "parquet").code == 2
    assert type_("export", "--format", "parquet", "--output", "x.parquet").code == 0
    assert (folder / "x.parquet").stat().st_size > 0
    assert type_("export", "--format", "csv", "--output", "x.csv").code == 0
    assert type_("export", "--format", "csv", "--output", "x.csv").code == 5
    assert type_("export", "--output", "none/x.ndjson").code == 3
    assert type_("export", "--format", "xml").code == 2


@pytest.mark.parametrize(
    "command",
    [
        ("events",),
        ("events", "--json"),
        ("decisions",),
        ("export",),
        ("export", "--format", "csv"),
        ("export", "--format", "parquet", "--output", "none.parquet"),
    ],
)
def test_a_filter_that_matches_nothing_is_said(
    type_: Type, folder: Path, command: tuple[str, ...]
) -> None:
    with open_ledger("runledger.db") as ledger:
        ledger.append(sample_events(3))
    done = type_(*command, "--where", "type=smu_eror", "--where", "seq=99")
    assert (done.code, done.err) == (0, "note: nothing matches type=smu_eror or seq=99\n")
