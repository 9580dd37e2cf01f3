"""Settings: where the ledger is, and what ``runledger.toml`` says of policy and fleet.

Read when asked for, never at import. The file is named by the caller or by
``RUNLEDGER_CONFIG``, else looked for from the current folder upwards; only one
that nobody else may write is used. The ledger is named, in this order, by the
caller, by ``RUNLEDGER_LEDGER``, by the file, and else is ``./runledger.db``.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from ledger.event_checks import unknown_names
from ledger.input_files import check_path, read_text
from ledger.location import has_password, locate
from ledger.location import shown as shown_location
from ledger.strict_json import shown, shown_key
from ledger.text.characters import WITHOUT_CONTROL
from rules.fleet import Fleet, InvalidFleet, Node, fleet_from_table
from rules.own.fields import Types
from rules.policy import Policy, default_policy
from rules.toml import check, parse_toml
from runledger.config.node_defaults import with_defaults
from runledger.config.policy_files import read_policy_file
from runledger.config.trusted import (
    CONFIG_NAME,
    find_config,
    require_trusted,
    require_trusted_ssh,
)
from runledger.config.zones import Zone, parse_zone
from runledger.errors import BadInput, Missing

DEFAULT_LEDGER = "runledger.db"

_KEYS = (
    *("ledger", "policy", "shadows", "spool", "tz", "defaults", "nodes", "steps", "probe"),
    "witnesses",
)
_Positive = Annotated[int, Meta(gt=0)] | Annotated[float, Meta(gt=0)]
_Seconds = Annotated[int, Meta(ge=0)] | Annotated[float, Meta(ge=0)]


class InvalidSettings(BadInput):
    """A ``runledger.toml`` that cannot be used; ``problems`` names each key."""

    def __init__(self, path: Path, problems: list[str]) -> None:
        self.path, self.problems = path, tuple(problems)
        super().__init__("\n".join(f"{path}: {problem}" for problem in problems))


class ProbeSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How nodes are probed; seconds.

    Evidence younger than ``probe_min_interval_s`` is used again. A card whose SMU failed is
    left alone for ``smu_backoff_s``.
    """

    connect_timeout_s: _Positive = 5
    command_timeout_s: _Positive = 10
    total_timeout_s: _Positive = 60
    concurrency: Annotated[int, Meta(ge=1, le=1024)] = 32
    probe_min_interval_s: _Seconds = 10
    smu_backoff_s: _Seconds = 300
    remedy_timeout_s: _Positive = 600


class WitnessFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file that remembers the ledger's heads: best on another machine's disk."""

    path: Annotated[str, Meta(min_length=1, max_length=4096, pattern=WITHOUT_CONTROL)]


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What is configured. ``fleet`` and ``policy`` are None where there is no file.

    A ``policy_file`` is read when a policy is asked for: what only looks back
    does without.
    """

    ledger: str
    ledger_from_file: bool = False
    """Whether the file named the ledger, and nobody named another."""
    config_path: Path | None = None
    spool: str | None = None
    """The folder for events that wait for the ledger; None: beside what it belongs to."""
    fleet: Fleet | None = None
    policy: Policy | None = None
    policy_file: Path | None = None
    shadow_files: tuple[Path, ...] = ()
    """Policies that decide nothing: what they would have decided is compared."""
    probe: ProbeSettings = ProbeSettings()
    tz: Zone = Zone()
    """The zone of times that say none."""
    witness_files: tuple[Path, ...] = ()
    """Files that remember the ledger's heads, beside the nodes that do."""

    @property
    def folder(self) -> Path:
        """Where relative paths in the file begin; without a file, the current folder."""
        return Path.cwd() if self.config_path is None else self.config_path.parent.absolute()

    @property
    def shown_ledger(self) -> str:
        """The ledger as people are told of it: its whole path, or its URL without a password."""
        url = locate(self.ledger)
        return (
            os.path.abspath(shown_location(url))
            if url.get_backend_name() == "sqlite"
            else shown_location(url)
        )

    @property
    def place(self) -> str:
        """Where the ledger is kept, in words that no other ledger's place has."""
        sqlite = locate(self.ledger).get_backend_name() == "sqlite"
        return f"{socket.gethostname()} {self.shown_ledger}" if sqlite else self.shown_ledger

    def read_policy(self, types: Types | None = None) -> Policy | None:
        """The policy configured; raises `InvalidPolicy`, or `InvalidSettings` without its file.

        ``types`` are the event types that the ledger declares.
        """
        file = self.policy_file
        if file is None:
            return self.policy
        try:
            return read_policy_file(file, types=types, trust=require_trusted)
        except OSError as error:
            config = self.config_path or file
            raise InvalidSettings(config, [f"policy = {str(file)!r}: {_why(error)}"]) from None


def fleet_to_reach(settings: Settings) -> Fleet:
    """The fleet that may be reached: that of the file, never one that a ledger holds.

    Raises `BadInput` where there is no file, or a node's ``ssh_config`` is not to be trusted.
    """
    if settings.fleet is None:
        raise BadInput(
            f"no {CONFIG_NAME} here or above: what a ledger says of a fleet is judged by, and "
            "nothing is reached or run by it",
            remedy="make one with `runledger init`, name yours with "
            "--config, or judge on what is recorded with `runledger preflight --no-probe`",
        )
    for node in settings.fleet.nodes:
        require_trusted_node(node, settings.folder)
    return settings.fleet


