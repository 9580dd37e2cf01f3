"""Jobs under guard: a failure is written down, with all that explains it, before anyone retries.

Around Python code it is a context manager or a decorator, around any other
command a function that runs it. What is offered is listed here.
"""

from __future__ import annotations

from collectors.jobs.capture import Captured, capture, describe
from collectors.jobs.command import run_command
from collectors.jobs.ending import Ended, told
from collectors.jobs.fingerprint import fingerprint
from collectors.jobs.gpu_state import fetch_gpu_state, read_gpu_state
from collectors.jobs.guard import Guard
from collectors.jobs.job import Job
from collectors.jobs.reporter import Reporter
from collectors.jobs.retrying import Retries, guarded
from ledger.text.secrets import redact

__all__ = [
    "Captured",
    "Ended",
    "Guard",
    "Job",
    "Reporter",
    "Retries",
    "capture",
    "describe",
    "fetch_gpu_state",
    "fingerprint",
    "guarded",
    "read_gpu_state",
    "redact",
    "run_command",
    "told",
]
