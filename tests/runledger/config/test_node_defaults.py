"""``[defaults]``: what holds for each node."""

from __future__ import annotations

from pathlib import Path

import pytest

from rules.fleet import fleet_digest
from runledger.config.settings import InvalidSettings, Settings, load_settings


def load(folder: Path, text: str) -> Settings:
    file = folder / "runledger.toml"
    file.write_text(text)
    file.chmod(0o644)
    return load_settings(config=file)


def test_a_node_has_what_it_does_not_say_otherwise(tmp_path: Path) -> None:
    text = '[defaults]\nuser = "me"\nport = 2222\ngpus = 8\n[[nodes]]\nname = "a"\n'
    fleet = load(tmp_path, text + '[[nodes]]\nname = "b"\nport = 22\n').fleet
    assert fleet is not None
    a, b = fleet.nodes
    assert (a.user, a.port, a.gpus, a.address) == ("me", 2222, 8, "a")
    assert (b.user, b.port, b.gpus) == ("me", 22, 8)


def test_the_fleet_is_that_of_nodes_written_out(tmp_path: Path) -> None:
    short = load(tmp_path, '[defaults]\nuser = "me"\n[[nodes]]\nname = "a"\n').fleet
    whole = load(tmp_path, '[[nodes]]\nname = "a"\nuser = "me"\n').fleet
    assert short is not None
    assert whole is not None
    assert fleet_digest(short) == fleet_digest(whole)


@pytest.mark.parametrize(
    ("defaults", "said"),
    [
        ('[defaults]\nusr = "me"', "defaults.usr: unknown key; did you mean user?"),
        ("[defaults]\nport = 0", "defaults.port = 0: "),
        ('[defaults]\nname = "a"', "defaults.name: each node has its own"),
        ('[defaults]\naddress = "a"', "defaults.address: each node has its own"),
        ("defaults = 3", "defaults: write [defaults]"),
    ],
)
def test_what_is_wrong_with_them_is_named_once(tmp_path: Path, defaults: str, said: str) -> None:
    with pytest.raises(InvalidSettings) as caught:
        load(tmp_path, defaults + '\n[[nodes]]\nname = "x"\n[[nodes]]\nname = "y"\n')
    (problem,) = caught.value.problems
    assert problem.startswith(said)
