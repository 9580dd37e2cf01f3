"""Pieces of SQL that the views of revision 0002 are made of.

A revision never changes: one that needs other pieces brings its own.
"""

from __future__ import annotations

import re

from migrations.dialects import Postgres, Words

# Corrected by `reclassify`: the older classification is kept, and no longer counts.
SUPERSEDED = (
    "e.id IN (SELECT causationid FROM events "
    "WHERE substr(source, 1, 11) = 'reclassify/' AND causationid IS NOT NULL)"
)

Columns = dict[str, str]

_INTEGER_NAMES = (
    "superseded number survivors seed_count nth trials as_of_sequence card_index processes probes "
    "probes_not_ok smu_errors gpu_faults job_failures last_trouble_us count first_us last_us runs "
    "completed_trials unique_survivors seeds_covered jobs_expected jobs_ok preflights "
    "trials_recorded jobs_finished jobs_failed events"
)
_REAL_NAMES = "value duration_s busy_pct vram_used_mib vram_total_mib temp_c sclk_mhz timeout_s"
_INTEGERS = frozenset(_INTEGER_NAMES.split())
_REALS = frozenset(_REAL_NAMES.split())


def select(columns: Columns, rest: str) -> str:
    """A SELECT of typed columns."""
    listed = ",\n  ".join(f"{_typed(name, column)} AS {name}" for name, column in columns.items())
    return f"SELECT\n  {listed}\n{rest}"


def _typed(name: str, expression: str) -> str:
    """The expression with its type declared: SQLite knows none of an expression's otherwise."""
    if re.fullmatch(r"[a-z]\.[a-z_]+", expression) and name not in _INTEGERS:
        return expression
    kind = "BIGINT" if name in _INTEGERS else "DOUBLE PRECISION" if name in _REALS else "TEXT"
    return f"CAST({expression} AS {kind})"


def event(w: Words) -> Columns:
    """Position and time of an event."""
    return {"sequence": "e.sequence", "time": w.time("e.time_us"), "time_us": "e.time_us"}


def place(w: Words) -> Columns:
    """Node and card of an event: those of its payload, else those of its subject."""
    of_node = "substr(e.subject, 1, 5) = 'node/' OR substr(e.subject, 1, 4) = 'gpu/'"
    node = f"CASE WHEN {of_node} THEN {w.part('e.subject', 1)} END"
    pci = f"CASE WHEN substr(e.subject, 1, 4) = 'gpu/' THEN {w.part('e.subject', 2)} END"
    return {
        "node": f"coalesce({w.text(w.doc, 'node')}, {node})",
        "pci": f"coalesce({w.text(w.doc, 'pci')}, {pci})",
    }


# The run an event belongs to: its `runid`, else the run that it is about.
RUN = (
    "coalesce(nullif(e.runid, ''), "
    "CASE WHEN substr(e.subject, 1, 4) = 'run/' THEN nullif(substr(e.subject, 5), '') END)"
)


def study(w: Words, doc: str, subject: str) -> str:
    """The study that a payload names, else the one that the event is about."""
    of_study = f"CASE WHEN substr({subject}, 1, 6) = 'study/' THEN substr({subject}, 7) END"
    return f"coalesce(nullif({w.text(doc, 'study')}, ''), nullif({of_study}, ''))"


def newest(w: Words, alias: str, when: str | None = None) -> str:
    """A text whose greatest value is that of the newest row, by (time, position)."""
    key = f"{alias}.time || {w.padded(f'{alias}.sequence')}"
    return f"max({key})" if when is None else f"max(CASE WHEN {when} THEN {key} END)"


def sequence_in(key: str) -> str:
    """The position in a key of `newest`."""
    return f"CAST(substr({key}, 28, 20) AS BIGINT)"


def nth_in(key: str) -> str:
    """The place in a list, in a key of `newest` that a padded place was added to."""
    return f"CAST(substr({key}, 48) AS BIGINT)"


def since(text: str) -> str:
    """A canonical time with the six fractional digits that sort."""
    return f"CASE WHEN length({text}) = 20 THEN substr({text}, 1, 19) || '.000000Z' ELSE {text} END"


def count(when: str) -> str:
    """How many rows of a group a condition holds for."""
    return f"count(CASE WHEN {when} THEN 1 END)"


def position(w: Words, text: str, mark: str) -> str:
    """SQL for how many characters stand before a mark (all, where there is none)."""
    name = "strpos" if isinstance(w, Postgres) else "instr"
    return f"{name}({text} || '{mark}', '{mark}') - 1"
