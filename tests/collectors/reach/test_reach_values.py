"""Nodes, limits, names and results as values."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import collectors.reach
from collectors.reach import Failure, Limits, NodeResult, NodeSpec, ssh_probe
from collectors.reach.node import unsafe_name
from collectors.reach.result import plain
from ledger.payloads import SshProbe


def test_the_public_surface_is_small() -> None:
    assert sorted(collectors.reach.__all__) == [
        "BlockingConnections",
        "Connections",
        "ErrorWord",
        "Failure",
        "LOCALHOST",
        "Limits",
        "NodeResult",
        "NodeSpec",
        "run_script",
        "run_script_blocking",
        "ssh_probe",
    ]


def test_the_address_defaults_to_the_name() -> None:
    assert NodeSpec(name="rig-6600").address == "rig-6600"
    assert NodeSpec(name="rig-6600", address="192.168.3.120").address == "192.168.3.120"


def test_nodes_can_be_told_apart_and_used_as_keys() -> None:
    assert len({NodeSpec(name="a"), NodeSpec(name="a", gpus=8), NodeSpec(name="a")}) == 2


@pytest.mark.parametrize("field", ["connect_s", "command_s", "total_s", "concurrency"])
def test_a_limit_of_nothing_is_refused(field: str) -> None:
    with pytest.raises(ValueError, match=f"{field} must be greater than 0"):
        Limits(**{field: 0})


@pytest.mark.parametrize(
    "name", ["rig-6600", "192.168.3.120", "fe80::1%eth0", "Rig_1.local", "bücher.example"]
)
def test_ordinary_names_are_fine(name: str) -> None:
    assert unsafe_name("address", name) is None


@pytest.mark.parametrize(
    "name", ["", "-x", "a b", "a'b", 'a"b', "a\nb", "a$b", "a;b", "x" * 256, "a\x9bb"]
)
def test_names_that_mean_something_to_a_shell_or_terminal_are_refused(name: str) -> None:
    assert unsafe_name("address", name) is not None


def test_a_good_result_becomes_a_probe() -> None:
    node = NodeSpec(name="rig", address="10.0.0.1")
    result = NodeResult(node=node, reachable=True, latency_s=0.1234567, exit_status=0)
    assert ssh_probe(result, boot_id="b", uptime_s=12.5) == SshProbe(
        node="rig",
        address="10.0.0.1",
        reachable=True,
        latency_s=0.123457,
        boot_id="b",
        uptime_s=12.5,
    )


def test_a_failure_becomes_a_probe_with_word_and_remedy() -> None:
    failure = Failure("host_key", "the key changed", "look why")
    probe = ssh_probe(NodeResult(node=NodeSpec(name="rig"), reachable=False, failure=failure))
    assert (probe.error, probe.detail) == ("host_key", "the key changed; look why")


@given(st.text(min_size=1))
def test_the_probe_of_any_address_is_a_valid_payload(address: str) -> None:
    result = NodeResult(
        node=NodeSpec(name="rig", address=address),
        reachable=False,
        failure=Failure("dns", plain(f"not found: {address!r}"), "correct it"),
    )
    probe = ssh_probe(result)
    assert msgspec.convert(msgspec.to_builtins(probe), SshProbe) == probe


@given(st.text())
def test_text_from_afar_is_made_one_printable_line(text: str) -> None:
    made = plain(text)
    assert len(made.splitlines()) <= 1 or "\u2028" in made or "\u2029" in made
    assert "\x1b" not in made
    made.encode("utf-8")
