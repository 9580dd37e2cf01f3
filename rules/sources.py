"""The digest of the judge: of all code and data that a decision can depend on.

It covers the sources of the packages `rules` (facts, folds, ladder, rules,
wording, the default policy) and `ledger` (how an event is read), byte for byte:
more than can change a decision, and nothing that can is left out. So a replay
that differs under the same digest is our own failure. Source bytes are the same
on every Python, in a folder, a wheel or a zip.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable

from ledger.canonical import canonical, digest

_PACKAGES = ("ledger", "rules")
_SOURCES = (".py", ".toml")


@cache
def judge_digest() -> str:
    """SHA-256 over the sources that decide in this process."""
    return sources_digest(*(resources.files(name) for name in _PACKAGES))


def sources_digest(*packages: Traversable) -> str:
    """SHA-256 over the sources of some packages; raises `RuntimeError` where one has none."""
    found = []
    for package in packages:
        sources = sorted(_sources(package, package.name))
        if not sources:
            raise RuntimeError(f"{package.name}: no sources: it cannot be told what decides")
        found += sources
    return digest(canonical(found))


def _sources(folder: Traversable, path: str) -> Iterator[tuple[str, str]]:
    """Path and digest of every source below a folder."""
    for each in folder.iterdir():
        where = f"{path}/{each.name}"
        if each.is_dir():
            yield from _sources(each, where)
        elif each.name.endswith(_SOURCES):
            yield where, digest(each.read_bytes())
