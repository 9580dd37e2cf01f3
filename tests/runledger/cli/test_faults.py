"""`faults`: a code, a name or a kind explained; all of them listed."""

from __future__ import annotations

from tests.typing_at import Type


def test_a_code_is_explained_with_whose_it_is_and_what_to_do(type_: Type) -> None:
    done = type_("faults", "79")
    for word in ("xid-79", "device_lost", "fallen off the bus", "the card's", "reboot", "NVIDIA"):
        assert word in done.out
    (fault,) = type_("faults", "79", "--json").json["faults"]
    assert (fault["kind"], fault["whose"], fault["action"]) == ("device_lost", "card", "reboot")
    assert fault["remedy"]


def test_a_kind_lists_every_entry_that_becomes_it(type_: Type) -> None:
    found = type_("faults", "readonly_fs", "--json").json["faults"]
    assert {fault["event"] for fault in found} == {"node_fault"}
    assert len(found) > 1


def test_all_are_listed_without_a_code(type_: Type) -> None:
    found = type_("faults", "--json").json["faults"]
    assert len(found) > 100
    text = type_("faults").out
    assert all(fault["name"] in text for fault in found)


def test_what_is_not_known_is_not_found(type_: Type) -> None:
    done = type_("faults", "9999")
    assert (done.code, "9999" in done.err) == (3, True)
