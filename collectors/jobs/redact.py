"""Take secrets out of text before it is stored; the ledger keeps what it is given for ever.

Recognised are secrets that say what they are, by a name in front of them or by
their own form. It removes too much rather than too little, and cannot know a
secret that looks like any other word: for those there are `environment_secrets`,
whose very values are taken out wherever they stand.

>>> redact("psycopg: postgresql://user:hunter2@db/ledger refused, token=abc123")
'psycopg: postgresql://user:<redacted>@db/ledger refused, token=<redacted>'
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

REDACTED = "<redacted>"

_SENSITIVE = (
    r"(?:passw(?:or)?d|passphrase|passcode|secret|token(?!iz)|credentials?|api[_.-]?key"
    r"|(?:access|account|auth|encryption|master|private|service|session|shared|signing|ssh)"
    r"[_.-]?key|session[_-]?id|cookie(?!cutter)|authorization|_pwd|_pass(?![a-z]))"
)
# In quotes of its own (closed or not), or as a shell takes it: up to white space.
_QUOTED = r"""[bBrRuUfF]{0,2}(?:"(?:\\.|[^"\\\n])*"?|'(?:\\.|[^'\\\n])*'?)"""
_VALUE = rf"""(?!<redacted>)(?:{_QUOTED}|[^\s'"]+(?:{_QUOTED}|[^\s'"]+)*)"""
_IS = r"""[\w.-]{0,64}\\?['"]?\]?(?:\s*(?::=|=>|[:=](?!>))\s*|%3D)"""

_Rule = tuple[re.Pattern[str], str]


def _rule(pattern: str, replacement: str, flags: re.RegexFlag = re.IGNORECASE) -> _Rule:
    return re.compile(pattern, flags), replacement


