"""What the user's SSH configuration may do to us: run programs, name pipes, go round about."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest

from collectors.reach import Failure, Limits, NodeResult, NodeSpec, run_script_blocking, ssh_probe
from tests.sshd import Sshd, make_key

QUICK = Limits(connect_s=5, command_s=10, total_s=30)
SHORT = Limits(connect_s=2, command_s=10, total_s=30)


def _run(nodes: list[NodeSpec], limits: Limits = QUICK) -> list[NodeResult]:
    return run_script_blocking(nodes, lambda _: b"echo hello\n", limits=limits)


def _failure(result: NodeResult) -> Failure:
    assert result.failure is not None
    return result.failure


Configured = Callable[..., NodeSpec]


@pytest.fixture
def configured(sshd: Sshd, tmp_path: Path) -> Configured:
    """A node by a configuration of its own: text that comes before the server's."""
    numbers = iter(range(100))

    def node(before: str = "", after: str = "", name: str = "rig") -> NodeSpec:
        config = tmp_path / f"config{next(numbers)}"
        config.write_text(before + sshd.ssh_config.read_text() + after)
        return replace(sshd.node(name), ssh_config=str(config))

    return node


@pytest.mark.parametrize("condition", ["exec", "final exec", "originalhost 127.0.0.2 exec"])
def test_a_match_exec_that_does_not_end_costs_its_node_the_time_to_connect_and_nobody_else(
    sshd: Sshd, configured: Configured, tmp_path: Path, condition: str
) -> None:
    marker = tmp_path / "pid"
    stuck = configured(f'Match {condition} "echo $$ >{marker}; sleep 60; true"\n', name="stuck")
    done: dict[str, float] = {}
    started = time.monotonic()
    results = run_script_blocking(
        [stuck, sshd.node("good")],
        lambda _: b"echo hello\n",
        limits=SHORT,
        on_result=lambda result: done.update({result.node.name: time.monotonic() - started}),
    )
    assert time.monotonic() - started < 20
    assert [result.ok for result in results] == [False, True]
    assert done["good"] < done["stuck"]
    failure = _failure(results[0])
    assert "within 2 s" in failure.detail
    assert str(stuck.ssh_config) in failure.detail
    assert "Match exec" in failure.remedy
    for _ in range(100):  # what it had started has been ended
        if not Path(f"/proc/{marker.read_text().strip()}").exists():
            break
        time.sleep(0.02)
    else:
        pytest.fail("the program of Match exec is still there")


def test_a_match_exec_that_ends_is_heeded(configured: Configured) -> None:
    assert _run([configured('Match exec "true"\n  Port 1\n')])[0].failure is not None
    assert _run([configured('Match exec "false"\n  Port 1\n')])[0].ok


def test_a_match_final_is_read_once_more(configured: Configured) -> None:
    assert _run([configured("Match final\n  ConnectTimeout 3\n")])[0].ok


