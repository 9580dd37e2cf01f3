"""A ledger changed behind its back, in every way we know, and found by the right check.

Each tamper is made on a copy of one ledger, with the guards out of the way and
put back where whoever tampers would. What finds it is told in a word: rows by
`verify`, rewrites by seals, tails and old copies by witnesses, tables and
guards by the schema, checkpoints by their key.
"""

from __future__ import annotations

import random
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from pysqlite3 import dbapi2

from ledger import (
    Event,
    Ledger,
    export_lines,
    new_event,
    open_ledger,
    restore,
    schema_differences,
    verify,
)
from ledger.canonical import GENESIS
from ledger.chain import chained, wire_line
from ledger.payloads import SmuError
from ledger.rows import Row, StoredCheckpoint, to_row
from rules.fleet import Fleet
from rules.fold import Fold
from rules.policy import default_policy
from runledger.config.settings import ProbeSettings
from runledger.deciding.checkpoints import Checkpoint, checked_checkpoints, save_checkpoint
from runledger.probing import ask_witnesses, witness_files
from runledger.probing.witness_heads import shown_now
from runledger.sealing.seals import check_seals, seal
from tests.torture.report import Report

TIME_US = 1_769_277_731_000_000
_PLACE = "the torture's ledger"
_EVENTS, _SEAL_EVERY = 60, 20


class Scene(NamedTuple):
    """A ledger with seals, witnesses and a checkpoint, and what whoever keeps it knows of it."""

    folder: Path
    allowed: Path
    stranger: Path
    witness: Path
    newest_seal: Any
    fold: str

    @property
    def ledger(self) -> Path:
        """The ledger that is copied."""
        return self.folder / "ledger.db"


Rows = list[Row]


class Tamper(NamedTuple):
    """What is done to a copy, by whom it must be found, and a word of what they say."""

    found_by: str
    word: str
    act: Callable[[Path, random.Random, Scene], None]


