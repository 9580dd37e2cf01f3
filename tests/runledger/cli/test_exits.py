"""Errors as words and exit codes."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest

from runledger.cli import exits
from runledger.errors import BadInput
from tests.typing_at import Type, Typed


def _system_error(number: int, *filename: str) -> OSError:
    return OSError(number, os.strerror(number), *filename)


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (_system_error(errno.ENOSPC), 75, "the output: No space left on device"),
        (_system_error(errno.ENOSPC, "x.csv"), 75, "x.csv: No space left on device"),
        (_system_error(errno.ENOENT, "x.toml"), 3, "x.toml: no such file or folder"),
        (_system_error(errno.EACCES, "x.toml"), 2, "x.toml: Permission denied"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(
    capsys: pytest.CaptureFixture[str], error: OSError, code: int, said: str
) -> None:
    assert exits.for_error(error) == code
    assert capsys.readouterr().err == f"runledger: {said}\n"


def test_what_is_no_trouble_with_a_file_is_not_blamed_on_the_output(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert exits.for_error(_system_error(errno.EMFILE)) == 1
    assert "the output" not in capsys.readouterr().err


class TestErrorsForPrograms:
    def error(self, done: Typed) -> Any:
        """The one JSON object on stderr; nothing else was printed."""
        assert done.out == ""
        return json.loads(done.err)

    def test_an_error_is_one_object_with_what_happened_and_what_to_do(self, type_: Type) -> None:
        done = type_("--json", "--ledger", "nowhere.db", "exclusions")
        error = self.error(done)
        assert (done.code, error["error"]) == (3, "not_found")
        assert error["message"].startswith("no ledger at ")
        assert "runledger init" in error["remedy"]
        assert set(error) == {"error", "message", "remedy"}

    @pytest.mark.parametrize(
        "words", [("--json", "prefligt"), ("preflight", "--json"), ("events", "--json", "--wher")]
    )
    def test_a_command_line_that_cannot_be_parsed_is_one_too(
        self, type_: Type, words: tuple[str, ...]
    ) -> None:
        done = type_(*words)
        error = self.error(done)
        assert (done.code, error["error"]) == (2, "bad_input")
        assert error["remedy"].startswith("see `runledger")

    def test_the_flag_of_a_job_is_the_jobs(self, type_: Type) -> None:
        done = type_("exec", "--retries", "x", "--", "job", "--json")
        assert done.err.startswith("runledger exec: --retries: 'x' is not")

    def test_problems_of_events_say_where_each_is(self, type_: Type, tmp_path: Path) -> None:
        file = tmp_path / "events.ndjson"
        file.write_text('{"type": "nothing"}\n')
        type_("init")
        error = self.error(type_("record", str(file), "--json"))
        assert error["error"] == "bad_input"
        assert error["problems"]
        for problem in error["problems"]:
            assert problem["line"] == 1
            assert problem["file"] == str(file)
            assert problem["message"]
            assert problem["field"]

    def test_problems_of_a_configuration_are_listed(self, type_: Type, tmp_path: Path) -> None:
        Path("runledger.toml").write_text("legder = 'x'\n[probe]\nconcurency = 3\n")
        error = self.error(type_("probe", "--json"))
        assert len(error["problems"]) == 2
        assert all("did you mean" in each["message"] for each in error["problems"])

    def test_a_failure_of_our_own_is_one_too(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert exits.for_error(RuntimeError("odd\x1b[31m"), as_json=True) == 1
        said = capsys.readouterr().err
        assert json.loads(said)["error"] == "own_failure"
        assert "\x1b" not in said

    def test_what_was_written_to_no_end_is_told_as_before(self) -> None:
        error = BadInput("no card", remedy="name one")
        assert str(error) == "no card: name one"
        assert str(BadInput("card: none", remedy="name one")) == "card: none; name one"
