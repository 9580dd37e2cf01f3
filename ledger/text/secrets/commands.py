"""Secrets on command lines: options that say so, and programs that take them otherwise.

A command line comes as a list of words, or somewhere in a text; both are judged
by the same rules, over words. What a program's option means is data (`_PROGRAMS`).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ledger.text.secrets.names import Telling, is_secret, telling, words_of


class Program(NamedTuple):
    """How a program is given secrets.

    ``options`` are followed by one, or joined to it; ``joined`` are only joined
    to it (``-pX``). ``logins`` are followed by ``user:secret``. After ``words``
    in this order, those that are no options are secrets, from the one numbered
    ``nth``. ``only_with``: its options mean a secret only beside this word.
    """

    options: tuple[str, ...] = ()
    joined: tuple[str, ...] = ()
    logins: tuple[str, ...] = ()
    words: tuple[str, ...] | None = None
    nth: int = 1
    only_with: str | None = None


_MYSQL = Program(joined=("-p",))
_LDAP = Program(options=("-w",))
_REGISTRY = Program(options=("-p",), only_with="login")
_ZIP = Program(options=("-P",))
_PROGRAMS: dict[str, Program] = {
    **dict.fromkeys(
        ("mysql", "mysqldump", "mysqladmin", "mysqlimport", "mysqlshow", "mysqlcheck", "mariadb",
         "mariadb-dump", "mariadb-admin", "mariadbdump", "mysqlsh"), _MYSQL),
    **dict.fromkeys(("redis-cli", "valkey-cli", "keydb-cli"), Program(options=("-a",))),
    **dict.fromkeys(
        ("mongo", "mongosh", "mongodump", "mongorestore", "mongoexport", "sshpass", "rdesktop",
         "sqlcmd", "bcp", "isql", "cqlsh", "twine"), Program(options=("-p", "-P"))),
    **dict.fromkeys(("ldapsearch", "ldapadd", "ldapmodify", "ldapwhoami", "ldappasswd"), _LDAP),
    **dict.fromkeys(("docker", "podman", "nerdctl", "buildah", "skopeo", "helm", "oras", "az",
                     "crane", "ibmcloud"), _REGISTRY),
    **dict.fromkeys(("zip", "unzip"), _ZIP),
    **dict.fromkeys(("7z", "7za", "7zz", "rar", "unrar"), Program(joined=("-hp", "-p"))),
    **dict.fromkeys(("curl", "http", "https", "xh"), Program(
        logins=("-u", "--user", "-U", "--proxy-user", "-a", "--auth"), options=("-b",))),
    "smbclient": Program(logins=("-U", "--user")),
    "etcdctl": Program(logins=("--user",)),
    "openssl": Program(options=("-passin", "-passout", "-pass", "-k", "-K")),
    "htpasswd": Program(words=(), nth=3, only_with="-b"),
    "ssh-keygen": Program(options=("-N", "-P")),
    "mosquitto_pub": Program(options=("-P",)),
    "mosquitto_sub": Program(options=("-P",)),
    "doctl": Program(options=("-t",), only_with="auth"),
    "plink": Program(options=("-pw",)),
    "wandb": Program(words=("login",)),
    "vault": Program(words=("login",)),
    "comet": Program(words=("login",)),
    "ngrok": Program(words=("authtoken",)),
    "rclone": Program(words=("obscure",)),
    "wpa_passphrase": Program(words=(), nth=2),
    "rabbitmqctl": Program(words=("add_user",), nth=2),
    "gh": Program(options=("-b",), only_with="secret"),
    "mc": Program(words=("alias", "set"), nth=4),
    "nmcli": Program(words=("password",)),
}  # fmt: skip
_ALSO = {
    "ngrok": Program(words=("add-authtoken",)),
    "rabbitmqctl": Program(words=("change_password",), nth=2),
    "wandb": Program(words=("relogin",)),
}

_SHELL = frozenset(("|", "||", "&&", ";", "&"))
_PROSE = words_of(
    """
    a an and argument as be before flag for from has if in instead is it may must not of on
    option or requires that the to was which with you
    """
)
_NO_SCHEME = frozenset(("basic", "digest", "none", "oauth", "kerberos", "ntlm", "any", "true"))
_OPTION = re.compile(r"--?[A-Za-z][\w.-]*\Z")

_TRIGGER = re.compile(
    r"(?<![\w.-])(?:"
    + "|".join(sorted(map(re.escape, _PROGRAMS), key=len, reverse=True))
    + r")(?:\.exe)?(?=[\s'\"])"
)
_OPTION_IN_TEXT = re.compile(r"(?<![\w-])--?[A-Za-z][\w.-]*+(?=['\"]?(?:\s|,|\\\n))")
_SHELL_TOKEN = re.compile(r"""(?:"(?:\\.|[^"\\\n])*"?|'[^'\n]*'?|\\.|[^\s'"\\])+""")
_LIST_TOKEN = re.compile(r""""(?:\\.|[^"\\\n])*"?|'(?:\\.|[^'\\\n])*'?|[^\s'",\[\]()]+""")
_MOST_WORDS = 64


def secret_parts(words: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Which words of a command line are secrets, and from which character on.

    >>> list(secret_parts(["mysql", "-phunter2", "--token", "--", "x y", "--api-key=k"]))
    [(1, 2), (4, 0), (5, 10)]
    """
    at = 0
    while at < len(words):
        word = words[at]
        option, equals, value = word.partition("=")
        if _OPTION.match(option):
            kind = _kind(option)
            if kind is not None and equals and is_secret(kind, value.strip("'\"")):
                yield at, len(option) + 1
            elif kind is not None and not equals:
                at, found = _following(words, at, kind)
                if found:
                    yield at, 0
        at += 1
    yield from _of_programs(words)


