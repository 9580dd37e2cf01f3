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

from typing import TYPE_CHECKING, Any

from runledger import moved
from runledger.lazy import loaded
from runledger.version import __version__

if TYPE_CHECKING:
    from ledger import Event, LedgerError, new_event
    from ledger.payloads import DecisionPayload as Decision
    from runledger.api.facade import Runledger, next_parameters, open, run
    from runledger.api.guarding import guarded, job
    from runledger.errors import BadInput, Missing, RunledgerError

_HOMES = {
    "BadInput": "runledger.errors",
    "Decision": "ledger.payloads:DecisionPayload",
    "Event": "ledger",
    "LedgerError": "ledger",
    "Missing": "runledger.errors",
    "Runledger": "runledger.api.facade",
    "RunledgerError": "runledger.errors",
    "guarded": "runledger.api.guarding",
    "job": "runledger.api.guarding",
    "new_event": "ledger",
    "next_parameters": "runledger.api.facade",
    "open": "runledger.api.facade",
    "run": "runledger.api.facade",
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


moved.install()


def __getattr__(name: str) -> Any:
    return loaded(globals(), name, _HOMES.get(name))
