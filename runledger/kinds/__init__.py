"""What people and programs are shown of each kind of decision in `rules.kinds`."""

from __future__ import annotations

from rules.kinds import EXCLUSIONS, PARAMETERS, PREFLIGHT
from runledger.kinds.exclusions import ShownExclusions
from runledger.kinds.parameters import ShownParameters
from runledger.kinds.preflight import ShownPreflight
from runledger.kinds.shown import Block, Line, Said, Shown, Table, Tone, Verdict

SHOWN: dict[str, Shown] = {
    PREFLIGHT.name: ShownPreflight(),
    EXCLUSIONS.name: ShownExclusions(),
    PARAMETERS.name: ShownParameters(),
}
"""What is shown of a kind, by its name; a test holds it to the kinds there are."""

VERDICTS: dict[str, Verdict] = {
    word: verdict for shown in SHOWN.values() for word, verdict in shown.verdicts.items()
}
"""Every verdict, whatever the kind: no word is used for two."""


__all__ = ["SHOWN", "VERDICTS", "Block", "Line", "Said", "Shown", "Table", "Tone", "Verdict"]
