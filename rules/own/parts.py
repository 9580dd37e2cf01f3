"""A policy in many files: what each of them brings, joined, and where everything stands."""

from __future__ import annotations

from typing import Any, NamedTuple

from rules.own.shapes import Raw


class Part(NamedTuple):
    """A file that a policy includes: what problems call it, and its text."""

    label: str
    text: str


class Places:
    """Where each table of a list stands: in which file, at which number there."""

    def __init__(self) -> None:
        self._found: dict[str, list[str]] = {}

    def add(self, label: str, table: dict[str, Any]) -> None:
        """Number the facts and rules of one file."""
        rules = table.get("rules")
        listed = {
            "facts": table.get("facts"),
            "rules.own": rules.get("own") if isinstance(rules, dict) else None,
        }
        for key, tables in listed.items():
            if isinstance(tables, list):
                file = f"{label}: " if label else ""
                self._found.setdefault(key, []).extend(
                    f"{file}{key}[{number}]" for number in range(1, len(tables) + 1)
                )

    def of(self, key: str, tables: Any, problems: list[str]) -> list[Raw]:
        """The tables under a key, each with its place."""
        if not isinstance(tables, list | tuple):
            problems.append(f"{key}: not a list of tables; write [[{key}]]")
            return []
        known = self._found.get(key, [])
        return [
            Raw(known[at] if at < len(known) else f"{key}[{at + 1}]", each)
            for at, each in enumerate(tables)
        ]


def join(
    table: dict[str, Any], more: dict[str, Any], label: str, where: str, problems: list[str]
) -> None:
    """Add an included file: tables are joined, lists of tables follow, a value stands once."""
    for key, value in more.items():
        path = f"{where}.{key}" if where else key
        held = table.get(key)
        if key not in table:
            table[key] = value
        elif isinstance(held, dict) and isinstance(value, dict):
            join(held, value, label, path, problems)
        elif path in ("facts", "rules.own") and isinstance(held, list) and isinstance(value, list):
            table[key] = [*held, *value]
        else:
            problems.append(f"{label}: {path} is written elsewhere, too: write it once")
