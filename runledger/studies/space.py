"""What a study searches: its space, its directions and its scope, as comparable values.

Two studies are the same study where all three agree: that is their identity,
and its SHA-256 the fingerprint. Optuna itself keeps the space with each trial
only, fails resumed trials where categorical choices changed, and says nothing
of a widened range or another direction. Pure: `import optuna` happens only
where distributions are turned into its own.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from ledger.canonical import canonical, digest
from runledger.studies.errors import OptunaError
from runledger.studies.json_values import json_value, scope_texts

if TYPE_CHECKING:
    from optuna import Study
    from optuna.distributions import BaseDistribution

Direction = Literal["minimize", "maximize"]

OPTUNA_NAMES = {
    "FloatDistribution": "float",
    "IntDistribution": "int",
    "CategoricalDistribution": "categorical",
}
_ON_GRID = 1e-8  # as Optuna judges it
_WHOLE = re.compile(r"[+-]?\d{1,64}\Z", re.ASCII)


class InvalidSpace(OptunaError):
    """A space that cannot be understood; ``problems`` names every part of it."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


class Parameter(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One parameter's distribution; ``choices`` are in the order that Optuna knows them by."""

    type: Literal["float", "int", "categorical"]
    low: float | int | None = None
    high: float | int | None = None
    step: float | int | None = None
    log: bool = False
    choices: tuple[Any, ...] | None = None

    def holds(self, value: Any) -> bool:
        """Whether a recorded value lies in the distribution."""
        found = self.nearest(value)
        if found is msgspec.UNSET:
            return False
        if self.type == "categorical":
            return True
        number = _number(value)
        return number == found if self.type == "int" else math.isclose(number, found, rel_tol=1e-8)

    def nearest(self, value: Any) -> Any:
        """The value of the distribution nearest to a recorded one, as Optuna takes it.

        `msgspec.UNSET` where there is none: an unknown choice, text for a number.
        """
        if self.choices is not None:
            wanted = canonical(json_value(value))
            same = (each for each in self.choices if canonical(json_value(each)) == wanted)
            return next(same, msgspec.UNSET)
        number = _number(value)
        if math.isnan(number):
            return msgspec.UNSET
        assert self.low is not None
        assert self.high is not None
        number = min(max(number, self.low), self.high)
        if self.type == "int":
            # Exactly: a seed of 64 bits is no double.
            low, step = int(self.low), int(self.step or 1)
            most = (int(self.high) - low) // step
            return low + min(round(Fraction(Fraction(number) - low) / step), most) * step
        if self.step is not None:
            most = math.floor((self.high - self.low) / self.step + _ON_GRID)
            number = self.low + min(round((number - self.low) / self.step), most) * self.step
        return float(number)


class StudyIdentity(msgspec.Struct, frozen=True, kw_only=True):
    """What makes a study this study; ``scope`` is data set, seed range and what else matters."""

    space: dict[str, Parameter]
    directions: tuple[Direction, ...] = ("maximize",)
    scope: dict[str, Any] | None = None

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the canonical form of space, directions and scope."""
        return digest(canonical([space_json(self.space), self.directions, scope_texts(self.scope)]))


def _number(value: Any) -> float | int:
    """A recorded number (infinite and great ones are text in the ledger); NaN where it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return math.nan
    whole = as_whole(value)
    if whole is not None:
        return whole
    try:
        return float(value)
    except ValueError:
        return math.nan


def as_whole(value: Any) -> int | None:
    """The integer that a value is, or that its text spells; None for any other."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and _WHOLE.match(value):
        return int(value)
    return None


def space_json(space: Mapping[str, Parameter]) -> dict[str, Any]:
    """The parameters as a JSON object: equal spaces give equal objects."""
    return {name: parameter_json(parameter) for name, parameter in sorted(space.items())}


def parameter_json(parameter: Parameter) -> dict[str, Any]:
    """One parameter as a JSON object."""
    written: dict[str, Any] = json_value(
        msgspec.to_builtins(
            msgspec.structs.replace(parameter, choices=None)
            if parameter.choices is not None
            else parameter
        )
    )
    if parameter.choices is not None:
        written["choices"] = [json_value(each) for each in parameter.choices]
    return written


# -- to and from Optuna ----------------------------------------------------------------


def from_optuna(distribution: BaseDistribution) -> Parameter:
    """A parameter from Optuna's distribution of it."""
    shape: Any = distribution
    kind = OPTUNA_NAMES.get(type(distribution).__name__)
    if kind is None:
        raise InvalidSpace([f"{type(distribution).__name__}: a distribution unknown to runledger"])
    if kind == "categorical":
        return Parameter(type="categorical", choices=tuple(shape.choices))
    if not (math.isfinite(shape.low) and math.isfinite(shape.high)):
        raise InvalidSpace([f"{distribution}: a range without an end cannot be compared"])
    return numeric(kind, shape.low, shape.high, shape.step, shape.log)


def to_optuna(parameter: Parameter) -> BaseDistribution:
    """Optuna's distribution of a parameter."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if parameter.choices is not None:
        return CategoricalDistribution(parameter.choices)
    low: Any = parameter.low
    high: Any = parameter.high
    step: Any = parameter.step
    if parameter.type == "int":
        return IntDistribution(low, high, log=parameter.log, step=1 if step is None else step)
    return FloatDistribution(low, high, log=parameter.log, step=step)


def identity_of(
    space: Mapping[str, BaseDistribution],
    directions: Iterable[Direction] = ("maximize",),
    scope: Mapping[str, Any] | None = None,
) -> StudyIdentity:
    """The identity of a program that searches Optuna's distributions by name."""
    return StudyIdentity(
        space={name: from_optuna(each) for name, each in space.items()},
        directions=tuple(directions),
        scope=None if scope is None else json_value(scope),
    )


def identity_of_study(study: Study, scope: Mapping[str, Any] | None = None) -> StudyIdentity:
    """The identity of an Optuna study: the newest distribution of each parameter it tried.

    Raises `InvalidSpace` for a study that has tried nothing: its space is not known.
    """
    space: dict[str, Parameter] = {}
    for trial in study.get_trials(deepcopy=False):
        for name, distribution in trial.distributions.items():
            space[name] = from_optuna(distribution)
    if not space:
        raise InvalidSpace([f"study {study.study_name!r} has tried nothing: its space is unknown"])
    given = None if scope is None else json_value(scope)
    return StudyIdentity(space=space, directions=directions_of(study), scope=given)


def directions_of(study: Study) -> tuple[Direction, ...]:
    """Which way is better, for each objective of a study."""
    return tuple("maximize" if each.name == "MAXIMIZE" else "minimize" for each in study.directions)


def numeric(kind: Any, low: Any, high: Any, step: Any, log: bool) -> Parameter:
    """A numeric parameter in its one spelling: a stepped range ends on its last step."""
    cast = int if kind == "int" else float
    low, high = cast(low), cast(high)
    step = None if step is None or (kind == "int" and int(step) == 1) else cast(step)
    if step is not None and kind == "int":
        high = (high - low) // step * step + low
    elif step is not None:  # as Optuna does it, in the decimals that were written
        start, each = Decimal(repr(low)), Decimal(repr(step))
        high = cast((Decimal(repr(high)) - start) // each * each + start)
    return Parameter(type=kind, low=low, high=high, step=step, log=log)
