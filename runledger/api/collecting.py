"""The part of the facade that brings evidence in: probes, clean-ups, imports.

Thin calls: what each does is in the module it names.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from runledger.api.session import Opened, Time

if TYPE_CHECKING:
    from runledger.cleanup import CompileCache
    from runledger.cleanup.service import Cleaned
    from runledger.intake.kernel_logs import Imported, Reclassified
    from runledger.intake.optuna_studies import TakenIn
    from runledger.probing import Probed, Prober


class Collecting(Opened):
    """What `Runledger` can do to bring evidence in."""

    def prober(self, *, keep_open: bool = False) -> Prober:
        """Looks at the nodes, for ``with``; with ``keep_open`` over connections that stay open."""
        from runledger.probing import Prober

        return Prober(
            self.ledger,
            self.fleet,
            self.catalog.judge(self.policy, self.fleet).fold,
            settings=self.settings.probe,
            folder=self.settings.folder,
            clock=self._clock,
            keep_open=keep_open,
        )

    def probe(
        self,
        nodes: Iterable[str] | None = None,
        *,
        step: str | None = None,
        remedy: bool = False,
        progress: Callable[[int], None] = lambda _: None,
    ) -> Probed:
        """Look at nodes (all of a step, all there are) and store what is seen; see `Prober`."""
        names = None if nodes is None else tuple(nodes)
        with self.prober() as prober:
            return prober.probe(names=names, step=step, remedy=remedy, progress=progress)

    def cleanup(
        self,
        nodes: Iterable[str] | None = None,
        *,
        dry_run: bool = False,
        sudo: bool = False,
        compile_caches: Collection[CompileCache] = (),
        progress: Callable[[int], None] = lambda _: None,
    ) -> Cleaned:
        """Clean up after a batch, failing for no node's sake: `runledger.cleanup.service`."""
        from runledger.cleanup.service import clean_up

        names = None if nodes is None else tuple(nodes)
        with self.prober() as prober:
            return clean_up(
                prober,
                names=names,
                dry_run=dry_run,
                sudo=sudo,
                compile_caches=compile_caches,
                progress=progress,
            )

    def import_kernel_log(
        self,
        file: str | Path,
        *,
        node: str,
        boot_id: str | None = None,
        boot_time: Time = None,
        assume_tz: str = "UTC",
    ) -> Imported:
        """Store what a kernel log file reports; see `runledger.intake.kernel_logs`."""
        from runledger.config.zones import parse_zone
        from runledger.intake.kernel_logs import import_kernel_log

        return import_kernel_log(
            self.ledger,
            file,
            node=node,
            now_us=self._clock(),
            boot_id=boot_id,
            boot_time_us=None if boot_time is None else self._time(boot_time),
            zone=parse_zone(assume_tz),
        )

    def import_optuna(
        self, storage: str | Path, *, assume_tz: str | None = None, studies: Iterable[str] = ()
    ) -> list[TakenIn]:
        """Store the finished trials of existing studies; see `runledger.intake.optuna_studies`.

        ``assume_tz`` is the zone the studies' programs ran in: Optuna does not say.
        """
        from runledger.config.zones import parse_zone
        from runledger.intake.optuna_studies import import_optuna

        zone = None if assume_tz is None else parse_zone(assume_tz)
        return import_optuna(self.ledger, str(storage), zone=zone, studies=tuple(studies))

    def reclassify(self) -> Reclassified:
        """Judge stored kernel lines with today's parser; new events correct old ones."""
        from runledger.intake.kernel_logs import reclassify_stored

        return reclassify_stored(self.ledger)
