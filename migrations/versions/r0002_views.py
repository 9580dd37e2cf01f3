"""Views for analysts, the same on both databases: names, columns, types and values.

They are documented in ``docs/views.md``, and stable: a later revision may add a
view or a column at the end, and takes none away. Each is only a way of reading
``events``; none stores anything. Longer than most: one revision made them all.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from alembic import op

from migrations.causes import cause, last_part, spaced
from migrations.columns import (
    RUN,
    SUPERSEDED,
    Columns,
    count,
    event,
    newest,
    nth_in,
    place,
    position,
    select,
    sequence_in,
    since,
    study,
)
from migrations.dialects import Postgres, Sqlite, Words

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create the views."""
    words = Postgres() if op.get_bind().dialect.name == "postgresql" else Sqlite()
    for name, body in views(words).items():
        op.execute(f"CREATE VIEW {name} AS {body}")


def views(words: Words) -> dict[str, str]:
    """The statements behind the views, by name, in an order in which they can be made."""
    return {
        "v_events": _events(words),
        "v_trials": _trials(words),
        "v_decisions": _decisions(words),
        "v_findings": _findings(words),
        "v_gpu_probes": _gpu_probes(words),
        "v_gpu_health": gpu_health(words),
        "v_failures": failures(words),
        "v_runs": _runs(words),
    }


def _events(w: Words) -> str:
    columns = {
        "sequence": "e.sequence",
        "id": "e.id",
        "type": "e.type",
        **event(w),
        "source": "e.source",
        "subject": "e.subject",
        **place(w),
        "run": RUN,
        "step": "e.step",
        "correlationid": "e.correlationid",
        "causationid": "e.causationid",
        "superseded": f"CASE WHEN {SUPERSEDED} THEN 1 ELSE 0 END",
        "dataschemaversion": "e.dataschemaversion",
        "recorded": w.time("e.recorded_us"),
        "recorded_us": "e.recorded_us",
        "data": "e.data",
        "hash": "e.hash",
    }
    return select(columns, f"FROM events e {w.payload}")


def _trials(w: Words) -> str:
    columns = {
        **event(w),
        "event": "e.id",
        "run": RUN,
        "study": w.text(w.doc, "study"),
        "number": w.integer(w.doc, "number"),
        "state": w.text(w.doc, "state"),
        "value": w.first_number(w.doc, "values"),
        "objectives": w.json(w.doc, "values"),
        "params": w.json(w.doc, "params"),
        "duration_s": w.real(w.doc, "duration_s"),
        "survivors": w.integer(w.doc, "survivors"),
        "seed_count": w.integer(w.doc, "seed_count"),
        "node": w.text(w.doc, "node"),
        "pci": w.text(w.doc, "pci"),
    }
    return select(columns, f"FROM events e {w.payload} WHERE e.type = 'trial_completed'")


_DECIDED = "e.type IN ('preflight_decided', 'exclusions_decided', 'parameters_decided')"


def _decision(w: Words) -> Columns:
    return {
        "decision": "e.id",
        **event(w),
        "kind": w.text(w.doc, "kind"),
        "verdict": w.text(w.doc, "verdict"),
        "run": f"coalesce({w.text(w.doc, 'question', 'run')}, {RUN})",
        "step": f"coalesce({w.text(w.doc, 'question', 'step')}, e.step)",
    }


def _decisions(w: Words) -> str:
    columns = {
        **_decision(w),
        "study": w.text(w.doc, "question", "study"),
        "blocked_by": w.blocking_rules(w.doc),
        "rule": w.text(w.doc, "outcome", "rule"),
        "clause": w.text(w.doc, "outcome", "clause"),
        "trials": w.integer(w.doc, "outcome", "trials"),
        "seed_count": w.integer(w.doc, "outcome", "seed_count"),
        "as_of_sequence": w.integer(w.doc, "as_of", "sequence"),
        "policy": w.text(w.doc, "policy", "name"),
        "policy_digest": w.text(w.doc, "policy", "digest"),
        "fleet_digest": w.text(w.doc, "fleet", "digest"),
        "engine_version": w.text(w.doc, "engine", "version"),
        "rules_digest": w.text(w.doc, "engine", "rules"),
        "question": w.json(w.doc, "question"),
        "findings": w.json(w.doc, "findings"),
        "outcome": w.json(w.doc, "outcome"),
    }
    return select(columns, f"FROM events e {w.payload} WHERE {_DECIDED}")


