"""Writes the reference pages from the code they describe: ``make docs``.

Events, rules, policy keys and commands are described where they are defined;
these pages only lay that out. A test holds the pages to the code. Longer than
most: a function a page, and nothing shared between them but the table cells.
"""

from __future__ import annotations

import argparse
import inspect
import re
import sys
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import msgspec

from collectors.faults import known_faults
from ledger.payloads import DecisionPayload
from ledger.registry import PAYLOAD_TYPES
from rules.features import FACTS
from rules.ruleset import Rule
from rules.rulesets import ALL_RULES
from runledger.cli import build_parser, exits

FOLDER = Path(__file__).parent
_POLICY = FOLDER.parent / "rules" / "default_policy.toml"


def pages() -> dict[str, str]:
    """Every generated page by file name."""
    made = {
        "events.md": events(),
        "rules.md": rules(),
        "facts.md": facts(),
        "policy.md": policy(),
        "cli.md": commands(),
        "views.md": views(),
        "python.md": facade(),
        "faults.md": faults(),
    }
    note = "<!-- Written by docs/generate.py (`make docs`); change the code it describes. -->\n\n"
    return {name: note + re.sub(r"\n{3,}", "\n\n", text) for name, text in made.items()}


# -- events ------------------------------------------------------------------


def events() -> str:
    """Every event type with its fields."""
    parts = [
        "# Event types\n",
        "An event's `type` says what its `data` holds. The attributes around it, the canonical "
        "form and the hash chain are in [event-format.md](event-format.md). Durations are in "
        "seconds, memory in MiB, temperatures in °C, clocks in MHz; times are RFC 3339. A field "
        "marked *optional* may be left out. Unknown fields are refused.\n",
        *(f"- [`{name}`](#{name})" for name in sorted(PAYLOAD_TYPES)),
        "",
    ]
    for name in sorted(PAYLOAD_TYPES):
        parts += _event(name, PAYLOAD_TYPES[name])
    return "\n".join(parts)


def _event(name: str, cls: type[msgspec.Struct]) -> Iterator[str]:
    yield f"\n## {name}\n"
    version = getattr(cls, "version", 1)
    yield f"{_prose(cls)} Version {version}.\n"
    yield from _fields(cls)
    if issubclass(cls, DecisionPayload):
        yield "\nWhat its parts hold is in [decisions.md](decisions.md).\n"
        return
    for part in _parts(cls):
        yield f"\nEach of `{part.__name__}`: {_prose(part)}\n"
        yield from _fields(part)


def _fields(cls: type[msgspec.Struct]) -> Iterator[str]:
    yield "| field | type | |"
    yield "|---|---|---|"
    for field in msgspec.structs.fields(cls):
        optional = "" if field.required else "optional"
        yield f"| `{field.name}` | {_type(field.type)} | {optional} |"


def _parts(cls: type[msgspec.Struct]) -> list[type[msgspec.Struct]]:
    found: dict[type[msgspec.Struct], None] = {}

    def look(kind: Any) -> None:
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            found[kind] = None
        for inner in typing.get_args(kind):
            look(inner)

    for field in msgspec.structs.fields(cls):
        look(field.type)
    return list(found)


def _type(kind: Any) -> str:
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Annotated:
        meta = next((each for each in kind.__metadata__ if isinstance(each, msgspec.Meta)), None)
        said = _type(inner[0])
        if meta is not None and meta.description:
            return meta.description
        if meta is not None and meta.ge is not None:
            return f"{said}, {meta.ge} or more" if meta.ge > -(2**53) else said
        return "name" if said == "text" else said
    if origin in (typing.Union, types.UnionType):
        kinds = dict.fromkeys(_type(each) for each in inner if each is not type(None))
        if set(kinds) == {"integer", "number"}:
            return "number"
        if set(kinds) == {"integer, 0 or more", "number, 0 or more"}:
            return "number, 0 or more"
        return " or ".join(kinds)
    if origin is Literal:
        return ", ".join(f"`{each}`" for each in inner)
    if origin in (tuple, list):
        return f"list of {_type(inner[0])}"
    if origin is dict:
        return "object"
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return f"`{kind.__name__}`"
    names = {str: "text", int: "integer", float: "number", bool: "true or false", dict: "object"}
    return names.get(kind, "any JSON")


def _prose(thing: Any) -> str:
    text = inspect.getdoc(thing) or ""
    text = text.replace("``", "`")
    return re.sub(r"\s*\n\s*", " ", text).strip()


