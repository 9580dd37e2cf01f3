"""Which functions and catalogues a statement for PostgreSQL names, and which it may.

The reading follows PostgreSQL's own lexical rules as far as they decide where a
name can stand; what has rules of its own (``E'…'``, ``U&"…"``) is refused
rather than followed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from runledger.errors import BadInput

_TOKEN = re.compile(
    r"""
      (?P<blank>[ \t\n\r\f\v]+|--[^\n\r]*)
    | (?P<comment>/\*)
    | (?P<escaped>[eE]'|[uU]&['"])
    | (?P<string>(?:[bBxXnN])?'(?:[^']|'')*')
    | (?P<quoted>"(?:[^"]|"")*")
    | (?P<dollar>\$(?P<tag>(?:[A-Za-z_\u0080-\U0010ffff][A-Za-z_0-9\u0080-\U0010ffff]*)?)\$)
    | (?P<name>[A-Za-z_\u0080-\U0010ffff][A-Za-z_0-9$\u0080-\U0010ffff]*)
    | (?P<number>\.?[0-9][0-9A-Za-z_.]*)
    | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)

_BEFORE_PARENTHESIS_TEXT = """
    all and any array as between by case distinct else except exists filter from group having if
    ilike in intersect is join lateral like limit materialized not notnull isnull offset on or over
    partition recursive rollup cube row rows select sets similar some then to union using values
    when where with within escape end fetch first next only ordinality explain range
    bit char character decimal dec float interval nchar numeric time timestamp varchar varying
    timestamptz timetz bpchar bool int2 int4 int8 float4 float8 columns current_time
    current_timestamp localtime localtimestamp
"""
_BEFORE_PARENTHESIS = frozenset(_BEFORE_PARENTHESIS_TEXT.split())
_FUNCTIONS_TEXT = """
    abs acos age any_value array_agg array_append array_cat array_length array_position
    array_positions array_remove array_replace array_to_json array_to_string array_upper asin atan
    atan2 avg bit_and bit_or bit_xor bool_and bool_or btrim cardinality cast cbrt ceil ceiling
    char_length character_length chr coalesce concat concat_ws corr cos count covar_pop covar_samp
    cume_dist date date_bin date_part date_trunc decode degrees dense_rank div encode every exp
    extract first_value floor format generate_series greatest grouping initcap json_agg
    json_array_elements
    json_array_elements_text json_array_length json_build_array json_build_object json_each
    json_each_text json_extract_path json_extract_path_text json_object json_object_agg
    json_object_keys json_strip_nulls json_to_record json_to_recordset json_typeof
    json_array json_arrayagg json_objectagg json_exists json_query json_scalar json_serialize
    json_table json_value jsonb_agg jsonb_array_elements jsonb_array_elements_text
    jsonb_array_length jsonb_build_array jsonb_build_object jsonb_each jsonb_each_text
    jsonb_extract_path jsonb_extract_path_text jsonb_object jsonb_object_agg jsonb_object_keys
    jsonb_path_exists jsonb_path_match jsonb_path_query jsonb_path_query_array
    jsonb_path_query_first jsonb_pretty jsonb_strip_nulls jsonb_to_record jsonb_to_recordset
    jsonb_typeof justify_days justify_hours justify_interval lag last_value lead least left length
    ln log log10 lower lpad ltrim make_date make_interval make_time make_timestamp
    make_timestamptz max md5 min mod mode now nth_value ntile nullif octet_length overlay
    percent_rank percentile_cont percentile_disc pi position power radians random rank
    regexp_count regexp_instr regexp_like regexp_match regexp_matches regexp_replace
    regexp_split_to_array regexp_split_to_table regexp_substr regr_avgx regr_avgy regr_count
    regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy repeat replace reverse right
    round row_number row_to_json rpad rtrim sha256 sign sin split_part sqrt starts_with stddev
    stddev_pop stddev_samp string_agg string_to_array string_to_table strpos substr substring sum
    tan to_char to_date to_hex to_json to_jsonb to_number to_timestamp translate trim trunc unnest
    upper var_pop var_samp variance width_bucket
    area box center family height host name network path point text width
"""
_FUNCTIONS = frozenset(_FUNCTIONS_TEXT.split())
"""Built-in functions whose only effect is their value."""
_HARMLESS = _FUNCTIONS | _BEFORE_PARENTHESIS


