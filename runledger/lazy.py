"""Names of a package that are loaded when they are first used: an import costs what it uses."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def loaded(package: dict[str, Any], name: str, home: str | None) -> Any:
    """What a package's ``__getattr__`` gives for ``name``, kept in the package from then on.

    ``home`` is the module it is in, or ``module:attribute`` where it has another
    name there; None for a name that the package does not offer.
    """
    if home is None:
        raise AttributeError(f"module {package['__name__']!r} has no attribute {name!r}")
    module, _, attribute = home.partition(":")
    package[name] = value = getattr(import_module(module), attribute or name)
    return value