# -- rules ---------------------------------------------------------------------


def rules() -> str:
    """Every rule with its conditions and words."""
    parts = [
        "# Rules\n",
        "A rule looks at one [fact](facts.md) and fires when all its conditions hold; "
        "`$section.key` is a value of the [policy](policy.md). What is not known makes a "
        "comparison false. Messages and remedies are filled in from the fact. "
        "Facts are gathered in `rules/facts/`, rules stand in `rules/rulesets/`, and a policy "
        'switches one off with `[rules] disabled = ["NAME"]`. Rules of your own: '
        "[own-rules.md](own-rules.md).\n",
    ]
    for kind, about in FACTS.items():
        named = [rule for rule in ALL_RULES if rule.about == kind]
        if not named:
            continue
        parts += [f"\n## {about.title}\n", f"{about.says}\n"]
        if kind == "failure":
            parts += ["| cause | when |", "|---|---|"]
            parts += [f"| `{rule.name}` | {_when(rule)} |" for rule in named]
            continue
        parts += ["| rule | severity | when | says | to do |", "|---|---|---|---|---|"]
        parts += [
            f"| `{rule.name}` | {_severity(rule)} | {_when(rule)} | {_cell(rule.message)} "
            f"| {_cell(rule.remedy)} |"
            for rule in named
        ]
    return "\n".join(parts) + "\n"


def _severity(rule: Rule) -> str:
    return f"`{rule.severity}`" if rule.severity.startswith("$") else rule.severity


def _when(rule: Rule) -> str:
    return "<br>".join(f"`{condition}`" for condition in rule.when)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


# -- facts ---------------------------------------------------------------------


def facts() -> str:
    """Every kind of fact with its features."""
    parts = [
        "# Facts\n",
        "What [rules](rules.md) look at. A fact is about one subject at the judging time; its "
        "features are what was measured, and what is not known of a subject is left out. They are "
        "declared in `rules/features.py` and gathered in `rules/facts/`.\n",
    ]
    for name, kind in FACTS.items():
        parts += [f"\n## {name}\n", f"{kind.title}. {kind.says}\n"]
        parts += ["| feature | type | unit | says |", "|---|---|---|---|"]
        for feature, declared in kind.features.items():
            words = f" One of {', '.join(f'`{word}`' for word in declared.words)}."
            says = declared.says + (words if declared.words else "")
            parts.append(f"| `{feature}` | {declared.type} | {declared.unit} | {_cell(says)} |")
    return "\n".join(parts) + "\n"


# -- policy --------------------------------------------------------------------


def policy() -> str:
    """The default policy, which explains itself."""
    return (
        "# The policy\n\n"
        "Everything with a number in it is a key of the policy, in TOML. A policy file holds only "
        "the keys that differ; an unknown key or a value out of range is an error that names the "
        "nearest key and what it may be. `runledger.toml` names the file (`policy = "
        '"policy.toml"`); without one, the default below is in force. `whatif --set '
        "gpu.exclude_after_incidents=1` asks what another value would have done, `backtest "
        "--sweep` tries several. The policy's whole text is in the ledger as a "
        "[`policy_activated`](events.md#policy_activated) event, and every decision names the "
        "digest of the one it was made with.\n\n"
        f"```toml\n{_POLICY.read_text(encoding='utf-8').rstrip()}\n```\n"
    )


# -- views -----------------------------------------------------------------------

_VIEWS = {
    "v_events": "Every event. `run` is its `runid`, else the run that it is about (`run/…`); "
    "`superseded` is 1 where `reclassify` has judged it anew.",
    "v_runs": "One row a run: what was asked for, how it ended, what it yielded, each as the "
    "newest event says that tells of it. `preflight` is the verdict of its newest preflight of "
    "`preflights`; `jobs_failed` counts failures, so a job that failed twice counts twice; "
    "`outcome` and `survivors` are empty where nobody wrote them down, which is not zero.",
    "v_trials": "One row a finished Optuna trial. `value` is the first objective where it is "
    "finite; `objectives` and `params` are JSON.",
    "v_decisions": "One row a decision. `blocked_by` lists the rules that blocked; `question`, "
    "`findings` and `outcome` are JSON.",
    "v_findings": "One row a finding of a decision; `nth` counts from 1 in the order shown.",
    "v_gpu_probes": "One row a card that a probe lists; `nth` is its place in the list, from 1.",
    "v_gpu_health": "One row a card at its place: as the newest probe shows it, what has happened "
    "to it, and where the newest exclusion decision puts it (`standing`: `ok`, `watch`, "
    "`excluded`, `retire`; empty where none was ever made).",
    "v_failures": "One row a kind of failure, fingerprint, node and card: how often, since when, "
    "in how many `runs`, and by which `cause`. `kind` is `job`, `smu_error` or `gpu_fault`; the "
    "fingerprint of the latter two is their signature or fault. `pci` is empty where the failure "
    "names no card.",
}


