"""What can go wrong, as values that a caller can act on.

One class for each thing a caller would treat differently; the details are
attributes. The first three are shared by every package above this one, so that
whoever uses them together has one root to catch. Nothing here prints or exits:
turning an error into words for a terminal and an exit code is the command
line's job.
"""

from __future__ import annotations

from dataclasses import dataclass


class RunledgerError(Exception):
    """Root of every error that is raised on purpose, here and in the packages above.

    ``what`` is what happened and ``remedy`` what to do about it ("" where nobody
    knows); its text is both, one after the other.
    """

    def __init__(self, what: str = "", *, remedy: str = "") -> None:
        self.what, self.remedy = what, remedy
        joint = "; " if ": " in what else ": "
        super().__init__(f"{what}{joint}{remedy}" if remedy else what)


class BadInput(RunledgerError):
    """Something the caller gave cannot be used; the text says what to give instead."""


class MissingExtra(BadInput):
    """Something that only an extra installs is not there; the text is the line to type."""

    def __init__(self, what: str, package: str, extra: str) -> None:
        self.extra = extra
        super().__init__(f"{what} needs {package}", remedy=f"pip install 'runledger[{extra}]'")


class Missing(RunledgerError):
    """Something the caller named does not exist."""


class LedgerError(RunledgerError):
    """Root of the errors of a ledger: what is to be stored, and where it is."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with one event: where it is, what it is, what to do.

    ``line`` counts from 1 within ``file``, or within the batch where the event
    came from no named file; 0 means that it did not come from a line.
    """

    field: str
    message: str
    remedy: str
    line: int = 0
    file: str = ""

    def __str__(self) -> str:
        file = f"{self.file}: " if self.file else ""
        line = f"line {self.line}: " if self.line else ""
        return f"{file}{line}{self.field}: {self.message}; {self.remedy}"


class InvalidEvents(LedgerError, BadInput):
    """A batch was refused as a whole; ``problems`` names everything found."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in problems))


class Conflict(LedgerError):
    """An event's id is already in the ledger with other content."""

    def __init__(self, ids: list[str]) -> None:
        self.ids = tuple(ids)
        super().__init__(
            f"already stored with other content: {', '.join(ids)}; nothing was stored",
            remedy="give the changed event an id of its own",
        )


class HeadMoved(LedgerError):
    """The ledger's head is not where the caller expected it."""

    def __init__(self, expected: int, found: int) -> None:
        self.expected, self.found = expected, found
        super().__init__(
            f"expected the head at {expected}, found it at {found}; nothing was stored",
            remedy="read the newer events and try again",
        )


class NotEmpty(HeadMoved):
    """A ledger that should be filled from an export holds events already."""

    def __init__(self, found: int) -> None:
        self.expected, self.found = 0, found
        LedgerError.__init__(
            self,
            f"the ledger holds {found} events already; nothing was restored",
            remedy="restore into a new ledger",
        )


class AlreadyThere(LedgerError):
    """A file that would have to be overwritten."""


class NotFound(LedgerError, Missing):
    """No such ledger, event or decision."""


class Unavailable(LedgerError):
    """The ledger cannot be used right now (busy, disk full).

    Nothing was acknowledged. Where the disk failed in the middle of a commit
    the events may yet turn up; sending the same ones again stores them once.
    """


class Damaged(LedgerError):
    """What is stored is not what was written; ``sequence`` is the first bad position."""

    def __init__(self, what: str, sequence: int | None = None, *, remedy: str = "") -> None:
        self.sequence = sequence
        super().__init__(what, remedy=remedy)


class NotStored(Damaged):
    """The database took events and did not keep them as they were; nothing was acknowledged."""

    def __init__(self, sent: int, kept: int) -> None:
        self.sent, self.kept = sent, kept
        super().__init__(
            f"the database kept {kept} of {sent} events as they were sent, so nothing was stored: "
            "something in it swallows or changes them",
            remedy="`runledger doctor` names it",
        )


class InvalidFilter(LedgerError, BadInput):
    """A filter expression that cannot be understood."""


class InvalidLocation(LedgerError, BadInput):
    """A path or URL where no ledger can be."""


class NotADatabase(Damaged, InvalidLocation):
    """A file that SQLite does not know: another program's, or a ledger torn at its beginning."""


class SchemaMismatch(LedgerError, BadInput):
    """The tables are older or newer than this program's, or another program's."""
