"""Seals: a rewritten chain still verifies, and no longer carries the signatures it had."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from ledger import Head, Ledger, new_event, open_ledger, restore
from ledger.canonical import GENESIS
from ledger.chain import chained, wire_line
from ledger.export import export_lines
from ledger.payloads import HeadSealed
from ledger.rows import to_row
from ledger.testing import NIGHT_US, sample_events
from runledger.errors import BadInput, Missing
from runledger.sealing.openssh import fingerprint
from runledger.sealing.seals import check_seals, seal, signed_bytes
from tests.typing_at import Type

ROOT = Path(__file__).parents[3]


def make_key(
    folder: Path, name: str, comment: str = "alice@example", kind: str = "ed25519"
) -> Path:
    """A new key pair in files."""
    key = folder / name
    command = ["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", comment, "-f", str(key)]
    subprocess.run(command, check=True, timeout=60)
    return key


def allow(folder: Path, *keys: Path, options: str = "") -> Path:
    """A file of allowed signers, each by the name of its file."""
    path = folder / "allowed_signers"
    lines = [f"{key.name}@allowed {options} {Path(f'{key}.pub').read_text()}" for key in keys]
    path.write_text("".join(lines))
    return path


def rewritten(ledger: Ledger, path: Path, at: int) -> Path:
    """A copy whose event at a position says something else, chained anew to the end."""
    lines, prevhash = [], GENESIS
    for event in ledger.read():
        row = to_row(event)
        if event.sequence == at:
            row = row._replace(source="someone/else")
        row = chained(row, event.sequence, row.recorded_us, prevhash)
        prevhash = row.hash
        lines.append(wire_line(row))
    with open_ledger(path) as copy:
        restore(copy, lines)
    return path


@pytest.fixture
def key(tmp_path: Path) -> Path:
    return make_key(tmp_path, "alice")


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with open_ledger(tmp_path / "runledger.db") as opened:
        opened.append(sample_events(9))
        yield opened


def test_a_sealed_head_is_good_for_those_who_allow_its_signer(
    ledger: Ledger, key: Path, tmp_path: Path
) -> None:
    head = ledger.head()
    event = seal(ledger, key, now_us=NIGHT_US)
    checked = check_seals(ledger, allow(tmp_path, key))
    assert checked == ((head,), (), head, "alice@allowed", ())
    assert checked.trouble() == ""
    assert isinstance(event.data, HeadSealed)
    assert event.data.signer == "alice@example"
    stranger = make_key(tmp_path, "mallory")
    assert (
        "no seal of an allowed signer" in check_seals(ledger, allow(tmp_path, stranger)).trouble()
    )


@pytest.mark.parametrize("kind", ["rsa", "ecdsa"])
def test_any_kind_of_key_that_openssh_knows_will_do(
    ledger: Ledger, tmp_path: Path, kind: str
) -> None:
    key = make_key(tmp_path, "bob", comment="", kind=kind)
    event = seal(ledger, key, now_us=NIGHT_US)
    assert isinstance(event.data, HeadSealed)
    assert event.data.signer == fingerprint(event.data.signature)
    assert event.data.signer.startswith("SHA256:")
    assert len(check_seals(ledger, allow(tmp_path, key)).good) == 1


def test_a_rewritten_chain_is_not_what_was_sealed(
    ledger: Ledger, key: Path, tmp_path: Path
) -> None:
    seal(ledger, key, now_us=NIGHT_US)
    ledger.append(sample_events(3, first=20))
    with open_ledger(rewritten(ledger, tmp_path / "other.db", at=4)) as other:
        checked = check_seals(other, allow(tmp_path, key))
    assert checked.good == ()
    assert "position 9 was sealed with another hash" in checked.trouble()


def test_what_came_after_the_newest_seal_is_not_vouched_for(
    ledger: Ledger, key: Path, tmp_path: Path
) -> None:
    seal(ledger, key, now_us=NIGHT_US)
    ledger.append(sample_events(3, first=20))
    with open_ledger(rewritten(ledger, tmp_path / "other.db", at=12)) as other:
        assert check_seals(other, allow(tmp_path, key)).trouble() == ""


def test_a_seal_that_was_taken_out_is_missed_by_those_who_noted_it(
    ledger: Ledger, key: Path, tmp_path: Path
) -> None:
    first = ledger.head()
    seal(ledger, key, now_us=NIGHT_US)
    lines = list(export_lines(ledger))
    second = ledger.head()
    seal(ledger, key, now_us=NIGHT_US)
    with open_ledger(tmp_path / "cut.db") as cut:
        restore(cut, lines)
        checked = check_seals(cut, allow(tmp_path, key))
    assert checked.trouble() == checked.trouble(first) == ""
    assert f"no good seal of {second.sequence}:" in checked.trouble(second)


def test_a_signature_of_something_else_is_no_seal(
    ledger: Ledger, key: Path, tmp_path: Path
) -> None:
    """Of another head, in another namespace, spoilt in a byte, or of a key no longer allowed."""
    good = seal(ledger, key, now_us=NIGHT_US).data
    assert isinstance(good, HeadSealed)
    head = ledger.head()
    mail = subprocess.run(
        ["ssh-keygen", "-Y", "sign", "-n", "email", "-f", key],
        input=signed_bytes(head), check=True, capture_output=True, timeout=30,
    ).stdout.decode()  # fmt: skip
    spoilt = good.signature.replace("U1NIU0lH", "U1NIU0lI")
    for number, signature in enumerate((good.signature, mail, spoilt)):
        payload = msgspec.structs.replace(
            good, sequence=head.sequence, hash=head.hash, signature=signature
        )
        ledger.append(new_event(payload, time_us=NIGHT_US + number, source="someone"))
    checked = check_seals(ledger, allow(tmp_path, key))
    assert (len(checked.good), len(checked.bad), checked.not_held) == (1, 3, ())
    expired = allow(tmp_path, key, options='valid-before="20200101"')
    assert check_seals(ledger, expired).good == ()
    other = allow(tmp_path, key, options='namespaces="git"')
    assert check_seals(ledger, other).good == ()


def test_a_key_is_allowed_as_of_the_time_of_its_seal(
    ledger: Ledger, key: Path, tmp_path: Path
) -> None:
    """So a key can be retired, and what it sealed before stays sealed."""
    seal(ledger, key, now_us=NIGHT_US)  # 2026-01-24
    until = allow(tmp_path, key, options='valid-before="20260125"')
    assert len(check_seals(ledger, until).good) == 1
    before = allow(tmp_path, key, options='valid-before="20260124"')
    assert check_seals(ledger, before).good == ()


def test_a_seal_of_what_is_not_there_yet_is_none(ledger: Ledger, key: Path, tmp_path: Path) -> None:
    good = seal(ledger, key, now_us=NIGHT_US).data
    assert isinstance(good, HeadSealed)
    ahead = msgspec.structs.replace(good, sequence=11, hash="ab" * 32)
    ledger.append(new_event(ahead, time_us=NIGHT_US, source="someone"))
    ledger.append(sample_events(3, first=20))
    checked = check_seals(ledger, allow(tmp_path, key))
    assert checked.not_held == (Head(11, "ab" * 32),)
    assert "position 11 was sealed with another hash" in checked.trouble()


def test_a_third_party_checks_a_seal_with_openssh_and_the_documented_format_alone(
    ledger: Ledger, key: Path, tmp_path: Path
) -> None:
    seal(ledger, key, now_us=NIGHT_US)
    ledger.append(sample_events(2, first=20))
    seal(ledger, key, now_us=NIGHT_US + 1)
    page = (ROOT / "docs/event-format.md").read_text()
    section = page[page.index("## Seals") :]
    (script,) = re.findall(
        r"```bash\n(.*?)```", section[: section.index("## In the database")], re.S
    )
    for name, code in (("whole", 0), ("spoilt", 1), ("signed", 255)):
        folder = tmp_path / name
        folder.mkdir()
        allow(folder, key)
        lines = list(export_lines(ledger))
        if name == "spoilt":  # one who changes an event, and chains it anew
            with open_ledger(rewritten(ledger, tmp_path / "other.db", at=4)) as other:
                lines = list(export_lines(other))
        elif name == "signed":
            lines = [re.sub(rb"..(?=.{20}.n-----END)", b"Zz", line) for line in lines]
        (folder / "all.ndjson").write_bytes(b"".join(lines))
        tools = folder / "bin"
        tools.mkdir()
        for tool in ("ssh-keygen", "python3"):
            found = sys.executable if tool == "python3" else subprocess.check_output(
                ["sh", "-c", f"command -v {tool}"], text=True).strip()  # fmt: skip
            (tools / tool).symlink_to(os.path.realpath(found))
        done = subprocess.run(
            ["/bin/sh", "-c", script],
            cwd=folder,
            env={"PATH": str(tools), "HOME": str(folder)},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert (done.returncode, name) == (code, name), done.stderr
        if name == "whole":
            good = re.findall(r'Good "runledger" signature for alice@allowed', done.stdout)
            assert len(good) == 2


def test_the_agent_signs_with_its_first_key(
    ledger: Ledger, key: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "no agent"))
    with pytest.raises(BadInput, match="ssh-add FILE"):
        seal(ledger, None, now_us=NIGHT_US)
    agent = subprocess.Popen(
        ["ssh-agent", "-D", "-a", str(tmp_path / "agent")], stdout=subprocess.PIPE, text=True
    )
    try:
        assert agent.stdout is not None
        assert "SSH_AUTH_SOCK" in agent.stdout.readline()
        monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "agent"))
        subprocess.run(["ssh-add", "-q", key], check=True, timeout=30)
        key.unlink()
        seal(ledger, None, now_us=NIGHT_US)
        assert len(check_seals(ledger, allow(tmp_path, key)).good) == 1
    finally:
        agent.terminate()
        agent.communicate(timeout=30)


def test_what_cannot_be_signed_is_said(ledger: Ledger, key: Path, tmp_path: Path) -> None:
    with pytest.raises(Missing, match="no such key file"):
        seal(ledger, tmp_path / "gone", now_us=NIGHT_US)
    junk = tmp_path / "junk"
    junk.write_text("no key")
    with pytest.raises(BadInput, match="junk does not sign"):
        seal(ledger, junk, now_us=NIGHT_US)
    with open_ledger(tmp_path / "empty.db") as empty, pytest.raises(BadInput, match="is empty"):
        seal(empty, key, now_us=NIGHT_US)
    with pytest.raises(Missing, match="allowed signers"):
        check_seals(ledger, tmp_path / "gone")


class TestTyped:
    """The same by command."""

    @pytest.fixture
    def sealed(self, ledger: Ledger, key: Path, tmp_path: Path, type_: Type) -> Path:
        done = type_("seal", "--key", key, "--json")
        assert done.code == 0, done.err
        assert done.json["sequence"] == 9
        assert done.json["signature"].startswith("-----BEGIN SSH SIGNATURE-----\n")
        return allow(tmp_path, key)

    def test_verify_counts_the_seals(self, sealed: Path, type_: Type, ledger: Ledger) -> None:
        done = type_("verify", "--allowed-signers", sealed, "--json")
        newest = {"sequence": 9, "hash": ledger.hash_at(9)}
        assert (done.code, done.json["ok"]) == (0, True)
        assert done.json["seals"] == {"good": 1, "bad": 0, "newest": newest}
        assert "1 event after it" in type_("verify", "--allowed-signers", sealed).out
        assert "seals" not in type_("verify", "--json").json

    def test_verify_misses_a_seal_that_was_noted(
        self, sealed: Path, type_: Type, ledger: Ledger
    ) -> None:
        there = f"9:{ledger.hash_at(9)}"
        signed = ("verify", "--allowed-signers", sealed, "--since-seal")
        assert type_(*signed, there).code == 0
        done = type_(*signed, f"8:{ledger.hash_at(8)}", "--json")
        assert (done.code, done.json["ok"], done.json["first_bad"]) == (12, False, None)
        assert type_("verify", "--since-seal", there).code == 2
        assert type_(*signed, "9").code == 2

    def test_verify_without_a_good_seal_is_not_ok(
        self, sealed: Path, type_: Type, tmp_path: Path
    ) -> None:
        strange = allow(tmp_path, make_key(tmp_path, "mallory"))
        done = type_("verify", "--allowed-signers", strange, "--json")
        assert (done.code, done.json["ok"]) == (12, False)
        assert done.json["seals"] == {"good": 0, "bad": 1, "newest": None}
        assert "not signed by one of" in done.err

    def test_verify_warns_of_what_is_not_as_it_was_made(self, ledger: Ledger, type_: Type) -> None:
        with ledger._backend.engine.connect() as connection:
            connection.exec_driver_sql("DROP TRIGGER events_no_delete")
        done = type_("verify", "--json")
        assert (done.code, done.json["ok"]) == (0, True)
        assert "trigger events_no_delete is missing" in done.json["warnings"][0]
        assert "trigger events_no_delete is missing" in done.err

    def test_a_seal_is_exported_and_restored_as_it_was(
        self, sealed: Path, type_: Type, ledger: Ledger, tmp_path: Path
    ) -> None:
        (tmp_path / "all.ndjson").write_bytes(b"".join(export_lines(ledger)))
        assert type_("--ledger", "copy.db", "restore", "all.ndjson").code == 0
        assert type_("--ledger", "copy.db", "verify", "--allowed-signers", sealed).code == 0