def views() -> str:
    """Every view with its columns."""
    import tempfile

    from pysqlite3 import dbapi2  # as the ledger's: Python's own may know no types of views
    from sqlalchemy import create_engine, inspect

    from ledger import open_ledger

    parts = [
        "# Views\n",
        "For SQL of your own: `runledger query 'SELECT …'`, or any tool that reads SQLite or "
        "PostgreSQL. The views are the same on both databases and stable: a later version may add "
        "a view, or a column at the end, and takes none away. Questions and their queries are in "
        "[questions.md](questions.md).\n",
        "A column `time`, or one that ends in `…ed` and holds a time, is UTC text with six "
        "fractional digits, so that it sorts; beside it, `…_us` is the same in microseconds since "
        "1970. Durations are in seconds, memory in MiB, temperatures in °C, clocks in MHz. What is "
        "not known is NULL.\n",
    ]
    with tempfile.TemporaryDirectory() as folder:
        open_ledger(Path(folder) / "l.db").close()
        inspector = inspect(create_engine(f"sqlite:///{Path(folder) / 'l.db'}", module=dbapi2))
        assert set(inspector.get_view_names()) == set(_VIEWS)
        for name, what in _VIEWS.items():
            parts += [f"\n## {name}\n", f"{what}\n", "| column | type |", "|---|---|"]
            for column in inspector.get_columns(name):
                kind = _SQL_TYPES[str(column["type"]).split("(")[0]]
                parts.append(f"| `{column['name']}` | {kind} |")
    parts += [
        "\n## What `query` allows\n",
        "One SELECT, WITH or EXPLAIN, for 30 seconds (`--timeout`), on a connection that cannot "
        "write. On SQLite an authorizer lets through reading and functions without side effects, "
        "nothing else: no ATTACH, no PRAGMA, no VACUUM INTO, no loading of extensions. On "
        "PostgreSQL the statement runs as a cursor in a read-only transaction and may name only "
        "functions of a list and none of the `pg_` catalogues (`x.f` counts as a call, too, where "
        "the server has a function `f`); what operators and views of the database's owner do is up "
        "to the owner, so give analysts a login that may only SELECT. SQLite may take 256 MiB; "
        "how much a query may take of PostgreSQL is up to the server.\n",
        "A table shows the first 1,000 rows, other formats all of them (`--limit`). Bytes are "
        "shown in hexadecimal; infinities and what is no number are texts in JSON. CSV is made for "
        "spreadsheets: text that one would run as a formula begins with `'`.\n",
        "## With other tools\n",
        "```sh\ndatasette runledger.db                       # a browser on the views\n"
        "duckdb -c \"ATTACH 'runledger.db' AS l (TYPE sqlite, READ_ONLY); "
        'SELECT * FROM l.v_runs"\n'
        "runledger export --format parquet --output events.parquet\n```\n",
        "DuckDB fetches its reader of SQLite from its makers on first use; without a network, "
        "give it the Parquet file: `SELECT type, count(*) FROM 'events.parquet' GROUP BY type`.\n",
        'From Python, with the extra `analysis`: `fleet.to_pandas("v_runs")`, '
        '`fleet.to_polars("SELECT …")`.',
    ]
    return "\n".join(parts) + "\n"


_SQL_TYPES = {"BIGINT": "integer", "INTEGER": "integer", "INT": "integer", "TEXT": "text",
              "DOUBLE_PRECISION": "number", "DOUBLE PRECISION": "number", "REAL": "number",
              "NUM": "number", "NUMERIC": "number"}  # fmt: skip


# -- faults ----------------------------------------------------------------------

_TOLD_BY = {
    "amd": "AMD, by the kernel driver amdgpu",
    "nvidia": "NVIDIA, by its kernel driver",
    "machine": "The bus and the machine itself, by the kernel",
}


