"""Runs the migrations on the connection that `ledger.migrate` hands over.

With alembic's own command line (``alembic current``, ``alembic upgrade head``)
the ledger is named by ``RUNLEDGER_LEDGER``, and opened and locked the same way.
"""

from __future__ import annotations

import os

from alembic import context
from sqlalchemy import Connection, MetaData


def _migrate(connection: Connection, declared: MetaData | None = None) -> None:
    context.configure(connection=connection, target_metadata=declared)
    with context.begin_transaction():
        context.run_migrations()


def _named_by_environment() -> str:
    location = os.environ.get("RUNLEDGER_LEDGER")
    if not location:
        raise SystemExit("set RUNLEDGER_LEDGER to the ledger, or use `runledger upgrade`")
    return location


def run() -> None:
    """Migrate on the given connection, or on the ledger of ``RUNLEDGER_LEDGER``."""
    given = context.config.attributes.get("connection")
    if given is not None:
        _migrate(given)
        return
    from ledger.backends import connect
    from ledger.location import locate
    from ledger.migrate import migrating
    from ledger.tables import EventRow

    with migrating(connect(locate(_named_by_environment()), create=True)) as connection:
        _migrate(connection, EventRow.metadata)


run()
