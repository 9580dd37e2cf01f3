"""The schema of a proposal as tool layers and grammars take it."""

from __future__ import annotations

import json
import re

import pytest

from rules.policy import Policy, default_policy, with_settings
from runledger.llm.proposal_formats import proposal_format

NAMED = with_settings(default_policy(), ['proposal.names.trials="window_trials"'])
FROZEN = with_settings(default_policy(), ['proposal.frozen=["trials"]'])


def test_a_strict_function_requires_all_and_lets_numbers_be_null() -> None:
    tool = proposal_format(NAMED, "openai")
    assert isinstance(tool, dict)
    function = tool["function"]
    assert (tool["type"], function["strict"]) == ("function", True)
    parameters = function["parameters"]
    assert parameters["required"] == list(parameters["properties"])
    assert parameters["additionalProperties"] is False
    assert parameters["properties"]["window_trials"]["type"] == ["integer", "null"]
    assert parameters["properties"]["rationale"]["type"] == "string"
    assert "anyOf" not in json.dumps(tool)


def test_a_tool_has_its_schema_under_input_schema() -> None:
    tool = proposal_format(default_policy(), "anthropic")
    assert isinstance(tool, dict)
    assert set(tool) == {"name", "description", "input_schema"}
    assert tool["input_schema"]["type"] == "object"
    assert "anyOf" not in tool["input_schema"]


_TOKEN = re.compile(
    r'(?P<literal>"(?:[^"\\]|\\.)*")|(?P<characters>\[(?:[^\]\\]|\\.)*\])'
    r"|(?P<name>[a-z][a-z0-9-]*)|(?P<mark>\{[0-9,]+\}|[()?*+|])|(?P<blank> +)"
)


def as_pattern(grammar: str) -> re.Pattern[str]:
    """The grammar as one regular expression: none of its rules refers to itself."""
    rules = dict(line.split(" ::= ", 1) for line in grammar.splitlines())

    def expand(rule: str) -> str:
        assert _TOKEN.sub("", rule) == "", "nothing else is in a rule"
        return "".join(one(match) for match in _TOKEN.finditer(rule))

    def one(match: re.Match[str]) -> str:
        if match["literal"]:
            return f"(?:{re.escape(json.loads(match['literal']))})"
        if match["name"]:
            return f"(?:{expand(rules[match['name']])})"
        return match["characters"] or match["mark"] or ""

    return re.compile(expand(rules["root"]))


@pytest.mark.parametrize(
    ("policy", "text", "fits"),
    [
        (default_policy(), '{"trials": 50, "rationale": "why"}', True),
        (
            default_policy(),
            '{"seed_count":1000,"rationale":"a \\"b\\"","evidence":["x","y"]}',
            True,
        ),
        (default_policy(), '{"trials": 5, "seed_count": 7, "rationale": "\u00e4"}', True),
        (default_policy(), '{"rationale": "why"}', False),
        (default_policy(), '{"trials": 50, "rationale": ""}', False),
        (default_policy(), '{"trials": "50", "rationale": "why"}', False),
        (default_policy(), '{"trials": 5.5, "rationale": "why"}', False),
        (NAMED, '{"window_trials": 50, "rationale": "why"}', True),
        (NAMED, '{"trials": 50, "rationale": "why"}', False),
        (FROZEN, '{"trials": 50, "rationale": "why"}', False),
        (FROZEN, '{"seed_count": 50, "rationale": "why"}', True),
    ],
)
def test_the_grammar_lets_through_what_can_be_judged(policy: Policy, text: str, fits: bool) -> None:
    grammar = proposal_format(policy, "gbnf")
    assert isinstance(grammar, str)
    assert (as_pattern(grammar).fullmatch(text) is not None) is fits