def _kind(option: str) -> Telling | None:
    return Telling.TOKEN if option.lstrip("-") in ("auth", "authkey", "passin") else telling(option)


def _following(words: Sequence[str], at: int, kind: Telling) -> tuple[int, bool]:
    """Where the value of the option at ``at`` is, and whether it is a secret."""
    after = at + 1
    parted = after < len(words) and words[after] == "--"
    after += parted
    if after >= len(words) or (words[after].startswith("-") and not parted):
        return at, False
    word = words[after]
    dull = word.lower() in _PROSE | _NO_SCHEME or (word.isupper() and telling(word) is not None)
    return (after, True) if not dull and is_secret(kind, word) else (at, False)


def _of_programs(words: Sequence[str]) -> Iterator[tuple[int, int]]:
    begins: list[int] = [
        at for at, word in enumerate(words) if _program(word) in _PROGRAMS and len(word) < 4096
    ]
    for number, at in enumerate(begins[:_MOST_WORDS]):
        end = begins[number + 1] if number + 1 < len(begins) else len(words)
        own = words[at + 1 : end]
        stop = next((n for n, word in enumerate(own) if word in _SHELL), len(own))
        name = _program(words[at])
        for program in filter(None, (_PROGRAMS[name], _ALSO.get(name))):
            for index, offset in _of_program(program, own[:stop]):
                yield at + 1 + index, offset


def _program(word: str) -> str:
    return os.path.basename(word).lower().removesuffix(".exe")


def _of_program(program: Program, words: Sequence[str]) -> Iterator[tuple[int, int]]:
    if program.only_with is not None and program.only_with not in words:
        return
    for at, word in enumerate(words):
        following = words[at + 1] if at + 1 < len(words) else ""
        if word in program.options and following:
            yield at + 1, 0
        elif word in program.logins and (cut := _login(following)) > 0:
            yield at + 1, cut
        option, equals, login = word.partition("=")
        if option in program.logins and equals and (cut := _login(login)) > 0:
            yield at, len(option) + 1 + cut
        for option in (*program.joined, *(each for each in program.options if len(each) == 2)):
            if word.startswith(option) and len(word) > len(option) and not word.startswith("--"):
                yield at, len(option) + (word[len(option)] == "=")
                break
    yield from _after_words(program, words)


def _login(word: str) -> int:
    """Where the secret of ``user:secret`` begins; 0 where there is none."""
    cut = max(word.find(":"), word.find("%"))
    return 0 if cut < 0 or word.startswith(("http:", "https:")) else cut + 1


def _after_words(program: Program, words: Sequence[str]) -> Iterator[tuple[int, int]]:
    """The words from the nth on that are no options, after the program's own words."""
    if program.words is None:
        return
    wanted = list(program.words)
    passed = 0
    for at, word in enumerate(words):
        if wanted:
            if word == wanted[0]:
                wanted.pop(0)
            continue
        if word.startswith("-") or (at and words[at - 1] in ("--host", "--entity", "-e")):
            continue
        passed += 1
        if passed >= program.nth and word.lower() not in _PROSE and not word.endswith(":"):
            yield at, 0
            return


def in_commands(text: str, lower: str) -> Iterator[tuple[int, int]]:
    """Where secrets stand in the command lines of a text, in a shell's spelling or a list's."""
    passed = 0
    for match in _OPTION_IN_TEXT.finditer(text) if "-" in text else ():
        if match.start() >= passed and _kind(match[0]) is not None:
            words, passed = _words(text, match.start(), 4)
            yield from _spans(words, list(secret_parts([each for each, _, _ in words]))[:1])
            passed = match.end()
    passed = 0
    for match in _TRIGGER.finditer(lower):
        if match.start() >= passed:
            words, passed = _words(text, match.start(), _MOST_WORDS)
            yield from _spans(words, secret_parts([each for each, _, _ in words]))


_Words = list[tuple[str, int, int]]


def _words(text: str, at: int, most: int) -> tuple[_Words, int]:
    """Up to so many words from a place on its line, each with its start and end; and where."""
    in_list = at > 0 and text[at - 1] in "'\"" and text.find(text[at - 1], at, at + 80) >= 0
    token = _LIST_TOKEN if in_list else _SHELL_TOKEN
    end = text.find("\n", at, at + 4096)
    while end > 0 and text[end - 1] == "\\":  # a shell's line that goes on
        end = text.find("\n", end + 1, at + 4096)
    end = min(len(text), at + 4096) if end < 0 else end
    if in_list:
        at -= 1
    words: _Words = []
    for match in token.finditer(text, at, end):
        word, start, stop = match[0], match.start(), match.end()
        if word[:1] in "'\"":
            start += 1
            stop -= word.endswith(word[0]) and len(word) > 1
        word = text[start:stop]
        if not in_list and word.endswith(")") and "(" not in word:
            stop -= 1
            word = word[:-1]
        words.append((word, start, stop))
        if len(words) == most:
            break
    return words, words[-1][2] if words else end


def _spans(words: _Words, parts: object) -> Iterator[tuple[int, int]]:
    for index, offset in parts:  # type: ignore[attr-defined]
        _, start, end = words[index]
        if start + offset < end:
            yield start + offset, end
