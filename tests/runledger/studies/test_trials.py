from __future__ import annotations

import math
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.trial import FrozenTrial, TrialState

from ledger import Event, from_wire, to_wire
from ledger.payloads import TrialCompleted
from ledger.times import format_time, parse_time
from runledger.studies import trial_event
from runledger.studies.json_values import json_value
from runledger.studies.trials import begun_since, study_name, whole_count

LOS_ANGELES = ZoneInfo("America/Los_Angeles")
EVENING = datetime(2026, 1, 24, 18, 0, 0)


def finished(**changes: Any) -> FrozenTrial:
    given: dict[str, Any] = {
        "number": 3,
        "state": TrialState.COMPLETE,
        "value": None,
        "values": [0.5],
        "datetime_start": EVENING,
        "datetime_complete": EVENING + timedelta(seconds=2.5),
        "params": {},
        "distributions": {},
        "user_attrs": {},
        "system_attrs": {},
        "intermediate_values": {},
        "trial_id": 99,
    } | changes
    return FrozenTrial(**given)


def event_of(trial: FrozenTrial, **options: Any) -> Event:
    return trial_event(trial, **{"study": "window_opt", "zone": UTC, **options})


def data_of(trial: FrozenTrial, **options: Any) -> TrialCompleted:
    data = event_of(trial, **options).data
    assert isinstance(data, TrialCompleted)
    return data


def test_an_event_says_which_trial_it_was_and_when_it_finished() -> None:
    event = event_of(finished(), zone=LOS_ANGELES)

    assert (event.type, event.subject, event.source) == (
        "trial_completed",
        "study/window_opt",
        "collector/optuna",
    )
    assert event.time == "2026-01-25T02:00:02.500000Z"
    assert event.data == TrialCompleted(
        study="window_opt", number=3, state="COMPLETE", params={}, values=(0.5,), duration_s=2.5
    )


def test_a_trial_that_is_not_finished_is_no_fact_yet() -> None:
    running = finished(state=TrialState.RUNNING, values=None, datetime_complete=None)

    with pytest.raises(ValueError, match="trial 3 is RUNNING"):
        event_of(running)


def test_infinite_and_undefined_numbers_are_text() -> None:
    choices = CategoricalDistribution([math.nan, math.inf])
    trial = finished(
        values=[math.inf, -math.inf],
        params={"x": math.inf, "y": math.nan},
        distributions={"x": choices, "y": choices},
    )

    data = data_of(trial)

    assert data.values == ("inf", "-inf")
    assert data.params == {"x": "inf", "y": "nan"}


def test_survivors_seed_count_and_place_come_from_the_trials_attributes() -> None:
    attrs = {"survivors": 12, "seed_count": "100000", "node": "rig-6600", "pci": "22:00.0"}

    data = data_of(finished(user_attrs=attrs))

    assert (data.survivors, data.seed_count) == (12, 100_000)
    assert (data.node, data.pci) == ("rig-6600", "0000:22:00.0")


def test_a_seed_count_may_be_searched_for_or_be_the_studys() -> None:
    searched = finished(
        params={"seed_count": 500}, distributions={"seed_count": CategoricalDistribution([500])}
    )

    assert data_of(searched, study_attrs={"seed_count": 9}).seed_count == 500
    assert data_of(finished(), study_attrs={"seed_count": 9}).seed_count == 9


@pytest.mark.parametrize("value", [-1, 1.5, True, "many", None, [3], math.nan, 2**60, "9" * 30])
def test_what_is_no_count_is_left_out(value: Any) -> None:
    assert data_of(finished(user_attrs={"survivors": value})).survivors is None


@pytest.mark.parametrize(("value", "count"), [(5, 5), (5.0, 5), ("5", 5), (0, 0)])
def test_counts_are_understood_in_every_spelling(value: Any, count: int) -> None:
    assert whole_count(value) == count


def test_places_that_cannot_be_are_left_out() -> None:
    data = data_of(finished(user_attrs={"node": "rig\n", "pci": "first slot"}))

    assert (data.node, data.pci) == (None, None)


def test_a_pruned_trial_keeps_the_value_that_optuna_gave_it() -> None:
    study = optuna.create_study()

    def report_and_prune(trial: optuna.Trial) -> float:
        trial.report(0.25, 1)
        raise optuna.TrialPruned

    study.optimize(report_and_prune, n_trials=1)

    assert data_of(study.trials[0]).values == (0.25,)