def _findings(w: Words) -> str:
    columns = {
        **_decision(w),
        "nth": w.element_order,
        "severity": w.text(w.element, "severity"),
        "rule": w.text(w.element, "rule"),
        "subject": w.text(w.element, "subject"),
        "message": w.text(w.element, "message"),
        "remedy": w.text(w.element, "remedy"),
        "evidence": w.json(w.element, "evidence"),
    }
    rest = f"FROM events e {w.payload} {w.elements(w.doc, 'findings')} WHERE {_DECIDED}"
    return select(columns, rest)


def _gpu_probes(w: Words) -> str:
    card = w.element
    columns = {
        **event(w),
        "event": "e.id",
        "run": RUN,
        "node": w.text(w.doc, "node"),
        "pci": w.text(card, "pci"),
        "card_index": w.integer(card, "index"),
        "card_uid": w.text(card, "card_uid"),
        "model": w.text(card, "model"),
        "state": w.text(card, "state"),
        "busy_pct": w.real(card, "busy_pct"),
        "vram_used_mib": w.real(card, "vram_used_mib"),
        "vram_total_mib": w.real(card, "vram_total_mib"),
        "temp_c": w.real(card, "temp_c"),
        "sclk_mhz": w.real(card, "sclk_mhz"),
        "processes": w.integer(card, "processes"),
        "compute_mode": w.text(card, "compute_mode"),
        "method": w.text(w.doc, "method"),
        "nth": w.element_order,
    }
    rest = f"FROM events e {w.payload} {w.elements(w.doc, 'gpus')} WHERE e.type = 'gpu_probe'"
    return select(columns, rest)


class Naming(NamedTuple):
    """How a node is called in a view: ``node`` selects it, ``by`` groups by it.

    ``ctes`` and ``join`` are what these need, each ready to be put into a statement.
    """

    node: str = "v.node"
    by: str = "v.node"
    ctes: str = ""
    join: str = ""


_AS_TOLD = Naming()


def gpu_health(w: Words, naming: Naming = _AS_TOLD) -> str:
    """The body of ``v_gpu_health``."""
    # Long: one statement, which reads from top to bottom.
    trouble = "'smu_error', 'gpu_fault', 'job_failed_with_traceback'"
    card = w.element
    standing = select(
        {
            "node": w.text(card, "node"),
            "pci": w.text(card, "pci"),
            "state": w.text(card, "state"),
            "since": since(w.text(card, "since")),
            "reason": w.text(card, "reason"),
        },
        f"FROM events e {w.payload} {w.elements(w.doc, 'outcome', 'gpus')} "
        f"WHERE e.sequence = (SELECT {sequence_in('newest')} FROM judged)",
    )
    columns = {
        "node": "c.node",
        "pci": "c.pci",
        "card_index": "g.card_index",
        "card_uid": "g.card_uid",
        "model": "g.model",
        "state": "g.state",
        "probed": "g.time",
        "probed_us": "g.time_us",
        "temp_c": "g.temp_c",
        "vram_used_mib": "g.vram_used_mib",
        "vram_total_mib": "g.vram_total_mib",
        "probes": "coalesce(l.probes, 0)",
        "probes_not_ok": "coalesce(l.probes_not_ok, 0)",
        "smu_errors": "coalesce(t.smu_errors, 0)",
        "gpu_faults": "coalesce(t.gpu_faults, 0)",
        "job_failures": "coalesce(t.job_failures, 0)",
        "first_trouble": w.time("t.first_us"),
        "last_trouble": w.time("t.last_us"),
        "last_trouble_us": "t.last_us",
        "standing": "CASE WHEN s.state IS NOT NULL THEN s.state "
        "WHEN (SELECT newest FROM judged) IS NOT NULL THEN 'ok' END",
        "standing_since": "s.since",
        "standing_reason": "s.reason",
    }
    rest = """FROM cards c
LEFT JOIN looks l ON l.node = c.node AND l.pci = c.pci
LEFT JOIN v_gpu_probes g ON g.sequence = {seen} AND g.nth = {listed}
LEFT JOIN troubles t ON t.node = c.node AND t.pci = c.pci
LEFT JOIN standings s ON s.node = c.node AND s.pci = c.pci""".format(
        seen=sequence_in("l.newest"), listed=nth_in("l.newest")
    )
    node, by, ctes, join = naming
    return f"""WITH {ctes}looks AS (
  SELECT {node}, v.pci, count(*) AS probes, {count("v.state <> 'ok'")} AS probes_not_ok,
    max(v.time || {w.padded("v.sequence")} || {w.padded("v.nth")}) AS newest
  FROM v_gpu_probes v{join} GROUP BY {by}, v.pci
), troubles AS (
  SELECT {node}, v.pci, {count("v.type = 'smu_error'")} AS smu_errors,
    {count("v.type = 'gpu_fault'")} AS gpu_faults,
    {count("v.type = 'job_failed_with_traceback'")} AS job_failures,
    min(v.time_us) AS first_us, max(v.time_us) AS last_us
  FROM v_events v{join}
  WHERE v.type IN ({trouble}) AND v.node IS NOT NULL AND v.pci IS NOT NULL AND v.superseded = 0
  GROUP BY {by}, v.pci
), judged AS (
  SELECT {newest(w, "v")} AS newest FROM v_events v WHERE v.type = 'exclusions_decided'
), standings AS (
  {standing}
), cards AS (
  SELECT node, pci FROM looks UNION SELECT node, pci FROM troubles
  UNION SELECT node, pci FROM standings
)
{select(columns, rest)}"""