_RULES: tuple[_Rule, ...] = (
    # Private key blocks, also where the text begins or ends within one.
    _rule(
        r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----.*?"
        r"(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|\Z)",
        REDACTED,
        re.DOTALL,
    ),
    _rule(
        r"\A[A-Za-z0-9+/=\s]*-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----",
        REDACTED,
        re.NOFLAG,
    ),
    _rule(r"(PuTTY-User-Key-File-\d:.{0,200}?\n).*?(?=Private-MAC|\Z)", rf"\1{REDACTED}\n", re.S),
    # Credentials in URLs; a password may hold anything but white space and quotes.
    _rule(
        r"(\b[a-z][a-z0-9+.-]{0,30}://[^\s/@:'\"<>]{0,256}:)[^\s'\"<>]{1,1024}@", rf"\1{REDACTED}@"
    ),
    _rule(r"(\b(?:https?|ftps?|wss?)://)[^\s/@:'\"<>]{1,1024}@", rf"\1{REDACTED}@"),
    _rule(
        rf"([?&](?:key|sig|signature|auth|code|x-amz-[a-z-]{{1,32}}|[\w.-]{{0,32}}?{_SENSITIVE}"
        r"[\w.-]{0,32})=)(?!<redacted>)[^\s&'\"<>]+",
        rf"\1{REDACTED}",
    ),
    _rule(
        r"(\b(?:proxy-)?authorization\b['\"]?\s*[:=,]\s*['\"]?(?:digest|oauth|aws4-hmac-sha256))"
        r"\s+[^\r\n]+",
        rf"\1 {REDACTED}",
    ),
    # Headers: up to the quote that closes them, or the end of the line.
    _rule(
        r"(\b(?:proxy-)?authorization\b['\"]?\s*[:=,]\s*)"
        r"(?!<redacted>)(?:([bB]?['\"])(?:(?!\2)[^\n\\]|\\.)*|[^\s'\"][^\r\n'\"]*)",
        rf"\1\2{REDACTED}",
    ),
    _rule(
        r"(\b(?:set-)?cookie\b['\"]?\s*:\s*)"
        r"(?!<redacted>)(?:([bB]?['\"])(?:(?!\2)[^\n\\]|\\.)*|[^\s'\"][^\r\n'\"]*)",
        rf"\1\2{REDACTED}",
    ),
    # A word of letters alone may be prose, "basic authentication"; not after a bearer if long.
    _rule(
        r"\b(bearer['\"]?(?:\s*[:=]\s*|\s+)['\"]?|basic\s+)"
        r"(?=[A-Za-z_~+/-]{0,256}[0-9=.])[A-Za-z0-9._~+/=-]{8,}",
        rf"\1{REDACTED}",
    ),
    _rule(r"\b(bearer\s+)[A-Za-z0-9._~+/=-]{16,}", rf"\1{REDACTED}"),
    # user:password@host without a scheme, as proxies are named; not image:tag@sha256:…
    _rule(
        r"((?<![\w./:@-])[A-Za-z][\w.-]{0,63}:)(?!\d+@|<redacted>)[^\s/:@'\"<>()]{3,256}"
        r"@(?!sha\d+:)(?=[A-Za-z0-9])",
        rf"\1{REDACTED}@",
    ),
    # Options of commands, in a shell's spelling and in a list's.
    _rule(
        rf"((?<![\w-])--?[\w-]{{0,40}}?{_SENSITIVE}[\w-]{{0,40}}['\"]?(?:\s*[,=]\s*|\s+))"
        rf"(?!['\"]?-){_VALUE}",
        rf"\1{REDACTED}",
    ),
    _rule(r"(\bsshpass['\"]?[\s,]+['\"]?-p['\"]?[\s,]*)" + _VALUE, rf"\1{REDACTED}"),
    _rule(
        r"((?<![\w-])(?:-u|--user|--proxy-user)['\"]?[\s,=]+['\"]?[^\s:'\"]{1,128}:)"
        r"(?!<redacted>)[^\s'\"]+",
        rf"\1{REDACTED}",
    ),
    _rule(
        r"(\bmachine\s{1,9}\S{1,256}\s{1,9}login\s{1,9}\S{1,256}\s{1,9}password\s{1,9})\S+",
        rf"\1{REDACTED}",
    ),
    _rule(rf"(\bredis-cli\b[^\n]{{0,200}}? -a['\"]?[\s,]+){_VALUE}", rf"\1{REDACTED}"),
    # MySQL's tools take a password without a space after -p.
    _rule(
        r"(\b(?:mysql|mariadb)(?:dump|admin)?\b[^\n]{0,200}?\s['\"]?-p)(?!<redacted>)[^\s'\"]+",
        rf"\1{REDACTED}",
    ),
    _rule(r"(\b(?:auth|credentials?)\s*=\s*)\([^()\n]*\)?", rf"\1{REDACTED}"),
    # NAME=value, 'name': value, name: value.
    _rule(rf"({_SENSITIVE}{_IS}){_VALUE}", rf"\1{REDACTED}"),
    _rule(rf"((?<![A-Za-z0-9])pass\s*=\s*){_VALUE}", rf"\1{REDACTED}"),
    _rule(r"((?<![A-Za-z0-9])pwd\s*=\s*)(?!/|<redacted>)[^\s;'\"]+", rf"\1{REDACTED}"),
    _rule(rf"(<([\w:.-]{{0,40}}{_SENSITIVE}[\w.-]{{0,40}})>)[^<\n]+(?=</\2>)", rf"\1{REDACTED}"),
    _rule(rf"(\bx-amz-(?:signature|credential)=){_VALUE}", rf"\1{REDACTED}"),
    _rule(
        rf"((?<![A-Za-z0-9_])[A-Z0-9_]{{1,64}}_(?:KEY|PAT|OTP|PIN)=){_VALUE}",
        rf"\1{REDACTED}",
        re.NOFLAG,
    ),
    # Forms that need no name.
    _rule(r"\bey[A-Za-z0-9_-]{8,}\.ey[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?", REDACTED, re.NOFLAG),
    _rule(
        r"(?<![A-Za-z0-9])(?:"
        r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}"  # AWS
        r"|gh[pousr]_[A-Za-z0-9]{16,}|github_pat_[A-Za-z0-9_]{16,}"
        r"|glpat-[A-Za-z0-9_-]{16,}|hf_[A-Za-z0-9]{16,}|api_org_[A-Za-z0-9]{16,}"
        r"|sk-[A-Za-z0-9_-]{16,}|[sr]k_(?:live|test)_[A-Za-z0-9]{10,}"
        r"|xox[a-z]-[A-Za-z0-9-]{10,}|xapp-[A-Za-z0-9-]{10,}"
        r"|AIza[A-Za-z0-9_-]{30,}|ya29\.[A-Za-z0-9_-]{16,}|npm_[A-Za-z0-9]{30,}"
        r"|pypi-[A-Za-z0-9_-]{40,}|dckr_pat_[A-Za-z0-9_-]{16,}|nvapi-[A-Za-z0-9_-]{16,}"
        r"|r8_[A-Za-z0-9]{30,}|gsk_[A-Za-z0-9]{30,}|SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}"
        r"|[0-9]{8,10}:AA[A-Za-z0-9_-]{30,}"
        r")",
        REDACTED,
        re.NOFLAG,
    ),
)

