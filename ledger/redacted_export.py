"""An export that may leave the house: secrets taken out, and what vouched for them.

Every text goes through today's list of secrets (`ledger.text.secrets`); ids stay,
so that evidence can still be followed. A redacted event says so (``redacted``),
and from the first one on no hash is written: a hash of what was taken out would
let anyone try guesses against it. Decisions are left out, since a ledger makes
its own, and so is what vouches for heads (seals, witnesses); the first line names
the head of the ledger that all of it is from.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from ledger.canonical import canonical
from ledger.errors import InvalidEvents
from ledger.event import from_wire, new_event, to_wire
from ledger.export import export_lines
from ledger.filters import Filter
from ledger.payloads import HistoryRedacted, Json
from ledger.redaction import redacted_wire
from ledger.store import Ledger

SOURCE = "export/redact"

_HASHES = ("prevhash", "hash")
_OF_THIS_CHAIN = frozenset({"head_sealed", "witness_read", "witness_accepted"})
"""They speak of heads that a ledger made of the export will not have."""


class RedactedExport:
    """Lines of NDJSON that `record` takes; afterwards, how many events were changed or left out.

    ``secrets`` are values that must not be in it wherever they stand; ``now_us``
    is the time of the first line.
    """

    def __init__(
        self,
        ledger: Ledger,
        where: Iterable[Filter] = (),
        *,
        now_us: int,
        secrets: Sequence[str] = (),
    ) -> None:
        self.redacted = self.decisions = self.unfit = 0
        """``unfit``: events that are none any more without their secrets; left out, too."""
        self._ledger, self._where = ledger, tuple(where)
        self._now_us, self._secrets = now_us, tuple(secrets)

    def __iter__(self) -> Iterator[bytes]:
        head = self._ledger.head()
        payload = HistoryRedacted(sequence=head.sequence, hash=head.hash)
        yield canonical(to_wire(new_event(payload, time_us=self._now_us, source=SOURCE))) + b"\n"
        for line in export_lines(self._ledger, self._where, upto=head.sequence):
            wire = msgspec.json.decode(line)
            if wire["type"].endswith("_decided"):
                self.decisions += 1
                continue
            if wire["type"] in _OF_THIS_CHAIN:
                continue
            told = redacted_wire(wire, self._secrets)
            if told == wire and not self.redacted:
                yield line
                continue
            if told != wire:
                self.redacted += 1
                told["redacted"] = True
                if not _stands(told):
                    self.unfit += 1
                    continue
            yield canonical({key: told[key] for key in told if key not in _HASHES}) + b"\n"


def _stands(wire: Json) -> bool:
    try:
        from_wire(wire)
    except InvalidEvents:
        return False
    return True
