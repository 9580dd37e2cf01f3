"""What is sent to a rig holds data as data."""

from __future__ import annotations

import subprocess

import pytest

from collectors.script import InvalidScriptInput, compose

NONCE = "0123456789abcdef0123456789abcdef"
HOSTILE = (
    "$(touch pwned)",
    "`touch pwned`",
    "'; touch pwned; '",
    '"; touch pwned; "',
    "a\\b %s \\n",
    f"RUNLEDGER_{NONCE}",
    "  two  spaces  ",
    "* ? [a-z] ~ é 日本 {a,b}",
    "-rf --version",
)


@pytest.mark.parametrize("value", HOSTILE)
def test_a_value_arrives_as_it_was_and_runs_nothing(tmp_path, value):
    script = compose(
        [], "while IFS= read -r line; do printf '%s\\n' \"$line\"; done", NONCE, [("key", value)]
    )
    done = subprocess.run(
        ["sh", "-s"], input=script, capture_output=True, cwd=tmp_path, check=False
    )
    assert done.stdout.decode() == f"nonce {NONCE}\nkey {value}\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("value", ["a\nb", "a\rb", "\x1b[31m", "\x00", "\x7f"])
def test_control_characters_are_refused_by_name(value):
    with pytest.raises(InvalidScriptInput, match=r"workdir .* control character"):
        compose([], "main", NONCE, [("workdir", value)])


def test_nothing_behind_the_script_is_run(tmp_path):
    script = compose([], "cat >/dev/null", NONCE, []) + b"touch pwned\n"
    subprocess.run(["sh", "-s"], input=script, cwd=tmp_path, check=True)
    assert list(tmp_path.iterdir()) == []


def test_a_nonce_that_could_be_guessed_is_refused():
    with pytest.raises(InvalidScriptInput):
        compose([], "main", "1", [])
