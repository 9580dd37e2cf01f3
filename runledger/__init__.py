"""runledger: the flight recorder and the judge of long GPU runs.

    import runledger

    with runledger.open("runledger.db") as fleet:
        verdict = fleet.preflight(step="3", run="R-20260124")
        if verdict.verdict not in ("go", "degraded"):
            ...

Names are loaded when they are first used, so that importing this package costs
next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from runledger.version import __version__

if TYPE_CHECKING:
    from ledger import Event, LedgerError, new_event
    from ledger.payloads import DecisionPayload as Decision
    from runledger.errors import BadInput, Missing, RunledgerError
    from runledger.facade import Runledger, next_parameters, open
    from runledger.guarding import guarded, job
    from runledger.searching import run

_HOMES = {
    "BadInput": "runledger.errors",
    "Decision": "ledger.payloads:DecisionPayload",
    "Event": "ledger",
    "LedgerError": "ledger",
    "Missing": "runledger.errors",
    "Runledger": "runledger.facade",
    "RunledgerError": "runledger.errors",
    "guarded": "runledger.guarding",
    "job": "runledger.guarding",
    "new_event": "ledger",
    "next_parameters": "runledger.facade",
    "open": "runledger.facade",
    "run": "runledger.searching",
}

__all__ = [
    "BadInput",
    "Decision",
    "Event",
    "LedgerError",
    "Missing",
    "Runledger",
    "RunledgerError",
    "__version__",
    "guarded",
    "job",
    "new_event",
    "next_parameters",
    "open",
    "run",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'runledger' has no attribute {name!r}")
    module, _, attribute = home.partition(":")
    value = getattr(import_module(module), attribute or name)
    globals()[name] = value
    return value
