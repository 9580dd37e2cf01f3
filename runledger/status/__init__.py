"""How things are: one look at the ledger, the fleet, the runs and what was decided.

It reads and decides nothing, leaves nothing behind, and reaches no machine.
"""

from __future__ import annotations

from runledger.status.backups import BackupNote, note_backup
from runledger.status.overview import Status, status_of

__all__ = ["BackupNote", "Status", "note_backup", "status_of"]
