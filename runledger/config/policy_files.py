"""A policy as it stands in files: one, and those that it includes.

``include = ["rules/*.toml"]`` names files beside the policy's own; what is
decided by, hashed and recorded is the whole of them. Included files include
nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ledger.errors import BadInput
from ledger.input_files import read_text
from rules.own.fields import Types
from rules.own.parts import Part
from rules.policy import InvalidPolicy, Policy, parse_policy
from rules.toml import parse_toml

MOST_FILES = 500
MOST_BYTES = 4_000_000

_SPECIAL = frozenset("*?[")


def read_policy_file(
    path: Path,
    *,
    types: Types | None = None,
    trust: Callable[[Path], None] = lambda _: None,
) -> Policy:
    """The policy in a file and its includes; raises `InvalidPolicy`, or ``OSError``.

    ``types`` are the event types that a ledger declares; ``trust`` raises for a
    file that is not to be used.
    """
    problems: list[str] = []
    trust(path)
    text = _text(path)
    parts: list[Part] = []
    size = len(text)
    for file, label in _included(path, text, problems):
        trust(file)
        try:
            parts.append(Part(label, _text(file)))
            size += len(parts[-1].text)
        except InvalidPolicy as error:
            problems += error.problems
        except OSError as error:
            problems.append(f"{label}: cannot be read: {error.strerror}")
    if len(parts) > MOST_FILES or size > MOST_BYTES:
        problems.append(f"include: more than {MOST_FILES} files or {MOST_BYTES:,} bytes: say less")
    if problems:
        raise InvalidPolicy(str(path), problems)
    try:
        return parse_policy(text, name=path.stem, included=parts, types=types)
    except InvalidPolicy as error:
        raise InvalidPolicy(str(path), list(error.problems)) from None


def _text(path: Path) -> str:
    try:
        return read_text(path)
    except UnicodeDecodeError as error:
        raise InvalidPolicy(str(path), [f"not UTF-8 text (byte {error.start})"]) from None
    except BadInput as error:
        raise InvalidPolicy(str(path), [str(error)]) from None


def _included(path: Path, text: str, problems: list[str]) -> list[tuple[Path, str]]:
    """The files that a policy includes, each once, and what problems call them."""
    try:
        table: dict[str, Any] = parse_toml(text)
    except ValueError:
        return []  # said when the whole is read
    named = table.get("include", [])
    if not isinstance(named, list) or not all(isinstance(each, str) and each for each in named):
        problems.append('include: write a list of files, as ["rules/*.toml"]')
        return []
    found: dict[Path, str] = {}
    for pattern in named:
        for file in _matching(path.parent, pattern, problems):
            if file.resolve() == path.resolve():
                problems.append(f"include: {pattern!r} names the policy itself")
            elif file.resolve() not in found:
                label = file.relative_to(path.parent) if not Path(pattern).is_absolute() else file
                found[file.resolve()] = str(label)
    return [(path.parent / label, label) for label in found.values()]


def _matching(folder: Path, pattern: str, problems: list[str]) -> list[Path]:
    if Path(pattern).is_absolute() or not _SPECIAL & set(pattern):
        return [folder / pattern]
    try:
        files = sorted(each for each in folder.glob(pattern) if each.is_file())
    except (ValueError, NotImplementedError) as error:
        problems.append(f"include: {pattern!r}: {error}")
        return []
    if not files:
        problems.append(f"include: {pattern!r} matches no file")
    return files