_TELLING = re.compile(rf"{_SENSITIVE}|(?:^|_)pass(?:$|_)", re.IGNORECASE)
_COUNTS = re.compile(r"[\w.-]*tokens[\w.-]*['\"]?\s*(?::=|=>|[:=])\s*[\d.,_)}\]]+\Z", re.IGNORECASE)
_PASSES = 50
"""So often at most a rule is tried again; one that never settled must not hang a failing job."""

_SHORTEST = 6
"""Shorter values of the environment are words that stand everywhere, not secrets."""


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """``text`` with secrets replaced by ``<redacted>``; redacting again changes nothing.

    ``secrets`` are values that must not be in it wherever they stand.
    """
    for secret in sorted(secrets, key=len, reverse=True):
        if secret and secret not in REDACTED:
            text = text.replace(secret, REDACTED)
    for rule in _RULES:
        text = _ruled(rule, text)
    return text


def _ruled(rule: _Rule, text: str) -> str:
    """``text`` after one rule; of several secrets behind one command, a pass sees the first."""
    pattern, new = rule
    for _ in range(_PASSES):
        before, text = text, pattern.sub(lambda match: _replaced(match, new), text)
        if text == before:
            break
    return text


def redact_value(value: Any, secrets: Sequence[str] = ()) -> Any:
    """A JSON value with every text in it redacted, and the values of telling keys taken out."""
    if isinstance(value, str):
        return redact(value, secrets)
    if isinstance(value, Mapping):
        return {
            redact(str(key), secrets): REDACTED
            if isinstance(each, str) and _TELLING.search(str(key))
            else redact_value(each, secrets)
            for key, each in value.items()
        }
    if isinstance(value, list | tuple):
        return [redact_value(each, secrets) for each in value]
    return value


def redact_words(words: Sequence[str], secrets: Sequence[str] = ()) -> list[str]:
    """A command line, word by word: what follows ``--token`` is a secret, spaces and all."""
    shown: list[str] = []
    secret_follows = False
    for word in words:
        if secret_follows and not word.startswith("-"):
            shown.append(REDACTED)
            secret_follows = False
            continue
        option, equals, _ = word.partition("=")
        is_option = option.startswith("-") and bool(_TELLING.search(option))
        secret_follows = is_option and not equals
        shown.append(f"{option}={REDACTED}" if is_option and equals else redact(word, secrets))
    return shown


def environment_secrets(environ: Mapping[str, str]) -> tuple[str, ...]:
    """The values of environment variables whose names say that they are secrets."""
    return tuple(
        sorted(
            {
                value
                for name, value in environ.items()
                if _TELLING.search(name) and len(value) >= _SHORTEST and not _is_path(value)
            }
        )
    )


def _is_path(value: str) -> bool:
    """A file that holds a secret is named by many variables; its name is none."""
    return value.startswith(("/", "~", "./")) or value.isdigit()


def _replaced(match: re.Match[str], new: str) -> str:
    if _COUNTS.match(match[0]):  # max_tokens=4096 is a number of words
        return match[0]
    # What closes the brackets around a value is not part of it.
    return match.expand(new) + match[0][len(match[0].rstrip(",;)]}")) :]
