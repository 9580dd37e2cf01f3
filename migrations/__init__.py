"""Alembic migrations of the ledger; part of the wheel, so that it can upgrade its own ledgers."""
