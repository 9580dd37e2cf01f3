"""Which card is which: swaps, moves, buses numbered anew, cards without names, names seen twice."""

from __future__ import annotations

from ledger.payloads import GpuProbe, ProbedGpu
from rules.fleet import parse_fleet
from tests.rules.histories import D, H, M, S, Story, pci

FLEET = parse_fleet(
    '[[nodes]]\nname = "rig"\ngpus = 4\n[[nodes]]\nname = "rig2"\ngpus = 4\n'
    '[steps.r]\nnodes = ["rig"]'
)
WAYS = tuple(f"0000/01.{number}/00.0" for number in range(4))


def look(
    story: Story,
    at: int,
    buses: tuple[int, ...],
    ways: tuple[int, ...] | None,
    boot: str,
    node: str = "rig",
    uids: tuple[str | None, ...] = (),
) -> Story:
    """A look that shows cards at these addresses, each with its place (None: none is told)."""
    story.ssh(node, at, boot_id=boot, uptime_s=600)
    rows = tuple(
        ProbedGpu(
            pci=pci(bus),
            index=index,
            state="ok",
            place=None if ways is None else WAYS[ways[index]],
            card_uid=uids[index] if uids else None,
        )
        for index, bus in enumerate(buses)
    )
    return story.add(GpuProbe(node=node, method="sysfs", gpus=rows, smu_reads=0), at)


def entries(story: Story, at: int) -> dict[str, tuple[str, object]]:
    gpus = story.decide("exclusions", {}, at).outcome["gpus"]
    return {gpu["state"]: (f"{gpu['node']} {gpu['pci']}", gpu.get("place")) for gpu in gpus}


def out(story: Story, card: int, at: int = M) -> Story:
    return story.error(at, card).error(at + H, card)


def test_a_card_keeps_its_record_where_a_missing_one_has_renumbered_the_buses() -> None:
    story = look(Story(FLEET), 0, (0, 1, 2, 3), (0, 1, 2, 3), "b1")
    out(story, 3)
    look(story, D, (0, 1, 2), (0, 2, 3), "b2")  # the second is missing: the others moved up
    found = entries(story, D)
    assert found["excluded"] == (f"rig {pci(2)}", WAYS[3])
    assert found["down"] == (f"rig {pci(1)}", WAYS[1])


def test_the_missing_card_is_left_out_nowhere_though_another_has_its_address_now() -> None:
    story = look(Story(FLEET), 0, (0, 1, 2, 3), (0, 1, 2, 3), "b1")
    look(story, D, (0, 1, 2), (0, 2, 3), "b2").scan(at=D)
    draft = story.preflight("r", D)
    assert draft.outcome["excluded_gpus"] == {}
    message = next(each.message for each in draft.findings if each.rule == "gpu_missing")
    assert f"{pci(1)} (GPU 1, at {WAYS[1]})" in message
    look(story, 2 * D, (0, 1, 2, 3), (0, 1, 2, 3), "b3")
    assert entries(story, 2 * D) == {"watch": (f"rig {pci(1)}", WAYS[1])}


def test_a_line_names_the_card_that_the_look_of_its_boot_shows_there() -> None:
    story = look(Story(FLEET), 0, (0, 1, 2, 3), (0, 1, 2, 3), "b1")
    story.error(D - 5 * M, 2, boot_id="b2")  # before the first look of its boot
    look(story, D, (0, 1, 2), (0, 2, 3), "b2")
    assert entries(story, D)["watch"] == (f"rig {pci(2)}", WAYS[3])
    story.error(D + 20 * M, 1, boot_id="b2")
    found = story.decide("exclusions", {}, D + H, "gpu.series_cards=9").outcome["gpus"]
    assert sorted((gpu["place"], gpu["state"]) for gpu in found) == [
        (WAYS[1], "down"),
        (WAYS[2], "watch"),
        (WAYS[3], "watch"),
    ]


def test_a_late_line_of_the_boot_before_counts_for_the_card_that_was_there_then() -> None:
    story = look(Story(FLEET), 0, (0, 1, 2, 3), (0, 1, 2, 3), "b1")
    look(story, D, (0, 1, 2), (0, 2, 3), "b2")
    story.error(D + M, 3, boot_id="b1")
    assert entries(story, D + H)["watch"] == (f"rig {pci(2)}", WAYS[3])


def test_a_swap_that_a_uid_tells_starts_a_clean_record_at_the_same_place() -> None:
    story = look(Story(FLEET), 0, (0, 1, 2, 3), (0, 1, 2, 3), "b1", uids=("a", "b", "c", "d"))
    out(story, 2)
    look(story, D, (0, 1, 2, 3), (0, 1, 2, 3), "b2", uids=("a", "b", "x", "d"))
    (old,) = story.decide("exclusions", {}, D).outcome["gpus"]
    assert (old["card_uid"], old["state"], old["gone"]) == ("c", "excluded", True)
    story.error(D + M, 2)
    states = {
        gpu["card_uid"]: gpu["state"]
        for gpu in story.decide("exclusions", {}, D + H).outcome["gpus"]
    }
    assert states == {"c": "excluded", "x": "watch"}


