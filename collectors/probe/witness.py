"""What a rig remembers of a ledger: a line for each head that it was shown.

>>> line = f"{'ab' * 16} {'cd' * 16} 812 {'9f' * 32} 1769277731000000"
>>> remembered_head(line).sequence, remembered_head(line).line() == line
(812, True)
>>> remembered_head("junk") is None
True
"""

from __future__ import annotations

import re
from typing import NamedTuple

_LINE = re.compile(r"([0-9a-f]{32}|-) ([0-9a-f]{32}) (\d{1,16}) ([0-9a-f]{64}) (\d{1,16})\Z")


class RememberedHead(NamedTuple):
    """A head of a ledger, which was kept at a place, and when the rig was shown it.

    ``ledger`` and ``place`` are opaque, 32 hexadecimal digits each.
    """

    ledger: str
    place: str
    sequence: int
    hash: str
    noted_us: int

    def line(self) -> str:
        """As the rig keeps it."""
        return " ".join(map(str, self))


def remembered_head(line: str) -> RememberedHead | None:
    """The head in a line; None for what no probe ever left there."""
    match = _LINE.match(line)
    if match is None:
        return None
    ledger, place, sequence, hash, noted = match.groups()
    return RememberedHead(ledger, place, int(sequence), hash, int(noted))
