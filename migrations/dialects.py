"""How SQLite and PostgreSQL say the same thing about a JSON payload and about times.

The views of a revision are written once with these words. What they yield has
one of three types on both databases, INTEGER (64 bits), REAL (double) or TEXT,
and is the same value on both. A field that is missing, or of another JSON type
than asked for (``"inf"`` where a number may stand), is NULL, never an error.

Released revisions are built from this module: add to it, change nothing.
"""

from __future__ import annotations

from typing import Protocol


class Words(Protocol):
    """Expressions of one database."""

    payload: str
    """What to add to ``FROM events e`` so that `doc` is there, parsed once."""
    doc: str
    """The whole payload."""

    def text(self, doc: str, *path: str) -> str: ...
    def integer(self, doc: str, *path: str) -> str: ...
    def real(self, doc: str, *path: str) -> str: ...
    def json(self, doc: str, *path: str) -> str: ...
    def first_number(self, doc: str, field: str) -> str: ...
    def elements(self, doc: str, *path: str) -> str: ...
    def time(self, microseconds: str) -> str: ...
    def padded(self, number: str) -> str: ...
    def part(self, subject: str, nth: int) -> str: ...
    def last_line(self, text: str) -> str: ...
    def blocking_rules(self, doc: str) -> str: ...

    element: str
    """The JSON object of one of the `elements` (joined as ``x``)."""
    element_order: str
    """Its place in the list, from 1."""


_SECOND = 1_000_000


class Sqlite:
    """Payloads stay text; SQLite keeps the parse of the text it saw last."""

    payload = ""
    doc = "e.data"
    element = "x.value"
    element_order = "x.key + 1"

    @staticmethod
    def _path(path: tuple[str, ...]) -> str:
        return "'$." + ".".join(path) + "'"

    def text(self, doc: str, *path: str) -> str:
        at = f"({doc}, {self._path(path)})"
        return f"CASE json_type{at} WHEN 'text' THEN json_extract{at} END"

    def integer(self, doc: str, *path: str) -> str:
        at = f"({doc}, {self._path(path)})"
        return (
            f"CASE WHEN json_type{at} = 'integer' AND length(json_extract{at}) <= 18 "
            f"THEN json_extract{at} END"
        )

    def real(self, doc: str, *path: str) -> str:
        at = f"({doc}, {self._path(path)})"
        return f"CASE WHEN json_type{at} IN ('integer', 'real') THEN json_extract{at} END"

    def json(self, doc: str, *path: str) -> str:
        return f"({doc} -> {self._path(path)})"

    def first_number(self, doc: str, field: str) -> str:
        return self.real(doc, f"{field}[0]")

    def elements(self, doc: str, *path: str) -> str:
        listed = f"CASE json_type({doc}, {self._path(path)}) WHEN 'array' THEN {doc} END"
        return f"JOIN json_each({listed}, {self._path(path)}) x ON x.type = 'object'"

    def time(self, microseconds: str) -> str:
        fraction = f"((({microseconds}) % {_SECOND} + {_SECOND}) % {_SECOND})"
        return (
            f"(strftime('%Y-%m-%dT%H:%M:%S', (({microseconds}) - {fraction}) / {_SECOND}, "
            f"'unixepoch') || printf('.%06dZ', {fraction}))"
        )

    def padded(self, number: str) -> str:
        return f"printf('%020d', {number})"

    def part(self, subject: str, nth: int) -> str:
        rest = f"substr({subject}, instr({subject}, '/') + 1)"
        if nth > 1:
            rest = f"substr({rest}, instr({rest} || '/', '/') + 1)"
        return f"nullif(substr({rest}, 1, instr({rest} || '/', '/') - 1), '')"

    def last_line(self, text: str) -> str:
        # What rtrim leaves when it takes away everything but line ends, from the right.
        end = f"rtrim(substr({text}, -1000), char(10, 13, 32))"
        return f"substr({end}, length(rtrim({end}, replace({end}, char(10), ''))) + 1)"

    def blocking_rules(self, doc: str) -> str:
        return (
            "(SELECT group_concat(rule, ', ') FROM (SELECT DISTINCT "
            f"json_extract(f.value, '$.rule') AS rule FROM json_each({doc}, '$.findings') f "
            "WHERE f.type = 'object' AND json_extract(f.value, '$.severity') = 'block' "
            "ORDER BY 1))"
        )


