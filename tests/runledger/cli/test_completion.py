"""What shells are given to complete by."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from runledger.cli import build_parser
from runledger.cli.parser import subparsers_of
from tests.typing_at import Type


@pytest.mark.parametrize(
    ("shell", "begins"),
    [("bash", "# AUTOMATICALLY"), ("zsh", "#compdef runledger"), ("fish", "# AUTOMATICALLY")],
)
def test_every_command_is_in_the_script_of_each_shell(type_: Type, shell: str, begins: str) -> None:
    done = type_("completion", shell)
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(begins)
    for parser in subparsers_of(build_parser()):
        assert parser.prog.split()[1] in done.out


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        (["stat"], ["status"]),
        (["preflight", "--tri"], ["--trials"]),
        (["import", "kern"], ["kernel-log"]),
        (["export", "--format", "pa"], ["parquet"]),
        (["record", "eve"], ["events.ndjson"]),
    ],
)
def test_bash_completes_with_it(
    type_: Type, folder: Path, typed: list[str], completed: list[str]
) -> None:
    (folder / "events.ndjson").touch()
    (folder / "script").write_text(type_("completion", "bash").out)
    words = " ".join(["runledger", *typed])
    asked = (
        f"source ./script; COMP_WORDS=({words}); COMP_CWORD={len(typed)}; COMP_LINE='{words}'; "
        'function=$(complete -p runledger | sed "s/.*-F \\([^ ]*\\).*/\\1/"); '
        f'"$function" runledger {typed[-1]} >/dev/null; printf "%s\\n" "${{COMPREPLY[@]}}"'
    )
    done = subprocess.run(
        ["bash", "--norc", "-c", asked], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.split() == completed, done.stderr


def test_another_shell_is_refused(type_: Type) -> None:
    assert type_("completion", "tcsh").code == 2
