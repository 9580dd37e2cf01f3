"""What ``--help`` says, and what a mistyped command is told."""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Iterator

import pytest

from runledger.cli import build_parser
from tests.typing_at import Type


def parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """Of every command that can be run."""
    inner = [each for each in parser._actions if isinstance(each, argparse._SubParsersAction)]
    if not inner:
        yield parser
    for action in inner:
        for each in action.choices.values():
            yield from parsers(each)


def ours(line: str) -> list[str]:
    """The words after the last ``runledger`` of a pipeline, without redirections."""
    words = shlex.split(re.split(r" [<>] ", line)[0])
    return words[len(words) - words[::-1].index("runledger") :]


@pytest.mark.parametrize("parser", list(parsers(build_parser())), ids=lambda each: each.prog)
def test_a_command_explains_itself_with_an_example_that_can_be_typed(
    parser: argparse.ArgumentParser,
) -> None:
    text = parser.format_help()
    _, _, examples = text.partition("\nexample")
    lines = [line.strip() for line in examples.splitlines()[1:]]
    assert lines, parser.prog
    name = parser.prog.split()[1]
    assert any(name in ours(line) for line in lines)
    for line in lines:
        build_parser().parse_args(ours(line))  # exits where it is wrong
    for action in parser._actions:
        assert action.help, f"{parser.prog} {action.dest}"
    assert "?." not in text


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["prefligt"], "COMMAND: there is no 'prefligt': did you mean preflight?"),
        (["override", "fleet", "wach"], "did you mean watch?"),
        (["export", "--format", "xml"], "choose from ndjson, csv, parquet"),
        (["preflight"], "required: --step; see `runledger preflight --help`"),
        (["exclusions", "--at", "2026-01-44"], "--at: '2026-01-44' is not a possible time"),
        (["report", "--output", "x", "--since", "noon"], "--since: 'noon' is no time: write RFC"),
    ],
)
def test_what_is_mistyped_is_named_with_what_to_type(
    type_: Type, words: list[str], told: str
) -> None:
    done = type_(*words)
    assert (done.code, done.out) == (2, "")
    assert told in done.err
    assert done.err.count("\n") == 1


class TestSeveralValues:
    @pytest.mark.parametrize(
        ("command", "option", "values", "field"),
        [
            ("whatif", "--set", ["gpu.window_s=5", "tuning.default_trials=7"], "settings"),
            ("whatif", "--without", ["type=ssh_probe", "seq=1..4"], "without"),
            ("backtest", "--set", ["gpu.window_s=5", "tuning.default_trials=7"], "settings"),
            ("backtest", "--policy", ["strict.toml", "none"], "policies"),
            ("probe", "--node", ["rig-a", "rig-b"], "nodes"),
            ("cleanup", "--node", ["rig-a", "rig-b"], "nodes"),
        ],
    )
    def test_follow_an_option_or_come_with_it_given_again(
        self, command: str, option: str, values: list[str], field: str
    ) -> None:
        parser = build_parser()
        together = parser.parse_args([command, option, *values])
        apart = parser.parse_args([command, *(word for each in values for word in (option, each))])
        assert getattr(together, field) == getattr(apart, field) == values

    @pytest.mark.parametrize("command", ["next", "study check --study s --space s.json"])
    def test_of_a_scope_too(self, command: str) -> None:
        parser = build_parser()
        words = [*command.split(), "--scope"]
        assert parser.parse_args([*words, "data=a", "n=3"]).scope == {"data": "a", "n": "3"}
        again = parser.parse_args([*words, "data=a", "--scope", "n=3"])
        assert again.scope == {"data": "a", "n": "3"}
