"""Whether the database still is as the migrations made it, beside what `ledger.verify` proves.

Its guards are triggers that refuse to change what is stored. Whoever owns the
database can take them away; `verify` finds what was changed then, and this
finds that anything could be. Its indexes lead readers to events: one that
leaves some out hides them, though the chain is whole.
"""

from __future__ import annotations

from ledger.store import Ledger
from ledger.translation import translated


def missing_guards(ledger: Ledger) -> list[str]:
    """The triggers on ``events`` that are not there, or not in force; none: all is well."""
    with translated("looking for the guards"):
        return ledger._backend.missing_guards()


def broken_parts(ledger: Ledger) -> list[str]:
    """What the database finds wrong with its own files, in its words; none: all is well."""
    with translated("looking through the file"):
        return ledger._backend.broken_parts()
