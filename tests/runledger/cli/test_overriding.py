"""``override``: an operator's word, in whatever form it is typed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.typing_at import Type

WHY = ("--reason", "new riser", "--by", "michael")


@pytest.mark.parametrize(
    "subject",
    ["gpu/r/0000:22:00.0", "gpu/r/22:00.0", "gpu/r/0000:22:00", "gpu/r/00000000:22:00.0"],
)
@pytest.mark.usefixtures("made")
def test_a_card_may_be_written_as_any_tool_does(type_: Type, subject: str) -> None:
    done = type_("override", subject, "watch", *WHY, "--json")
    assert done.code == 0
    assert done.json["subject"] == done.json["data"]["subject"] == "gpu/r/0000:22:00.0"
    assert "note: nothing in this ledger is about gpu/r/0000:22:00.0 yet" in done.err
    assert type_("override", "gpu/r/22:00.0", "exclude", *WHY).err == ""


@pytest.mark.parametrize(
    "subject",
    ["gpu", "gpu/r", "gpu/r/10", "gpu//0000:22:00.0", "node/", "", "r/0000:22:00.0", "step/"],
)
def test_what_is_no_subject_is_told_what_is_one(type_: Type, folder: Path, subject: str) -> None:
    done = type_("override", subject, "watch", *WHY)
    assert done.code == 2
    assert done.err.startswith(f"runledger: subject {subject!r}: a ")
    assert not (folder / "runledger.db").exists()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["waive", *WHY], "add --expires, for example"),
        (["waive", *WHY, "--expires", "2026-02-30"], "--expires: '2026-02-30' is not a possible"),
        (["watch", *WHY, "--expires", "tomorrow"], "--expires: 'tomorrow' is no time"),
        (["watch", *WHY, "--at", "2026-01-01T00:00:61"], "--at: "),
        (["watch", "--by", "me"], "required: --reason"),
        (["watch", "--reason", "x"], "required: --by"),
        (["watch", "--reason", " ", "--by", "me"], "reason is empty"),
        (["watch", "--reason", "x", "--by", ""], "by is empty"),
    ],
)
def test_a_word_that_is_incomplete_is_refused(type_: Type, words: list[str], says: str) -> None:
    done = type_("override", "node/r", *words)
    assert done.code == 2
    assert says in done.err


@pytest.mark.usefixtures("made")
def test_a_word_that_has_expired_is_noted(type_: Type) -> None:
    done = type_("override", "node/r", "waive", *WHY, "--expires", "2020-01-01T00:00:00Z")
    assert done.code == 0
    assert "it expired at 2020-01-01T00:00:00Z" in done.err
