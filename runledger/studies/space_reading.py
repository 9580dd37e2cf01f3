"""Reading what a program or the ledger says of a study's space, with every problem named."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any

from ledger.event_checks import nearest
from ledger.payloads import StudyDefined
from runledger.studies.space import (
    OPTUNA_NAMES,
    InvalidSpace,
    Parameter,
    StudyIdentity,
    as_whole,
    numeric,
)

_KEYS = {
    "float": ("low", "high", "step", "log"),
    "int": ("low", "high", "step", "log"),
    "categorical": ("choices",),
}
_GREATEST = 2**1023  # what a double holds, roughly
_PROGRAM_KEYS = ("parameters", "direction", "directions", "scope")


def identity_from_json(program: Any) -> StudyIdentity:
    """The identity in a program's own description; raises `InvalidSpace`.

    ``{"parameters": {NAME: {"type": "int", "low": 2, "high": 500}, …},
    "direction": "maximize", "scope": {…}}``; a parameter may also be written as
    Optuna's ``distribution_to_json`` does.
    """
    problems: list[str] = []
    if not isinstance(program, dict):
        raise InvalidSpace(['the space is no JSON object: write {"parameters": {…}}'])
    problems += _unknown("", program, _PROGRAM_KEYS)
    scope = program.get("scope")
    if scope is not None and not isinstance(scope, dict):
        problems.append('scope: write it as an object, for example {"data_set": "…"}')
        scope = None
    space = space_from_json(program.get("parameters"), problems)
    asked = program.get("directions", program.get("direction", "maximize"))
    directions = [asked] if isinstance(asked, str) else asked
    if (
        not isinstance(directions, list | tuple)
        or not directions
        or not all(each in ("minimize", "maximize") for each in directions)
    ):
        problems.append(f"direction: {asked!r} is neither minimize nor maximize")
        directions = ()
    if problems:
        raise InvalidSpace(problems)
    return StudyIdentity(space=space, directions=tuple(directions), scope=scope)


def identity_from_definition(defined: StudyDefined) -> StudyIdentity:
    """The identity that a `StudyDefined` event holds."""
    problems: list[str] = []
    space = space_from_json(defined.space, problems)
    if problems:
        raise InvalidSpace(problems)
    return StudyIdentity(space=space, directions=defined.directions, scope=defined.scope)


def space_from_json(space: Any, problems: list[str]) -> dict[str, Parameter]:
    """The parameters in a JSON object; adds to ``problems`` what cannot be understood."""
    if not isinstance(space, dict) or not space:
        problems.append('parameters: missing; write {NAME: {"type": …}, …}')
        return {}
    found = {}
    for name, written in space.items():
        parameter = _parameter(f"parameters.{name}", written, problems)
        if parameter is not None:
            found[name] = parameter
    return found


def _parameter(path: str, written: Any, problems: list[str]) -> Parameter | None:
    if isinstance(written, dict) and "attributes" in written:  # as Optuna writes it
        attributes = written["attributes"]
        kind = OPTUNA_NAMES.get(str(written.get("name")))
        written = {**attributes, "type": kind} if isinstance(attributes, dict) else {"type": kind}
    if not isinstance(written, dict) or written.get("type") not in _KEYS:
        problems.append(f"{path}.type: write one of {', '.join(_KEYS)}")
        return None
    kind = written["type"]
    before = len(problems)
    given = {key: value for key, value in written.items() if key != "type" and value is not None}
    if kind == "int":  # what is beyond 2**53 is text in JSON
        given |= {
            key: as_whole(value) for key, value in given.items() if as_whole(value) is not None
        }
    problems += _unknown(f"{path}.", given, _KEYS[kind])
    if kind == "categorical":
        choices = given.get("choices")
        if not isinstance(choices, list | tuple) or not choices:
            problems.append(f"{path}.choices: write a list with at least one choice")
            return None
        return Parameter(type="categorical", choices=tuple(choices))
    problems += [
        f"{path}.{key}: write a finite {'whole ' * (kind == 'int')}number"
        for key in ("low", "high")
        if not _is_number(given.get(key), kind)
    ]
    if "step" in given and not (_is_number(given["step"], kind) and given["step"] > 0):
        problems.append(f"{path}.step: write a number above 0")
    if not isinstance(given.get("log", False), bool):
        problems.append(f"{path}.log: write true or false")
    if len(problems) > before:
        return None
    if given["low"] > given["high"]:
        problems.append(f"{path}: low {given['low']} is above high {given['high']}")
        return None
    return numeric(kind, given["low"], given["high"], given.get("step"), given.get("log", False))


def _is_number(value: Any, kind: str) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    if isinstance(value, int):
        return kind == "int" or abs(value) <= _GREATEST
    return math.isfinite(value) and (kind == "float" or value.is_integer())


def _unknown(path: str, given: Collection[str], known: tuple[str, ...]) -> list[str]:
    return [
        f"{path}{key}: unknown key; did you mean {nearest(str(key), known)}?"
        for key in given
        if key not in known
    ]
