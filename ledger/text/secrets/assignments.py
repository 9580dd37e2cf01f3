"""Secrets that a name stands in front of: ``NAME=value`` in every language that says so.

Shell, YAML, JSON, INI, headers, queries of URLs, XML, pairs of Python, and lists
of ``name``/``value`` as Kubernetes has them.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator

from ledger.text.secrets.names import Telling, is_secret, looks_random, telling
from ledger.text.secrets.values import Place, Value, value_at

_TRIGGER = re.compile(
    r"pass|pwd|pw|psw|secret|token|key|cred|auth|cookie|sess|jwt|bearer|psk|otp|mnemonic|seed"
    r"|webhook|pat\b|\bpin|_pin|sig|sas|sid|kennwort|contrase|recovery|csrf|xsrf|wachtwoord|license"
)
# Whole words only, so that no text is read twice; "api key:" is a name of two words.
_NAMED = re.compile(
    r"(?<![\w.-])(?P<name>(?:(?:api|access|auth|client|encryption|private|refresh|secret|security"
    r"|service|shared|signing)[ \t]{1,4}(?=key|token|secret|password|code)){0,2}[\w.-]++)"
    r"(?P<close>\\*[\"'`]?\]?)[ \t]{0,40}"
    r"(?P<join>:=|=>|\?=|={1,3}|:(?![:/]{2})(?!:)=?|%3D|\|\|)(?!>)",
    re.IGNORECASE,
)
_IN_QUERY = frozenset(("key", "sig", "signature", "auth", "code", "sas", "k", "apikey", "hash_key"))
_ITEM = re.compile(
    r"""(?<!\w)(?:name|key|var|variable|header)\\*["']?\s{0,9}[:=]\s{0,9}\\*["']?(?P<name>[\w.-]++)"""
    r"""\\*["']?[\s,]{0,200}\\*["']?value\\*["']?\s{0,9}(?P<join>[:=])""",
    re.IGNORECASE,
)
_ITEM_BACKWARDS = re.compile(
    r"""(?<!\w)value\\*["']?\s{0,9}[:=]\s{0,9}(?P<quote>["'])(?P<secret>[^"'\n]{1,2000})(?P=quote)"""
    r"""\s{0,99},?\s{0,99}["']?(?:name|key)["']?\s{0,9}[:=]\s{0,9}["']?(?P<name>[\w.-]++)""",
    re.IGNORECASE,
)
_PAIR = re.compile(
    r"""(?<=[(\[,\s])(?P<quote>["'])(?P<name>[\w.-]{2,80})(?P=quote)\s{0,9},\s{0,9}"""
    r"""(?P<secret>[bBrRuUfF]{0,2}(?:"(?:\\.|[^"\\\n]){0,2000}"|'(?:\\.|[^'\\\n]){0,2000}'))"""
    r"""(?=\s{0,9},?\s{0,9}[)\]])"""
)
_ELEMENT = re.compile(r"<(?P<name>[\w:.-]{1,80})(?:\s[^<>]{0,400})?>(?P<secret>[^<]{1,4000})</")
_PROPERTY = re.compile(
    r"<(?:key|name)>\s{0,99}(?P<name>[\w .-]{1,80}?)\s{0,99}</(?:key|name)>\s{0,99}"
    r"<(?:string|data|value)>(?P<secret>[^<]{1,4000})</",
    re.IGNORECASE,
)
_SET = re.compile(
    r"(?:(?<![\w-])(?:set|setx|setenv|export|ENV|ARG|modify\s+\S{1,100}|set-x|-x)"
    r"(?:\s{1,9}-\w{1,9})?)\s{1,9}(?P<name>[\w./:@-]{2,200}?)(?P<join>[ \t]{1,9})(?=[^\s=])"
)
_OPAQUE = re.compile(r"^\s*kind\s*:\s*[\"']?Secret\b", re.MULTILINE)
_OPAQUE_JSON = re.compile(r'"kind"\s{0,9}:\s{0,9}"Secret"')
_OPAQUE_JSON_DATA = re.compile(
    r'"(?:data|stringData)"\s{0,9}:\s{0,99}\{(?P<secret>[^{}]{1,8000})\}'
)
_OPAQUE_DATA = re.compile(r"^(?P<indent>[ \t]*)(?:data|stringData)\s*:[ \t]*\n", re.MULTILINE)
_OPAQUE_VALUE = re.compile(r"[ \t]+[\w.\"'-]+[ \t]*:[ \t]*(?P<secret>[^\s|>][^\n]*)\n?")
_LINE_START = re.compile(r"[\s\-]*[\"']?")
_VARIABLE = re.compile(r"[A-Z][A-Z0-9]*_(?:[A-Z0-9]+_)*(?:KEY|PAT|OTP|PIN|AUTH|SAS|SID)\Z")


