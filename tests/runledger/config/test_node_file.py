"""The node file of the pipeline: what the excerpt says, and that nothing else changes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.fleet import parse_fleet
from runledger.config.node_file import excerpt, merge
from runledger.errors import BadInput

FLEET = parse_fleet('[[nodes]]\nname = "rig"\naddress = "192.0.2.10"')

NODE_FILE = """\
{
  "nodes": [
    {
      "hostname": "192.0.2.10",
      "gpu_count": 12,   "ramdisk_path": "/dev/shm/\\u00e4"
    },
    { "hostname": "192.0.2.11", "gpu_count": 8 }
  ],
  "sieve_defaults": {"threshold": 1e-2, "excluded_gpus": [7]}
}
"""


def card(index: int | None, state: str = "excluded", **more: Any) -> dict[str, Any]:
    entry = {"node": "rig", "pci": f"0000:{index or 0:02x}:00.0", "state": state, "reason": "hot"}
    return {**entry, **({} if index is None else {"index": index}), **more}


def out(*indexes: int, host: str = "192.0.2.10") -> dict[str, Any]:
    return {"hostname": host, "excluded_gpus": list(indexes), "reason": 'a "b" ü'}


def test_cards_that_sit_out_are_listed_by_node_and_index() -> None:
    nodes, unplaced = excerpt([card(10), card(4, "retire"), card(3, "watch")], FLEET)
    assert nodes == [
        {"hostname": "192.0.2.10", "excluded_gpus": [4, 10], "reason": "GPU 4: hot; GPU 10: hot"}
    ]
    assert unplaced == []


def test_a_card_without_a_current_index_is_left_out_and_named() -> None:
    nodes, unplaced = excerpt([card(None), card(4, gone=True)], FLEET)
    assert nodes == []
    assert [each.get("index") for each in unplaced] == [None, 4]


def test_a_node_that_is_not_configured_goes_by_its_name() -> None:
    ((node,), _) = excerpt([{**card(1), "node": "other"}], FLEET)
    assert node["hostname"] == "other"


def test_the_excerpt_is_added_in_the_manner_of_the_file_and_the_rest_stays() -> None:
    merged = merge(NODE_FILE, [out(10), out(1, 2, host="192.0.2.11")])
    kept = [line for line in NODE_FILE.splitlines() if "192.0.2.11" not in line]
    lines = merged.splitlines()
    position = lines.index('      "gpu_count": 12,   "ramdisk_path": "/dev/shm/\\u00e4",')
    assert lines[position + 1 : position + 3] == [
        '      "excluded_gpus": [10],',
        '      "reason": "a \\"b\\" ü"',
    ]
    assert kept[-2:] == lines[-2:]
    assert json.loads(merged)["nodes"][1]["excluded_gpus"] == [1, 2]


def test_a_new_excerpt_replaces_the_old_one_and_none_removes_it() -> None:
    merged = merge(NODE_FILE, [out(10)])
    assert json.loads(merge(merged, [out(3)]))["nodes"][0]["excluded_gpus"] == [3]
    assert merge(merged, [out(10)]) == merged
    assert merge(merged, []) == NODE_FILE


def test_line_ends_of_the_file_are_kept() -> None:
    text = NODE_FILE.replace("\n", "\r\n")
    assert merge(text, [out(10)]).replace("\r\n", "") == merge(NODE_FILE, [out(10)]).replace(
        "\n", ""
    )
    assert "\n" not in merge(text, [out(10)]).replace("\r\n", "")


@pytest.mark.parametrize(
    ("text", "problem"),
    [("{", "not JSON"), ("[]", "no list under 'nodes'"), ('{"nodes": {}}', "no list"),
     ('{"nodes": []}', "no node 192.0.2.10")],
)  # fmt: skip
def test_what_is_no_node_file_or_lacks_a_node_is_refused(text: str, problem: str) -> None:
    with pytest.raises(BadInput, match=problem):
        merge(text, [out(1)])


def test_a_node_that_may_not_be_used_goes_and_the_rest_stays_to_the_byte() -> None:
    merged = merge(NODE_FILE, [], fleet=FLEET, without={"rig"})
    kept = NODE_FILE[NODE_FILE.index('{ "hostname": "192.0.2.11"') :]
    assert merged == f'{{\n  "nodes": [\n    {kept}'
    merged = merge(NODE_FILE, [], fleet=FLEET, without={"192.0.2.11"})
    assert [node["hostname"] for node in json.loads(merged)["nodes"]] == ["192.0.2.10"]
    assert merged.startswith(NODE_FILE[: NODE_FILE.index(",\n    { ")])
    assert json.loads(merge(NODE_FILE, [], without={"192.0.2.10", "192.0.2.11"}))["nodes"] == []


def test_a_node_is_known_by_address_and_by_name() -> None:
    text = '{"nodes": [{"hostname": "rig"}]}'
    merged = merge(text, [out(1)], fleet=FLEET)
    assert json.loads(merged)["nodes"][0]["excluded_gpus"] == [1]
    assert json.loads(merge(text, [], fleet=FLEET, without={"rig"}))["nodes"] == []


def test_of_nodes_that_are_not_spoken_of_nothing_changes() -> None:
    text = '{"nodes": [{"hostname": "other", "excluded_gpus": [3]}]}'
    assert merge(text, [], fleet=FLEET, touch={"rig"}) == text


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(
    before=st.dictionaries(st.text(), _json, max_size=3),
    nodes=st.lists(st.dictionaries(st.text(), _json, max_size=3), max_size=4),
    indent=st.sampled_from([None, 0, 2, "\t"]),
    ascii_only=st.booleans(),
    chosen=st.sets(st.integers(0, 3)),
)
def test_any_node_file_is_merged_as_data_and_comes_back_as_it_was(
    before: dict[str, Any],
    nodes: list[dict[str, Any]],
    indent: int | str | None,
    ascii_only: bool,
    chosen: set[int],
) -> None:
    for number, node in enumerate(nodes):
        node.pop("excluded_gpus", None)
        node["hostname"] = f"h{number}"
    document = {**before, "nodes": nodes}
    text = json.dumps(document, indent=indent, ensure_ascii=ascii_only)
    wanted = [out(1, host=f"h{number}") for number in sorted(chosen) if number < len(nodes)]
    merged = merge(text, wanted)
    expected = [
        {**node, **next((each for each in wanted if each["hostname"] == node["hostname"]), {})}
        for node in nodes
    ]
    assert json.loads(merged) == {**document, "nodes": expected}
    if not any("reason" in node for node in nodes):
        assert merge(merged, []) == text
    gone = {f"h{number}" for number in chosen}
    left = [node for node in nodes if node["hostname"] not in gone]
    assert json.loads(merge(text, [], without=gone, touch=())) == {**document, "nodes": left}
