"""The part of the facade that a search program uses: its trials and runs, written down.

Nothing here makes a search wait for a ledger that is away, nor fail with it:
what cannot be stored is spooled, and delivered once the ledger is back.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runledger.api.session import Opened
from runledger.config.settings import load_settings

if TYPE_CHECKING:
    from optuna import Study

    from runledger.studies import AskedTrial, RunledgerCallback, SearchRun


class Searching(Opened):
    """What `Runledger` can do for a search program."""

    def optuna_callback(
        self, *, run: str | None = None, step: str | None = None
    ) -> RunledgerCallback:
        """For ``study.optimize(…, callbacks=[…])``: records every finished trial."""
        from runledger.studies import RunledgerCallback

        return RunledgerCallback(self.recorder, run=run, step=step)

    def trial(self, study: Study, **options: Any) -> AbstractContextManager[AskedTrial]:
        """Ask for one trial and tell it: ``with fleet.trial(study, run="R7") as trial:``.

        The options are those of `runledger.studies.runledger_trial`.
        """
        from runledger.studies import runledger_trial

        return runledger_trial(study, self.recorder, **options)

    def run(self, id: str, **options: Any) -> SearchRun:
        """Around a search: ``with fleet.run("R7", study=…, trials=…, seed_count=…) as run:``.

        The options are those of `runledger.studies.SearchRun`.
        """
        from runledger.studies import SearchRun

        return SearchRun(self.recorder, id, **options)


def run(
    id: str,
    *,
    ledger: str | Path | None = None,
    config: str | Path | None = None,
    **options: Any,
) -> SearchRun:
    """`Runledger.run` without opening a ledger first: the search begins even if it is away."""
    from runledger.intake.spooling import recorder_at
    from runledger.studies import SearchRun

    settings = load_settings(ledger=None if ledger is None else str(ledger), config=config)
    return SearchRun(recorder_at(settings), id, **options)
