"""Clean up on a rig after a batch: look, act where needed, look again, warn, never fail the run."""

from __future__ import annotations

from collectors.cleanup.parse import parse_cleanup
from collectors.cleanup.report import CleanedCard, CleanupReport, orphaned_vram, report_to_payload
from collectors.cleanup.request import CleanupRequest, CompileCache, cleanup_script

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
