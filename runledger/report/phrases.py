"""Words, signs and tones: the one place where a verdict or state gets its looks.

Nothing is told by colour alone: each has a word, and a sign where space is short.
"""

from __future__ import annotations

from datetime import timedelta

from ledger.identifiers import normalize_pci
from ledger.times import SECOND_US, to_datetime
from rules.facts.card_standing import card_label
from runledger.kinds import VERDICTS

TONES: dict[str, str] = {
    "succeeded": "good",
    "info": "plain",
    "degrade": "poor",
    "warn": "poor",
    "block": "bad",
    "failed": "bad",
    "aborted": "bad",
} | {word: verdict.tone for word, verdict in VERDICTS.items()}
"""How a verdict, severity, state or outcome is meant."""

SIGNS = {"good": "✓", "plain": "•", "poor": "!", "bad": "✕", "unsure": "?"}

LETTERS = {
    "unseen": "",
    "ok": "",
    "watch": "W",
    "unresponsive": "U",
    "excluded": "E",
    "retire": "R",
}
"""What a cell of the card map shows beside its pattern."""

_WORDS = {"degrade": "degrades"} | {
    word: verdict.spoken for word, verdict in VERDICTS.items() if verdict.spoken
}


def tone(word: str) -> str:
    """One of `SIGNS`; a word from elsewhere is unsure."""
    return TONES.get(word, "unsure")


def fine(word: str) -> bool:
    """Whether a verdict asks nobody to do anything."""
    return tone(word) in ("good", "plain")


def sign(word: str) -> str:
    """The sign of a word's tone."""
    return SIGNS[tone(word)]


def spoken(word: str) -> str:
    """A verdict or state as people write it."""
    return _WORDS.get(word, word.replace("_", " "))


def when(time_us: int) -> str:
    """``24 Jan 2026, 18:31``: to the minute, in UTC."""
    moment = to_datetime(time_us)
    return f"{moment.day} {moment:%b} {moment.year}, {moment:%H:%M}"


def briefly(time_us: int) -> str:
    """``24 Jan 18:31:05``."""
    moment = to_datetime(time_us)
    return f"{moment.day} {moment:%b %H:%M:%S}"


def day(time_us: int) -> str:
    """``24 Jan``."""
    moment = to_datetime(time_us)
    return f"{moment.day} {moment:%b}"


def lasted(duration_us: int) -> str:
    """A duration in its two largest units: ``2 h``, ``1 d 3 h``, ``45 s``."""
    seconds = max(0, duration_us // SECOND_US)
    left = timedelta(seconds=seconds)
    parts = [
        (left.days, "d"),
        (left.seconds // 3600, "h"),
        (left.seconds % 3600 // 60, "min"),
        (left.seconds % 60, "s"),
    ]
    largest = next((at for at, (amount, _) in enumerate(parts) if amount), 3)
    shown = [f"{amount} {unit}" for amount, unit in parts[largest : largest + 2] if amount]
    return " ".join(shown) or "0 s"


def compact(amount: int) -> str:
    """A number short enough to stand on a bar: ``85``, ``99.9k``, ``10M``."""
    sizes = ((10**12, "T"), (10**9, "G"), (10**6, "M"), (10_000, "k"))
    for size, unit in sizes:
        if amount >= size:
            divisor = 1_000 if unit == "k" else size
            return f"{amount / divisor:.1f}".rstrip("0").rstrip(".") + unit
    return f"{amount:,}"


def named(subject: str, indexes: dict[tuple[str, str], int | None]) -> str:
    """A subject as messages call it: ``GPU 10 (0000:22:00.0) of rig-6600``, ``rig-6600``."""
    kind, _, rest = subject.partition("/")
    node, _, pci = rest.partition("/")
    if kind == "gpu" and pci and normalize_pci(pci) is not None:
        return card_label(node, pci, indexes.get((node, pci)))
    return rest if kind in ("node", "run", "study") and rest else subject
