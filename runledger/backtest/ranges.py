"""A number of which only the bounds are known."""

from __future__ import annotations

import msgspec


class Range(msgspec.Struct, frozen=True):
    """From ``low`` to ``high``; both are the same where history tells.

    >>> Range(1, 1).plus(sure=2, perhaps=3)
    Range(low=3, high=6)
    """

    low: float
    high: float

    def plus(self, *, sure: float = 0, perhaps: float = 0) -> Range:
        """With so much more for sure, and so much more that nobody knows of."""
        return Range(self.low + sure, self.high + sure + perhaps)

    @property
    def middle(self) -> float:
        """Half way between the bounds: where a picture draws it, and nothing else."""
        return (self.low + self.high) / 2


NONE = Range(0, 0)


def range_text(each: Range) -> str:
    """A range for people: one number where its ends look the same.

    >>> range_text(Range(3, 7)), range_text(Range(0.04, 0.04)), range_text(Range(1234.5, 9876.5))
    ('3–7', '0', '1,234–9,876')
    """
    low, high = amount(each.low), amount(each.high)
    return low if low == high else f"{low}–{high}"


def amount(value: float) -> str:
    """A number for people: a tenth where it is below a hundred, else none."""
    shown = f"{value:,.1f}" if abs(value) < 100 else f"{value:,.0f}"
    return shown.removesuffix(".0")
