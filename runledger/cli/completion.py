"""``completion``: what a shell needs to complete commands, options and files.

shtab reads it off the parser, for each shell; whoever does not ask for it
does not load it.
"""

from __future__ import annotations

import argparse

from runledger.cli import exits
from runledger.cli.parser import Commands, command, subparsers_of

_FILES = ("FILE", "DIR", "URL-or-path", "STORAGE")
"""What stands in help for something that is, or may be, a file."""


def add(commands: Commands) -> None:
    """Declare the command."""
    parser = command(
        commands,
        "completion",
        _completion,
        "print what a shell needs to complete commands and options",
        examples=[
            "runledger completion bash > ~/.local/share/bash-completion/completions/runledger",
            "runledger completion zsh > ~/.zfunc/_runledger",
            "runledger completion fish > ~/.config/fish/completions/runledger.fish",
        ],
    )
    parser.add_argument(
        "shell", metavar="SHELL", choices=["bash", "zsh", "fish"], help="bash, zsh or fish"
    )


def _completion(arguments: argparse.Namespace) -> int:
    import shtab

    from runledger.cli import build_parser
    from runledger.terminal.output import print_json, say

    parser = build_parser()
    _mark_files(parser)
    script = shtab.complete(parser, shell=arguments.shell)
    if arguments.json:
        print_json({"shell": arguments.shell, "script": script})
    else:
        say(script)
    return exits.DONE


def _mark_files(parser: argparse.ArgumentParser) -> None:
    """Tell shtab which arguments are files."""
    import shtab

    for action in parser._actions:
        if action.metavar in _FILES:
            action.complete = shtab.FILE  # type: ignore[attr-defined]  # how shtab is told
    for inner in subparsers_of(parser):
        _mark_files(inner)
