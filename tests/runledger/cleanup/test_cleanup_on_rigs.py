"""Cleaning up on whole rigs: it looks, acts only where needed, looks again, and never fails."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import registry
from ledger.payloads import CleanupCompleted
from runledger.cleanup import CleanupRequest, cleanup_script, parse_cleanup, report_to_payload
from tests.rigs import MIB, Rig

NONCE = "5eed5eed5eed5eed5eed5eed5eed5eed"
LEVEL = "power_dpm_force_performance_level"


@pytest.fixture
def rig(tmp_path):
    with Rig(tmp_path / "rig-6600", gpus=4) as made:
        (made.home / ".cache").mkdir()
        yield made
        assert made.leftovers == []
        assert made.smu_reads == 0


def clean(rig: Rig, **options: object) -> CleanupCompleted:
    request = CleanupRequest(nonce=NONCE, **{"read_limit_s": 1, **options})
    payload = report_to_payload(
        parse_cleanup(rig.run(cleanup_script(request)), request), request, "rig-6600"
    )
    registry.decode_payload(payload.event_type, payload.version, msgspec.json.encode(payload))
    return payload


def said(payload: CleanupCompleted, name: str) -> list[tuple[bool, str | None]]:
    return [(action.ok, action.detail) for action in payload.actions if action.name == name]


def level(rig: Rig, index: int) -> str:
    return (rig.card_dir(index) / LEVEL).read_text().strip()


def test_a_clean_rig_is_only_looked_at(rig):
    payload = clean(rig)
    assert payload.warnings == ()
    assert payload.orphaned_vram_mib is None
    assert said(payload, "reset_clocks") == [(True, "every card is at auto; nothing written")]
    assert said(payload, "clear_hip_cache") == [(True, "nothing there")]
    assert said(payload, "check_orphaned_vram") == [(True, "none")]


def test_only_a_card_that_is_not_at_auto_is_written_and_read_back(rig):
    rig.set(2, LEVEL, "manual\n")
    before = {index: (rig.card_dir(index) / LEVEL).stat().st_mtime_ns for index in range(4)}
    payload = clean(rig)
    assert said(payload, "reset_clocks") == [
        (True, f"{rig.pci(2)}: performance level manual, now auto")
    ]
    changed = [
        index
        for index in range(4)
        if (rig.card_dir(index) / LEVEL).stat().st_mtime_ns != before[index]
    ]
    assert changed == [2]


def test_a_card_with_an_smu_error_since_boot_is_left_alone(rig):
    rig.set(2, LEVEL, "manual\n")
    payload = clean(rig, spare=(rig.pci(2),))
    assert level(rig, 2) == "manual"
    assert payload.warnings == (
        f"{rig.pci(2)} had, or may have had, an SMU error since boot; its clocks were left alone",
    )


def test_a_card_off_the_bus_is_left_alone_and_warned_of(rig):
    rig.dead(1).set(1, LEVEL, "manual\n")
    payload = clean(rig)
    assert level(rig, 1) == "manual"
    assert [rig.pci(1) in warning for warning in payload.warnings] == [True]


def refuse_writes(rig: Rig, index: int) -> None:
    """The level can be read, is not auto, and takes no write, not even root's."""
    target = rig.card_dir(index) / LEVEL
    target.unlink()
    target.symlink_to("/proc/version")


def test_a_level_that_may_not_be_written_is_a_warning_with_a_remedy(rig):
    refuse_writes(rig, 0)
    (warning,) = clean(rig).warnings
    assert "may not be written: give the user the right" in warning


def test_a_write_that_changed_nothing_is_not_believed(rig):
    """As with rocm-smi, which exits 0 whatever happened."""
    refuse_writes(rig, 0)
    rig.tool("sudo", "exit 0")
    payload = clean(rig, sudo=True)
    assert [ok for ok, _ in said(payload, "reset_clocks")] == [False]
    assert "wrote auto, still Linux version" in payload.warnings[0]


def test_sudo_is_not_called_unless_allowed(rig, tmp_path):
    refuse_writes(rig, 0)
    rig.printing_tool("sudo", "")
    clean(rig)
    assert rig.calls("sudo") == []