def failures(w: Words, cause: Callable[[str, str], str] = cause) -> str:
    """The body of ``v_failures``; ``cause`` makes SQL of a failure's words and exception."""
    # Long: one statement, which reads from top to bottom.
    kinds = (
        "CASE v.type WHEN 'smu_error' THEN 'smu_error' WHEN 'gpu_fault' THEN 'gpu_fault' "
        "ELSE 'job' END"
    )
    inner = select(
        {
            **event(w),
            "event": "e.id",
            "run": RUN,
            "type": "e.type",
            "fingerprint": f"coalesce({w.text(w.doc, 'fingerprint')}, "
            f"{w.text(w.doc, 'signature')}, {w.text(w.doc, 'fault')})",
            "exception": w.text(w.doc, "exception"),
            **place(w),
        },
        f"FROM events e {w.payload} "
        "WHERE e.type IN ('job_failed_with_traceback', 'smu_error', 'gpu_fault') "
        f"AND NOT ({SUPERSEDED})",
    )
    said = f"coalesce({w.text(w.doc, 'exception')} || ': ' || {w.text(w.doc, 'message')}, '')"
    last = w.last_line(w.text(w.doc, "traceback"))
    first_word = f"substr({last}, 1, {position(w, last, ':')})"
    newest_one = select(
        {
            "sequence": "e.sequence",
            "event": "e.id",
            "run": RUN,
            "message": f"coalesce({w.text(w.doc, 'message')}, {w.text(w.doc, 'raw')})",
            "exception": w.text(w.doc, "exception"),
            "said": spaced(f"substr({said}, 1, 4000)"),
            "ended": spaced(f"coalesce({last}, '')"),
            "ended_with": last_part(f"coalesce({first_word}, '')"),
        },
        f"FROM events e {w.payload}",
    )
    columns = {
        "kind": "CAST(g.kind AS TEXT)",
        "fingerprint": "g.fingerprint",
        "exception": "g.exception",
        "node": "g.node",
        "pci": "g.pci",
        "count": "g.count",
        "first_time": w.time("g.first_us"),
        "first_us": "g.first_us",
        "last_time": w.time("g.last_us"),
        "last_us": "g.last_us",
        "runs": "g.runs",
        "last_run": "n.run",
        "last_event": "n.event",
        "message": "n.message",
        "cause": "CASE g.kind WHEN 'smu_error' THEN 'smu' WHEN 'gpu_fault' THEN 'gpu' "
        f"ELSE coalesce({cause('n.said', last_part('n.exception'))}, "
        f"{cause('n.ended', 'n.ended_with')}, 'unknown') END",
    }
    return f"""WITH failed AS (
  {inner}
), grouped AS (
  SELECT {kinds} AS kind, v.fingerprint, v.exception, v.node, v.pci, count(*) AS count,
    min(v.time_us) AS first_us, max(v.time_us) AS last_us, count(DISTINCT v.run) AS runs,
    {newest(w, "v")} AS newest
  FROM failed v GROUP BY v.type, v.fingerprint, v.exception, v.node, v.pci
), newest AS (
  {newest_one}
)
{select(columns, f"FROM grouped g JOIN newest n ON n.sequence = {sequence_in('g.newest')}")}"""


