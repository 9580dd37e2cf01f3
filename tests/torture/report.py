"""What a torture came to: how much was tried, and what was found."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

_SHOWN = 10


@dataclass
class Report:
    """Counts of what was done, and one line for everything that must not be."""

    name: str
    counts: Counter[str] = field(default_factory=Counter)
    found: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        done = ", ".join(f"{count:,} {what}" for what, count in self.counts.items())
        lines = [f"{self.name}: {done}: {f'{len(self.found)} FOUND' if self.found else 'held'}"]
        lines += [f"  {line}" for line in self.found[:_SHOWN]]
        if len(self.found) > _SHOWN:
            lines.append(f"  … and {len(self.found) - _SHOWN} more")
        return "\n".join(lines)
