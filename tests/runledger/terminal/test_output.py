"""Text for people: what fits, what is cut, what stays whole."""

from __future__ import annotations

import pytest

from ledger.text import humanize
from runledger.terminal import output
from tests.typing_at import Type


def test_a_command_to_copy_is_not_broken_over_lines() -> None:
    command = "runledger override gpu/rig-6600b/0000:0f:00.0 reinstate --reason TEXT --by WHO"
    lines = output.wrapped_remedy(
        f"reseat it, check its power and riser; then 3 clean probes over 1 day or: {command}",
        first="  > ",
        rest="    ",
    )
    assert lines[-1] == f"    {command}"
    assert all(len(line) <= 96 for line in lines)


def test_what_follows_a_command_may_go_on_the_next_line() -> None:
    lines = output.wrapped_remedy(
        "runledger cleanup --node rig-6600; " + "memory without an owner takes a reboot " * 3,
        first="> ",
        rest="  ",
    )
    assert lines[0].startswith("> runledger cleanup --node rig-6600; memory")
    assert len(lines) > 1


@pytest.mark.parametrize(
    ("time", "shown"),
    [
        ("2026-01-24T18:02:11.000412Z", "2026-01-24T18:02:11Z"),
        ("2026-01-24T18:02:11Z", "2026-01-24T18:02:11Z"),
    ],
)
def test_times_are_shown_to_the_second(time: str, shown: str) -> None:
    assert humanize.to_the_second(time) == shown


def test_a_table_is_cut_only_where_a_terminal_is_too_narrow(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [("rig-6600", "x" * 100)]
    output.table(("NODE", "WHY"), rows)
    assert "x" * 100 in capsys.readouterr().out
    monkeypatch.setattr(output, "width", lambda: 60)
    output.table(("NODE", "WHY"), rows)
    line = capsys.readouterr().out.splitlines()[1]
    assert len(line) == 60
    assert line.endswith("…")


@pytest.mark.parametrize(
    ("amount", "said"), [(0, "0 events"), (1, "1 event"), (2000, "2,000 events")]
)
def test_one_is_counted_as_one(amount: int, said: str) -> None:
    assert humanize.counted(amount, "event") == said


def test_a_ledger_without_decisions_says_how_to_get_one(type_: Type) -> None:
    assert type_("record", stdin="").code == 0
    done = type_("decisions")
    assert (done.code, done.out) == (0, "")
    assert "no decision is recorded yet" in done.err
    assert type_("decisions", "--json").json == {"decisions": []}
