"""Runs the migrations on the connection that `ledger.migrate` hands over.

With alembic's own command line (``alembic upgrade head``) the ledger is named
by ``RUNLEDGER_LEDGER``, and opened and locked the same way.
"""

from __future__ import annotations

import os

from alembic import context

from ledger.tables import EventRow

config = context.config


def run() -> None:
    """Migrate on the given connection, or on the ledger of ``RUNLEDGER_LEDGER``."""
    connection = config.attributes.get("connection")
    if connection is None:
        from ledger.migrate import upgrade

        location = os.environ.get("RUNLEDGER_LEDGER")
        if not location:
            raise SystemExit("set RUNLEDGER_LEDGER to the ledger, or use `runledger upgrade`")
        upgrade(location)
        return
    context.configure(connection=connection, target_metadata=EventRow.metadata)
    with context.begin_transaction():
        context.run_migrations()


run()