def named(text: str, lower: str) -> Iterator[tuple[int, int]]:
    """Where values of telling names stand."""
    if not _TRIGGER.search(lower):
        return
    passed = 0
    for match in _NAMED.finditer(text):
        if match.start() < passed:
            continue
        value = _assigned(text, match)
        if value is not None:
            passed = value.end
            yield value.start, value.end
    yield from _items(text)
    for pattern in (_ITEM_BACKWARDS, _PAIR, *((_ELEMENT, _PROPERTY) if "</" in text else ())):
        for match in pattern.finditer(text):
            kind = telling(match["name"])
            if kind is not None and is_secret(kind, match["secret"].strip("bBrRuUfF\"'")):
                yield match.span("secret")
    yield from _opaque(text)


def _assigned(text: str, match: re.Match[str]) -> Value | None:
    """The secret after a name and what joins it; None where the two say otherwise."""
    name, separator, start = match["name"], match["join"], match.start("name")
    before = text[start - 1] if start else ""
    in_query = before in ("?", "&") and separator in ("=", "%3D", "%3d")
    kind = telling(name)
    if in_query and (kind in (None, Telling.WEAK)) and name.lower() in _IN_QUERY:
        kind = Telling.TOKEN
    if name.lower().startswith("x-amz-") and separator == "=":
        kind = Telling.TOKEN if name.lower().endswith(("signature", "credential")) else kind
    if name.startswith("--") and kind is Telling.WEAK and name.endswith("auth"):
        kind = Telling.TOKEN
    if kind is None:
        return None
    quoted = bool(match["close"])
    line = text.rfind("\n", max(0, start - 80), start) + 1
    at_start = (line > 0 or start < 80) and bool(_LINE_START.fullmatch(text, line, start))
    colon = separator == ":"
    of_yaml = kind is Telling.PASSWORD and colon and at_start and not quoted
    whole = kind is Telling.HEADER or of_yaml
    if kind is Telling.SHORT and colon and not (quoted or at_start):
        return None
    value = value_at(text, match.end(), Place(start, separator, in_query, whole))
    if value is None:
        return None
    if kind is Telling.WEAK and name.lower().lstrip("_-") == "auth":
        return (
            value
            if _is_login(value.bare) or value.bare[:1] == "(" or looks_random(value.bare)
            else None
        )
    secret = is_secret(kind, value.bare, of_variable=bool(_VARIABLE.match(name)))
    return value if secret else None


def _is_login(text: str) -> bool:
    """Whether a text is ``user:password`` in base64, as Docker's configuration holds it."""
    try:
        plain = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    return len(text) >= 8 and b":" in plain


def _items(text: str) -> Iterator[tuple[int, int]]:
    for pattern in (_ITEM, _SET):
        for match in pattern.finditer(text):
            kind = telling(match["name"])
            if kind is None:
                continue
            joined = match["join"].strip() or "="
            value = value_at(text, match.end(), Place(match.start(), joined))
            if value is not None and is_secret(kind, value.bare):
                yield value.start, value.end


def _opaque(text: str) -> Iterator[tuple[int, int]]:
    """Everything in the data of a Kubernetes Secret, whatever its keys are called."""
    if "Secret" not in text:
        return
    if _OPAQUE_JSON.search(text):
        for match in _OPAQUE_JSON_DATA.finditer(text):
            yield match.span("secret")
    if not _OPAQUE.search(text):
        return
    for match in _OPAQUE_DATA.finditer(text):
        at = match.end()
        while (line := _OPAQUE_VALUE.match(text, at)) is not None:
            yield line.span("secret")
            at = line.end()
