"""``doctor``: what is installed, what is configured, and whether the ledger is well."""

from __future__ import annotations

import argparse
import platform
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from ledger.text.characters import plain
from ledger.text.humanize import counted
from runledger.cli import exits
from runledger.terminal.output import colour, print_json, say

if TYPE_CHECKING:
    from ledger import Ledger
    from ledger.errors import RunledgerError
    from runledger.config.settings import Settings


class _Check(NamedTuple):
    name: str
    ok: bool
    detail: str
    code: int = exits.DRIFT
    """The exit code where it is not ok."""


def examine(arguments: argparse.Namespace) -> int:
    """The command: exit 0 where all is well, else the code of the first thing that is not."""
    checks = list(_checks(arguments))
    codes = [check.code for check in checks if not check.ok]
    if arguments.json:
        shown = [{"name": each.name, "ok": each.ok, "detail": each.detail} for each in checks]
        print_json({"ok": not codes, "checks": shown})
    else:
        for check in checks:
            mark = colour("ok ", "good") if check.ok else colour("BAD", "bad")
            say(f"{mark}  {plain(check.name)}: {plain(check.detail)}")
    return codes[0] if codes else exits.DONE


def _checks(arguments: argparse.Namespace) -> Iterator[_Check]:
    from pysqlite3 import dbapi2

    from ledger.errors import RunledgerError
    from runledger.config.settings import load_settings
    from runledger.version import __version__

    versions = f"runledger {__version__}, Python {platform.python_version()}"
    yield _Check("versions", True, f"{versions}, SQLite {dbapi2.sqlite_version}")
    safe = dbapi2.sqlite_version_info >= (3, 51, 3)
    yield _Check("SQLite", safe, "has the fix for WAL resets" if safe else "upgrade pysqlite3")
    yield from _engine_checks()
    try:
        settings = load_settings(ledger=arguments.ledger, config=arguments.config)
        settings.read_policy()
    except RunledgerError as error:
        # Which ledger there is to look at is not known without it.
        yield _failed("configuration", error)
        return
    nodes = 0 if settings.fleet is None else len(settings.fleet.nodes)
    where = settings.config_path or "no runledger.toml here or above"
    yield _Check("configuration", True, f"{where}; {counted(nodes, 'node')}")
    yield from _ssh_checks(settings)
    yield from _ledger_checks(settings)
    yield _spool_check(settings)


def _engine_checks() -> Iterator[_Check]:
    """A rule fired by each evaluator, and which of them decides."""
    from rules.engine import EVALUATORS, chosen, problem_of, version, why_not

    for name in EVALUATORS:
        shown = {"durable": "durable-rules", "plain": "plain rules"}[name]
        if missing := why_not(name):
            yield _Check(shown, True, f"not used: {missing}")
            continue
        problem = problem_of(name)
        decides = "and decides" if name == chosen() else "and stands by"
        yield _Check(shown, not problem, problem or f"{version(name)} fires rules {decides}")


def _ssh_checks(settings: Settings) -> Iterator[_Check]:
    """The files that nodes are reached by: one that is not there fails every look."""
    from runledger.config.node_specs import missing_files

    nodes = () if settings.fleet is None else settings.fleet.nodes
    missing = [(node.name, each) for node in nodes for each in missing_files(node, settings.folder)]
    for name, (key, file) in missing:
        remedy = REMEDIES[key].format(file=file)
        yield _Check(f"{key} of {name}", False, f"no file {file}: {remedy}", exits.BAD_INPUT)
    if nodes and not missing:
        yield _Check("SSH files", True, "all that the nodes name are there")


REMEDIES = {
    "ssh_config": "write one, or take the key out of runledger.toml",
    "known_hosts": "learn each host's key, and compare it: ssh-keyscan HOST >> {file}",
    "identity": "make a key: ssh-keygen -t ed25519 -f {file}",
}
"""What to do about a file that a node names and that is not there, by the key that names it."""


def _ledger_checks(settings: Settings) -> Iterator[_Check]:
    from ledger.errors import RunledgerError
    from rules.fold import Fold
    from runledger.api.facade import open_with
    from runledger.deciding.folding import check_checkpoints

    try:
        # To write, too: what waits in the spool is delivered.
        with open_with(settings, create=False) as runledger:
            yield _Check("ledger", True, settings.shown_ledger)
            delivered = runledger.deliver_spooled()
            if delivered.delivered:
                yield _Check(
                    "delivered", True, f"{counted(delivered.delivered, 'event')} from the spool"
                )
            yield from _storage_checks(runledger.ledger)
            bad, checked = check_checkpoints(
                runledger.ledger, Fold(runledger.policy, runledger.fleet)
            )
            detail = f"{checked} checked against the events, {bad} differ"
            yield _Check("checkpoints", not bad, detail)
    except RunledgerError as error:
        yield _failed("ledger", error)


def _storage_checks(ledger: Ledger) -> Iterator[_Check]:
    from ledger import broken_parts, not_writable, verify

    result = verify(ledger)
    whole = f"whole, head {result.head.sequence}:{result.head.hash}"
    yield _Check("chain", result.ok, whole if result.ok else result.reason)
    remedy = "restore an export into a new ledger"
    broken = "; ".join(broken_parts(ledger))
    yield _Check("database", not broken, f"{broken}: {remedy}" if broken else "in order")
    yield _schema_check(ledger)
    if ledger.database != "sqlite":
        why = not_writable(ledger)
        yield _Check("writing", not why, why or "the server takes writes", exits.NEEDS_PERSON)


def _schema_check(ledger: Ledger) -> _Check:
    from ledger import Unavailable, schema_differences

    try:
        found = schema_differences(ledger)
    except Unavailable as error:
        detail = f"{error}; only who may make a schema can compare: run this as the ledger's owner"
        return _Check("schema", False, detail, exits.NEEDS_PERSON)
    if not found:
        return _Check("schema", True, "tables, guards, views and indexes are as they were made")
    told = "; ".join(found)
    remedy = "ask who did it, and restore an export into a new ledger"
    return _Check("schema", False, f"{told}: what is stored or shown can be another: {remedy}")


def _failed(name: str, error: RunledgerError) -> _Check:
    return _Check(name, False, str(error), exits.code_of(error))


def _spool_check(settings: Settings) -> _Check:
    from runledger.intake.spooling import waiting

    held = waiting(settings)
    if not held.folders:
        return _Check("spool", True, "empty")
    where = ", ".join(held.folders)
    detail = f"{held.waiting} events wait, {held.refused} were refused; in {where}"
    if held.refused:
        detail += "; each file in refused/ has its reason beside it"
    return _Check("spool", False, detail)
