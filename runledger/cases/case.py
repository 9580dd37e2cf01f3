"""Cases: a few events, a question, and what must be decided.

A case is a folder with

- ``case.toml``: one ``[[decisions]]`` table for each question, with ``kind``,
  ``at``, ``question`` and ``expect``;
- ``events.ndjson``: the events, as `record` reads them; decisions among them are passed over;
- ``policy.toml`` and ``fleet.toml``, where they are not the default policy and
  an empty fleet.

``expect`` names what must hold and is silent about the rest: ``verdict``,
``findings`` (each ``[rule, severity, subject]``), ``rules`` (names that must be
among the findings), and whatever of the outcome matters.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from ledger import Conflict, Event, InvalidEvents, once_each, parse_ndjson
from ledger.event_checks import unknown_names
from ledger.input_files import open_lines, read_text
from ledger.strict_json import shown, shown_key
from ledger.times import InvalidTime, parse_time
from rules.decide import Draft, Judge
from rules.fleet import Fleet, InvalidFleet, parse_fleet
from rules.kinds import DECIDED_TYPES, KINDS, question_problems
from rules.policy import Policy, default_policy
from rules.state import State
from rules.toml import check, parse_toml
from runledger.cases.coverage import Coverage, Watcher
from runledger.config.policy_files import read_policy_file
from runledger.deciding.folding import order
from runledger.errors import BadInput, Missing
from runledger.kinds import SHOWN

CASE, EVENTS, POLICY, FLEET = "case.toml", "events.ndjson", "policy.toml", "fleet.toml"

_KEYS = ("kind", "at", "question", "expect")


class Expected(msgspec.Struct, frozen=True, kw_only=True):
    """One question of a case, and what must be decided."""

    kind: str
    at_us: int
    question: dict[str, Any]
    expect: dict[str, Any]


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was decided otherwise."""

    decision: int
    field: str
    expected: Any
    got: Any


class CaseResult(msgspec.Struct, frozen=True, kw_only=True):
    """How a case went; no difference means that it holds."""

    name: str
    differences: tuple[Difference, ...]
    coverage: Coverage = Coverage()

    def lines(self) -> list[str]:
        """The differences as a diff."""
        lines = []
        for each in self.differences:
            lines.append(f"decision {each.decision}, {each.field}:")
            lines.append(f"- {json.dumps(each.expected, ensure_ascii=False)}")
            lines.append(f"+ {json.dumps(each.got, ensure_ascii=False)}")
        return lines

    def as_json(self) -> dict[str, Any]:
        """As ``runledger test --json`` prints it."""
        return {"case": self.name, "differences": msgspec.to_builtins(self.differences)}


def find_cases(folder: Path) -> list[Path]:
    """Every folder at or below one that holds a case; raises `Missing` where there is none."""
    if not folder.is_dir():
        raise Missing(f"no folder {folder}")
    found = sorted(each.parent for each in folder.rglob(CASE))
    if not found:
        raise Missing(f"no case below {folder}: a case is a folder with a {CASE}")
    return found


def run_case(folder: Path, policy: Policy | None = None) -> CaseResult:
    """Run a case, by another policy where one is given; raises `BadInput` for a broken file."""
    decisions = _decisions(folder)
    events = _events(folder / EVENTS)
    watcher = Watcher()
    judge = Judge(policy or _policy(folder / POLICY), _fleet(folder / FLEET), watch=watcher)
    differences: list[Difference] = []
    for number, expected in enumerate(decisions, 1):
        state = folded(judge, events, expected.at_us)
        draft = judge.decide(expected.kind, expected.question, state, expected.at_us)
        for field, wanted in expected.expect.items():
            got = said(expected.kind, draft, field)
            if not _holds(field, wanted, got):
                differences.append(
                    Difference(decision=number, field=field, expected=wanted, got=got)
                )
    return CaseResult(
        name=str(folder),
        differences=tuple(differences),
        coverage=watcher.coverage(judge.rules.in_force),
    )


def folded(judge: Judge, events: list[Event], at_us: int) -> State:
    """The state of a case's events at a time; their order in the file is their position."""
    due = sorted((each for each in events if each.time_us <= at_us), key=order)
    return judge.fold.run(due)


