"""What can keep an Optuna study from becoming events, or a run from being recorded."""

from __future__ import annotations

from collections.abc import Iterable

from ledger.errors import RunledgerError


class OptunaError(RunledgerError):
    """Root of the errors of this package."""


class UnusableStorage(OptunaError):
    """What was named is no Optuna storage that can be read; the text says what it is instead."""


class UnknownZone(UnusableStorage):
    """The storage holds local times, and nobody said of which zone."""


class MissingStorage(OptunaError):
    """There is nothing where the storage should be."""


class BusyStorage(OptunaError):
    """Someone is writing to the storage and does not let go; try again later."""


class NoSuchStudy(OptunaError):
    """The storage holds no study of this name; ``known`` are the names it holds."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        self.name, self.known = name, tuple(known)
        shown = ", ".join(repr(each) for each in self.known[:10])
        more = f" and {len(self.known) - 10} more" if len(self.known) > 10 else ""
        there = f"it holds {shown}{more}" if self.known else "it holds no study at all"
        super().__init__(f"no study {name!r} in this storage: {there}")


class VanishedStudy(OptunaError):
    """A study was deleted while it was being read."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"study {name!r} was deleted while it was read: nothing of it was stored")