def test_the_hip_cache_goes_and_nothing_else(rig):
    cache = rig.home / ".cache"
    for name in ("hip_a", "hip_b c", "comgr", "miopen", "hipster"):
        (cache / name).mkdir()
        (cache / name / "x").write_text("x")
    payload = clean(rig)
    assert sorted(path.name for path in cache.iterdir()) == ["comgr", "hipster", "miopen"]
    assert said(payload, "clear_hip_cache") == [(True, "removed 2 of 2 entries")]


def test_a_link_in_the_cache_is_removed_and_what_it_points_to_is_not(rig, tmp_path):
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "file").write_text("x")
    (rig.home / ".cache/hip_link").symlink_to(precious)
    clean(rig)
    assert (precious / "file").exists()
    assert not (rig.home / ".cache/hip_link").is_symlink()


def test_compile_caches_go_only_where_asked_for_by_name(rig):
    for name in ("comgr", "miopen"):
        (rig.home / ".cache" / name).mkdir()
    payload = clean(rig, remedies=("comgr",))
    assert [path.name for path in (rig.home / ".cache").iterdir()] == ["miopen"]
    assert said(payload, "clear_comgr_cache") == [(True, "removed 1 of 1 entries")]


def test_without_a_home_nothing_is_removed(rig):
    request = CleanupRequest(nonce=NONCE)
    output = rig.run(cleanup_script(request), env={"HOME": ""})
    assert any("no home" in problem for problem in parse_cleanup(output, request).problems)


def test_a_dry_run_says_what_it_would_do_and_does_nothing(rig):
    rig.set(3, LEVEL, "high\n")
    (rig.home / ".cache/hip_a").mkdir()
    payload = clean(rig, dry_run=True)
    assert level(rig, 3) == "high"
    assert (rig.home / ".cache/hip_a").exists()
    assert said(payload, "reset_clocks") == [
        (True, f"{rig.pci(3)}: performance level high, would write auto")
    ]
    assert said(payload, "clear_hip_cache") == [(True, "would remove 1 entries")]


@pytest.mark.parametrize("state", ["Z", None])
def test_memory_of_a_process_that_is_gone_or_a_zombie_is_orphaned(rig, state):
    rig.set(1, "mem_info_vram_used", f"{2048 * MIB}\n").kfd(812, 1, 2000, state)
    payload = clean(rig)
    assert payload.orphaned_vram_mib == {rig.pci(1): 2000}
    assert "812" in payload.warnings[0]


def test_memory_of_a_process_that_is_gone_counts_below_the_baseline_too(rig):
    rig.set(1, "mem_info_vram_used", f"{117 * MIB}\n").kfd(812, 1, 100, None)
    assert clean(rig).orphaned_vram_mib == {rig.pci(1): 100}


def test_memory_of_a_living_process_is_not_orphaned(rig):
    rig.set(1, "mem_info_vram_used", f"{2048 * MIB}\n").kfd(812, 1, 2020)
    assert clean(rig).orphaned_vram_mib is None


def test_memory_that_nobody_owns_is_stranded_by_the_cards_own_baseline(rig):
    rig.set(1, "mem_info_vram_used", f"{100 * MIB}\n")
    assert clean(rig).orphaned_vram_mib is None
    payload = clean(rig, idle_vram_mib={rig.pci(1): 20})
    assert payload.orphaned_vram_mib == {rig.pci(1): 80}


def test_a_card_that_blocks_is_a_warning_and_the_caches_are_cleaned_all_the_same(rig):
    rig.blocked(1, "mem_info_vram_used")
    (rig.home / ".cache/hip_a").mkdir()
    payload = clean(rig)
    assert not (rig.home / ".cache/hip_a").exists()
    assert payload.warnings


@given(st.binary())
def test_junk_is_a_warning_and_no_failure(junk):
    request = CleanupRequest(nonce=NONCE)
    payload = report_to_payload(parse_cleanup(junk, request), request, "rig-6600")
    assert payload.warnings
    framed = f"runledger-cleanup/1 {NONCE}\n\n{NONCE} begin values\n".encode() + junk
    report_to_payload(parse_cleanup(framed, request), request, "rig-6600")
