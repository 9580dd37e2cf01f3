"""Runs of other programs, rebuilt from what these wrote down: a decision log, files of results.

A map says where a record keeps what. What has no place is counted and named, never
guessed: a run without a whole count becomes a run whose outcome is unknown. Ids come
from the records, so that the same records again store nothing.
"""

from __future__ import annotations

import json
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from ledger import Event, InvalidEvents, Ledger, new_event
from ledger.canonical import canonical, digest
from ledger.input_files import open_lines, read_text
from ledger.payloads import Payload, RunFinished, RunStarted, StepFinished, SurvivorsCounted
from ledger.redaction import redacted
from rules.proposal import whole_number
from runledger.config.zones import parse_zone
from runledger.errors import BadInput, Missing
from runledger.intake.record_map import RecordMap, time_of, value_at
from runledger.studies.json_values import json_value

SOURCE = "import/records"
_IDS = uuid.UUID("5b0d4c3e-0f5e-5b67-9d0a-6a3c0a7d4b11")
_AT_ONCE = 5_000


class TakenIn(NamedTuple):
    """What became of the records; ``passed_over`` says where and why, ``unused`` which keys."""

    records: int
    runs: int
    counted: int
    stored: int
    duplicates: int
    passed_over: list[dict[str, str]]
    unused: dict[str, int]


class _Record(NamedTuple):
    where: str
    content: dict[str, Any]
    time_us: int
    run: str
    key: str


def lines_of(file: str | Path) -> Iterator[tuple[str, bytes | str]]:
    """Where it stands and the text of each line that says anything."""
    with open_lines(file) as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                yield f"{file}:{number}", line


def files_of(folder: str | Path) -> Iterator[tuple[str, bytes | str]]:
    """Name and text of each JSON file in a folder and below; raises `Missing` without any."""
    path = Path(folder)
    if not path.is_dir():
        raise Missing(f"{folder}: no such folder")
    files = sorted(each for each in path.rglob("*.json") if each.is_file())
    if not files:
        raise Missing(f"{folder}: no file in it ends in .json")
    for file in files:
        try:
            yield str(file), read_text(file)
        except UnicodeDecodeError:
            yield str(file), b"\xff"


def import_records(
    ledger: Ledger, texts: Iterable[tuple[str, bytes | str]], record_map: RecordMap
) -> TakenIn:
    """Store the runs that records tell of; ``texts`` are `lines_of` or `files_of`."""
    passed_over: list[dict[str, str]] = []
    unused: Counter[str] = Counter()
    records = list(_records(texts, record_map, passed_over))
    runs: dict[str, list[_Record]] = {}
    for record in records:
        runs.setdefault(record.run, []).append(record)
        unused.update(_unmapped(record.content, record_map))
    made = _Maker(record_map, passed_over)
    events = [event for name, own in runs.items() for event in made.events(name, own)]
    events.sort(key=lambda event: event.time_us)
    stored = duplicates = 0
    for start in range(0, len(events), _AT_ONCE):
        done = ledger.append_new(events[start : start + _AT_ONCE])
        stored, duplicates = stored + done.stored, duplicates + done.duplicates
    return TakenIn(
        records=len(records),
        runs=len(runs),
        counted=sum(event.type == "survivors_counted" for event in events),
        stored=stored,
        duplicates=duplicates,
        passed_over=passed_over,
        unused=dict(sorted(unused.items())),
    )


def _records(
    texts: Iterable[tuple[str, bytes | str]], record_map: RecordMap, passed_over: list[Any]
) -> Iterator[_Record]:
    zone = None if record_map.assume_tz is None else parse_zone(record_map.assume_tz)
    for where, text in texts:
        try:
            content = json.loads(text)
            if not isinstance(content, dict):
                raise BadInput("not an object")
            moment = value_at(content, record_map.fields.time)
            if moment is None:
                raise BadInput(f"no time at {record_map.fields.time!r}")
            time_us = time_of(moment, zone)
        except BadInput as error:
            if "assume_tz" in str(error):
                raise BadInput(f"{where}: {error}") from None
            passed_over.append({"where": where, "why": str(error)})
        except (ValueError, RecursionError):
            passed_over.append({"where": where, "why": "not JSON"})
        else:
            key = digest(canonical(json_value(content)))
            named = value_at(content, record_map.fields.run)
            run = f"imported-{key[:12]}" if named in (None, "") else _text(named)
            yield _Record(where, content, time_us, run, key)


def _unmapped(content: dict[str, Any], record_map: RecordMap) -> Iterator[str]:
    fields = (getattr(record_map.fields, name) for name in record_map.fields.__struct_fields__)
    used = {path for path in (*fields, *record_map.scope.values()) if path is not None}
    for key in content:
        if key not in used and not any(path.startswith(f"{key}.") for path in used):
            yield key


