"""Errors as words and exit codes."""

from __future__ import annotations

import errno
import os

import pytest

from runledger.cli import exits


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
