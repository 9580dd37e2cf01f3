"""The JSON Schema of a proposal: fit for a tool, with the policy's bounds as information."""

from __future__ import annotations

import json

import pytest

from rules.policy import InvalidPolicy, default_policy, with_settings
from rules.proposal import proposal_schema


def test_every_property_says_what_it_is_and_in_which_unit() -> None:
    schema = proposal_schema(default_policy())
    properties = schema["properties"]
    assert set(properties) == {"trials", "seed_count", "rationale", "evidence"}
    assert all(each["description"] for each in properties.values())
    assert "unit: trials" in properties["trials"]["description"]
    assert "unit: seeds" in properties["seed_count"]["description"]
    assert schema["required"] == ["rationale"]
    assert schema["additionalProperties"] is False


def test_bounds_are_told_and_not_enforced_so_that_every_proposal_reaches_the_judge() -> None:
    text = proposal_schema(
        with_settings(default_policy(), ["proposal.max_trials=321", "proposal.max_change=1.3"])
    )["properties"]["trials"]
    assert "10 to 321" in text["description"]
    assert "1.3 times" in text["description"]
    assert not {"minimum", "maximum", "exclusiveMaximum", "enum"} & set(text)


def test_at_least_one_number_is_required() -> None:
    schema = proposal_schema(default_policy())
    assert schema["anyOf"] == [{"required": ["trials"]}, {"required": ["seed_count"]}]
    frozen = with_settings(default_policy(), ['proposal.frozen=["trials", "seed_count"]'])
    assert "anyOf" not in proposal_schema(frozen)


def test_a_model_may_call_the_numbers_otherwise() -> None:
    named = with_settings(default_policy(), ['proposal.names.trials="window_trials"'])
    schema = proposal_schema(named)
    assert set(schema["properties"]) == {"window_trials", "seed_count", "rationale", "evidence"}
    assert {"required": ["window_trials"]} in schema["anyOf"]


@pytest.mark.parametrize("name", ["rationale", "seed_count", "a b", ""])
def test_a_name_that_is_taken_or_none_is_refused(name: str) -> None:
    with pytest.raises(InvalidPolicy, match=r"proposal\.names"):
        with_settings(default_policy(), [f'proposal.names.trials="{name}"'])


def test_a_frozen_key_cannot_be_proposed() -> None:
    frozen = with_settings(default_policy(), ['proposal.frozen=["trials"]'])
    assert "trials" not in proposal_schema(frozen)["properties"]


def test_only_keywords_that_tool_layers_know_are_used() -> None:
    known = {
        "$schema", "title", "description", "type", "properties", "required", "items",
        "additionalProperties", "minLength", "anyOf",
    }  # fmt: skip

    def keywords(schema: dict[str, object]) -> set[str]:
        found = set(schema)
        properties = schema.get("properties")
        for inner in properties.values() if isinstance(properties, dict) else ():
            found |= keywords(inner)
        return found

    schema = proposal_schema(default_policy())
    assert keywords(schema) <= known
    assert json.loads(json.dumps(schema)) == schema
