"""Clean up on a rig after a batch: look, act where needed, look again, warn, never fail the run."""

from __future__ import annotations

from runledger.cleanup.outcome import CleanedCard, CleanupReport, orphaned_vram, report_to_payload
from runledger.cleanup.parse import parse_cleanup
from runledger.cleanup.request import CleanupRequest, CompileCache, cleanup_script

__all__ = [
    "CleanedCard",
    "CleanupReport",
    "CleanupRequest",
    "CompileCache",
    "cleanup_script",
    "orphaned_vram",
    "parse_cleanup",
    "report_to_payload",
]
