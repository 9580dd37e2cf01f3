"""Months as journalctl and syslog write them in the locale of who asked."""

from __future__ import annotations

import re

MONTH = r"(?:[A-Za-z\u00c0-\u024f\u0370-\u03ff\u0400-\u04ff]{3,12}\.?|\d{1,2}[\u6708\uc6d4])"
"""A word, perhaps shortened by a point, or a number before the Chinese or Korean sign."""

_STEMS = (
    "jan ene gen ian sty led oca янв січ tammi ιαν jän",
    "feb fév fev febr lut úno şub фев лют helmi φεβ",
    "mar mär mrt már maa bře мар бер maalis μαρ",
    "apr abr avr ápr kwi dub nis апр кві huhti απρ",
    "may mai maj mei mag máj kvě мая май тра touko μαΐ μάι",
    "jun giu juin iun jún cze červen haz июн чер kesä ιουν",
    "jul lug juil iul júl lip čec červenec tem июл лип heinä ιουλ",
    "aug ago aoû aou avg sie srp ağu авг сер elo αυγ",
    "sep set szept wrz zář eyl сен вер syys σεπ",
    "oct okt ott out paź říj eki окт жов loka οκτ",
    "nov noi lis kas ноя лис marras νοε νοέ",
    "dec dez dic déc des dis gru pro ara дек гру joulu δεκ",
)
_MONTHS = {stem: number for number, stems in enumerate(_STEMS, 1) for stem in stems.split()}
_LONGEST = max(map(len, _MONTHS))
_NUMBERED = re.compile(r"(\d{1,2})\D\Z")


def month(word: str) -> int | None:
    """The number of a month, 1 to 12; None for a word that is none known.

    >>> month("Nov"), month("april"), month("févr."), month("11\u6708"), month("usb")
    (11, 4, 2, 11, None)
    """
    numbered = _NUMBERED.match(word)
    if numbered is not None:
        number = int(numbered[1])
        return number if 1 <= number <= 12 else None
    lowered = word.lower()
    for length in range(min(len(lowered), _LONGEST), 2, -1):
        found = _MONTHS.get(lowered[:length])
        if found is not None:
            return found
    return None