def faults() -> str:
    """The catalogue of faults."""
    parts = [
        "# Faults\n",
        "What the kernel log says of faults, as `runledger faults [CODE]` explains it. Each line "
        "that an entry knows becomes an event of its kind: [`smu_error`](events.md#smu_error) "
        "(where the kind is the `signature`), [`gpu_fault`](events.md#gpu_fault), "
        "[`node_fault`](events.md#node_fault) or [`process_killed`](events.md#process_killed). "
        "*Whose* says who is to blame: the card, the link to it, the node, the workload that "
        "ran, or nobody (info). *Asks for* is what the source of the entry wants done with the "
        "card. An Xid that is not listed is recorded with its number.\n",
    ]
    known = known_faults()
    for told_by in dict.fromkeys(each.told_by for each in known):
        parts += [
            f"\n## {_TOLD_BY.get(told_by, told_by)}\n",
            "| name | code | kind | whose | means | asks for | source |",
            "|---|---|---|---|---|---|---|",
        ]
        for each in (one.fault for one in known if one.told_by == told_by):
            asks = (each.action or "").replace("_", " ")
            parts.append(
                f"| `{each.name}` | {each.code or ''} | `{each.kind}` | {each.whose} "
                f"| {_cell(each.meaning)} | {asks} | {_cell(each.source)} |"
            )
    parts += ["\n## What to do\n", "| asks for, or whose | to do |", "|---|---|"]
    remedies = {(each.fault.action or each.fault.whose): each.fault.remedy for each in known}
    parts += [f"| {key.replace('_', ' ')} | {remedy} |" for key, remedy in remedies.items()]
    return "\n".join(parts) + "\n"


# -- the facade ------------------------------------------------------------------

_PARTS = {
    "now": "What it is opened with",
    "close": "Telling, and asking for decisions",
    "prober": "Looking at machines, and taking in what others wrote",
    "decisions": "Looking back",
    "job": "Guarding jobs",
    "optuna_callback": "Searching with Optuna",
}
"""The headings, by the method of `Runledger` that comes first under each."""


def facade() -> str:
    """Every public name of the package, and what an open ledger can do."""
    import runledger

    parts = [
        "# From Python\n",
        "`import runledger` is typed (`mypy --strict`), and costs next to nothing. "
        "[watcher.md](watcher.md) shows it at work.\n",
        "| name | |",
        "|---|---|",
    ]
    for name in runledger.__all__:
        thing = getattr(runledger, name)
        what = "the version" if isinstance(thing, str) else _first(thing)
        called = name + _signature(thing) if inspect.isfunction(thing) else name
        parts.append(f"| `{_cell(called)}` | {_cell(what)} |")
    parts += [
        "\nPayloads of events are in `ledger.payloads`, one struct an [event type](events.md): "
        "`ssh_probe` is `SshProbe`. Times (`at`, `since`, `until`) are text as on the "
        "[command line](cli.md), or microseconds since 1970.\n",
        "\n## An open ledger\n",
        "`runledger.open()` gives a `Runledger`; close it, or use `with`.\n",
    ]
    for method, thing in vars(runledger.Runledger).items():
        if method in _PARTS:
            parts += [f"\n### {_PARTS[method]}\n", "| | |", "|---|---|"]
        if not method.startswith("_"):
            called = method + (_signature(thing) if inspect.isfunction(thing) else "")
            parts.append(f"| `{_cell(called)}` | {_cell(_first(thing))} |")
    return "\n".join(parts) + "\n"


def _first(thing: Any) -> str:
    """The first paragraph of a docstring, on one line."""
    text = (inspect.getdoc(getattr(thing, "func", thing)) or "").split("\n\n")[0]
    return re.sub(r"\s*\n\s*", " ", text.replace("``", "`")).strip().rstrip(":")


def _signature(function: Any) -> str:
    """Names and defaults, without types and without ``self``."""
    shown = []
    star = False
    for each in inspect.signature(function).parameters.values():
        if each.name in ("self", "progress", "clock"):
            continue
        if each.kind is each.KEYWORD_ONLY and not star:
            shown, star = [*shown, "*"], True
        if each.kind is each.VAR_POSITIONAL:
            shown, star = [*shown, f"*{each.name}"], True
        elif each.kind is each.VAR_KEYWORD:
            shown.append(f"**{each.name}")
        else:
            default = "" if each.default is each.empty else f"={each.default!r}"
            default = "=…" if callable(each.default) and default else default
            shown.append(each.name + default)
    return f"({', '.join(shown)})"