def make_scene(folder: Path) -> Scene:
    """One ledger for all tampers."""
    keys = [folder / name for name in ("signer", "stranger")]
    for key in keys:
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", key.name, "-f", str(key)]
        subprocess.run(command, check=True, timeout=60)
    allowed = folder / "allowed_signers"
    allowed.write_text(f"signer@fleet {Path(f'{keys[0]}.pub').read_text()}")
    witness = folder / "witness"
    fold = Fold(default_policy(), Fleet()).key
    newest_seal = None
    with open_ledger(folder / "ledger.db", clock=lambda: TIME_US) as ledger:
        for number in range(1, _EVENTS + 1):
            ledger.append(_event(number))
            if number % _SEAL_EVERY == 0 and number < _EVENTS:
                newest_seal = ledger.head()
                seal(ledger, keys[0], now_us=TIME_US + number)
            shown = shown_now(ledger, _PLACE, TIME_US + number)
            assert shown.remember is not None
            witness_files.remember(witness, shown.remember)
        checkpoint = Checkpoint(_EVENTS // 2, TIME_US + _EVENTS, TIME_US + _EVENTS // 2, "{}")
        save_checkpoint(ledger, fold, checkpoint, keep=())
        assert len(checked_checkpoints(ledger, fold)[0]) == 1
    return Scene(folder, allowed, keys[1], witness, newest_seal, fold)


def _event(number: int, raw: str = "") -> Event:
    payload = SmuError(
        node="rig-6600", pci="0000:22:00.0", signature="response_ff", raw=raw or f"line {number}"
    )
    return new_event(payload, time_us=TIME_US + number, source="torture", id=f"event-{number}")


# -- finding -------------------------------------------------------------------


def found_by(path: Path, scene: Scene) -> dict[str, str]:
    """What each check says of a copy; empty where it has nothing to say."""
    with open_ledger(path, create=False) as ledger:
        rows = verify(ledger)
        said = {"rows": rows.reason, "schema": "; ".join(schema_differences(ledger))}
        if rows.ok:
            said["seals"] = check_seals(ledger, scene.allowed).trouble(scene.newest_seal)
            said["witnesses"] = _witnesses(ledger, scene)
            changed = checked_checkpoints(ledger, scene.fold)[1]
            said["checkpoints"] = f"{changed} changed" if changed else ""
    return {check: words for check, words in said.items() if words}


def _witnesses(ledger: Ledger, scene: Scene) -> str:
    shown = shown_now(ledger, _PLACE, TIME_US + _EVENTS)
    (said,) = ask_witnesses(
        ledger, shown, (), (scene.witness,), settings=ProbeSettings(), folder=scene.folder
    )
    assert not said.problem
    return f"position {said.not_held[-1].sequence} is not held" if said.not_held else ""


# -- rows ------------------------------------------------------------------------


@contextmanager
def _unguarded(path: Path) -> Iterator[Any]:
    """A connection without the guards, which are there again afterwards, as they were."""
    with closing(dbapi2.connect(path, isolation_level=None)) as connection:
        query = "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'"
        guards = connection.execute(query).fetchall()
        for name, _ in guards:
            connection.execute(f"DROP TRIGGER {name}")
        yield connection
        for _, sql in guards:
            connection.execute(sql)


def _set(column: str, value: Callable[[Any, random.Random], Any]) -> Tamper:
    def act(path: Path, chance: random.Random, scene: Scene) -> None:
        at = chance.randint(1, _EVENTS)
        with _unguarded(path) as connection:
            select = f"SELECT {column} FROM events WHERE sequence = ?"
            ((before,),) = connection.execute(select, (at,))
            update = f"UPDATE events SET {column} = ? WHERE sequence = ?"
            connection.execute(update, (value(before, chance), at))

    word = "does not follow" if column == "prevhash" else "was changed after it was stored"
    return Tamper("rows", word, act)


def _rows_sql(word: str, sql: str) -> Tamper:
    """Statements on a random row in the middle, ``:at``."""

    def act(path: Path, chance: random.Random, scene: Scene) -> None:
        at = chance.randint(2, _EVENTS - 2)
        with _unguarded(path) as connection:
            for statement in sql.split(";"):
                connection.execute(statement, {"at": at} if ":at" in statement else {})

    return Tamper("rows", word, act)


_COPIED = ", ".join(name for name in Row._fields if name not in ("sequence", "id"))


def _text(before: str | None, chance: random.Random) -> str:
    return f"{before or ''}{chance.choice('abcxyz ')}"


def _digit(before: str, chance: random.Random) -> str:
    at = chance.randrange(len(before))
    return before[:at] + ("0" if before[at] != "0" else "1") + before[at + 1 :]


ROWS = {
    "data": _set("data", lambda before, chance: before.replace("rig-6600", "rig-6601")
                 if "rig-6600" in before else before.replace("sha", "sHa") + " "),
    "type": _set("type", _text),
    "source": _set("source", _text),
    "subject": _set("subject", _text),
    "id": _set("id", _text),
    "time": _set("time_us", lambda before, chance: before + chance.choice([-1, 1, 3_600_000_000])),
    "recorded": _set("recorded_us", lambda before, chance: before - chance.randint(1, 10**9)),
    "version": _set("dataschemaversion", lambda before, chance: before + 1),
    "run": _set("runid", _text),
    "step": _set("step", _text),
    "correlation": _set("correlationid", _text),
    "causation": _set("causationid", _text),
    "hash": _set("hash", _digit),
    "prevhash": _set("prevhash", _digit),
    "torn text": _rows_sql(
        "cannot be read", "UPDATE events SET data = CAST(x'7bff' AS TEXT) WHERE sequence = :at"
    ),
    "row taken out": _rows_sql("is missing", "DELETE FROM events WHERE sequence = :at"),
    "first rows taken out": _rows_sql("is missing", "DELETE FROM events WHERE sequence < :at"),
    "row before the first": _rows_sql(
        "is not the first", "UPDATE events SET sequence = -sequence WHERE sequence = :at"
    ),
    "rows swapped": _rows_sql(
        "does not follow",
        "UPDATE events SET sequence = -1 WHERE sequence = :at;"
        "UPDATE events SET sequence = :at WHERE sequence = :at + 1;"
        "UPDATE events SET sequence = :at + 1 WHERE sequence = -1",
    ),
    "row copied to the end": _rows_sql(
        "does not follow",
        f"INSERT INTO events (sequence, id, {_COPIED}) SELECT (SELECT max(sequence) + 1 "
        f"FROM events), 'copied', {_COPIED} FROM events WHERE sequence = :at",
    ),
}  # fmt: skip

# -- rewrites --------------------------------------------------------------------


def _rewrite(word: str, change: Callable[[Rows, random.Random, Scene], Rows],
             found_by: str = "seals") -> Tamper:  # fmt: skip
    """Rows changed at will and chained anew, as whoever owns the database can."""

    def act(path: Path, chance: random.Random, scene: Scene) -> None:
        with open_ledger(path, create=False) as ledger:
            rows = [to_row(event) for event in ledger.read()]
        lines, prevhash = [], GENESIS
        for at, row in enumerate(change(rows, chance, scene), 1):
            again = chained(row, at, row.recorded_us, prevhash)
            prevhash = again.hash
            lines.append(wire_line(again) + b"\n")
        _put(path, lines)

    return Tamper(found_by, word, act)


def _put(path: Path, lines: list[bytes]) -> None:
    for each in (path, Path(f"{path}-wal"), Path(f"{path}-shm")):
        each.unlink(missing_ok=True)
    with open_ledger(path) as ledger:
        restore(ledger, lines)


def _spoil(row: Row) -> Row:
    return row._replace(data=row.data.replace("response_ff", "no_response"))


def _before_the_seal(chance: random.Random) -> int:
    """The index of an event that the newest seal covers, and that is no seal itself."""
    return chance.choice([at for at in range(1, 2 * _SEAL_EVERY) if at != _SEAL_EVERY])


def _change_one(rows: Rows, chance: random.Random, scene: Scene) -> Rows:
    at = _before_the_seal(chance)
    return [*rows[:at], _spoil(rows[at]), *rows[at + 1 :]]


def _take_one(rows: Rows, chance: random.Random, scene: Scene) -> Rows:
    at = _before_the_seal(chance)
    return [*rows[:at], *rows[at + 1 :]]


def _slip_one_in(rows: Rows, chance: random.Random, scene: Scene) -> Rows:
    at = _before_the_seal(chance)
    return [*rows[:at], rows[at]._replace(id="slipped in"), *rows[at:]]


def _swap(rows: Rows, chance: random.Random, scene: Scene) -> Rows:
    at = chance.randrange(1, _SEAL_EVERY - 2)
    return [*rows[:at], rows[at + 1], rows[at], *rows[at + 2 :]]


def _without_seals(rows: Rows, chance: random.Random, scene: Scene) -> Rows:
    return [row for row in _change_one(rows, chance, scene) if row.type != "head_sealed"]


def _without_the_newest_seal(rows: Rows, chance: random.Random, scene: Scene) -> Rows:
    newest = max(at for at, row in enumerate(rows) if row.type == "head_sealed")
    return [*rows[:newest], *rows[newest + 1 :]]


def _sealed_by_a_stranger(path: Path, chance: random.Random, scene: Scene) -> None:
    _rewrite("", _without_seals).act(path, chance, scene)
    with open_ledger(path, create=False) as ledger:
        seal(ledger, scene.stranger, now_us=TIME_US)


def _signature_spoilt(rows: Rows, chance: random.Random, scene: Scene) -> Rows:
    newest = max(at for at, row in enumerate(rows) if row.type == "head_sealed")
    data = rows[newest].data
    at = data.index("-----END") - chance.randint(20, 60)
    other = "A" if data[at] != "A" else "B"
    while not data[at].isalnum() or data[at - 1] == "\\":
        at -= 1
    spoilt = rows[newest]._replace(data=data[:at] + other + data[at + 1 :])
    return [*rows[:newest], spoilt, *rows[newest + 1 :]]


REWRITES = {
    "changed and chained anew": _rewrite("was sealed with another hash", _change_one),
    "taken out and chained anew": _rewrite("was sealed with another hash", _take_one),
    "slipped in and chained anew": _rewrite("was sealed with another hash", _slip_one_in),
    "swapped and chained anew": _rewrite("was sealed with another hash", _swap),
    "rewritten without seals": _rewrite("no seal of an allowed signer", _without_seals),
    "sealed by a stranger": Tamper("seals", "no seal of an allowed signer", _sealed_by_a_stranger),
    "newest seal taken out": _rewrite("no good seal of", _without_the_newest_seal),
    "newest signature spoilt": _rewrite("no good seal of", _signature_spoilt),
}

# -- tails and copies --------------------------------------------------------------


def _cut(path: Path, chance: random.Random, scene: Scene) -> None:
    with _unguarded(path) as connection:
        keep = _EVENTS - chance.randint(1, 10)
        connection.execute("DELETE FROM events WHERE sequence > ?", (keep,))


def _old_copy(path: Path, chance: random.Random, scene: Scene) -> None:
    with open_ledger(scene.ledger, create=False, readonly=True) as ledger:
        lines = list(export_lines(ledger))
    _put(path, lines[: len(lines) - chance.randint(1, 10)])


def _cut_and_gone_on(path: Path, chance: random.Random, scene: Scene) -> None:
    _cut(path, chance, scene)
    with open_ledger(path, create=False) as ledger:
        ledger.append([_event(number, "another") for number in range(500, 520)])


def _another(path: Path, chance: random.Random, scene: Scene) -> None:
    _put(path, [])
    with open_ledger(path) as ledger:
        ledger.append([_event(number) for number in range(1000, 1000 + chance.randint(1, 90))])


def _late_change(rows: Rows, chance: random.Random, scene: Scene) -> Rows:
    at = len(rows) - chance.randint(1, 15)
    return [*rows[:at], _spoil(rows[at]), *rows[at + 1 :]]


COPIES = {
    "tail cut off": Tamper("witnesses", "is not held", _cut),
    "older copy put back": Tamper("witnesses", "is not held", _old_copy),
    "tail cut off and gone on from": Tamper("witnesses", "is not held", _cut_and_gone_on),
    "another ledger in its place": Tamper("witnesses", "is not held", _another),
    "rewritten after the newest seal": _rewrite("is not held", _late_change, "witnesses"),
}

# -- the schema --------------------------------------------------------------------


def _schema(word: str, *scripts: str) -> Tamper:
    def act(path: Path, chance: random.Random, scene: Scene) -> None:
        with closing(dbapi2.connect(path, isolation_level=None)) as connection:
            connection.executescript(chance.choice(scripts))

    return Tamper("schema", word, act)


_NO_DELETE = "CREATE TRIGGER events_no_delete BEFORE DELETE ON events"
SCHEMA = {
    "guard taken away": _schema(
        "is missing",
        *(f"DROP TRIGGER events_{name}" for name in ("no_delete", "no_update", "next_only")),
    ),
    "guard that does nothing": _schema(
        "trigger events_no_delete was changed",
        f"DROP TRIGGER events_no_delete; {_NO_DELETE} BEGIN SELECT 1; END",
        f"DROP TRIGGER events_no_delete; {_NO_DELETE} WHEN 0 BEGIN "
        "SELECT RAISE(ABORT, 'events is append-only: DELETE refused'); END",
    ),
    "trigger that swallows": _schema(
        "trigger swallow is not the ledger's",
        "CREATE TRIGGER swallow BEFORE INSERT ON events BEGIN SELECT RAISE(IGNORE); END",
        "CREATE TRIGGER swallow BEFORE INSERT ON events WHEN NEW.type = 'smu_error' "
        "BEGIN SELECT RAISE(IGNORE); END",
    ),
    "view that shows nothing": _schema(
        "was changed",
        *(f"DROP VIEW {view}; CREATE VIEW {view} AS SELECT 1 WHERE 0"
          for view in ("v_runs", "v_trials", "v_failures")),
    ),
    "view taken away": _schema("view v_decisions is missing", "DROP VIEW v_decisions"),
    "view of someone else's": _schema("is not the ledger's", "CREATE VIEW other AS SELECT 1"),
    "index taken away": _schema(
        "is missing", "DROP INDEX events_by_time", "DROP INDEX events_by_run"
    ),
    "index of a part": _schema(
        "index events_by_time was changed",
        "DROP INDEX events_by_time; CREATE INDEX events_by_time ON events (time_us, sequence) "
        "WHERE sequence % 2 = 0",
    ),
    "column added": _schema("table events was changed", "ALTER TABLE events ADD COLUMN more TEXT"),
}  # fmt: skip

# -- checkpoints -------------------------------------------------------------------


def _checkpoint(**changed: Callable[[Any, random.Random], Any]) -> Tamper:
    def act(path: Path, chance: random.Random, scene: Scene) -> None:
        with closing(dbapi2.connect(path, isolation_level=None)) as connection:
            columns = ", ".join(StoredCheckpoint._fields)
            row = StoredCheckpoint(
                *connection.execute(f"SELECT {columns} FROM checkpoints").fetchone()
            )
            for name, change in changed.items():
                value = change(getattr(row, name), chance)
                connection.execute(f"UPDATE checkpoints SET {name} = ?", (value,))

    return Tamper("checkpoints", "1 changed", act)


CHECKPOINTS = {
    "checkpoint's state forged": _checkpoint(state=lambda before, chance: '{"nodes": {}}'),
    "checkpoint's digest forged": _checkpoint(digest=_digit),
    "checkpoint moved": _checkpoint(
        sequence=lambda before, chance: chance.randint(1, _EVENTS // 2 - 1)
    ),
    "checkpoint of another time": _checkpoint(
        at_us=lambda before, chance: before + chance.randint(1, 10**9)
    ),
}

TAMPERS: dict[str, Tamper] = {**ROWS, **REWRITES, **COPIES, **SCHEMA, **CHECKPOINTS}


def run(
    folder: Path, *, tampers: int, seed: int, progress: Callable[[int], None] = lambda _: None
) -> Report:
    """So many tampers, of all kinds in turn, each at a random place of a copy."""
    report = Report("tampers")
    scene = make_scene(folder)
    untouched = found_by(_copy(scene, folder / "copy.db"), scene)
    if untouched:
        report.found.append(f"false alarm: {untouched}")
    chance = random.Random(seed)  # no secret: it must be the same again
    kinds = list(TAMPERS)
    report.counts["kinds"] = len(kinds)
    for number in range(tampers):
        kind = kinds[number % len(kinds)]
        tamper = TAMPERS[kind]
        path = _copy(scene, folder / "copy.db")
        tamper.act(path, chance, scene)
        said = found_by(path, scene)
        if tamper.word not in said.get(tamper.found_by, ""):
            report.found.append(f"{kind}, number {number}: {tamper.found_by} says {said}")
        report.counts[f"found by {tamper.found_by}"] += 1
        progress(number + 1)
    return report


def _copy(scene: Scene, path: Path) -> Path:
    for suffix in ("", "-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)
    shutil.copyfile(scene.ledger, path)
    return path
