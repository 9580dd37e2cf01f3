"""One real sshd for the tests that do not change it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.sshd import Sshd


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """Four hosts on loopback, the first of which tells who it is."""
    hosts = {
        "127.0.0.2": {"RUNLEDGER_TEST_HOST": "first host"},
        "127.0.0.3": {},
        "127.0.0.4": {},
        "127.0.0.5": {},
    }
    with Sshd(tmp_path_factory.mktemp("sshd"), hosts) as server:
        yield server
