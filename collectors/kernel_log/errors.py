"""What can keep a kernel log from becoming events."""

from __future__ import annotations

from ledger.errors import BadInput


class KernelLogError(BadInput):
    """Root of the errors of this package."""


class UnplacedLine(KernelLogError):
    """A line reports something, and nothing says when it was written.

    ``number`` is the line's place in the log, ``raw`` the line. An event needs
    a time, and the present one would be a guess.
    """

    def __init__(self, number: int, raw: str) -> None:
        self.number = number
        self.raw = raw
        shown = "".join(c if c.isprintable() else "�" for c in raw[:120])
        super().__init__(
            f"line {number}: nothing says when this was: {shown!r}; its stamp counts from boot, "
            "or is missing",
            remedy="give --boot-time, for example --boot-time 2026-01-24T17:50:00Z "
            "(`uptime -s` or `journalctl --list-boots` on the machine tell it)",
        )
