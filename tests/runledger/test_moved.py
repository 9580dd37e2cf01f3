"""Programs written for 0.1 find the modules that its documentation named."""

from __future__ import annotations

import subprocess
import sys

import pytest

from runledger.moved import MOVED

OLD_NAMES = MOVED | {"collectors.optuna": "runledger.studies"}


@pytest.mark.parametrize(("old", "new"), OLD_NAMES.items())
def test_an_old_name_gives_the_module_of_today(old: str, new: str) -> None:
    code = f"import runledger, {old}, {new}, sys; assert sys.modules[{old!r}] is {new}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_a_name_that_never_was_is_not_found() -> None:
    with pytest.raises(ModuleNotFoundError):
        __import__("runledger.no_such_room")
