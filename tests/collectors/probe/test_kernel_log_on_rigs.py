"""The kernel log is read once, from what may be read, and never called clean unread."""

from __future__ import annotations

from dataclasses import replace

from tests.fake_journal import entries
from tests.probing import REQUEST, STUCK, probe, states
from tests.rigs import BOOT_ID, KERNEL_START, PREVIOUS_BOOT_ID


def test_each_kernel_line_is_read_once(make):
    rig = make(gpus=1).journal([KERNEL_START, "one"])
    first = probe(rig).kernel
    assert (first.source, first.readable, len(first.lines)) == ("journal", True, 2)
    going_on = replace(REQUEST, boot_id=BOOT_ID, cursor=first.cursor)
    nothing = probe(rig, going_on).kernel
    assert (nothing.readable, nothing.lines, nothing.cursor) == (True, (), first.cursor)
    rig.journal([KERNEL_START, "one", "two"])
    assert [line.count("two") for line in probe(rig, going_on).kernel.lines] == [1]


def test_after_a_reboot_the_rest_of_the_boot_before_is_read_too(make):
    rig = make(gpus=1, boot_id=BOOT_ID)
    rig.journal([KERNEL_START], previous=[KERNEL_START, "seen", STUCK])
    cursor = f"journal:s=feed;i=2;b={PREVIOUS_BOOT_ID.replace('-', '')};t=0;x=1"
    report = probe(rig, replace(REQUEST, boot_id=PREVIOUS_BOOT_ID, cursor=cursor))
    assert report.previous is not None
    assert (report.previous.boot_id, len(report.previous.lines)) == (PREVIOUS_BOOT_ID, 1)
    assert (report.kernel.boot_id, len(report.kernel_lines)) == (BOOT_ID, 1)


def test_after_several_reboots_what_each_boot_said_is_read(make):
    older = "0ddba11c-1111-4222-8333-444455556666"
    rig = make(gpus=1).journal([KERNEL_START], previous=[KERNEL_START, "between"])
    (rig.folder / "journal.2").write_text(entries([KERNEL_START, "seen", STUCK], older))
    cursor = f"journal:s=feed;i=2;b={older.replace('-', '')};t=0;x=1"
    report = probe(rig, replace(REQUEST, boot_id=older, cursor=cursor))
    assert report.previous is not None
    assert [STUCK in line for line in report.previous.lines] == [True, False, False]
    assert report.previous.boot_id == PREVIOUS_BOOT_ID
    assert len(report.kernel_lines) == 1


def test_a_boot_before_that_is_not_kept_is_no_scan(make):
    cursor = f"journal:s=feed;i=2;b={PREVIOUS_BOOT_ID.replace('-', '')};t=0;x=1"
    for known in (None, cursor):
        request = replace(REQUEST, boot_id=PREVIOUS_BOOT_ID, cursor=known)
        assert probe(make(gpus=1), request).previous is None


def test_a_forbidden_log_is_not_readable_and_never_clean(make):
    rig = make(gpus=1).journal_forbidden().dmesg_forbidden()
    report = probe(rig)
    assert (report.kernel.source, report.kernel.readable) == ("none", False)
    assert any("kernel log could not be read" in error for error in report.errors)


def test_a_journal_that_shows_no_line_of_a_whole_boot_is_not_readable(make):
    assert not probe(make(gpus=1).journal([])).kernel.readable


def test_without_a_journal_kmsg_is_read_and_gone_on_from(make):
    rig = make(gpus=12).no_journal().kmsg([KERNEL_START, STUCK])
    first = probe(rig)
    assert (first.kernel.source, first.kernel.readable, first.kernel.cursor) == (
        "kmsg",
        True,
        "kmsg:102",
    )
    assert states(first) == {"0000:22:00.0": "unknown"}
    rig.kmsg([KERNEL_START, STUCK, "new"])
    second = probe(rig, replace(REQUEST, boot_id=BOOT_ID, cursor="kmsg:102"))
    assert second.kernel.lines == ("4,103,3000000,-;new",)
    assert states(second) == {}


def test_without_journal_and_kmsg_dmesg_is_read_and_gone_on_from(make):
    rig = make(gpus=12).journal_forbidden().dmesg([KERNEL_START, STUCK])
    first = probe(rig)
    assert (first.kernel.source, first.kernel.readable) == ("dmesg", True)
    assert first.kernel.cursor == "dmesg:2.000000"
    assert set(states(first)) == {"0000:22:00.0"}
    again = replace(REQUEST, boot_id=BOOT_ID, cursor=first.kernel.cursor)
    nothing = probe(rig, again)
    assert (nothing.kernel.readable, nothing.kernel.lines) == (True, ())
    assert nothing.kernel.cursor == first.kernel.cursor
    assert states(nothing) == {}


def test_a_log_beyond_the_limit_is_cut_is_not_readable_and_goes_on_next_time(make):
    rig = make(gpus=1).journal(
        [KERNEL_START, *(f"line {number} {'x' * 200}" for number in range(400))]
    )
    request = replace(REQUEST, log_bytes=50_000)
    seen: list[str] = []
    for _ in range(20):
        kernel = probe(rig, request).kernel
        seen += kernel.lines
        if kernel.readable:
            break
        request = replace(request, boot_id=BOOT_ID, cursor=kernel.cursor)
    assert kernel.readable
    assert len(seen) == len(set(seen)) == 401


def test_the_bridge_of_a_card_is_known_where_it_leads_to_nothing_else(make):
    rig = make(gpus=4).behind(0, "0000:00:01.1", "0000:02:00.0")
    rig.behind(1, "0000:00:01.2", "0000:05:00.0").behind(2, "0000:00:01.2", "0000:05:01.0")
    assert probe(rig).bridges == {
        "0000:00:01.1": rig.pci(0),
        "0000:02:00.0": rig.pci(0),
        "0000:05:00.0": rig.pci(1),
        "0000:05:01.0": rig.pci(2),
    }
