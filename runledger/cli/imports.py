"""``import``: what other programs wrote down, made into events. One sub-command a source.

Each source's module declares its own with ``add_import(sources)``.
"""

from __future__ import annotations

from importlib import import_module

from runledger.cli.parser import Commands, Parser, sentence

_SOURCES = ("import_kernel_log", "import_optuna", "import_records")


def add(commands: Commands) -> None:
    """Declare the command and its sub-commands."""
    what = "read kernel logs, Optuna studies, or what other programs wrote down of runs"
    parser = commands.add_parser("import", help=what, description=sentence(what))
    sources = parser.add_subparsers(
        metavar="SOURCE", dest="source", required=True, parser_class=Parser
    )
    for source in _SOURCES:
        import_module(f"runledger.cli.{source}").add_import(sources)