def test_a_moved_card_takes_its_record_along_to_another_slot_and_another_node() -> None:
    story = look(Story(FLEET), 0, (0, 1, 2, 3), (0, 1, 2, 3), "b1", uids=("a", "b", "c", "d"))
    out(story, 2)
    look(story, D, (0, 1, 2, 3), (0, 1, 2, 3), "b2", uids=("c", "b", "a", "d"))
    assert entries(story, D) == {"excluded": (f"rig {pci(0)}", WAYS[0])}
    look(story, 2 * D, (1, 2, 3), (1, 2, 3), "b3", uids=("b", "a", "d"))
    look(story, 2 * D + M, (0,), (0,), "z1", "rig2", uids=("c",))
    found = entries(story, 2 * D + H)
    assert found["excluded"] == (f"rig2 {pci(0)}", WAYS[0])
    assert "down" not in found


def test_cards_without_names_are_their_places_and_without_places_their_addresses() -> None:
    story = look(Story(FLEET), 0, (0, 1, 2, 3), None, "b1")
    out(story, 2)
    look(story, D, (0, 1, 2, 3), (0, 1, 2, 3), "b2")  # a tool that tells places, for once
    look(story, 2 * D, (0, 1, 2, 3), None, "b3")
    assert entries(story, 2 * D) == {"excluded": (f"rig {pci(2)}", WAYS[2])}


def test_a_way_that_two_cards_of_a_look_share_identifies_neither() -> None:
    story = look(Story(FLEET), 0, (0, 1, 2, 3), (0, 0, 0, 0), "b1")
    out(story, 2)
    look(story, D, (0, 1, 2, 3), (0, 0, 0, 0), "b2")
    assert entries(story, D) == {"excluded": (f"rig {pci(2)}", None)}


def test_a_name_seen_twice_identifies_neither_and_the_places_speak() -> None:
    story = look(Story(FLEET), 0, (0, 1, 2, 3), (0, 1, 2, 3), "b1", uids=("x", "x", "x", "x"))
    out(story, 3)
    look(story, D, (0, 1, 2), (0, 2, 3), "b2", uids=("x", "x", "x"))
    assert entries(story, D)["excluded"] == (f"rig {pci(2)}", WAYS[3])


def test_a_whole_rigs_boards_exchanged_with_anothers_take_their_records_along() -> None:
    mine, theirs = ("a", "b", "c", "d"), ("e", "f", "g", "h")
    story = look(Story(FLEET), 0, (0, 1, 2, 3), (0, 1, 2, 3), "b1", uids=mine)
    look(story, S, (0, 1, 2, 3), (0, 1, 2, 3), "z1", "rig2", uids=theirs)
    out(story, 2)
    look(story, D, (0, 1, 2, 3), (0, 1, 2, 3), "b2", uids=theirs)
    look(story, D + M, (0, 1, 2, 3), (0, 1, 2, 3), "z2", "rig2", uids=mine)
    assert entries(story, D + H) == {"excluded": (f"rig2 {pci(2)}", WAYS[2])}
    story.error(D + 2 * H, 2)
    found = story.decide("exclusions", {}, D + 3 * H).outcome["gpus"]
    assert {gpu["card_uid"]: gpu["state"] for gpu in found} == {"c": "excluded", "g": "watch"}


def test_boards_exchanged_without_names_cannot_be_told_and_the_record_stays_with_the_place() -> (
    None
):
    story = look(Story(FLEET), 0, (0, 1, 2, 3), (0, 1, 2, 3), "b1")
    out(story, 2)
    look(story, D, (0, 1, 2, 3), (0, 1, 2, 3), "b2")
    assert entries(story, D) == {"excluded": (f"rig {pci(2)}", WAYS[2])}


def test_a_repair_that_swapped_the_card_starts_a_clean_record() -> None:
    subject = f"gpu/rig/{pci(2)}"
    story = out(look(Story(FLEET), 0, (0, 1, 2, 3), (0, 1, 2, 3), "b1"), 2)
    assert story.repair(subject, D, swapped=True).states(D) == {}
    story.error(D + H, 2).error(D + 2 * H, 2)
    (gpu,) = story.decide("exclusions", {}, D + 3 * H).outcome["gpus"]
    assert gpu["state"] == "excluded"  # by incidents of its own, the first time
    draft = story.decide("exclusions", {}, D + 3 * H, "gpu.retire_after_exclusions=2")
    assert draft.outcome["gpus"][0]["state"] == "excluded"


def test_a_repair_that_swapped_nothing_acts_as_a_persons_reinstatement() -> None:
    story = out(look(Story(FLEET), 0, (0, 1, 2, 3), None, "b1"), 2)
    story.repair(f"gpu/rig/{pci(2)}", D, found="riser")
    (gpu,) = story.decide("exclusions", {}, D).outcome["gpus"]
    assert gpu["state"] == "watch"
    assert "repaired (riser)" in gpu["reason"]


def test_a_repair_of_a_node_ends_what_it_was_blamed_for() -> None:
    story = look(Story(FLEET), 0, (0, 1, 2, 3), None, "b1").scan()
    for card in range(3):
        story.error(M + card * S, card)
    look(story, H, (0, 1, 2, 3), None, "b1").scan(at=H)
    assert story.preflight("r", H).verdict == "no_go"
    assert story.repair("node/rig", H, found="supply").preflight("r", H).verdict == "go"
