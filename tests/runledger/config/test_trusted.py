"""Files that direct what is run: found upwards, and used only where nobody else may write them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rules.fleet import fleet_text
from runledger.config.settings import fleet_to_reach, load_settings
from runledger.config.trusted import Untrusted, find_config, require_trusted
from runledger.errors import BadInput
from tests.rules.histories import FLEET, Story
from tests.typing_at import Type, told


def test_the_nearest_file_upwards_is_used_and_named(
    type_: Type, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "runledger.toml").write_text('ledger = "own.db"\n' + fleet_text(FLEET))
    (folder / "a" / "b").mkdir(parents=True)
    monkeypatch.chdir(folder / "a" / "b")
    assert type_("record", stdin=told(Story().healthy())).code == 0
    assert (folder / "own.db").exists()
    done = type_("exclusions")
    assert str(folder / "runledger.toml") in done.err
    assert type_("exclusions", "--json").err == ""
    (folder / "a" / "runledger.toml").write_text('ledger = "nearer.db"')
    assert load_settings().ledger == str(folder / "a" / "nearer.db")


def test_no_file_is_looked_for_above_home(tmp_path: Path) -> None:
    inner = tmp_path / "home" / "project"
    inner.mkdir(parents=True)
    (tmp_path / "runledger.toml").touch()
    environ = {"HOME": str(tmp_path / "home")}
    assert find_config(inner, environ) is None
    assert find_config(tmp_path, environ) == tmp_path / "runledger.toml"  # the folder itself counts
    (tmp_path / "home" / "runledger.toml").touch()
    assert find_config(inner, environ) == tmp_path / "home" / "runledger.toml"
    assert find_config(inner, {"HOME": "/elsewhere"}) == tmp_path / "home" / "runledger.toml"


def test_the_file_may_be_named_in_the_environment(tmp_path: Path) -> None:
    (tmp_path / "other.toml").write_text('ledger = "own.db"')
    environ = {"RUNLEDGER_CONFIG": str(tmp_path / "other.toml")}
    assert load_settings(environ=environ).ledger == str(tmp_path / "own.db")


@pytest.mark.parametrize("mode", [0o664, 0o646, 0o666])
def test_a_file_that_others_may_write_is_not_used(type_: Type, folder: Path, mode: int) -> None:
    config = folder / "runledger.toml"
    config.write_text(fleet_text(FLEET))
    config.chmod(mode)
    done = type_("exclusions")
    assert done.code == 2
    assert f"chmod go-w {config}" in done.err
    config.chmod(0o644)
    assert type_("record", stdin=told(Story().healthy())).code == 0
    assert type_("exclusions").code == 0


def test_another_users_file_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "runledger.toml"
    config.touch(0o644)
    require_trusted(config)
    if os.geteuid() == 0:
        os.chown(config, 4242, -1)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: 4242)
    with pytest.raises(Untrusted, match="another user"):
        require_trusted(config)


def test_a_policy_that_others_may_write_stops_judging_and_not_recording(
    type_: Type, folder: Path
) -> None:
    policy = folder / "policy.toml"
    policy.write_text("[gpu]\nexclude_after_incidents = 9\n")
    policy.chmod(0o666)
    (folder / "runledger.toml").write_text('policy = "policy.toml"\n' + fleet_text(FLEET))
    assert type_("record", stdin=told(Story().healthy())).code == 0
    done = type_("exclusions")
    assert (done.code, f"chmod go-w {policy}" in done.err) == (2, True)


@pytest.mark.parametrize("text", ["no TOML", "[gpu]\nnever_heard_of = 1\n", None])
def test_a_policy_that_cannot_be_read_stops_neither_record_nor_exec(
    type_: Type, folder: Path, text: str | None
) -> None:
    if text is not None:
        (folder / "policy.toml").write_text(text)
    (folder / "runledger.toml").write_text('policy = "policy.toml"\n')
    assert type_("record", stdin=told(Story().healthy())).code == 0
    assert type_("exec", "--job", "j", "--", "true").code == 0
    assert len(type_("events", "--json").json["events"]) == 7
    assert type_("exclusions").code == 2


def test_an_ssh_configuration_that_others_may_write_reaches_nobody(tmp_path: Path) -> None:
    own, included = tmp_path / "ssh_config", tmp_path / "more.conf"
    own.write_text("Host *\n  Include *.conf\n")
    included.write_text("Host rig\n")
    (tmp_path / "runledger.toml").write_text('[[nodes]]\nname = "rig"\nssh_config = "ssh_config"\n')
    settings = load_settings(cwd=tmp_path, environ={})
    assert fleet_to_reach(settings).nodes[0].name == "rig"
    for file in (own, included):
        file.chmod(0o666)
        with pytest.raises(Untrusted, match=f"chmod go-w {file}"):
            fleet_to_reach(settings)
        file.chmod(0o600)


def test_what_init_writes_is_used_whatever_the_umask(type_: Type, folder: Path) -> None:
    before = os.umask(0)
    try:
        assert type_("init").code == 0
    finally:
        os.umask(before)
    assert type_("doctor").code == 0


# -- a fleet that the ledger holds --------------------------------------------------

REACHING = (
    ("probe",),
    ("cleanup",),
    ("cleanup", "--dry-run"),
    ("preflight", "--step", "3"),
    ("preflight", "--step", "3", "--remedy"),
)


@pytest.fixture
def recorded(folder: Path, type_: Type) -> Path:
    """A ledger with a fleet in it that would run a command, and no settings."""
    ran = folder / "ran"
    (folder / "evil").write_text(f'Match exec "touch {ran}"\n  User nobody\n')
    config = folder / "runledger.toml"
    config.write_text(
        '[[nodes]]\nname = "rig"\naddress = "127.0.0.1"\nssh_config = "evil"\n'
        f'[steps.3]\nramdisk = ["/nowhere"]\nremedy = {{ ramdisk = ["touch", "{ran}"] }}\n'
    )
    assert type_("record", stdin=told(Story().ssh().probe().scan())).code == 0
    assert type_("exclusions").code == 0
    config.unlink()
    return ran


@pytest.mark.parametrize("words", REACHING, ids=" ".join)
def test_a_recorded_fleet_is_never_reached(
    type_: Type, recorded: Path, words: tuple[str, ...]
) -> None:
    before = type_("verify", "--json").json["head"]
    done = type_(*words)
    assert done.code == 2
    assert "runledger.toml" in done.err
    assert not recorded.exists()
    assert type_("verify", "--json").json["head"] == before


def test_a_recorded_fleet_is_judged_by(type_: Type, recorded: Path) -> None:
    done = type_("preflight", "--step", "3", "--no-probe", "--json")
    assert done.json["findings"][0]["subject"] == "node/rig"
    assert type_("replay").code == 0
    assert not recorded.exists()


def test_without_settings_no_program_probes_either(recorded: Path) -> None:
    import runledger

    with runledger.open() as opened, pytest.raises(BadInput, match=r"runledger\.toml"):
        opened.probe()
    assert not recorded.exists()