def check_names(sql: str) -> set[str]:
    """The functions that a statement may call; `BadInput` where it calls or reads others."""
    called: set[str] = set()
    before = last = ("", "")
    for token in _tokens(sql):
        kind, text = last
        if kind in ("name", "quoted"):
            if text.startswith(("pg_", "lo_", "dblink")):
                raise BadInput(
                    f"{text} is refused: query reads the ledger's tables and views, and "
                    "information_schema for their columns"
                )
            if token[1] == "(" and not _may_precede_parenthesis(text, before[1]):
                raise BadInput(
                    f"{text}(…) is refused: it is not among the functions that only compute "
                    "(a name for a list of columns needs AS before it)"
                )
            if text in _HARMLESS and (token[1] == "(" or before[1] == "."):
                called.add(text)
        before, last = last, token
    return called


def without_end(sql: str) -> str:
    """A statement without the semicolon, and what may come after it, that ends it."""
    end = next((at - 1 for at, kind, text in _read(sql) if (kind, text) == ("other", ";")), None)
    return sql[:end]


def names_after_dots(sql: str) -> set[str]:
    """Names after a dot that are not among the functions that only compute.

    They are columns, or functions: the server takes ``x.f`` for ``f(x)`` where
    ``x`` has no column ``f``.
    """
    names = set()
    before = ""
    for kind, text in _tokens(sql):
        if before == "." and kind in ("name", "quoted") and text not in _HARMLESS:
            names.add(text)
        before = text if kind == "other" else ""
    return names


def _may_precede_parenthesis(name: str, before: str) -> bool:
    if before in ("as", "with", "recursive"):
        # `AS t(a, b)`, `WITH t(a, b) AS`: a name given to columns; no call can stand there.
        return True
    # A function of another schema is none of those on the list.
    return before != "." and name in _HARMLESS


def _tokens(sql: str) -> Iterator[tuple[str, str]]:
    """(kind, text) of what is not blank; names as the server would fold them."""
    for _, kind, text in _read(sql):
        yield kind, text


def _read(sql: str) -> Iterator[tuple[int, str, str]]:
    """(end, kind, text) of each token."""
    at = 0
    while at < len(sql):
        found = _TOKEN.match(sql, at)
        assert found is not None
        kind, text = str(found.lastgroup), found[0]
        at = found.end()
        if found["dollar"] is not None:
            end = sql.find(found["dollar"], at)
            if end < 0:
                raise BadInput(f"the text after {found['dollar']} has no end")
            at = end + len(found["dollar"])
            yield at, "string", ""
        elif kind == "comment":
            at = _after_comment(sql, at)
        elif kind == "escaped":
            raise BadInput(
                f"{text}… is refused",
                remedy="write the characters themselves, or chr(10) for a line end",
            )
        elif kind == "number" and sql[at : at + 1] in ("'", '"', "$"):
            # Older servers end the number before its letters, and see E'…' in 1e'…'.
            raise BadInput(f"{text}{sql[at]} is refused", remedy="put a blank after the number")
        elif kind == "quoted":
            yield at, "quoted", text[1:-1].replace('""', '"').lower()
        elif kind == "name":
            yield at, "name", text.lower()
        elif kind == "other" and text in "'\"":
            raise BadInput(f"a {text} that is not closed")
        elif kind != "blank":
            yield at, kind, text
    yield at, "end", ""


def _after_comment(sql: str, at: int) -> int:
    """PostgreSQL's comments nest."""
    depth = 1
    for mark in re.compile(r"/\*|\*/").finditer(sql, at):
        depth += 1 if mark[0] == "/*" else -1
        if depth == 0:
            return mark.end()
    raise BadInput("a comment that is not closed")
