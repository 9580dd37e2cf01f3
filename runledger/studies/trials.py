"""Finished Optuna trials as `trial_completed` events.

Pure: a `FrozenTrial` goes in, an event comes out. A trial still RUNNING or
WAITING is refused: it is no fact yet.

A trial's id is made of the study's name and the trial as it finished: number,
state, params, values, and how long it took. None of these depends on the
storage, nor on the zone its naive times are read in, so callback and importer
agree, and a storage that was copied holds the same trials as before. The
number alone would not do: another study of the same name, begun afresh in
another file, is not the same study, and its trials must not pass for known.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from numbers import Real
from typing import TYPE_CHECKING, Any

from collectors.kernel_log.events import derived_id
from ledger.canonical import canonical
from ledger.event import Event, new_event
from ledger.identifiers import normalize_pci
from ledger.payloads import TrialCompleted
from ledger.text.characters import printable
from ledger.text.secrets import redact, redact_value
from ledger.times import from_datetime
from runledger.studies.json_values import MAX_COUNT, json_key, json_number, json_value

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

SOURCE = "collector/optuna"
"""The source of all trials, however they arrived: the same trial is the same event."""

_MAX_NAME_BYTES = 900


def is_finished(trial: FrozenTrial) -> bool:
    """Whether a trial will never change again."""
    return trial.state.name in ("COMPLETE", "PRUNED", "FAIL")


def begun_since(trial: FrozenTrial, since_us: int) -> bool:
    """Whether a trial of this process's zone began then or later.

    In the hour that clocks are put back over, its time is read as the later of
    the two it may be: whoever asks is looking for what has just begun.
    """
    start = trial.datetime_start
    return start is not None and from_datetime(_aware(start.replace(fold=1), None)) >= since_us


def died_since(trial: FrozenTrial, since_us: int) -> bool:
    """Whether a trial was found to have failed then or later, whenever it began.

    A program that dies leaves its trial running; by heartbeats another program
    finds it dead, which is when it ends.
    """
    end = trial.datetime_complete
    if trial.state.name != "FAIL" or end is None:
        return False
    return from_datetime(_aware(end.replace(fold=1), None)) >= since_us


def trial_event(
    trial: FrozenTrial,
    *,
    study: str,
    zone: tzinfo | None,
    study_attrs: Mapping[str, Any] | None = None,
    runid: str | None = None,
    step: str | None = None,
) -> Event:
    """The event of a finished trial of ``study``.

    Optuna's times are naive: ``zone`` is the one they were written in, None for
    this process's own. ``survivors``, ``seed_count``, ``node`` and ``pci`` are
    the trial's user attributes of these names; a seed count may also be a
    parameter of the trial or an attribute of the study (``study_attrs``).
    Raises `ValueError` for a trial that has not finished or bears no time.
    """
    if not is_finished(trial):
        raise ValueError(f"trial {trial.number} is {trial.state.name}: only finished ones are kept")
    began_us, ended_us = _times_us(trial, zone)
    known_us = began_us if ended_us is None else ended_us
    if known_us is None:
        raise ValueError(f"trial {trial.number} bears no time")
    attrs = trial.user_attrs
    payload = TrialCompleted(
        study=study_name(study),
        number=trial.number,
        state=trial.state.name,  # type: ignore[arg-type]  # one of the three, see above
        params=redact_value(
            {json_key(name): json_value(value) for name, value in trial.params.items()}
        ),
        values=None if trial.values is None else tuple(json_number(v) for v in trial.values),
        duration_s=_duration_s(began_us, ended_us),
        survivors=whole_count(attrs.get("survivors")),
        seed_count=_seed_count(trial, study_attrs or {}),
        node=_name(attrs.get("node")),
        pci=normalize_pci(str(attrs.get("pci", ""))),
    )
    return new_event(
        payload,
        time_us=known_us,
        source=SOURCE,
        id=_trial_id(trial, study, payload),
        runid=runid,
        step=step,
    )


def study_name(name: str) -> str:
    """A study's name as the ledger can hold it: printable, and short enough for a subject."""
    plain = printable(redact(name)) or "(unnamed)"
    if len(plain.encode()) <= _MAX_NAME_BYTES:
        return plain
    start = plain.encode()[: _MAX_NAME_BYTES - 40].decode(errors="ignore")
    return f"{start}… {derived_id('study name', name)}"


def whole_count(value: Any) -> int | None:
    """A count given as a number or text, or None where ``value`` is none."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 17:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, Real):
        return None
    number = float(value)
    return int(number) if number.is_integer() and 0 <= number <= MAX_COUNT else None


def _trial_id(trial: FrozenTrial, study: str, payload: TrialCompleted) -> str:
    took = ""
    if trial.datetime_start is not None and trial.datetime_complete is not None:
        # As the clock on the wall went: the true span would depend on the zone assumed.
        took = str((trial.datetime_complete - trial.datetime_start) // timedelta(microseconds=1))
    yielded = canonical({"params": payload.params, "values": payload.values}).decode()
    return derived_id("optuna trial", study, str(trial.number), payload.state, yielded, took)


def _aware(moment: datetime, zone: tzinfo | None) -> datetime:
    if moment.tzinfo is not None:
        return moment
    return moment.astimezone(UTC) if zone is None else moment.replace(tzinfo=zone)


def _times_us(trial: FrozenTrial, zone: tzinfo | None) -> tuple[int | None, int | None]:
    """When a trial began and ended, as far as it says so."""
    start, end = trial.datetime_start, trial.datetime_complete
    began_us = None if start is None else from_datetime(_aware(start, zone))
    if end is None:
        return began_us, None
    ended_us = from_datetime(_aware(end, zone))
    if began_us is not None and ended_us < began_us:
        # A trial that ran while clocks were put back ended in the hour's second pass.
        second_us = from_datetime(_aware(end.replace(fold=1), zone))
        ended_us = second_us if second_us >= began_us else ended_us
    return began_us, ended_us


def _duration_s(began_us: int | None, ended_us: int | None) -> float | None:
    if began_us is None or ended_us is None or ended_us < began_us:
        return None
    return (ended_us - began_us) / 1e6


def _seed_count(trial: FrozenTrial, study_attrs: Mapping[str, Any]) -> int | None:
    for place in (trial.user_attrs, trial.params, study_attrs):
        count = whole_count(place.get("seed_count"))
        if count is not None:
            return count
    return None


def _name(value: Any) -> str | None:
    """A machine's name, where the attribute holds one."""
    return (
        value if isinstance(value, str) and 0 < len(value) < 256 and value.isprintable() else None
    )
