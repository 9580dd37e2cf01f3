"""The kernel log: every framing, every kernel generation, as ledger events.

Pure: text and the present time go in, events come out. Reading journals and
files, and storing events, is for others. What is offered is listed here.
"""

from __future__ import annotations

from collectors.catalogue import Classification
from collectors.kernel_log.classify import KERNEL_TYPES, PARSER_VERSION, classify
from collectors.kernel_log.errors import KernelLogError, UnplacedLine
from collectors.kernel_log.events import IMPORT_SOURCE, Scan, scan
from collectors.kernel_log.framing import frame
from collectors.kernel_log.line import Civil, Line
from collectors.kernel_log.reclassify import RECLASSIFY_SOURCE, reclassify

__all__ = [
    "IMPORT_SOURCE",
    "KERNEL_TYPES",
    "PARSER_VERSION",
    "RECLASSIFY_SOURCE",
    "Civil",
    "Classification",
    "KernelLogError",
    "Line",
    "Scan",
    "UnplacedLine",
    "classify",
    "frame",
    "reclassify",
    "scan",
]