def said(kind: str, draft: Draft, field: str) -> Any:
    """A field of ``expect`` as a draft has it, in plain JSON values."""
    if field == "verdict":
        return draft.verdict
    if field == "findings":
        return sorted([each.rule, each.severity, each.subject] for each in draft.findings)
    if field == "rules":
        return sorted({each.rule for each in draft.findings})
    value = draft.outcome.get(field)
    return None if value is None else SHOWN[kind].expected(field, value)


def _holds(field: str, wanted: Any, got: Any) -> bool:
    if field == "rules":
        return set(wanted) <= set(got)
    return bool(_in_any_order(wanted) == _in_any_order(got))


def _in_any_order(value: Any) -> Any:
    """A value whose lists are sorted: none of an expectation's lists has an order to keep."""
    if isinstance(value, dict):
        return {key: _in_any_order(each) for key, each in value.items()}
    if isinstance(value, list):
        return sorted(map(_in_any_order, value), key=json.dumps)
    return value


def _decisions(folder: Path) -> list[Expected]:
    path = folder / CASE
    table = _toml(path)
    problems = [f"{key}: unknown key; write [[decisions]]" for key in table if key != "decisions"]
    decisions = table.get("decisions")
    if not isinstance(decisions, list) or not decisions:
        problems.append("no [[decisions]]: name at least one question and what is expected")
        decisions = []
    found = [
        each
        for number, decision in enumerate(decisions, 1)
        if (each := _expected(decision, f"decisions[{number}]", problems)) is not None
    ]
    if problems:
        raise BadInput("\n".join(f"{path}: {problem}" for problem in problems))
    return found


def _expected(table: Any, where: str, problems: list[str]) -> Expected | None:
    before = len(problems)
    if not isinstance(table, dict):
        problems.append(f"{where}: not a table")
        return None
    problems += [
        f"{where}.{shown_key(key)}: unknown key; did you mean {meant}?"
        for key, meant in unknown_names(table, _KEYS)
    ]
    kind = table.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        problems.append(f"{where}.kind is {shown(kind)}: write one of {', '.join(KINDS)}")
        return None
    question, expect = table.get("question", {}), table.get("expect") or {}
    problems += question_problems(kind, question, f"{where}.question")
    if expect:
        check(expect, SHOWN[kind].expects, f"{where}.expect", problems)
    else:
        problems.append(f"{where}.expect: say what must be decided")
    at_us = 0
    try:
        at_us = parse_time(str(table.get("at", "")))
    except InvalidTime as error:
        problems.append(f"{where}.at: {error}")
    if len(problems) > before:
        return None
    return Expected(kind=kind, at_us=at_us, question=question, expect=expect)


def _toml(path: Path) -> dict[str, Any]:
    try:
        return parse_toml(_text(path))
    except ValueError as error:
        raise BadInput(f"{path}: {error}") from None


def _text(path: Path) -> str:
    try:
        return read_text(path, "utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: cannot be read ({error})") from None


def _events(path: Path) -> list[Event]:
    if not path.exists():
        raise BadInput(f"{path}: no such file; a case needs its events")
    try:
        with open_lines(path) as lines:
            read = (each for each in parse_ndjson(lines) if each.type not in DECIDED_TYPES)
            events = once_each(read)
    except InvalidEvents as error:
        raise BadInput("\n".join(f"{path}: {each}" for each in error.problems)) from None
    except Conflict as error:
        raise BadInput(f"{path}: other content under the same id: {', '.join(error.ids)}") from None
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror})") from None
    numbered: Iterator[tuple[int, Event]] = enumerate(events, 1)
    return [msgspec.structs.replace(event, sequence=number) for number, event in numbered]


def _policy(path: Path) -> Policy:
    if not path.exists():
        return default_policy()
    try:
        return read_policy_file(path)
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error})") from None


def _fleet(path: Path) -> Fleet:
    if not path.exists():
        return Fleet()
    try:
        return parse_fleet(_text(path))
    except InvalidFleet as error:
        raise BadInput("\n".join(f"{path}: {each}" for each in error.problems)) from None