# -- commands --------------------------------------------------------------------


def commands() -> str:
    """Every command's help."""
    parser = build_parser()
    parts = [
        "# Commands\n",
        "`runledger COMMAND …`, also `python -m runledger COMMAND …`. The ledger is `--ledger`, "
        "else `RUNLEDGER_LEDGER`, else what `runledger.toml` names, else `./runledger.db`. Data "
        "goes to stdout, talk to stderr; `--json` prints one JSON object. `--ledger`, `--config`, "
        "`--tz` and `--json` may stand before the command, too.\n",
        "A FILTER is a comma-joined list of `key=value`, all of which must hold; keys: `id`, "
        "`type`, `subject`, `source`, `run`, `step`, `node`, `pci`, `since`, `until`, `seq` (`n` "
        "or `a..b`). Values may hold `*`. An option given twice widens.\n",
        "A TIME is RFC 3339 (`2026-01-24T18:02:11Z`), a date, a clock time (`14:30`: today's), "
        "`now`, `today`, `yesterday`, or an age (`90m`, `2h`, `3d`), also in `since` and `until` "
        "of a FILTER. A date is where its day begins. With `--expires` an age lies that far ahead, "
        "and a clock time is the next there is. What has no offset is in the zone of `--tz`, else "
        "of `RUNLEDGER_TZ`, else `tz` in `runledger.toml`, else UTC; a note says which. A time "
        "that clocks skip there, or show twice, needs its offset, as does the `time` of an event "
        "that is recorded.\n",
        "| exit code | meaning |\n|---|---|\n| 0 | done; for `preflight`, go (also degraded) |\n"
        "| 1 | a failure of our own |\n| 2 | bad usage or bad input |\n| 3 | not found |\n"
        "| 5 | conflict: an id with other content, a file that is there already |\n"
        "| 10 | no-go; a proposal rejected |\n"
        "| 11 | a person is needed, or evidence is missing |\n"
        "| 12 | replay drifted, verify failed, a case failed, or `--fail-on-change` |\n"
        "| 75 | try again later: ledger busy, disk full |\n| 130 | interrupted (Ctrl-C) |\n",
        "With `--json` an error is one JSON object on stderr, also where the command line "
        'cannot be parsed: `{"error", "message", "remedy", "problems"?}`. `error` is one of '
        f"{', '.join(f'`{name}`' for name in exits.NAMES.values())}; `remedy` is what to do about "
        "it, or null; each of `problems` has a `message`, and of an event its `field`, `line`, "
        "`file` and `remedy`. It is the last line; notes may stand before it.\n",
        "`exec` exits with the code of the command it runs; `doctor` with the code of the first "
        "thing that is not well.\n",
        " · ".join(f"[{names[0]}](#{names[0]})" for names, _ in _walk(parser, ()) if not names[1:]),
    ]
    for names, command in _walk(parser, ()):
        parts.append(f"\n## {' '.join(names)}\n\n{command.description or ''}\n")
        parts.append(f"```\n{_help(command)}\n```\n")
    return "\n".join(parts)


def _walk(
    parser: argparse.ArgumentParser, names: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], argparse.ArgumentParser]]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, inner in action.choices.items():
                yield (*names, name), inner
                yield from _walk(inner, (*names, name))


def _help(parser: argparse.ArgumentParser) -> str:
    page = parser.formatter_class
    parser.formatter_class = lambda prog: page(prog, width=96)
    shared = ("--help", "--ledger", "--config", "--tz", "--json")
    kept = [each for each in parser._actions if not set(each.option_strings) & set(shared)]
    formatter = parser._get_formatter()
    formatter.add_usage(None, kept, [])
    for group in parser._action_groups:
        formatter.start_section(group.title)
        formatter.add_arguments([each for each in group._group_actions if each in kept])
        formatter.end_section()
    if parser.epilog:
        formatter.add_text(parser.epilog)
    return formatter.format_help().strip()


def main() -> int:
    """Write the pages; with ``--check``, only say which are out of date."""
    stale = [
        name
        for name, text in pages().items()
        if not (FOLDER / name).exists() or (FOLDER / name).read_text(encoding="utf-8") != text
    ]
    if "--check" in sys.argv[1:]:
        print("\n".join(f"docs/{name} is out of date: make docs" for name in stale))
        return 1 if stale else 0
    for name in stale:
        (FOLDER / name).write_text(pages()[name], encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