@pytest.mark.parametrize("what", ["ssh_config", "known_hosts", "identity"])
def test_a_pipe_in_place_of_a_file_is_given_up_in_time(
    sshd: Sshd, tmp_path: Path, what: str
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    value = (str(pipe),) if what == "known_hosts" else str(pipe)
    started = time.monotonic()
    result, good = _run(
        [replace(sshd.node("rig"), **{what: value}), sshd.node("good")],  # type: ignore[arg-type]
        SHORT,
    )
    assert time.monotonic() - started < 20
    assert good.ok
    assert "not read within 2 s" in _failure(result).detail


def test_match_localnetwork_says_what_to_install(configured: Configured) -> None:
    (result,) = _run([configured("Match localnetwork 203.0.113.0/24\n  Port 1\n")])
    if find_spec("ifaddr") is None:
        assert "pip install ifaddr" in _failure(result).remedy
    else:
        assert result.ok


def test_a_proxy_command_runs_as_ssh_runs_it(
    sshd: Sshd, configured: Configured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home dir"
    home.mkdir()
    relay = home / "relay"
    relay.write_text('#!/bin/sh\necho "talk of its own" >&2\nexec busybox nc "$@"\n')
    relay.chmod(0o755)
    monkeypatch.setenv("HOME", str(home))
    for command in (
        "~/relay %h %p",
        '"$HOME"/relay %h %p',
        'sh -c "exec ~/relay %h %p"',
        "busybox nc %h %p 2>/dev/null",
    ):
        node = configured(f"Host *\n  ProxyCommand {command}\n")
        by_ssh = subprocess.run(
            ["ssh", "-F", str(node.ssh_config), "-o", "BatchMode=yes", node.address, "echo hello"],
            capture_output=True,
            timeout=20,
        )
        (result,) = _run([node])
        assert by_ssh.stdout == result.stdout == b"hello\n", (command, by_ssh, result)


def test_a_proxy_command_that_fails_is_a_failure_in_time(configured: Configured) -> None:
    (result,) = _run([configured("Host *\n  ProxyCommand echo no way; exit 1\n")])
    assert _failure(result).error == "protocol"


def test_a_jump_host_that_forbids_forwarding_is_the_one_to_blame(
    sshd: Sshd, tmp_path: Path
) -> None:
    with Sshd(tmp_path / "jump", ["127.0.0.6"], extra=["AllowTcpForwarding no"]) as jump:
        known = tmp_path / "known_hosts"
        known.write_text(sshd.known_hosts.read_text() + jump.known_hosts.read_text())
        keys = jump.folder / "authorized_keys"
        keys.write_text(keys.read_text() + Sshd.public(sshd.identity).read_text())
        config = tmp_path / "config"
        text = sshd.ssh_config.read_text().replace(str(sshd.known_hosts), str(known))
        config.write_text(f"Host 127.0.0.2\n  ProxyJump 127.0.0.6:{jump.port}\n" + text)
        (result,) = _run([replace(sshd.node("rig"), ssh_config=str(config))])
    failure = _failure(result)
    assert failure.detail.startswith(f"the jump host 127.0.0.6:{jump.port} does not let")
    assert "AllowTcpForwarding" in failure.remedy
    assert "sshd runs there" not in failure.remedy


class _Gate:
    """Passes connections on to a server, but cuts the first few before a word is said."""

    def __init__(self, target: tuple[str, int], cuts: int, said: bytes = b"") -> None:
        self._target, self._cuts, self._said = target, cuts, said
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.seen = 0

    def serve(self) -> None:
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            self.seen += 1
            if self.seen <= self._cuts:
                peer.sendall(self._said)
                peer.close()
                continue
            server = socket.create_connection(self._target)
            for one, other in ((peer, server), (server, peer)):
                threading.Thread(target=_pass_on, args=(one, other), daemon=True).start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


def _pass_on(one: socket.socket, other: socket.socket) -> None:
    try:
        while data := one.recv(65536):
            other.sendall(data)
        other.shutdown(socket.SHUT_WR)
    except OSError:
        return


@contextmanager
def _gate(sshd: Sshd, cuts: int, said: bytes = b"") -> Iterator[tuple[_Gate, NodeSpec]]:
    gate = _Gate(("127.0.0.2", sshd.port), cuts, said)
    threading.Thread(target=gate.serve, daemon=True).start()
    public = " ".join(Sshd.public(sshd.host_key).read_text().split()[:2])
    known = sshd.folder / f"known_{gate.port}"
    known.write_text(f"[127.0.0.1]:{gate.port} {public}\n")
    try:
        yield gate, sshd.node("rig", "127.0.0.1", port=gate.port, known_hosts=(str(known),))
    finally:
        gate.close()


@pytest.mark.parametrize("said", [b"", b"Exceeded MaxStartups\r\n", b"SSH-2.0-OpenSSH_9.2\r\n"])
def test_a_connection_cut_before_the_key_exchange_gets_one_more_try(
    sshd: Sshd, said: bytes
) -> None:
    with _gate(sshd, 1, said) as (gate, node):
        (result,) = _run([node])
        assert result.ok, result.failure
        assert gate.seen == 2
    with _gate(sshd, 5, said) as (gate, node):
        (result,) = _run([node])
        assert _failure(result).error == "protocol"
        assert gate.seen == 2


def test_a_key_that_is_refused_is_offered_once(sshd: Sshd, tmp_path: Path) -> None:
    with _gate(sshd, 0) as (gate, node):
        (result,) = _run([replace(node, identity=str(make_key(tmp_path / "other")))])
        assert _failure(result).error == "auth"
        assert gate.seen == 1


# -- what to type ------------------------------------------------------------------


def test_the_line_for_a_key_that_was_never_known_makes_it_known(sshd: Sshd, tmp_path: Path) -> None:
    known = tmp_path / "known hosts"
    node = sshd.node("rig", known_hosts=(str(known),))
    probe = ssh_probe(_run([node])[0])
    assert probe.remedy is not None
    line = probe.remedy.rpartition("then: ")[2]
    assert line.startswith(f"ssh-keyscan -t ed25519 -p {sshd.port} -- 127.0.0.2 >> ")
    subprocess.run(line, shell=True, check=True, capture_output=True, timeout=20)
    assert _run([node])[0].ok


def test_the_line_that_lets_a_key_in_lets_it_in(tmp_path: Path) -> None:
    with Sshd(tmp_path / "sshd") as server:
        (server.home / ".ssh").mkdir()
        mine = make_key(tmp_path / "my key")
        node = server.node("rig", identity=str(mine), port=server.port, user=server.user)
        failure = _failure(_run([node])[0])
        line = failure.remedy.removeprefix("let the key in: ").partition(" ; ")[0]
        assert line == (
            f"ssh-copy-id -i '{mine}' -F {server.ssh_config} -p {server.port} "
            f"{server.user}@127.0.0.2"
        )
        # Forced: the configuration has another key that logs in, so it would think all is done.
        (tmp_path / ".ssh").mkdir()
        ran = subprocess.run(
            line.replace("ssh-copy-id", "ssh-copy-id -f"),
            shell=True,
            capture_output=True,
            text=True,
            timeout=20,
            env={**os.environ, "HOME": str(tmp_path)},
        )
        let_in = server.home / ".ssh" / "authorized_keys"
        assert let_in.read_text() == Sshd.public(mine).read_text(), ran
