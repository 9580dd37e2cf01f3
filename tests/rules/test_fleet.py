"""Fleets: what the configuration says of nodes and steps, and what it must not say."""

from __future__ import annotations

import re

import pytest

from rules.fleet import InvalidFleet, fleet_digest, fleet_text, parse_fleet
from tests.rules.histories import FLEET


def test_a_fleet_is_its_text() -> None:
    assert parse_fleet(fleet_text(FLEET)) == FLEET
    assert fleet_digest(parse_fleet(fleet_text(FLEET))) == fleet_digest(FLEET)


def test_a_node_is_known_by_its_name_and_by_an_address_that_only_it_has() -> None:
    fleet = parse_fleet(
        '[[nodes]]\nname = "a"\naddress = "192.0.2.1"\n[[nodes]]\nname = "b"\naddress = "x"\n'
        '[[nodes]]\nname = "c"\naddress = "x"\n'
    )
    assert fleet.resolve("192.0.2.1") == "a"
    assert fleet.resolve("a") == "a"
    assert fleet.resolve("x") == "x"
    assert fleet.resolve("stranger") == "stranger"


def test_a_step_uses_the_nodes_it_names_or_all() -> None:
    assert [node.name for node in FLEET.nodes_of("r")] == ["rig"]
    assert [node.name for node in FLEET.nodes_of("3")] == ["rig", "zeus"]
    assert [node.name for node in FLEET.nodes_of("not configured")] == ["rig", "zeus"]


def test_a_name_is_the_address_where_none_is_given() -> None:
    (node,) = parse_fleet('[[nodes]]\nname = "rig"\n').nodes
    assert node.address == "rig"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[[nodes]]\nnaem = "a"', "name"),
        ('[[nodes]]\nname = "a"\ngpu = 2', "gpus"),
        ('[[nodes]]\nname = "a"\ngpus = -1', "gpus"),
        ('[[nodes]]\nname = "a"\ngpus = "two"', "gpus"),
        ('[[nodes]]\nname = "a"\nport = 0', "port"),
        ('[[nodes]]\nname = "a b"', "name"),
        ('[[nodes]]\nname = "a/b"', "name"),
        ('[[nodes]]\nname = "a"\n[[nodes]]\nname = "a"', "a"),
        ('[steps."3"]\nnodes = ["nobody"]', "nobody"),
        ('[steps."3"]\ntimeout = 3', "timeout_s"),
        ('[steps."3"]\ntimeout_s = -3', "timeout_s = -3: expected float > 0"),
        ('[[nodes]]\nname = "a b"', "'a b': expected a name without spaces, slashes and control"),
        ('[steps."3"]\nnodes = ["a"]', "no node 'a'; add it under [[nodes]]"),
        (
            '[steps."3"]\nramdisk = [{path = "x", sha256 = "zz"}]',
            "ramdisk[1].sha256 = 'zz': expected 64 hexadecimal digits",
        ),
        ('[steps."3"]\ntimeout_s = inf', "timeout_s = inf: must be a finite number"),
        ("[steps.2.5]\ntimeout_s = 3", 'write [steps."2.5"]'),
        ("[steps]\n3 = 5", "not a table"),
        ('[steps."3"]\nremedy = { ramdsk = ["x"] }', "did you mean ramdisk?"),
        ('[steps."3"]\ninputs = [{ path = "x", sha256 = "zz" }]', "sha256"),
        ('[steps."3"]\ninputs = [""]', "inputs"),
        ('[steps."3"]\nremedy = { ramdisk = "rm -rf /" }', "ramdisk"),
        ("[nodes]\na = 1", "nodes"),
        ("[[nodes", "not TOML"),
    ],
)
def test_what_is_wrong_is_named(text: str, says: str) -> None:
    with pytest.raises(InvalidFleet, match=re.escape(says)):
        parse_fleet(text)


def test_all_problems_of_a_step_are_named_together() -> None:
    with pytest.raises(InvalidFleet) as caught:
        parse_fleet('[steps."3"]\nramdisk = [""]\ntimeout_s = "x"\ninput = []')
    assert len(caught.value.problems) == 3


def test_an_alias_names_one_step_only() -> None:
    with pytest.raises(InvalidFleet) as caught:
        parse_fleet('[steps.1]\naliases = ["2", "1"]\n[steps.2]\n[steps.3]\naliases = ["2"]')
    assert [problem.partition(":")[0] for problem in caught.value.problems] == [
        'steps."1".aliases',
        'steps."1".aliases',
        'steps."3".aliases',
    ]


def test_a_fleet_without_aliases_keeps_its_text() -> None:
    assert "aliases" not in fleet_text(parse_fleet("[steps.1]\ntimeout_s = 5"))