class _Maker:
    """Makes the events of one run after another."""

    def __init__(self, record_map: RecordMap, passed_over: list[dict[str, str]]) -> None:
        self._map, self._fields = record_map, record_map.fields
        self._passed_over = passed_over

    def events(self, run: str, records: list[_Record]) -> list[Event]:
        """When it began, its steps, what was counted, how it ended."""
        records = sorted(records, key=lambda record: record.time_us)
        made: list[Event | None] = [self._started(run, records)]
        for record in records:
            outcome = self._outcome(record)
            step = self._at(record, "step")
            if step is not None:
                payload = StepFinished(outcome=outcome, reason=self._reason(record))
                made.append(self._event(payload, record, run, f"{run} {record.key} step"))
            count = self._count(record)
            if count is not None:
                made.append(self._event(count, record, run, f"{run} {record.key} count"))
        last = next((each for each in reversed(records) if self._outcome(each)), None)
        if last is not None:
            outcome = self._outcome(last)
            finished = RunFinished(outcome=outcome, reason=self._reason(last))
            made.append(self._event(finished, last, run, f"{run} {last.key} finished", step=False))
        return [event for event in made if event is not None]

    def _at(self, record: _Record, name: str) -> Any:
        return value_at(record.content, getattr(self._fields, name))

    def _number(self, record: _Record, name: str) -> int | None:
        given = self._at(record, name)
        number = whole_number(given)
        if given is not None and (number is None or not 0 <= number < 2**53):
            self._pass_over(record, f"{name} {str(given)[:80]!r} is no whole number")
            return None
        return number

    def _first_number(self, records: list[_Record], name: str) -> int | None:
        numbers = (self._number(record, name) for record in records)
        return next((number for number in numbers if number is not None), None)

    def _started(self, run: str, records: list[_Record]) -> Event | None:
        first = records[0]
        scope = {
            key: json_value(value)
            for key, path in self._map.scope.items()
            if (value := value_at(first.content, path)) is not None
        }
        study, pipeline = self._at(first, "study"), self._at(first, "pipeline")
        ends = any(self._outcome(each) for each in records)
        payload = RunStarted(
            study=None if study in (None, "") else _text(study),
            pipeline=None if pipeline in (None, "") else _text(pipeline),
            scope=scope or None,
            # A run that nobody says the end of is over all the same.
            timeout_s=None if ends else 0,
            trials=self._first_number(records, "trials"),
            seed_count=self._first_number(records, "seed_count"),
        )
        began_us = first.time_us
        given = self._at(first, "started")
        if given is not None:
            zone = None if self._map.assume_tz is None else parse_zone(self._map.assume_tz)
            try:
                began_us = min(began_us, time_of(given, zone))
            except BadInput as error:
                self._pass_over(first, f"started: {error}")
        return self._event(payload, first, run, f"{run} started", at_us=began_us, step=False)

    def _count(self, record: _Record) -> SurvivorsCounted | None:
        """The record's count, where it is whole; part of one is no zero."""
        if self._fields.survivors is None or self._at(record, "survivors") is None:
            return None
        names = ("survivors", "completed_trials", "trials", "seed_count")
        found = {name: self._number(record, name) for name in names}
        lacking = [name for name, number in found.items() if number is None]
        if lacking:
            self._pass_over(record, f"survivors without {', '.join(lacking)}: not counted")
            return None
        study = self._at(record, "study")
        return SurvivorsCounted(
            study=None if study in (None, "") else _text(study),
            **found,  # type: ignore[arg-type]  # none is None
        )

    def _outcome(self, record: _Record) -> Any:
        given = self._at(record, "outcome")
        if given is None:
            return None
        text = str(given).lower() if isinstance(given, bool) else str(given)
        if text in self._map.outcomes:
            return self._map.outcomes[text]
        known = {"true": "succeeded", "false": "failed"}
        return known.get(text, text if text in ("succeeded", "failed", "aborted") else None)

    def _reason(self, record: _Record) -> str | None:
        given = self._at(record, "reason")
        return None if given is None else _text(given, 2_000)

    def _event(
        self,
        payload: Payload,
        record: _Record,
        run: str,
        key: str,
        *,
        at_us: int | None = None,
        step: bool = True,
    ) -> Event | None:
        named = self._at(record, "step") if step else None
        try:
            return redacted(
                new_event(
                    payload,
                    id=str(uuid.uuid5(_IDS, key)),
                    time_us=record.time_us if at_us is None else at_us,
                    source=SOURCE,
                    subject=f"run/{run}",
                    runid=run,
                    step=None if named is None else _text(named),
                )
            )
        except InvalidEvents as error:
            self._pass_over(record, str(error))
            return None

    def _pass_over(self, record: _Record, why: str) -> None:
        entry = {"where": record.where, "why": why}
        if entry not in self._passed_over[-20:]:
            self._passed_over.append(entry)


def _text(value: Any, most: int = 200) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return (value if isinstance(value, str) else canonical(json_value(value)).decode())[:most]
