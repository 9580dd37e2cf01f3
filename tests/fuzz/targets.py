"""What is fuzzed: each target takes bytes, and may refuse them only in the ways that have words.

A refusal is an error that the command line gives an exit code other than 1; so
it is one sentence for a person. Everything else, and whatever takes longer than
`SLOWEST_S`, is a finding.
"""

from __future__ import annotations

import contextlib
import io
import json
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

SLOWEST_S = 5.0
_NOW_US = 1_790_000_000_000_000

Target = Callable[[bytes], None]


@dataclass(frozen=True, slots=True)
class Finding:
    """One way in which a target failed; ``where`` is the same for all inputs that fail alike."""

    target: str
    where: str
    input: bytes


def try_one(name: str, data: bytes) -> Finding | None:
    """What one input brought to light."""
    from runledger.cli.exits import OWN_FAILURE, code_of

    started, worked = time.monotonic(), time.process_time()
    try:
        TARGETS[name](data)
    except Exception as error:
        if code_of(error) == OWN_FAILURE:
            at = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{type(error).__name__} at {Path(at.filename).name}:{at.lineno}: {error}"
            return Finding(name, where[:300], data)
    # Other work on the machine is no finding; waiting for what never comes is.
    took_s = max(time.process_time() - worked, (time.monotonic() - started) / 10)
    if took_s > SLOWEST_S:
        return Finding(name, f"took {took_s:.0f} s", data)
    return None


def _text(data: bytes) -> str:
    """As a command line or a file gives text: lone surrogates for what is not UTF-8."""
    return data.decode("utf-8", "surrogateescape")


def _record(data: bytes) -> None:
    """NDJSON; what is taken is written by ``export`` as something that is taken again."""
    from ledger import parse_ndjson
    from ledger.event import to_wire

    for event in parse_ndjson(io.BytesIO(data)):
        wire = to_wire(event)
        assert [to_wire(each) for each in parse_ndjson(json.dumps(wire))] == [wire]


def _kernel_log(data: bytes) -> None:
    from collectors.kernel_log import KernelLogError, scan

    with contextlib.suppress(KernelLogError):
        scan((data.decode("utf-8", "replace"),), node="rig", source="fuzz", now_us=_NOW_US)


def _policy(data: bytes) -> None:
    from rules.policy import parse_policy, policy_text

    policy = parse_policy(data.decode("utf-8-sig"))
    assert parse_policy(policy_text(policy), policy.name) == policy


def _own_policies(data: bytes) -> None:
    from tests.fuzz.own_policies import own_policies

    own_policies(data)


def _policy_keys(data: bytes) -> None:
    from rules.policy import default_policy, with_settings

    with_settings(default_policy(), _text(data).split("\n"))


def _fleet(data: bytes) -> None:
    from rules.fleet import fleet_text, parse_fleet

    fleet = parse_fleet(data.decode("utf-8-sig"))
    assert parse_fleet(fleet_text(fleet)) == fleet


def _settings(data: bytes) -> None:
    from runledger.config.settings import load_settings

    path = _folder() / "runledger.toml"
    path.write_bytes(data)
    load_settings(config=path, environ={}).read_policy()


def _filters(data: bytes) -> None:
    from ledger import parse_filters

    filters = parse_filters(_text(data).split("\n"))
    with _ledger() as ledger:
        for _ in zip(range(10), ledger.read(where=filters), strict=False):
            pass


def _times(data: bytes) -> None:
    from ledger.times import format_time, parse_time

    time_us = parse_time(_text(data))
    assert parse_time(format_time(time_us)) == time_us


def _location(data: bytes) -> None:
    from ledger import open_ledger
    from ledger.location import has_password, locate, shown

    url = locate(_text(data))
    assert has_password(url) in (True, False)
    shown(url)
    if url.get_backend_name() == "sqlite":
        open_ledger(_text(data), create=False, readonly=True).close()


def _query(data: bytes) -> None:
    from runledger.querying import Budget, OverBudget, query

    with (
        _ledger() as ledger,
        contextlib.suppress(OverBudget),
        query(ledger, _text(data), budget=Budget(1.0), limit=20) as rows,
    ):
        list(rows.rows)


def _query_names(data: bytes) -> None:
    from runledger.querying.postgres_names import check_names, names_after_dots, without_end

    names_after_dots(_text(data))
    without_end(_text(data))
    check_names(_text(data))


def _proposal(data: bytes) -> None:
    """A proposal as a model may give it: one JSON object, of whatever values."""
    from ledger import new_event
    from ledger.strict_json import BadJson, load_json
    from runledger.deciding.proposals import receive

    try:
        given = load_json(data)
    except BadJson:
        return
    if isinstance(given, dict):
        names = ("trials", "seed_count", "proposer", "rationale", "evidence")
        payload, _ = receive(**{name: given.get(name) for name in names})
        new_event(payload, time_us=_NOW_US, source="fuzz", subject="fleet")


def _node_file(data: bytes) -> None:
    from runledger.config.node_file import merge
    from runledger.config.starter import starter
    from runledger.errors import BadInput

    text = data.decode("utf-8-sig")
    with contextlib.suppress(BadInput):
        assert merge(text, []) is not None
    starter(text, origin="distributed_config.json")


def _arguments(data: bytes) -> None:
    """A command line: understood, or one line of usage and exit code 2."""
    from runledger.cli import build_parser

    with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
        try:
            _parser(build_parser).parse_args(_text(data).split("\n"))
        except SystemExit as left:
            if left.code not in (0, 2):
                raise AssertionError(f"exit code {left.code}") from left


@cache
def _parser(build: Callable[[], object]) -> object:
    return build()


@cache
def _folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="runledger-fuzz-"))


@cache
def _made_ledger() -> Path:
    from ledger import open_ledger
    from ledger.testing import sample_events

    path = _folder() / "ledger.db"
    with open_ledger(path) as ledger:
        ledger.append(sample_events(100))
    return path


@contextlib.contextmanager
def _ledger() -> Iterator[object]:
    from ledger import open_ledger

    with open_ledger(_made_ledger(), create=False, readonly=True) as ledger:
        yield ledger


TARGETS: dict[str, Target] = {
    "record": _record,
    "kernel_log": _kernel_log,
    "policy": _policy,
    "policy_keys": _policy_keys,
    "own_policies": _own_policies,
    "fleet": _fleet,
    "settings": _settings,
    "filters": _filters,
    "times": _times,
    "location": _location,
    "query": _query,
    "query_names": _query_names,
    "proposal": _proposal,
    "node_file": _node_file,
    "arguments": _arguments,
}
