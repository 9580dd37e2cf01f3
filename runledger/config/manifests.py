"""Steps from the manifests of a pipeline's agents, as far as a manifest tells of them.

A manifest is a JSON object: ``agent_name``, ``pipeline_step`` (the step's name),
``required_inputs`` or ``inputs`` (files), ``timeout_minutes``, ``distributed``
(false: the controller only); the last two may stand in its ``actions``. The reader
takes what it knows and names what it passes over. It refuses nothing.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

_KNOWN = ("agent_name", "pipeline_step", "inputs", "required_inputs", "timeout_minutes",
          "distributed")  # fmt: skip
_OF_ACTIONS = ("timeout_minutes", "distributed")


def steps_of(
    manifests: Mapping[str, str], nodes: Sequence[Mapping[str, Any]], unused: list[str]
) -> dict[str, dict[str, Any]]:
    """The steps that manifests (file name to text) describe, as ``runledger.toml`` has them.

    What is passed over is added to ``unused``, a sentence each.
    """
    steps: dict[str, dict[str, Any]] = {}
    for file, text in sorted(manifests.items()):
        manifest = _manifest(text)
        if isinstance(manifest, str):
            unused.append(f"{file}: {manifest}")
            continue
        name = _name(manifest.get("pipeline_step"))
        if name is None:
            unused.append(f"{file}: no 'pipeline_step' that names a step: not used")
        elif name in steps:
            unused.append(f"{file}: step {name} is described by another manifest: not used")
        else:
            steps[name] = _Step(file, manifest, unused).table(nodes)
    return dict(sorted(steps.items(), key=_in_order))


def _in_order(step: tuple[str, Any]) -> tuple[float, str]:
    try:
        return float(step[0]), step[0]
    except ValueError:
        return math.inf, step[0]


def _manifest(text: str) -> dict[str, Any] | str:
    """The object, or why there is none."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return "not JSON: not used"
    return document if isinstance(document, dict) else "not an object: not used"


def _name(step: Any) -> str | None:
    if isinstance(step, bool) or not isinstance(step, str | int | float):
        return None
    if isinstance(step, float) and step.is_integer():
        step = int(step)
    name = str(step).strip()
    fit = name.isprintable() and not any(each in "/ " for each in name)
    return name if name and fit and len(name) <= 255 else None


class _Step:
    """Reads one manifest."""

    def __init__(self, file: str, manifest: dict[str, Any], unused: list[str]) -> None:
        self._file, self._manifest, self._unused = file, manifest, unused
        actions = manifest.get("actions")
        listed = actions if isinstance(actions, list) else []
        self._actions = [each for each in listed if isinstance(each, dict)]

    def table(self, nodes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        timeout_s, inputs = self._timeout_s(), self._inputs()
        step: dict[str, Any] = {} if timeout_s is None else {"timeout_s": timeout_s}
        if self._on_controller_only():
            local = [node["name"] for node in nodes if _is_local(node)]
            if local:
                step["nodes"] = local
            else:
                self._pass_over("distributed: no localhost among the nodes, so it is judged on all")
        if inputs:
            step["inputs"] = inputs
        keys = [key for key in self._manifest if key not in _KNOWN]
        if self._actions:
            more = {key for each in self._actions for key in each if key not in _OF_ACTIONS}
            keys = [key for key in keys if key != "actions"]
            keys += sorted(f"actions.{key}" for key in more)
        if keys:
            self._pass_over(f"not used: {', '.join(keys)}")
        return step

    def _pass_over(self, what: str) -> None:
        self._unused.append(f"{self._file}: {what}")

    def _values(self, key: str) -> list[Any]:
        if self._manifest.get(key) is not None:
            return [self._manifest[key]]
        return [each[key] for each in self._actions if each.get(key) is not None]

    def _timeout_s(self) -> int | float | None:
        found: list[float] = []
        for minutes in self._values("timeout_minutes"):
            number = isinstance(minutes, int | float) and not isinstance(minutes, bool)
            if number and 0 < minutes <= 60 * 24 * 366:
                found.append(minutes * 60)
            else:
                self._pass_over(f"timeout_minutes {minutes!r} is no number of minutes: not used")
        longest = sum(found)  # actions run one after the other
        return None if not found else int(longest) if longest == int(longest) else longest

    def _on_controller_only(self) -> bool:
        said = self._values("distributed")
        odd = [each for each in said if not isinstance(each, bool)]
        if odd:
            self._pass_over(f"distributed {odd[0]!r} is neither true nor false: not used")
        return bool(said) and not odd and not any(said)

    def _inputs(self) -> list[Any]:
        key = "required_inputs" if self._manifest.get("required_inputs") is not None else "inputs"
        listed = self._manifest.get(key)
        entries = listed if isinstance(listed, list) else [] if listed is None else [listed]
        files: list[Any] = []
        for entry in entries:
            path = entry.get("path", entry.get("file")) if isinstance(entry, dict) else entry
            if _is_file(path):
                files += [] if path in files else [path]
            else:
                self._pass_over(f"{key}: {entry!r} names no file: not used")
        if key == "required_inputs" and self._manifest.get("inputs") is not None:
            self._pass_over("not used: inputs (required_inputs says which are needed)")
        return files


def _is_local(node: Mapping[str, Any]) -> bool:
    return bool(node.get("address", node["name"]) == "localhost")


def _is_file(path: Any) -> bool:
    """Whether it is the path of one file; a parameter's name has neither dot nor slash."""
    if not isinstance(path, str) or not path.isprintable() or len(path) > 4096:
        return False
    return ("." in path or "/" in path) and not any(mark in path for mark in "*?{}$")