def test_the_id_depends_on_neither_zone_nor_storage_nor_run() -> None:
    ids = {
        event_of(finished(trial_id=trial_id), zone=zone, runid=run).id
        for trial_id in (1, 99)
        for zone in (UTC, LOS_ANGELES)
        for run in (None, "R7")
    }

    assert len(ids) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"number": 4},
        {"values": [0.75]},
        {"state": TrialState.FAIL, "values": None},
        {"datetime_complete": EVENING + timedelta(seconds=2.500001)},
        {"params": {"x": 0.5}, "distributions": {"x": FloatDistribution(0, 1)}},
    ],
)
def test_another_trial_has_another_id(change: dict[str, Any]) -> None:
    assert event_of(finished(**change)).id != event_of(finished()).id
    assert event_of(finished(), study="other").id != event_of(finished()).id


def test_a_trial_that_ran_while_clocks_were_put_back_took_the_time_it_took() -> None:
    over_the_change = finished(
        datetime_start=datetime(2026, 11, 1, 1, 50), datetime_complete=datetime(2026, 11, 1, 1, 10)
    )

    assert data_of(over_the_change, zone=LOS_ANGELES).duration_s == 20 * 60
    # It ended in the hour's second pass, and not before it began.
    assert (
        format_time(event_of(over_the_change, zone=LOS_ANGELES).time_us) == "2026-11-01T09:10:00Z"
    )


def test_a_trial_that_ran_while_clocks_were_put_forward_took_the_time_it_took() -> None:
    over_the_change = finished(
        datetime_start=datetime(2026, 3, 8, 1, 50), datetime_complete=datetime(2026, 3, 8, 3, 10)
    )

    assert data_of(over_the_change, zone=LOS_ANGELES).duration_s == 20 * 60


def test_an_end_before_the_start_gives_no_duration() -> None:
    clock_set_back = finished(datetime_complete=EVENING - timedelta(hours=5))

    assert data_of(clock_set_back).duration_s is None


def test_a_finished_trial_without_an_end_is_dated_by_its_start() -> None:
    event = event_of(finished(state=TrialState.FAIL, values=None, datetime_complete=None))

    assert event.time == "2026-01-24T18:00:00Z"


@pytest.fixture
def in_new_york(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("in_new_york")
def test_without_a_zone_times_are_this_processs() -> None:
    assert event_of(finished(), zone=None).time == "2026-01-24T23:00:02.500000Z"


@pytest.mark.usefixtures("in_new_york")
def test_a_trial_that_began_while_clocks_were_put_back_began_after_what_came_before() -> None:
    began = finished(datetime_start=datetime(2026, 11, 1, 1, 10))  # 06:10 UTC, in the second pass

    assert begun_since(began, parse_time("2026-11-01T05:30:00Z"))
    assert begun_since(began, parse_time("2026-11-01T06:10:00Z"))
    assert not begun_since(began, parse_time("2026-11-01T06:10:01Z"))
    assert not begun_since(finished(datetime_start=None), 0)


def test_a_time_with_an_offset_needs_no_zone() -> None:
    aware = EVENING.replace(tzinfo=timezone(timedelta(hours=-8)))
    trial = finished(datetime_start=aware, datetime_complete=aware)

    assert event_of(trial).time == "2026-01-25T02:00:00Z"


def test_study_names_stay_printable_short_and_distinct() -> None:
    assert study_name("window_opt") == "window_opt"
    assert study_name("two\nlines") == "two\ufffdlines"
    long = {study_name("深" * 400 + end) for end in "ab"}
    assert len(long) == 2
    assert all(len(name.encode()) <= 900 for name in long)
    assert event_of(finished(), study="深" * 512).subject.startswith("study/深")


ODD_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner),
    max_leaves=8,
)


@given(value=ODD_VALUES, key=st.text(), name=st.text())
def test_whatever_a_parameter_holds_the_event_is_sound(value: Any, key: str, name: str) -> None:
    trial = finished()
    trial._params = {key: value}

    event = event_of(trial, study=name)

    assert from_wire(to_wire(event)).data == event.data


def test_numbers_too_large_for_json_are_text() -> None:
    assert json_value([2**53, 2**53 + 1, 1e17]) == [2**53, str(2**53 + 1), "1e+17"]
