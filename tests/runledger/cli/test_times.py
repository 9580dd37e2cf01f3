"""Times as typed: in which zone they are, and that text says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.typing_at import Type, event, ndjson


@pytest.fixture
def two_days(type_: Type) -> None:
    """A probe on each side of midnight in Berlin, which is 23:00 in UTC."""
    probes = [
        event("ssh_probe", f"2026-01-24T{clock}Z", node="rig-a", address="rig-a", reachable=True)
        for clock in ("22:30:00", "23:30:00")
    ]
    assert type_("record", stdin=ndjson(*probes)).code == 0


def _found(type_: Type, *words: str) -> list[str]:
    done = type_("events", "--json", *words, "--where", "since=2026-01-25,type=ssh_probe")
    assert "is 2026" not in done.err  # which zone it was is said to people
    return [each["time"] for each in done.json["events"]]


@pytest.mark.usefixtures("two_days")
class TestTheZone:
    def test_is_utc_by_default(self, type_: Type) -> None:
        assert _found(type_) == []

    def test_is_the_option_then_the_variable_then_the_file(
        self, type_: Type, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        late = ["2026-01-24T23:30:00Z"]
        Path("runledger.toml").write_text('tz = "Europe/Berlin"\n')
        assert _found(type_) == late
        monkeypatch.setenv("RUNLEDGER_TZ", "UTC")
        assert _found(type_) == []
        assert _found(type_, "--tz", "+01:00") == late

    def test_is_said_in_text(self, type_: Type) -> None:
        done = type_("events", "--where", "since=2026-01-25", "--tz", "Europe/Berlin")
        note = "note: 2026-01-25 is 2026-01-24T23:00:00Z (in Europe/Berlin, by --tz)\n"
        assert done.err == note
        assert "22:30" not in done.out

    def test_is_not_asked_for_where_a_time_needs_none(
        self, type_: Type, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("RUNLEDGER_TZ", "Mars")
        done = type_("events", "--where", "since=2026-01-24T23:00:00Z", "--where", "until=1h")
        assert (done.code, done.err) == (0, "")

    @pytest.mark.parametrize(
        ("how", "said"), [("--tz", "the zone by --tz: 'Mars'"), ("env", "by RUNLEDGER_TZ: 'Mars'")]
    )
    def test_that_is_none_is_named(
        self, type_: Type, monkeypatch: pytest.MonkeyPatch, how: str, said: str
    ) -> None:
        words = ("--tz", "Mars") if how == "--tz" else ()
        monkeypatch.setenv("RUNLEDGER_TZ", "Mars")
        done = type_("events", "--where", "since=today", *words)
        assert done.code == 2
        assert said in done.err

    def test_of_the_file_is_checked_with_the_file(self, type_: Type) -> None:
        Path("runledger.toml").write_text('tz = "Mars"\n')
        done = type_("events")
        assert done.code == 2
        assert "tz: 'Mars' is no time zone" in done.err


def test_a_decision_is_made_at_a_time_as_typed(type_: Type, made: None) -> None:
    done = type_("exclusions", "--json", "--at", "2026-07-01", "--tz", "Europe/Berlin")
    assert done.json["as_of"]["time"] == "2026-06-30T22:00:00Z"


def test_a_filter_that_is_wrong_is_named_as_it_was_typed(type_: Type, made: None) -> None:
    done = type_("events", "--where", "since=noon")
    assert done.code == 2
    assert "since in filter 'since=noon'" in done.err


def test_an_event_to_record_still_needs_an_offset(type_: Type) -> None:
    done = type_("record", stdin=ndjson(event("ssh_probe", "2026-01-24T10:00:00", node="a")))
    assert done.code == 2
    assert "offset" in done.err


@pytest.mark.usefixtures("made")
def test_an_override_expires_so_far_ahead(type_: Type) -> None:
    word = ("override", "node/rig-a", "waive", "--reason", "spare", "--by", "me")
    done = type_(*word, "--at", "2026-01-24T10:00:00Z", "--expires", "2h", "--json")
    assert done.code == 0
    assert done.json["data"]["expires"] > "2026-11"
    assert "expired" not in done.err
