"""The errors of this package. They are the shared ones: a caller has one root to catch.

Errors of the layers below pass through unchanged; all have the same root.
"""

from __future__ import annotations

from ledger.errors import BadInput, Missing, MissingExtra, RunledgerError

__all__ = ["BadInput", "Missing", "MissingExtra", "RunledgerError"]
