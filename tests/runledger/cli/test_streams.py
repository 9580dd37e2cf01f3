"""What a command does where its output cannot go the usual way."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ledger import open_ledger, verify

PREFLIGHT = ("preflight", "--step", "1", "--no-probe")


def run(
    folder: Path, *words: str, shell: str = '"$@"', **environ: str
) -> subprocess.CompletedProcess[bytes]:
    """A command through a shell that redirects it, beside a ledger."""
    open_ledger(folder / "runledger.db").close()
    return subprocess.run(
        ["bash", "-c", shell, "bash", sys.executable, "-m", "runledger", *words],
        cwd=folder,
        env={**os.environ, **environ},
        capture_output=True,
        check=False,
    )


@pytest.mark.parametrize("words", [PREFLIGHT, (*PREFLIGHT, "--json"), ("exclusions",), ("--help",)])
def test_a_closed_stdout_ends_up_in_no_file_of_ours(tmp_path: Path, words: tuple[str, ...]) -> None:
    done = run(tmp_path, *words, shell='"$@" >&-')
    assert done.returncode == (11 if words[0] == "preflight" else 0)
    assert done.stderr == b""
    if words != ("--help",):
        with open_ledger(tmp_path / "runledger.db") as ledger:
            assert verify(ledger).ok


def test_with_every_stream_closed_the_ledger_is_whole(tmp_path: Path) -> None:
    done = run(tmp_path, *PREFLIGHT, shell='"$@" <&- >&- 2>&-')
    assert done.returncode == 11
    with open_ledger(tmp_path / "runledger.db") as ledger:
        assert verify(ledger).ok


def test_a_closed_stdin_holds_no_events(tmp_path: Path) -> None:
    done = run(tmp_path, "record", "--json", shell='"$@" <&-')
    assert done.returncode == 0
    assert json.loads(done.stdout)["stored"] == 0


@pytest.mark.parametrize("words", [PREFLIGHT, (*PREFLIGHT, "--json")])
def test_a_verdict_is_none_the_less_one_for_a_reader_that_left(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    done = run(tmp_path, *words, shell='"$@" | true; exit ${PIPESTATUS[0]}')
    assert done.returncode == 11
    assert done.stderr == b""


@pytest.mark.parametrize("words", [("--help",), ("demo",), ("exclusions", "--json")])
def test_a_reader_that_has_seen_enough_is_no_failure(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    done = run(tmp_path, *words, shell='"$@" | true; exit ${PIPESTATUS[0]}')
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
@pytest.mark.parametrize("words", [("exclusions",), ("demo",), ("exclusions", "--json")])
def test_output_on_a_full_disk_is_to_be_tried_again(tmp_path: Path, words: tuple[str, ...]) -> None:
    done = run(tmp_path, *words, shell='"$@" >/dev/full')
    assert done.returncode == 75
    told = "the output: No space left on device"
    if "--json" in words:
        error = {"error": "try_later", "message": told, "remedy": None}
        assert json.loads(done.stderr) == error
    else:
        assert done.stderr == f"runledger: {told}\n".encode()


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_terminal_without_unicode_gets_everything_else(tmp_path: Path, encoding: str) -> None:
    for words in (("preflight", "--help"), PREFLIGHT, ("demo",)):
        done = run(tmp_path, *words, PYTHONIOENCODING=encoding, PYTHONUTF8="0")
        assert done.returncode == (11 if words == PREFLIGHT else 0)
        assert done.stderr == b""
    told = run(tmp_path, "--study-café", PYTHONIOENCODING=encoding, PYTHONUTF8="0")
    assert told.returncode == 2


def test_json_is_json_in_every_encoding(tmp_path: Path) -> None:
    word = ("override", "study/λ🦎", "watch", "--reason", "→", "--by", "é", "--json")
    done = run(tmp_path, *word, PYTHONIOENCODING="ascii")
    assert json.loads(done.stdout)["subject"] == "study/λ🦎"
    listed = run(tmp_path, "events", "--json", PYTHONIOENCODING="latin-1")
    assert json.loads(listed.stdout)["events"][0]["data"]["reason"] == "→"
