"""Where the survivors of a study come from: advice to narrow a parameter's bounds, never applied.

Which parameters matter for being among the best is estimated by Optuna's own PED-ANOVA;
the bounds that are suggested hold the middle of the best trials. Trials that were never
counted say nothing, and too few of them give no advice.
"""

from __future__ import annotations

import statistics
import warnings
from typing import TYPE_CHECKING, Any

import msgspec

from ledger import Ledger
from ledger.payloads import TrialCompleted
from rules.facts.parameters import of_family

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

LEAST_TRIALS = 20
"""Fewer counted trials give no advice."""
_BEST = 0.25
"""The share of trials that is looked at as the best."""
_NARROWER = 0.7
"""A suggestion must be at most this share of what was tried."""
_EVIDENCE = 20


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds that hold the middle of the best trials, of those that were tried."""

    low: float
    high: float
    tried_low: float
    tried_high: float
    importance: float


class Narrowing(msgspec.Struct, frozen=True, kw_only=True):
    """The advice: bounds by parameter, and what it rests on (events of the best trials)."""

    study: str
    trials: int
    with_survivors: int
    bounds: dict[str, Bounds]
    text: str
    evidence: tuple[str, ...]


class _Trial(msgspec.Struct, frozen=True):
    event: str
    survivors: int
    params: dict[str, Any]


def narrow_bounds(
    ledger: Ledger, study: str, *, upto: int | None = None, until_us: int | None = None
) -> Narrowing:
    """What a study's (and its family's) counted trials say of its bounds."""
    trials = [
        _Trial(event.id, event.data.survivors, event.data.params)
        for event in ledger.read(types=["trial_completed"], upto=upto, until_us=until_us)
        if isinstance(event.data, TrialCompleted)
        and event.data.survivors is not None
        and of_family(event.data.study, study)
    ]
    alive = sum(trial.survivors > 0 for trial in trials)
    best: list[_Trial] = []
    bounds: dict[str, Bounds] = {}
    if len(trials) < LEAST_TRIALS:
        text = f"{len(trials)} counted trials say too little: {LEAST_TRIALS} are needed"
    elif alive < 4:
        text = f"{alive} of {len(trials)} trials had survivors: too few to say where they come from"
    else:
        ranked = sorted(trials, key=lambda trial: trial.survivors, reverse=True)
        best = ranked[: min(alive, max(4, round(len(trials) * _BEST)))]
        bounds = _bounds(trials, best)
        named = ", ".join(f"{name} {each.low:g} to {each.high:g}" for name, each in bounds.items())
        text = (
            f"the best {len(best)} of {len(trials)} trials lie close together in {named}"
            if bounds
            else f"the best {len(best)} of {len(trials)} trials are spread over what was tried"
        )
    return Narrowing(
        study=study,
        trials=len(trials),
        with_survivors=alive,
        bounds=bounds,
        text=text,
        evidence=tuple(trial.event for trial in best[:_EVIDENCE]),
    )


def _bounds(trials: list[_Trial], best: list[_Trial]) -> dict[str, Bounds]:
    spans = _spans(trials)
    importance = _importance(trials, spans)
    found = {}
    for name, (low, high) in spans.items():
        values = sorted(float(trial.params[name]) for trial in best)
        tenths = statistics.quantiles(values, n=10, method="inclusive")
        weight = importance.get(name, 0.0)
        narrow = tenths[-1] - tenths[0] <= _NARROWER * (high - low)
        if narrow and weight >= 1 / (2 * len(spans)):
            found[name] = Bounds(
                low=tenths[0], high=tenths[-1], tried_low=low, tried_high=high,
                importance=round(weight, 3),
            )  # fmt: skip
    return dict(sorted(found.items(), key=lambda each: -each[1].importance))


def _spans(trials: list[_Trial]) -> dict[str, tuple[float, float]]:
    """What was tried of each parameter that every trial has as a number."""
    spans = {}
    for name in trials[0].params:
        values = [trial.params.get(name) for trial in trials]
        if all(isinstance(each, int | float) and not isinstance(each, bool) for each in values):
            numbers = [float(each) for each in values if isinstance(each, int | float)]
            if max(numbers) > min(numbers):
                spans[name] = (min(numbers), max(numbers))
    return spans


def _importance(trials: list[_Trial], spans: dict[str, tuple[float, float]]) -> dict[str, float]:
    """How much each parameter decides whether a trial is among the best; they add up to 1."""
    import optuna

    if not spans:
        return {}
    distributions: dict[str, BaseDistribution] = {
        name: optuna.distributions.FloatDistribution(low, high)
        for name, (low, high) in spans.items()
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the evaluator is experimental is known
        study = optuna.create_study(direction="maximize")
        study.add_trials(
            optuna.trial.create_trial(
                params={name: float(trial.params[name]) for name in spans},
                distributions=distributions,
                value=float(trial.survivors),
            )
            for trial in trials
        )
        evaluator = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=_BEST)
        return dict(optuna.importance.get_param_importances(study, evaluator=evaluator))
