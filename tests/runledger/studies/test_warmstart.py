"""Studies that persist, against Optuna itself: what it does alone, and what is done instead."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import TrialState

from ledger import Ledger, new_event, open_ledger
from ledger.payloads import RunStarted
from runledger.studies.comparing import compare
from runledger.studies.past import family, past_trials_of_family
from runledger.studies.resuming import (
    MaxTrials,
    OpenedStudy,
    definition,
    open_study,
    ran_here,
    study_name_for,
    trials_left,
)
from runledger.studies.sampling import resumed_seed
from runledger.studies.space import InvalidSpace, StudyIdentity, identity_of, identity_of_study
from runledger.studies.trials import trial_event
from runledger.studies.warmstart import ADJUSTED, ORIGIN, ORIGIN_NUMBER, ORIGIN_STUDY, seed_study
from tests.optuna_storages import sqlite_url

NOW = 1_769_300_000_000_000
SCOPE = {"data_set": "daily3", "seed_start": 0}
SPACE: dict[str, BaseDistribution] = {
    "x": FloatDistribution(-10, 10),
    "mode": CategoricalDistribution(["a", "b", "c"]),
}


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with open_ledger(tmp_path / "ledger.db") as opened:
        yield opened


def identity(
    space: dict[str, BaseDistribution] = SPACE,
    direction: Any = "maximize",
    scope: dict[str, Any] | None = SCOPE,
) -> StudyIdentity:
    return identity_of(space, [direction], scope)


def objective(space: dict[str, BaseDistribution]) -> Callable[[optuna.Trial], float]:
    """Higher near x = 3; below x = -5 nothing is found and the trial is pruned."""

    def run(trial: optuna.Trial) -> float:
        x = 0.0
        for name, each in space.items():
            value: Any
            if isinstance(each, CategoricalDistribution):
                value = trial.suggest_categorical(name, each.choices)
            elif isinstance(each, FloatDistribution):
                value = trial.suggest_float(name, each.low, each.high)
            else:
                assert isinstance(each, IntDistribution)
                value = trial.suggest_int(name, each.low, each.high)
            x = value if name == "x" else x
        if x < -5:
            raise optuna.TrialPruned
        return -abs(x - 3)

    return run


def search(
    ledger: Ledger,
    name: str,
    who: StudyIdentity | None,
    space: dict[str, BaseDistribution] = SPACE,
    trials: int = 12,
    runid: str | None = None,
) -> optuna.Study:
    """A study of the past, defined (unless ``who`` is None) and recorded in the ledger."""
    direction = "maximize" if who is None else who.directions[0]
    study = optuna.create_study(
        direction=direction, study_name=name, sampler=optuna.samplers.RandomSampler(7)
    )
    study.optimize(objective(space), n_trials=trials)
    if who is not None:
        ledger.append(definition(name, who, NOW))
    ledger.append([trial_event(each, study=name, zone=None, runid=runid) for each in study.trials])
    return study


def again(ledger: Ledger, who: StudyIdentity, **more: Any) -> OpenedStudy:
    return open_study("w", who, storage=None, ledger=ledger, now_us=NOW, **more)


def finished(study: optuna.Study, state: TrialState) -> list[optuna.trial.FrozenTrial]:
    return study.get_trials(states=(state,))


# -- the same study ---------------------------------------------------------------------


def test_past_trials_of_the_same_study_are_added_with_value_time_and_origin(
    ledger: Ledger,
) -> None:
    past = search(ledger, "w_1769300000", identity())
    study = again(ledger, identity()).study
    assert [each.params for each in study.trials] == [each.params for each in past.trials]
    assert [each.state for each in study.trials] == [each.state for each in past.trials]
    assert study.best_value == past.best_value
    events = {each.id for each in ledger.read(types=("trial_completed",))}
    for trial, old in zip(study.trials, past.trials, strict=True):
        assert trial.user_attrs[ORIGIN] in events
        assert trial.user_attrs[ORIGIN_STUDY] == "w_1769300000"
        assert trial.user_attrs[ORIGIN_NUMBER] == old.number
        assert abs(trial.datetime_complete - old.datetime_complete).total_seconds() < 1e-3
        assert abs(trial.duration - old.duration).total_seconds() < 1e-3


def test_a_study_is_resumed_under_the_name_of_its_identity(ledger: Ledger, tmp_path: Path) -> None:
    storage = sqlite_url(tmp_path / "optuna.db")
    first = open_study("w", identity(), storage=storage, ledger=ledger, now_us=NOW)
    assert not first.resumed
    first.study.optimize(objective(SPACE), n_trials=3)
    second = open_study("w", identity(), storage=storage, ledger=ledger, now_us=NOW)
    assert (second.resumed, second.seeded) == (True, None)
    assert second.study.study_name == study_name_for("w", identity())
    assert len(second.study.trials) == 3
    assert len(list(ledger.read(types=("study_defined",)))) == 1, "defined once"


def test_seeding_twice_carries_nothing_twice(ledger: Ledger) -> None:
    search(ledger, "w-old", identity(), trials=6)
    study = again(ledger, identity(), studies=["w-old"]).study
    once = len(study.trials)
    seeded = seed_study(study, ledger, identity(), studies=["w-old"])
    assert (seeded.added, seeded.enqueued, len(study.trials)) == (0, 0, once)


def test_trials_that_the_study_holds_itself_are_not_added_to_it(ledger: Ledger) -> None:
    past = search(ledger, "w", identity(), trials=6)
    assert seed_study(past, ledger, identity()).added == 0
    assert len(past.trials) == 6


def test_failed_trials_and_copies_of_copies_are_left_out(ledger: Ledger) -> None:
    past = search(ledger, "w", identity(), trials=6)
    copies = [trial_event(each, study="w-copy", zone=None) for each in past.trials]
    ledger.append([definition("w-copy", identity(), NOW), *copies])
    failing = optuna.create_study(study_name="w-failing")
    failing.optimize(lambda trial: trial.suggest_float("x", 0, 1) / 0, n_trials=1,
                     catch=(ZeroDivisionError,))  # fmt: skip
    ledger.append(trial_event(failing.trials[0], study="w-failing", zone=None))
    seeded = again(ledger, identity(), studies=["w*"]).seeded
    assert seeded is not None
    assert (seeded.added, seeded.enqueued) == (6, 0)
    assert seeded.left_out == {"failed": 1, "the same trial again": 6}


def test_of_very_many_only_the_newest_are_added(ledger: Ledger) -> None:
    past = search(ledger, "w", identity(), trials=8)
    study = optuna.create_study(direction="maximize", study_name="fresh")
    seeded = seed_study(study, ledger, identity(), studies=["w"], most=3)
    assert (seeded.added, seeded.left_out) == (3, {"older than those added": 5})
    assert [each.params for each in study.trials] == [each.params for each in past.trials[-3:]]


# -- changed categorical choices ----------------------------------------------------------


OTHER_CHOICES = {**SPACE, "mode": CategoricalDistribution(["b", "c", "d"])}


def test_optuna_fails_resumed_trials_where_choices_changed() -> None:
    study = optuna.create_study(direction="maximize")
    study.optimize(objective(SPACE), n_trials=2)
    study.optimize(objective(OTHER_CHOICES), n_trials=2, catch=(ValueError,))
    assert len(finished(study, TrialState.FAIL)) == 2, "why it is a new study"


def test_changed_choices_make_a_new_study_of_the_trials_that_fit_and_the_best_of_the_rest(
    ledger: Ledger,
) -> None:
    past = search(ledger, "w", identity(), trials=30)
    who = identity(OTHER_CHOICES)
    assert compare(identity_of_study(past, SCOPE), who).verdict == "new_study"
    opened = again(ledger, who, best=2)
    study = opened.study
    old = [each for each in past.trials if each.params["mode"] != "a"]
    assert opened.seeded is not None
    assert (opened.seeded.added, opened.seeded.enqueued) == (len(old), 2)
    misfits = [each for each in past.trials if each.params["mode"] == "a" and each.values]
    best = sorted(misfits, key=lambda each: -each.value)[:2]
    waiting = finished(study, TrialState.WAITING)
    assert [each.system_attrs["fixed_params"] for each in waiting] == [
        {"x": each.params["x"]} for each in best
    ], "what has no place is left to the sampler"
    assert waiting[0].user_attrs[ADJUSTED] == ["mode"]
    study.optimize(objective(OTHER_CHOICES), n_trials=6)
    assert not finished(study, TrialState.FAIL)
    tried = [each for each in study.trials if ADJUSTED in each.user_attrs]
    assert [each.params["x"] for each in tried] == [each.params["x"] for each in best]


# -- another range ---------------------------------------------------------------------------


WIDER = {**SPACE, "x": FloatDistribution(-20, 20)}
NARROWER = {**SPACE, "x": FloatDistribution(-4, 2)}


def test_optuna_mixes_a_widened_range_silently() -> None:
    study = optuna.create_study(direction="maximize")
    study.optimize(objective(SPACE), n_trials=2)
    study.optimize(objective(WIDER), n_trials=2)
    spaces = {str(each.distributions["x"]) for each in study.trials}
    assert len(spaces) == 2, "why it is a new study"


def test_a_widened_range_is_a_new_study_that_takes_all_past_trials(ledger: Ledger) -> None:
    past = search(ledger, "w", identity())
    opened = again(ledger, identity(WIDER))
    assert opened.study.study_name != study_name_for("w", identity())
    assert len(opened.study.trials) == len(past.trials)
    assert {str(each.distributions["x"]) for each in opened.study.trials} == {
        str(FloatDistribution(-20, 20))
    }


def test_in_a_narrower_range_the_best_misfits_are_tried_again_at_its_border(
    ledger: Ledger,
) -> None:
    past = search(ledger, "w", identity(), trials=30)
    opened = again(ledger, identity(NARROWER), best=3)
    inside = [each for each in past.trials if -4 <= each.params["x"] <= 2]
    assert opened.seeded is not None
    assert opened.seeded.added == len(inside)
    waiting = finished(opened.study, TrialState.WAITING)
    assert 0 < len(waiting) <= 3
    assert {each.system_attrs["fixed_params"]["x"] for each in waiting} <= {-4.0, 2.0}
    assert all(each.user_attrs[ADJUSTED] == ["x"] for each in waiting)


def test_a_new_parameter_is_left_to_the_sampler_and_one_that_is_gone_is_forgotten(
    ledger: Ledger,
) -> None:
    search(ledger, "w", identity())
    space: dict[str, BaseDistribution] = {"x": SPACE["x"], "gap": IntDistribution(1, 9)}
    opened = again(ledger, identity(space), best=1)
    (waiting,) = opened.study.trials
    assert set(waiting.system_attrs["fixed_params"]) == {"x"}
    assert waiting.user_attrs[ADJUSTED] == ["gap"]
    opened.study.optimize(objective(space), n_trials=1)
    assert set(opened.study.trials[0].params) == {"x", "gap"}


def test_studies_that_share_no_parameter_carry_nothing(ledger: Ledger) -> None:
    search(ledger, "w", identity())
    opened = again(ledger, identity({"depth": IntDistribution(1, 9)}))
    assert opened.study.trials == []


def test_optuna_runs_a_point_outside_of_the_space_with_no_more_than_a_warning() -> None:
    study = optuna.create_study(direction="maximize")
    study.enqueue_trial({"x": 99.0})
    with pytest.warns(UserWarning, match="out of range"):
        study.optimize(objective(SPACE), n_trials=1)
    assert study.trials[0].params["x"] == 99.0, "why points are brought into the space"


# -- another direction -----------------------------------------------------------------------


def test_optuna_ignores_another_direction_silently(tmp_path: Path) -> None:
    storage = sqlite_url(tmp_path / "optuna.db")
    optuna.create_study(study_name="w", storage=storage, direction="maximize")
    resumed = optuna.create_study(
        study_name="w", storage=storage, direction="minimize", load_if_exists=True
    )
    assert resumed.direction.name == "MAXIMIZE", "why it is refused"
    with pytest.raises(InvalidSpace, match="was created to maximize, not to minimize"):
        seed_study(resumed, None, identity(direction="minimize"))  # type: ignore[arg-type]


def test_nothing_is_carried_from_a_study_that_went_the_other_way(ledger: Ledger) -> None:
    search(ledger, "w", identity())
    assert compare(identity(), identity(direction="minimize")).verdict == "refuse"
    opened = again(ledger, identity(direction="minimize"))
    assert opened.seeded is not None
    assert (opened.seeded.added, opened.seeded.enqueued) == (0, 0)
    assert opened.seeded.left_out == {"another direction": 12}


# -- another scope ------------------------------------------------------------------------------


ELSEWHERE = {"data_set": "daily4", "seed_start": 0}


def test_nothing_is_carried_from_another_scope_unless_told_so(ledger: Ledger) -> None:
    past = search(ledger, "w", identity())
    opened = again(ledger, identity(scope=ELSEWHERE))
    assert opened.study.trials == []
    told = seed_study(opened.study, ledger, identity(scope=ELSEWHERE), best=2, other_scopes=True)
    assert (told.added, told.enqueued) == (0, 2), "tried again: other data yielded those values"
    waiting = opened.study.trials
    assert waiting[0].system_attrs["fixed_params"] == past.best_trial.params
    assert waiting[0].user_attrs[ORIGIN_STUDY] == "w"


def test_scopes_are_compared_as_text(ledger: Ledger) -> None:
    search(ledger, "w", identity())
    same = identity(scope={"seed_start": "0", "data_set": "daily3"})
    assert len(again(ledger, same).study.trials) == 12


# -- studies of before --------------------------------------------------------------------------


def test_the_best_of_imported_studies_are_tried_again(ledger: Ledger) -> None:
    past = search(ledger, "w_1769300000", None)  # Optuna's own name stamps; nothing defined
    opened = again(ledger, identity(scope=None), best=3)
    assert opened.seeded is not None
    assert (opened.seeded.added, opened.seeded.enqueued) == (0, 3)
    assert opened.study.trials[0].system_attrs["fixed_params"] == past.best_trial.params
    opened.study.optimize(objective(SPACE), n_trials=1)
    assert opened.study.best_value == past.best_value


def test_an_undefined_study_has_the_scope_of_its_runs(ledger: Ledger) -> None:
    start = RunStarted(study="w", scope=SCOPE)
    ledger.append(new_event(start, time_us=NOW, source="test", runid="R1"))
    search(ledger, "w", None, runid="R1")
    assert again(ledger, identity(scope=ELSEWHERE)).study.trials == []
    assert len(again(ledger, identity(), best=4).study.trials) == 4


def test_an_undefined_study_without_a_run_belongs_to_no_known_scope(ledger: Ledger) -> None:
    search(ledger, "w", None)
    assert again(ledger, identity()).study.trials == []


def test_a_study_defined_after_its_import_is_known_all_the_same(ledger: Ledger) -> None:
    search(ledger, "w", None)
    ledger.append(definition("w", identity(), 4_000_000_000_000_000))
    assert len(again(ledger, identity()).study.trials) == 12


@pytest.mark.parametrize(
    ("name", "of"),
    [
        ("window_opt_1769300000", "window_opt"),
        ("window_opt-0123456789ab", "window_opt"),
        ("window_opt", "window_opt"),
        ("window_opt_2", "window_opt_2"),
    ],
)
def test_studies_are_of_one_family_by_their_name_without_stamp(name: str, of: str) -> None:
    assert family(name) == of


def test_another_family_is_asked_only_by_name(ledger: Ledger) -> None:
    search(ledger, "other", identity())
    assert again(ledger, identity()).study.trials == []
    assert len(again(ledger, identity(), studies=["oth*"]).study.trials) == 12


def test_a_family_is_named_literally(ledger: Ledger) -> None:
    search(ledger, "w[1]*_1769300000", identity())
    assert len(past_trials_of_family(ledger, "w[1]*")) == 12
    assert past_trials_of_family(ledger, "w1") == []


# -- all pruned, and values beyond the finite -----------------------------------------------------


BARREN: dict[str, BaseDistribution] = {"x": FloatDistribution(-10, -6)}


def test_an_all_pruned_study_is_carried_without_asking_for_its_best_trial(ledger: Ledger) -> None:
    past = search(ledger, "w", identity(BARREN), BARREN)
    with pytest.raises(ValueError, match="No trials are completed yet"):
        _ = past.best_trial
    study = again(ledger, identity(BARREN)).study
    assert len(finished(study, TrialState.PRUNED)) == 12
    study.optimize(objective(BARREN), n_trials=2)  # the sampler takes them
    opened = again(ledger, identity({"x": FloatDistribution(0, 1)}))
    assert opened.study.trials == [], "nothing in it is worth trying again"


def test_infinite_values_are_added_but_never_the_best_and_undefined_ones_neither(
    ledger: Ledger,
) -> None:
    values = iter([float("inf"), 1.0])
    past = optuna.create_study(direction="maximize", study_name="w")

    def odd(trial: optuna.Trial) -> float:
        trial.suggest_float("x", 0, 1)
        return next(values)

    past.optimize(odd, n_trials=2)
    who = identity({"x": FloatDistribution(0, 1)})
    ledger.append(definition("w", who, NOW))
    ledger.append([trial_event(each, study="w", zone=None) for each in past.trials])
    study = again(ledger, who).study
    assert [each.value for each in study.trials] == [float("inf"), 1.0]
    elsewhere = identity({"x": FloatDistribution(0, 1)}, scope=ELSEWHERE)
    told = again(ledger, elsewhere, other_scopes=True).study
    assert [each.system_attrs["fixed_params"] for each in told.trials] == [past.trials[1].params]


def test_with_several_objectives_those_that_nothing_beats_are_tried_again(ledger: Ledger) -> None:
    points = iter([(1.0, 9.0), (5.0, 5.0), (2.0, 4.0), (9.0, 1.0)])
    past = optuna.create_study(directions=["maximize", "maximize"], study_name="w")

    def two(trial: optuna.Trial) -> tuple[float, float]:
        trial.suggest_float("x", 0, 1)
        return next(points)

    past.optimize(two, n_trials=4)
    ledger.append([trial_event(each, study="w", zone=None) for each in past.trials])
    who = identity_of({"x": FloatDistribution(0, 1)}, ["maximize", "maximize"])
    study = again(ledger, who).study
    tried = {each.system_attrs["fixed_params"]["x"] for each in study.trials}
    assert tried == {past.trials[index].params["x"] for index in (0, 1, 3)}


# -- going on --------------------------------------------------------------------------------------


def points(study: optuna.Study, count: int) -> list[float]:
    before = len(study.trials)
    study.optimize(objective(SPACE), n_trials=count)
    return [each.params["x"] for each in study.trials[before:]]


def test_optuna_repeats_the_points_of_a_seeded_sampler_on_resuming(tmp_path: Path) -> None:
    storage = sqlite_url(tmp_path / "optuna.db")

    def resume() -> optuna.Study:
        return optuna.create_study(
            study_name="w", storage=storage, load_if_exists=True, direction="maximize",
            sampler=optuna.samplers.TPESampler(seed=1),
        )  # fmt: skip

    assert points(resume(), 4) == points(resume(), 4), "why the seed is made anew"


def test_a_resumed_study_goes_on_to_new_points_and_to_the_same_ones_every_time(
    tmp_path: Path,
) -> None:
    def twice(file: str) -> list[list[float]]:
        with open_ledger(tmp_path / f"{file}.ledger") as ledger:
            runs = []
            for _ in range(2):
                opened = open_study("w", identity(), storage=sqlite_url(tmp_path / file),
                                    ledger=ledger, now_us=NOW, seed=1)  # fmt: skip
                runs.append(points(opened.study, 4))
            return runs

    first, second = twice("one")
    assert not set(first) & set(second)
    assert twice("two") == [first, second]


def test_a_first_run_has_the_seed_that_was_given() -> None:
    study = optuna.create_study()
    assert resumed_seed(1, study) == 1
    study.ask()
    assert resumed_seed(1, study) != 1


def test_asking_for_more_trials_on_resuming_runs_so_many_and_no_more(
    ledger: Ledger, tmp_path: Path
) -> None:
    search(ledger, "w", identity(), trials=9)
    storage = sqlite_url(tmp_path / "optuna.db")
    study = open_study("w", identity(), storage=storage, ledger=ledger, now_us=NOW).study
    study.optimize(objective(SPACE), callbacks=[MaxTrials(study, 5)])
    assert ran_here(study) == 5, "those carried over are not counted"
    study = open_study("w", identity(), storage=storage, ledger=ledger, now_us=NOW).study
    study.optimize(objective(SPACE), callbacks=[MaxTrials(study, 5)])
    assert ran_here(study) == 10
    study.optimize(objective(SPACE), callbacks=[optuna.study.MaxTrialsCallback(5)])
    assert ran_here(study) == 11, "Optuna's own counts all, and runs one before it looks"


def test_enqueued_trials_are_among_those_asked_for(ledger: Ledger) -> None:
    search(ledger, "w", None)
    study = again(ledger, identity(scope=None), best=3).study
    study.optimize(objective(SPACE), callbacks=[MaxTrials(study, 5)])
    assert len(study.trials) == 5


def test_in_parallel_the_number_left_is_exact(ledger: Ledger) -> None:
    study = again(ledger, identity()).study
    limit = MaxTrials(study, 7)
    study.optimize(objective(SPACE), n_trials=limit.left(study), n_jobs=3, callbacks=[limit])
    assert (len(study.trials), limit.left(study)) == (7, 0)


def test_trials_left_to_a_total_leave_out_failed_and_abandoned_ones(ledger: Ledger) -> None:
    search(ledger, "w", identity(), trials=9)
    study = again(ledger, identity()).study
    assert trials_left(study, 6) == 6
    study.optimize(objective(SPACE), n_trials=4)
    study.ask()  # left RUNNING by a program that died
    study.tell(study.ask(), state=TrialState.FAIL)
    assert trials_left(study, 6) == 2
    assert trials_left(study, 3) == 0


def test_seeds_of_64_bits_are_carried_exactly(ledger: Ledger) -> None:
    seed = 2**53 + 1
    space: dict[str, BaseDistribution] = {"seed": IntDistribution(0, 2**63 - 1)}
    past = optuna.create_study(study_name="seeds")
    past.add_trial(optuna.trial.create_trial(params={"seed": seed}, distributions=space, value=1.0))
    ledger.append([trial_event(each, study="seeds", zone=None) for each in past.trials])
    fresh = optuna.create_study(study_name="fresh")

    done = seed_study(fresh, ledger, identity_of(space, ["minimize"]), studies=["seeds"])

    assert done.added + done.enqueued == 1
    fixed = fresh.trials[0].system_attrs.get("fixed_params", fresh.trials[0].params)
    assert fixed == {"seed": seed}


def test_an_authors_own_sampler_and_pruner_are_kept(ledger: Ledger) -> None:
    sampler, pruner = optuna.samplers.RandomSampler(seed=1), optuna.pruners.HyperbandPruner()
    opened = open_study(
        "w", identity(), storage=None, ledger=ledger, now_us=NOW, sampler=sampler, pruner=pruner
    )
    assert opened.study.sampler is sampler
    assert opened.study.pruner is pruner
