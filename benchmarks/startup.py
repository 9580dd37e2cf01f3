"""Starting: commands as typed, against a Python that does nothing.

    python -m benchmarks startup

Each is a process of its own with its modules compiled beforehand, taken in turns;
figures are medians of CPU time, which other programs on the machine disturb least.
SQLAlchemy alone is measured beside them, as it is most of what a command starts with.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks.measuring import header, in_turns, milliseconds, quick_asked, report

_AT_MOST = 20.0
"""How many times a Python that does nothing a deciding command may cost."""

_PLAIN = ("-c", "pass")
_STARTS = {
    "import sqlalchemy": ("-c", "import sqlalchemy"),
    "import runledger": ("-c", "import runledger"),
    "import runledger; runledger.open": ("-c", "import runledger; runledger.open"),
    "runledger --help": ("-m", "runledger", "--help"),
    "runledger preflight --step 1 --no-probe": (
        *("-m", "runledger", "preflight", "--step", "1", "--no-probe"),
    ),
    "runledger exclusions": ("-m", "runledger", "exclusions"),
}
_DECIDING = ("preflight", "exclusions")


def main(*, quick: bool = False) -> int:
    """Print the ratios; 1 where a bound is missed."""
    with tempfile.TemporaryDirectory(prefix="runledger-startup-") as folder:
        starts = (_PLAIN, *_STARTS.values())
        measures = [_starting(arguments, Path(folder)) for arguments in starts]
        for measure in (_starting(("-m", "runledger", "init"), Path(folder)), *measures):
            measure()  # makes the ledger, and compiles what is imported
        plain, *took = in_turns(*measures, rounds=5 if quick else 15)
    header("starting (CPU time)")
    held = True
    for name, one in zip(_STARTS, took, strict=True):
        bound = _AT_MOST if any(word in name for word in _DECIDING) else None
        held &= report(name, milliseconds(one), milliseconds(plain), one / plain, at_most=bound)
    return 0 if held else 1


def _starting(arguments: tuple[str, ...], folder: Path) -> Callable[[], float]:
    """What starts a Python, waits for its end and gives the CPU time it took, in seconds."""
    environment = {
        **{key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"},
        "PYTHONPATH": os.pathsep.join(sys.path),
        "PYTHONPYCACHEPREFIX": str(folder / "compiled"),
        "RUNLEDGER_LEDGER": str(folder / "startup.db"),
    }
    silent = [
        (os.POSIX_SPAWN_OPEN, stream, os.devnull, os.O_WRONLY, 0)
        for stream in (sys.stdout.fileno(), sys.stderr.fileno())
    ]

    def start() -> float:
        os.chdir(folder)
        command = [sys.executable, *arguments]
        process = os.posix_spawn(sys.executable, command, environment, file_actions=silent)
        _, _, used = os.wait4(process, 0)
        return used.ru_utime + used.ru_stime

    return start


if __name__ == "__main__":
    sys.exit(main(quick=quick_asked(__doc__)))
