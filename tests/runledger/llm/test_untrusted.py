"""Text on its way to a model: one clean, short line, and no secret in it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runledger.llm.untrusted import MOST_CHARACTERS, name, untrusted, wrapped


@given(st.text())
def test_whatever_comes_leaves_as_one_bounded_line_without_hidden_characters(text: str) -> None:
    (said,) = untrusted(text).values()
    assert len(said) <= MOST_CHARACTERS
    assert said == " ".join(said.split())
    assert said.isprintable()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("one\ntwo\r\n\tthree", "one two three"),
        ("\x1b[31mred\x1b[0m \x1b]0;title\x07text", "red text"),
        ("a\u202eb\u2066c\u200bd\ufeffe", "abcde"),
        ("tags\U000e0041\U000e0042 too", "tags too"),
        ("bell\x07 null\x00 c1\x9b", "bell null c1"),
        ("x" * 300, "x" * 199 + "…"),
    ],
)
def test_control_and_hidden_characters_are_stripped(text: str, said: str) -> None:
    assert untrusted(text) == {"untrusted": said}


@pytest.mark.parametrize(
    "text",
    [
        "password=hunter2",
        "PGPASSWORD=hunter2",
        'db_password: "hunter2"',
        "passwd = hunter2",
        "api_key=hunter2",
        '{"token": "hunter2"}',
        "https://user:hunter2@host/path",
        "Authorization: Bearer hunter2hunter2",
        "postgresql+psycopg://me:hunter2@db/ledger",
        "AWS_SECRET_ACCESS_KEY=hunter2",
        "-----BEGIN OPENSSH PRIVATE KEY-----\nhunter2\n-----END OPENSSH PRIVATE KEY-----",
        "-----BEGIN RSA PRIVATE KEY-----\nhunter2 and cut",
    ],
)
def test_what_looks_like_a_secret_is_taken_out(text: str) -> None:
    said = untrusted(f"before {text} after")["untrusted"]
    assert "hunter2" not in said
    assert "[removed]" in said
    assert said.startswith("before ")


@pytest.mark.parametrize(
    "secret",
    ["AKIAIOSFODNN7EXAMPLE", "ghp_0123456789abcdefABCDEF", "sk-proj-0123456789abcdef",
     "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"],
)  # fmt: skip
def test_well_known_tokens_are_taken_out_even_where_they_look_like_names(secret: str) -> None:
    assert secret not in untrusted(f"using {secret} now")["untrusted"]
    assert name(secret) == {"untrusted": "[removed]"}


@pytest.mark.parametrize("text", ["rig-6600", "192.0.2.1", "R-20260124", "window_opt", "a/b:c"])
def test_plain_names_stay_plain(text: str) -> None:
    assert name(text) == text


@pytest.mark.parametrize("text", ["", "two words", "-x", "a" * 65, "naïve", "x\n"])
def test_names_that_could_be_more_are_wrapped(text: str) -> None:
    assert isinstance(name(text), dict)


def test_values_are_wrapped_to_any_depth_but_for_our_own_words() -> None:
    value = {"rule": "r", "n": 1, "list": ["a", None, {"rule": "s", "text": "t"}], "yes": True}
    assert wrapped(value, frozenset({"rule"})) == {
        "rule": "r",
        "n": 1,
        "list": [{"untrusted": "a"}, None, {"rule": "s", "text": {"untrusted": "t"}}],
        "yes": True,
    }
