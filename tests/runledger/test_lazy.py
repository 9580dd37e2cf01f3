"""Names that are loaded when they are first used are there, all of them, and no others."""

from __future__ import annotations

from types import ModuleType

import pytest

import runledger
from runledger import studies


@pytest.mark.parametrize("package", [runledger, studies], ids=lambda package: package.__name__)
def test_every_name_that_a_package_offers_is_there(package: ModuleType) -> None:
    assert set(package._HOMES) | {"__version__"} >= set(package.__all__) >= set(package._HOMES)
    for name in package.__all__:
        assert getattr(package, name) is not None
        assert name in vars(package)  # kept: the next use costs nothing


def test_a_name_that_is_not_offered_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match=r"module 'runledger\.studies' has no attribute 'x'"):
        studies.x  # noqa: B018