def require_trusted_node(node: Node, folder: Path) -> None:
    """Raise `BadInput` where somebody else may write the ``ssh_config`` that a node names."""
    if node.ssh_config not in (None, "none"):
        require_trusted_ssh(folder / Path(str(node.ssh_config)).expanduser())


def load_settings(
    *,
    ledger: str | None = None,
    config: str | Path | None = None,
    environ: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Settings:
    """The settings in force; raises `InvalidSettings`.

    A ``config`` that is named must exist (`Missing`); the one that is looked for need not.
    """
    environ = os.environ if environ is None else environ
    cwd = Path.cwd() if cwd is None else cwd
    location = ledger or environ.get("RUNLEDGER_LEDGER")
    config = config or environ.get("RUNLEDGER_CONFIG")
    if config:
        check_path(config)
    path = find_config(cwd, environ) if not config else cwd / config
    if path is None:
        return Settings(ledger=location or str(cwd / DEFAULT_LEDGER), tz=_zone({}, path, environ))
    if config and not path.exists():
        raise Missing(
            f"{path}: no such file", remedy=f"`runledger init --config {config}` makes one"
        )
    require_trusted(path)
    table = _read(path)
    problems = [_unknown(key, meant) for key, meant in unknown_names(table, _KEYS)]
    problems += [
        f"{key} = {shown(table[key])}: {wrong}"
        for key in ("ledger", "policy", "spool", "tz")
        if key in table and (wrong := _path_problem(table[key]))
    ]
    problems += _location_problem(table.get("ledger")) + _zone_problem(table.get("tz"))
    shadows = _shadows(table.get("shadows", []), problems)
    check(table.get("probe", {}), ProbeSettings, "probe", problems)
    witnesses = _witnesses(table, problems)
    fleet = Fleet()
    table = with_defaults(table, problems)
    try:
        fleet = fleet_from_table({key: table[key] for key in ("nodes", "steps") if key in table})
    except InvalidFleet as error:
        problems += error.problems
    if problems:
        raise InvalidSettings(path, problems)
    return Settings(
        ledger=location or _beside(path, table.get("ledger", DEFAULT_LEDGER)),
        ledger_from_file=not location and "ledger" in table,
        config_path=path,
        spool=_beside(path, table["spool"]) if "spool" in table else None,
        fleet=fleet,
        policy=default_policy(),
        policy_file=path.parent / table["policy"] if "policy" in table else None,
        shadow_files=tuple(path.parent / each for each in shadows),
        probe=msgspec.convert(table.get("probe", {}), ProbeSettings),
        tz=_zone(table, path, environ),
        witness_files=tuple(path.parent / Path(each["path"]).expanduser() for each in witnesses),
    )


def _shadows(named: Any, problems: list[str]) -> list[str]:
    if isinstance(named, list) and not any(map(_path_problem, named)):
        return named
    problems.append('shadows: write a list of policy files, as ["strict.toml"]')
    return []


def _witnesses(table: dict[str, Any], problems: list[str]) -> list[Any]:
    witnesses = table.get("witnesses", [])
    if not isinstance(witnesses, list):
        problems.append("witnesses: write [[witnesses]] for each of them")
        return []
    for at, witness in enumerate(witnesses, 1):
        check(witness, WitnessFile, f"witnesses[{at}]", problems)
    return witnesses


def _read(path: Path) -> dict[str, Any]:
    try:
        return parse_toml(read_text(path))
    except (OSError, UnicodeDecodeError, BadInput) as error:
        raise InvalidSettings(path, [_why(error)]) from None
    except ValueError as error:
        raise InvalidSettings(path, [str(error)]) from None


def _path_problem(value: object) -> str:
    if not isinstance(value, str) or not value:
        return "write it as text"
    try:
        check_path(value)
    except BadInput:
        return "no path: it holds a control character"
    return ""


def _unknown(key: str, meant: str) -> str:
    if key in Policy.__struct_fields__:
        return f'{key}: a key of the policy; write it in a file, and policy = "policy.toml" here'
    return f"{shown_key(key)}: unknown key; did you mean {meant}?"


def _why(error: OSError | UnicodeDecodeError | BadInput) -> str:
    if isinstance(error, BadInput):
        return str(error)
    if isinstance(error, UnicodeDecodeError):
        return f"not UTF-8 (byte {error.start})"
    return f"cannot be read: {error.strerror}"


def _beside(path: Path, location: str) -> str:
    """A relative path in the file is relative to the file's folder."""
    return location if "://" in location else str(path.parent / location)


def _zone(table: dict[str, Any], path: Path | None, environ: Mapping[str, str]) -> Zone:
    """The zone that the environment names, else the file."""
    if environ.get("RUNLEDGER_TZ"):
        return Zone(environ["RUNLEDGER_TZ"], "by RUNLEDGER_TZ")
    return Zone(str(table["tz"]), f"by {path.name}") if path and "tz" in table else Zone()


def _zone_problem(zone: object) -> list[str]:
    try:
        parse_zone(zone if isinstance(zone, str) else "UTC")
    except BadInput as error:
        return [f"tz: {error}"]
    return []


def _location_problem(location: object) -> list[str]:
    if not isinstance(location, str) or _path_problem(location):
        return []
    try:
        if not has_password(locate(location)):
            return []
    except BadInput as error:
        return [f"ledger: {error}"]
    return [
        "ledger: a password does not belong in this file; take it out and set RUNLEDGER_LEDGER, "
        "PGPASSWORD or ~/.pgpass"
    ]