class Postgres:
    """Payloads as ``json``, which gives parts back in the very text they have in the whole."""

    # OFFSET 0 keeps the planner from writing the cast out for every field.
    payload = "CROSS JOIN LATERAL (SELECT CAST(e.data AS json) AS d OFFSET 0) p"
    doc = "p.d"
    element = "x.value"
    element_order = "x.ordinality"

    @staticmethod
    def _at(doc: str, path: tuple[str, ...]) -> str:
        steps = " -> ".join(f"'{step}'" for step in path)
        return f"({doc} -> {steps})"

    @staticmethod
    def _shown(doc: str, path: tuple[str, ...]) -> str:
        *above, last = path
        steps = "".join(f" -> '{step}'" for step in above)
        return f"({doc}{steps} ->> '{last}')"

    def text(self, doc: str, *path: str) -> str:
        at, shown = self._at(doc, path), self._shown(doc, path)
        return f"CASE json_typeof{at} WHEN 'string' THEN {shown} END"

    def integer(self, doc: str, *path: str) -> str:
        at, shown = self._at(doc, path), self._shown(doc, path)
        return (
            f"CASE WHEN json_typeof{at} = 'number' AND {shown} ~ '^-?[0-9]+$' "
            f"AND length({shown}) <= 18 THEN CAST({shown} AS bigint) END"
        )

    def real(self, doc: str, *path: str) -> str:
        at, shown = self._at(doc, path), self._shown(doc, path)
        return f"CASE json_typeof{at} WHEN 'number' THEN CAST({shown} AS double precision) END"

    def json(self, doc: str, *path: str) -> str:
        return f"CAST({self._at(doc, path)} AS text)"

    def first_number(self, doc: str, field: str) -> str:
        first = f"({doc} -> '{field}' -> 0)"
        return (
            f"CASE json_typeof{first} WHEN 'number' "
            f"THEN CAST({doc} -> '{field}' ->> 0 AS double precision) END"
        )

    def elements(self, doc: str, *path: str) -> str:
        at = self._at(doc, path)
        listed = f"CASE json_typeof{at} WHEN 'array' THEN {at} END"
        return (
            f"JOIN LATERAL json_array_elements({listed}) WITH ORDINALITY x(value, ordinality) "
            "ON json_typeof(x.value) = 'object'"
        )

    def time(self, microseconds: str) -> str:
        fraction = f"((({microseconds}) % {_SECOND} + {_SECOND}) % {_SECOND})"
        seconds = f"((({microseconds}) - {fraction}) / {_SECOND})"
        return (
            f"(to_char(timestamp '1970-01-01' + {seconds} * interval '1 second', "
            f"'YYYY-MM-DD\"T\"HH24:MI:SS') || '.' || lpad(CAST({fraction} AS text), 6, '0') "
            "|| 'Z') COLLATE \"C\""
        )

    def padded(self, number: str) -> str:
        return f"lpad(CAST({number} AS text), 20, '0')"

    def part(self, subject: str, nth: int) -> str:
        return f"nullif(split_part({subject}, '/', {nth + 1}), '')"

    def last_line(self, text: str) -> str:
        end = f"rtrim(right({text}, 1000), E'\\n\\r ')"
        return f"substr({end}, length(rtrim({end}, replace({end}, E'\\n', ''))) + 1)"

    def blocking_rules(self, doc: str) -> str:
        return (
            "(SELECT string_agg(DISTINCT (f.value ->> 'rule') COLLATE \"C\", ', ' "
            "ORDER BY (f.value ->> 'rule') COLLATE \"C\") "
            f"FROM json_array_elements(CASE json_typeof({doc} -> 'findings') WHEN 'array' "
            f"THEN {doc} -> 'findings' END) f WHERE json_typeof(f.value) = 'object' "
            "AND f.value ->> 'severity' = 'block')"
        )
