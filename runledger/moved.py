"""Modules under the names they had in 0.1, for programs that import them by those.

Only names that the documentation ever gave are kept. A name is looked up here
after everything else has failed to find it, and costs nothing until then.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType

MOVED = {
    "runledger.cleaning": "runledger.cleanup.service",
    "runledger.kernel_logs": "runledger.intake.kernel_logs",
    "runledger.optuna_studies": "runledger.intake.optuna_studies",
    "runledger.whatif": "runledger.replaying.whatif",
}
"""Where each is now, by its old name."""


class MovedModules:
    """Finds a moved module, and gives the one that is there now.

    Without the base classes of `importlib.abc`, which cost more than all the rest of
    `import runledger`: finders and loaders are known by their methods.
    """

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """A spec for the names of `MOVED`, None for any other."""
        return ModuleSpec(name, self) if name in MOVED else None  # type: ignore[arg-type]

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """An empty stand-in: `exec_module` puts the real module in its place."""
        return ModuleType(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Put the module of today under the old name."""
        sys.modules[module.__name__] = import_module(MOVED[module.__name__])


def install() -> None:
    """Let the old names be found, once in a process."""
    if not any(isinstance(finder, MovedModules) for finder in sys.meta_path):
        sys.meta_path.append(MovedModules())
