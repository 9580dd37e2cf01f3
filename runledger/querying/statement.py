"""The first look at a statement: it begins as a SELECT, WITH or EXPLAIN of one, or is refused.

This gives clear words early. It guards nothing by itself: what a statement may
do is decided where the database has parsed it.
"""

from __future__ import annotations

import re

from runledger.errors import BadInput

MAX_CHARACTERS = 1_000_000

_BLANK = re.compile(r"(?:\s|\ufeff|--[^\n]*(?:\n|\Z)|/\*.*?\*/)*", re.DOTALL)
_WORD = re.compile(r"[A-Za-z]+")
_OPTIONS = re.compile(r"\([\sA-Za-z_,0-9]*\)")
_EXPLAINING = frozenset({"QUERY", "PLAN", "ANALYZE", "VERBOSE"})
_READS = frozenset({"SELECT", "WITH"})

ONLY = "query runs one SELECT, WITH or EXPLAIN, and changes nothing"


def check_statement(sql: str) -> None:
    """Raise `BadInput` for what cannot be a statement that only reads."""
    if len(sql) > MAX_CHARACTERS:
        raise BadInput(f"a statement of {len(sql):,} characters: {MAX_CHARACTERS:,} at most")
    if "\0" in sql:
        raise BadInput("the statement holds a NUL character", remedy="remove it")
    try:
        sql.encode()
    except UnicodeEncodeError:
        raise BadInput("the statement is not valid UTF-8") from None
    word, _ = _word(sql, 0)
    if not word:
        raise BadInput(f"no statement to run ({sql[:40].strip() or 'empty'}): {ONLY}")
    if word == "EXPLAIN":
        begins = explained(sql)
        word = "" if begins is None else _word(sql, begins)[0]
        if word not in _READS:
            raise BadInput(f"EXPLAIN {word or 'of nothing'} is refused: {ONLY}")
    elif word not in _READS:
        raise BadInput(f"{word} is refused: {ONLY}")


def explained(sql: str) -> int | None:
    """Where the statement begins that an EXPLAIN explains; None for other statements."""
    word, at = _word(sql, 0)
    if word != "EXPLAIN":
        return None
    options = _OPTIONS.match(sql, _after_blank(sql, at))
    at = at if options is None else options.end()
    word, after = _word(sql, at)
    while word in _EXPLAINING:
        at = after
        word, after = _word(sql, at)
    return _after_blank(sql, at)


def _after_blank(sql: str, at: int) -> int:
    blank = _BLANK.match(sql, at)
    assert blank is not None  # it may be empty
    return blank.end()


def _word(sql: str, at: int) -> tuple[str, int]:
    """The word there in capitals, and what comes after it."""
    found = _WORD.match(sql, _after_blank(sql, at))
    return ("", at) if found is None else (found[0].upper(), found.end())