def _runs(w: Words) -> str:
    started, counted = "'run_started'", "'survivors_counted'"
    scoped = f"coalesce({w.json('s.d', 'scope')}, {w.json('k.d', 'scope')})"
    columns = {
        "run": "g.run",
        "pipeline": w.text("s.d", "pipeline"),
        "study": f"coalesce({study(w, 's.d', 's.subject')}, {study(w, 'k.d', 'k.subject')})",
        "scope": scoped,
        "nodes": w.json("s.d", "nodes"),
        "trials": f"coalesce({w.integer('s.d', 'trials')}, {w.integer('k.d', 'trials')})",
        "seed_count": f"coalesce({w.integer('s.d', 'seed_count')}, "
        f"{w.integer('k.d', 'seed_count')})",
        "timeout_s": w.real("s.d", "timeout_s"),
        "started": w.time("s.time_us"),
        "started_us": "s.time_us",
        "finished": w.time("f.time_us"),
        "finished_us": "f.time_us",
        "outcome": w.text("f.d", "outcome"),
        "reason": w.text("f.d", "reason"),
        "duration_s": w.real("f.d", "duration_s"),
        "completed_trials": w.integer("k.d", "completed_trials"),
        "survivors": w.integer("k.d", "survivors"),
        "unique_survivors": w.integer("k.d", "unique_survivors"),
        "seeds_covered": w.integer("k.d", "seeds_covered"),
        "jobs_expected": w.integer("k.d", "jobs_expected"),
        "jobs_ok": w.integer("k.d", "jobs_ok"),
        "preflight": w.text("d.d", "verdict"),
        "preflights": "g.preflights",
        "trials_recorded": "g.trials_recorded",
        "jobs_finished": "g.jobs_finished",
        "jobs_failed": "g.jobs_failed",
        "events": "g.events",
    }
    document = "CAST(e.data AS json)" if isinstance(w, Postgres) else "e.data"
    joins = "\n".join(
        f"LEFT JOIN documents {alias} ON {alias}.sequence = {sequence_in(f'g.{key}')}"
        for alias, key in (("s", "start"), ("f", "finish"), ("k", "counting"), ("d", "judgement"))
    )
    return f"""WITH documents AS (
  SELECT e.sequence, e.time_us, e.subject, {document} AS d FROM events e
), marked AS (
  SELECT e.sequence, CAST({RUN} AS TEXT) AS run, e.type, {w.time("e.time_us")} AS time
  FROM events e WHERE {RUN} IS NOT NULL
), grouped AS (
  SELECT v.run, count(*) AS events,
    {newest(w, "v", f"v.type = {started}")} AS start,
    {newest(w, "v", "v.type = 'run_finished'")} AS finish,
    {newest(w, "v", f"v.type = {counted}")} AS counting,
    {newest(w, "v", "v.type = 'preflight_decided'")} AS judgement,
    {count("v.type = 'preflight_decided'")} AS preflights,
    {count("v.type = 'trial_completed'")} AS trials_recorded,
    {count("v.type = 'job_finished'")} AS jobs_finished,
    {count("v.type = 'job_failed_with_traceback'")} AS jobs_failed
  FROM marked v GROUP BY v.run
)
{select(columns, f"FROM grouped g{chr(10)}{joins}")}"""
