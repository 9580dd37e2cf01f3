"""What can go wrong above the ledger; errors of the layers below pass through unchanged."""

from __future__ import annotations


class RunledgerError(Exception):
    """Root of this package's errors."""


class BadInput(RunledgerError):
    """Something the caller gave cannot be used; the text says what to give instead."""


class Missing(RunledgerError):
    """Something the caller named does not exist."""
