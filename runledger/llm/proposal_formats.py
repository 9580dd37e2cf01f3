"""The schema of a proposal in the forms that tool layers and grammars take.

All are made from the JSON Schema of `rules.proposal`. That at least one number is
given, JSON Schema and the grammar can say; where a format cannot, the ledger refuses
a proposal without any.
"""

from __future__ import annotations

import json
from typing import Any

from rules.policy import TAKEN_NAMES, Policy
from rules.proposal import proposal_schema


def proposal_format(policy: Policy, form: str) -> dict[str, Any] | str:
    """The schema as ``json-schema``, ``openai`` or ``anthropic`` takes it, or ``gbnf``'s text."""
    schema = proposal_schema(policy)
    if form == "openai":
        return _openai(schema)
    if form == "anthropic":
        return _anthropic(schema)
    return _gbnf(schema) if form == "gbnf" else schema


def _parameters(schema: dict[str, Any]) -> dict[str, Any]:
    """The object alone, without what tool layers refuse at its top."""
    kept = ("type", "properties", "required", "additionalProperties")
    return {key: schema[key] for key in kept}


def _anthropic(schema: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": schema["title"],
        "description": schema["description"],
        "input_schema": _parameters(schema),
    }


def _openai(schema: dict[str, Any]) -> dict[str, Any]:
    """A strict function: every property is required there, and may be null where it is optional."""
    parameters = _parameters(schema)
    properties = {}
    for name, each in parameters["properties"].items():
        kept = {key: value for key, value in each.items() if key != "minLength"}
        if name not in schema["required"]:
            kept["type"] = [kept["type"], "null"]
        properties[name] = kept
    parameters |= {"properties": properties, "required": list(properties)}
    return {
        "type": "function",
        "function": {
            "name": schema["title"],
            "description": schema["description"],
            "strict": True,
            "parameters": parameters,
        },
    }


_GBNF_REST = """\
rationale ::= "\\"rationale\\"" colon "\\"" character+ "\\""
evidence ::= "\\"evidence\\"" colon "[" ws (text (comma text)*)? "]"
text ::= "\\"" character* "\\"" ws
integer ::= [1-9] [0-9]{0,14}
character ::= [^"\\\\\\x00-\\x1F] | "\\\\" (["\\\\bfnrt/] | "u" [0-9a-fA-F]{4})
colon ::= ws ":" ws
comma ::= ws "," ws
ws ::= [ \\t\\n]{0,8}
"""


def _gbnf(schema: dict[str, Any]) -> str:
    """A grammar for llama.cpp and its like: numbers first, at least one of them."""
    numbers = [name for name in schema["properties"] if name not in TAKEN_NAMES]
    rules = {f"number-{at}": name for at, name in enumerate(numbers, 1)}
    lines = []
    if rules:
        first, *others = rules
        either = "".join(f" (comma {each})?" for each in others)
        lines.append(f"numbers ::= {first}{either}" + "".join(f" | {each}" for each in others))
    given = "numbers comma " if rules else ""
    lines.insert(0, f'root ::= "{{" ws {given}rationale (comma evidence)? ws "}}"')
    lines += [
        f"{rule} ::= {json.dumps(json.dumps(name))} colon integer" for rule, name in rules.items()
    ]
    return "\n".join(lines) + "\n" + _GBNF_REST
