"""May this program go on with that study? Safe, a new study, or refused, and why.

What Optuna would do on its own decides: it fails every trial whose categorical
choices changed, mixes trials of a widened range silently, and silently keeps the
old direction. Only identical studies are safe to resume.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from ledger.canonical import canonical
from runledger.studies.json_values import scope_texts
from runledger.studies.space import Parameter, StudyIdentity, parameter_json

Verdict = Literal["safe", "new_study", "refuse"]


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One thing in which program and stored study differ, and what follows from it."""

    what: str
    stored: Any
    program: Any
    why: str


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """The verdict: ``safe`` to resume, better a ``new_study``, or ``refuse`` to go on."""

    verdict: Verdict
    differences: tuple[Difference, ...] = ()


def compare(stored: StudyIdentity, program: StudyIdentity) -> Comparison:
    """Compare what is stored with what a program is about to search."""
    directions = _directions(stored, program)
    others = [*_scope(stored, program), *_space(stored, program)]
    if directions:
        return Comparison(verdict="refuse", differences=(*directions, *others))
    return Comparison(verdict="new_study" if others else "safe", differences=tuple(others))


def _directions(stored: StudyIdentity, program: StudyIdentity) -> list[Difference]:
    if stored.directions == program.directions:
        return []
    return [
        Difference(
            what="direction",
            stored=list(stored.directions),
            program=list(program.directions),
            why="Optuna would silently keep the stored direction, and search the wrong way; "
            "nothing learnt there says what is better here: give the study another name",
        )
    ]


def _scope(stored: StudyIdentity, program: StudyIdentity) -> list[Difference]:
    before, now = scope_texts(stored.scope), scope_texts(program.scope)
    return [
        Difference(
            what=f"scope {key}",
            stored=before.get(key),
            program=now.get(key),
            why="what is good for other data or seeds may be bad here: nothing is carried over "
            "unless told so",
        )
        for key in sorted(before.keys() | now.keys())
        if before.get(key) != now.get(key)
    ]


def _space(stored: StudyIdentity, program: StudyIdentity) -> list[Difference]:
    found = []
    for name in sorted(stored.space.keys() | program.space.keys()):
        before, now = stored.space.get(name), program.space.get(name)
        if before is not None and now is not None and _same(before, now):
            continue
        found.append(
            Difference(
                what=f"parameter {name}",
                stored=None if before is None else parameter_json(before),
                program=None if now is None else parameter_json(now),
                why=_why(before, now),
            )
        )
    return found


def _same(before: Parameter, now: Parameter) -> bool:
    return canonical(parameter_json(before)) == canonical(parameter_json(now))


def _sorted_choices(parameter: Parameter) -> list[bytes]:
    return sorted(canonical(each) for each in parameter_json(parameter)["choices"])


def _why(before: Parameter | None, now: Parameter | None) -> str:
    if before is None:
        return "new: past trials say nothing of it, the best of them are tried again with it"
    if now is None:
        return "gone: past trials depended on it, the best of them are tried again without it"
    if before.type != now.type or before.log != now.log:
        return "of another kind: Optuna refuses to mix them in one study"
    if now.type == "categorical":
        if _sorted_choices(before) == _sorted_choices(now):
            return "choices in another order: Optuna would fail every resumed trial"
        return "other choices: Optuna would fail every resumed trial"
    assert before.low is not None
    assert before.high is not None
    assert now.low is not None
    assert now.high is not None
    if before.step != now.step:
        return "another step: only past trials on the new grid fit"
    if now.low <= before.low and now.high >= before.high:
        return "a wider range: Optuna would mix both silently; in a new study all trials fit"
    if now.low >= before.low and now.high <= before.high:
        return "a narrower range: past trials outside of it do not fit"
    return "a shifted range: past trials outside of it do not fit"
