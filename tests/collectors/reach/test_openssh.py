"""Reaching nodes that run a real OpenSSH server."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from collectors.reach import (
    BlockingConnections,
    Connections,
    Limits,
    NodeResult,
    NodeSpec,
    run_script,
    run_script_blocking,
)
from tests.sshd import Sshd, free_port, make_key

QUICK = Limits(connect_s=5, command_s=10, total_s=30)


def _say(text: bytes) -> bytes:
    return b"printf %s " + text + b"\n"


def _one(node: NodeSpec, script: bytes = b"echo hello\n", limits: Limits = QUICK) -> NodeResult:
    (result,) = run_script_blocking([node], lambda _: script, limits=limits)
    return result


def _echo(number: int) -> Callable[[NodeSpec], bytes]:
    return lambda _: b"echo %d\n" % number


def _error(result: NodeResult) -> str:
    assert result.failure is not None
    return result.failure.error


def test_each_node_gets_its_own_script_and_results_keep_the_order(sshd: Sshd) -> None:
    results = run_script_blocking(sshd.nodes(), lambda node: _say(node.name.encode()), limits=QUICK)
    assert [result.node.name for result in results] == list(sshd.hosts)
    assert [result.stdout.decode() for result in results] == list(sshd.hosts)
    assert all(result.ok and result.reachable for result in results)
    assert all(result.latency_s is not None and result.latency_s > 0 for result in results)


def test_output_errors_and_exit_status_come_back_as_bytes(sshd: Sshd) -> None:
    result = _one(sshd.node("rig"), b"printf 'a\\0\\377'; echo bad >&2; exit 3\n")
    assert (result.stdout, result.stderr, result.exit_status) == (b"a\x00\xff", b"bad\n", 3)
    assert result.ok


def test_a_script_longer_than_any_pipe_or_window_arrives_whole(sshd: Sshd) -> None:
    script = b": " + b"x" * 100 + b"\n"
    result = _one(sshd.node("rig"), script * 50_000 + b"echo end\n")
    assert result.stdout == b"end\n"


def test_hosts_on_one_server_have_environments_of_their_own(sshd: Sshd) -> None:
    result = _one(sshd.node("rig", "127.0.0.2"), b'printf "$RUNLEDGER_TEST_HOST"\n')
    assert result.stdout == b"first host"


def test_no_terminal_no_agent_and_no_variable_of_ours_reaches_the_node(
    sshd: Sshd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_RUNLEDGER", "leaked")
    node = sshd.node("rig")
    config = Path(str(node.ssh_config)).read_text()
    forward = sshd.folder / "config_forward"
    forward.write_text(config + "  ForwardAgent yes\n  RequestTTY force\n  SendEnv LC_*\n")
    result = _one(
        replace(node, ssh_config=str(forward)),
        b'tty; echo "${SSH_AUTH_SOCK:-none} ${LC_RUNLEDGER:-none}"\n',
    )
    assert result.stdout == b"not a tty\nnone none\n"


def test_an_unknown_host_key_is_refused_and_never_learnt(sshd: Sshd, tmp_path: Path) -> None:
    known = tmp_path / "known_hosts"
    result = _one(sshd.node("rig", known_hosts=(str(known),)))
    assert (result.reachable, _error(result)) == (False, "host_key")
    assert result.failure is not None
    assert "is not known" in result.failure.detail
    assert "SHA256:" in result.failure.detail
    assert f"ssh-keyscan -t ed25519 -p {sshd.port} -- 127.0.0.2" in result.failure.remedy
    assert not known.exists()


def test_a_changed_host_key_is_refused_in_other_words(sshd: Sshd, tmp_path: Path) -> None:
    other = Sshd.public(make_key(tmp_path / "other")).read_text()
    known = tmp_path / "known_hosts"
    known.write_text(f"[127.0.0.2]:{sshd.port} {other}")
    result = _one(sshd.node("rig", known_hosts=(str(known),)))
    assert (result.reachable, _error(result)) == (False, "host_key")
    assert result.failure is not None
    assert "CHANGED" in result.failure.detail
    assert f"ssh-keygen -R '[127.0.0.2]:{sshd.port}' -f {known}" in result.failure.remedy


def test_a_known_key_of_another_kind_is_a_changed_key(sshd: Sshd, tmp_path: Path) -> None:
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ecdsa", "-N", "", "-f", str(tmp_path / "ec")], check=True
    )
    known = tmp_path / "known_hosts"
    known.write_text(f"[127.0.0.2]:{sshd.port} {(tmp_path / 'ec.pub').read_text()}")
    result = _one(sshd.node("rig", known_hosts=(str(known),)))
    assert _error(result) == "host_key"
    assert result.failure is not None
    assert "CHANGED" in result.failure.detail


def test_a_revoked_key_is_refused(sshd: Sshd, tmp_path: Path) -> None:
    known = tmp_path / "known_hosts"
    public = Sshd.public(sshd.host_key).read_text()
    known.write_text(f"@revoked * {public}[127.0.0.2]:{sshd.port} {public}")
    result = _one(sshd.node("rig", known_hosts=(str(known),)))
    assert _error(result) == "host_key"
    assert result.failure is not None
    assert "@revoked" in result.failure.detail


def test_no_setting_turns_the_host_key_check_off(sshd: Sshd, tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text(
        f"Host *\n  IdentityFile {sshd.identity}\n  StrictHostKeyChecking no\n"
        "  UserKnownHostsFile none\n  GlobalKnownHostsFile none\n"
    )
    node = NodeSpec(
        name="rig", address="127.0.0.2", port=sshd.port, user=sshd.user, ssh_config=str(config)
    )
    assert _error(_one(node)) == "host_key"


def test_hashed_and_damaged_known_hosts_lines_are_read_like_openssh_does(
    sshd: Sshd, tmp_path: Path
) -> None:
    known = tmp_path / "known_hosts"
    known.write_bytes(
        b"\xff\xfe not a line\n@nonsense x y\n|1|broken ssh-ed25519 AAAA\n"
        + sshd.known_hosts.read_bytes()
    )
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", str(known)], check=False, capture_output=True)
    assert _one(sshd.node("rig", known_hosts=(str(known),))).ok


def test_a_login_that_is_refused_says_which_keys_there_were(sshd: Sshd, tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text(f"Host *\n  IdentityFile {make_key(tmp_path / 'id')}\n")
    node = sshd.node("rig", port=sshd.port, known_hosts=(str(sshd.known_hosts),))
    result = _one(replace(node, ssh_config=str(config)))
    assert (result.reachable, _error(result)) == (False, "auth")
    config.write_text("Host *\n  IdentityFile /nowhere/id\n")
    result = _one(replace(node, ssh_config=str(config)))
    assert result.failure is not None
    assert "/nowhere/id does not exist" in result.failure.detail


def test_a_key_locked_by_a_passphrase_is_named(sshd: Sshd, tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "secret", "-f", str(locked)], check=True
    )
    config = tmp_path / "config"
    config.write_text(f"Host *\n  IdentityFile {locked}\n")
    node = sshd.node("rig", port=sshd.port, known_hosts=(str(sshd.known_hosts),))
    result = _one(replace(node, ssh_config=str(config)))
    assert result.failure is not None
    assert result.failure.error == "auth"
    assert "passphrase" in result.failure.detail


def test_a_port_where_nothing_listens_is_refused(sshd: Sshd) -> None:
    node = sshd.node("rig", port=free_port("127.0.0.2"))
    result = _one(node)
    assert (result.reachable, _error(result)) == (False, "refused")


def test_an_unknown_name_is_a_dns_failure(sshd: Sshd) -> None:
    for address in ("no-such-host.invalid", "a..b", "x" * 64 + ".invalid", "ö" * 70):
        assert _error(_one(sshd.node("rig", address))) == "dns"


@pytest.mark.parametrize(
    "address",
    [
        "-oProxyCommand=touch x",
        "$(touch x)",
        "a;touch x",
        "a\nb",
        "a b",
        "'",
        '"',
        "`id`",
        "\x1b[2J",
    ],
)
def test_a_hostile_address_or_user_is_refused_and_does_nothing(
    sshd: Sshd, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    config = tmp_path / "config"
    config.write_text("Host *\n  ProxyCommand sh -c 'touch proxied; false' %h\n")
    assert _error(_one(sshd.node("rig", address))) == "dns"
    hostile = NodeSpec(name=address, address=address, user=address, ssh_config=str(config))
    assert not _one(hostile).reachable
    assert not _one(replace(hostile, address="127.0.0.2")).reachable
    assert [entry.name for entry in tmp_path.iterdir()] == ["config"]


def test_the_users_configuration_is_honoured_alias_and_all(
    sshd: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    (home / ".ssh").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    public = Sshd.public(sshd.host_key).read_text()
    (home / ".ssh" / "known_hosts").write_text(f"the-rig {public}")
    (home / ".ssh" / "id_ed25519").write_bytes(sshd.identity.read_bytes())
    (home / ".ssh" / "more").write_text(f"Host rig-*\n  Port {sshd.port}\n  User {sshd.user}\n")
    (home / ".ssh" / "config").write_text(
        "Include more\nHost rig-6600\n  HostName 127.0.0.4\n  HostKeyAlias the-rig\n"
    )
    result = _one(NodeSpec(name="rig-6600"), b"echo ${SSH_CONNECTION%% *}\n")
    assert result.ok, result.failure
    assert _error(_one(NodeSpec(name="rig-6601"))) == "dns"


def test_what_the_node_says_goes_before_the_configuration(sshd: Sshd, tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("Host *\n  Port 1\n  User nobody\n" + sshd.ssh_config.read_text())
    node = sshd.node("rig", port=sshd.port, user=sshd.user)
    assert _one(replace(node, ssh_config=str(config))).ok


def test_an_agent_lends_its_key(
    sshd: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    socket = tmp_path / "agent"
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", str(socket)], stdout=subprocess.DEVNULL)
    try:
        for _ in range(200):
            if socket.exists():
                break
            time.sleep(0.02)
        monkeypatch.setenv("SSH_AUTH_SOCK", str(socket))
        monkeypatch.setenv("HOME", str(tmp_path))
        subprocess.run(["ssh-add", "-q", str(sshd.identity)], check=True)
        node = NodeSpec(
            name="rig",
            address="127.0.0.2",
            port=sshd.port,
            user=sshd.user,
            ssh_config="none",
            known_hosts=(str(sshd.known_hosts),),
        )
        assert _one(node).ok
        # IdentitiesOnly lets only the named keys of the agent through.
        config = tmp_path / "config"
        config.write_text(f"Host *\n  IdentitiesOnly yes\n  IdentityFile {tmp_path / 'other'}\n")
        assert _error(_one(replace(node, ssh_config=str(config)))) == "auth"
        config.write_text(
            f"Host *\n  IdentitiesOnly yes\n  IdentityFile {Sshd.public(sshd.identity)}\n"
        )
        assert _one(replace(node, ssh_config=str(config))).ok
    finally:
        agent.terminate()
        agent.wait(10)


def test_nodes_behind_a_jump_host_share_its_connection(sshd: Sshd, tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text(
        "Host 127.0.0.3 127.0.0.4\n  ProxyJump 127.0.0.5\n" + sshd.ssh_config.read_text()
    )
    before = sshd.log().count("Accepted publickey")
    nodes = [
        replace(sshd.node(address, address), ssh_config=str(config))
        for address in ("127.0.0.3", "127.0.0.4")
    ]
    results = run_script_blocking(nodes, lambda _: b"echo ok\n", limits=QUICK)
    assert [result.stdout for result in results] == [b"ok\n"] * 2, results
    assert sshd.log().count("Accepted publickey") - before == 3


def test_several_jump_hosts_in_a_row_and_one_named_for_everybody(
    sshd: Sshd, tmp_path: Path
) -> None:
    config = tmp_path / "config"
    node = replace(sshd.node("rig", "127.0.0.2"), ssh_config=str(config))
    config.write_text(
        f"Host 127.0.0.2\n  ProxyJump {sshd.user}@127.0.0.3:{sshd.port}, 127.0.0.4\n".replace(
            ", ", ","
        )
        + sshd.ssh_config.read_text()
    )
    assert _one(node).ok
    config.write_text(sshd.ssh_config.read_text() + "  ProxyJump 127.0.0.3\n")
    assert _one(node).ok


def test_jump_hosts_are_checked_like_any_other_host(sshd: Sshd, tmp_path: Path) -> None:
    known = tmp_path / "known_hosts"
    known.write_text(
        "".join(
            line + "\n" for line in sshd.known_hosts.read_text().splitlines() if "0.0.3" not in line
        )
    )
    config = tmp_path / "config"
    text = sshd.ssh_config.read_text().replace(str(sshd.known_hosts), str(known))
    config.write_text("Host 127.0.0.2\n  ProxyJump 127.0.0.3\n" + text)
    result = _one(replace(sshd.node("rig"), ssh_config=str(config)))
    assert _error(result) == "host_key"
    assert result.failure is not None
    assert "jump host" in result.failure.detail
    assert "[127.0.0.3]" in result.failure.detail


def test_jump_hosts_in_a_circle_end_as_a_failure(sshd: Sshd, tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text(
        "Host 127.0.0.2\n  ProxyJump 127.0.0.3\nHost 127.0.0.3\n  ProxyJump 127.0.0.4\n"
        "Host 127.0.0.4\n  ProxyJump 127.0.0.3\n" + sshd.ssh_config.read_text()
    )
    result = _one(replace(sshd.node("rig"), ssh_config=str(config)))
    assert _error(result) == "other"
    assert result.failure is not None
    assert "circle" in result.failure.detail


def test_a_proxy_command_carries_the_connection(sshd: Sshd, tmp_path: Path) -> None:
    config = tmp_path / "config"
    relay = tmp_path / "relay.py"
    relay.write_text(
        "import os, socket, sys, threading\n"
        "peer = socket.create_connection((sys.argv[1], int(sys.argv[2])))\n"
        "def up():\n"
        "    while data := os.read(0, 65536):\n"
        "        peer.sendall(data)\n"
        "threading.Thread(target=up, daemon=True).start()\n"
        "while data := peer.recv(65536):\n"
        "    os.write(1, data)\n"
    )
    config.write_text(
        f"Host *\n  ProxyCommand {sys.executable} {relay} %h %p\n" + sshd.ssh_config.read_text()
    )
    assert _one(replace(sshd.node("rig"), ssh_config=str(config))).ok


def test_a_configuration_that_cannot_be_read_is_that_nodes_failure(
    sshd: Sshd, tmp_path: Path
) -> None:
    config = tmp_path / "config"
    config.write_text("Host *\n  Port many\n")
    bad = replace(sshd.node("bad"), ssh_config=str(config))
    gone = replace(sshd.node("gone"), ssh_config=str(tmp_path / "gone"))
    results = run_script_blocking(
        [bad, gone, sshd.node("good")], lambda _: b"echo ok\n", limits=QUICK
    )
    assert [result.ok for result in results] == [False, False, True]
    assert results[0].failure is not None
    assert "line 2" in results[0].failure.detail


def test_a_script_that_cannot_be_made_is_that_nodes_failure(sshd: Sshd) -> None:
    def script_for(node: NodeSpec) -> bytes:
        if node.name == "bad":
            raise ValueError("no script for this one")
        return b"echo ok\n"

    bad, good = run_script_blocking([sshd.node("bad"), sshd.node("good")], script_for, limits=QUICK)
    assert good.ok
    assert bad.failure is not None
    assert "no script for this one" in bad.failure.detail


def test_a_script_that_hangs_is_given_up_and_what_it_said_is_kept(sshd: Sshd) -> None:
    limits = replace(QUICK, command_s=3)
    started = time.monotonic()
    talked, silent = run_script_blocking(
        [sshd.node("talked"), sshd.node("silent")],
        lambda node: b"echo so far; sleep 60\n" if node.name == "talked" else b"sleep 60\n",
        limits=limits,
    )
    assert time.monotonic() - started < 40
    assert (talked.reachable, _error(talked), talked.stdout) == (True, "timeout", b"so far\n")
    assert (silent.reachable, _error(silent)) == (False, "timeout")


@pytest.mark.parametrize("script", [b"yes\n", b"head -c 100000000 /dev/zero\n"])
def test_output_beyond_the_cap_is_cut_off(sshd: Sshd, script: bytes) -> None:
    limits = replace(QUICK, stdout_bytes=200_000)
    result = _one(sshd.node("rig"), script, limits)
    assert (result.reachable, _error(result), len(result.stdout)) == (True, "protocol", 200_000)


def test_output_of_exactly_the_cap_is_whole(sshd: Sshd) -> None:
    result = _one(sshd.node("rig"), b"head -c 1000 /dev/zero\n", replace(QUICK, stdout_bytes=1000))
    assert (result.ok, len(result.stdout)) == (True, 1000)


def test_errors_beyond_their_cap_are_dropped(sshd: Sshd) -> None:
    result = _one(
        sshd.node("rig"),
        b"head -c 5000000 /dev/zero >&2; echo done\n",
        replace(QUICK, stderr_bytes=1000),
    )
    assert (result.ok, len(result.stderr), result.stdout) == (True, 1000, b"done\n")


def test_a_grandchild_that_keeps_the_output_open_does_not_hold_us(sshd: Sshd) -> None:
    limits = replace(QUICK, exit_grace_s=0.3)
    started = time.monotonic()
    result = _one(sshd.node("rig"), b"sleep 30 & echo done; exit 4\n", limits)
    assert time.monotonic() - started < 20
    assert (result.ok, result.stdout, result.exit_status) == (True, b"done\n", 4)


def test_output_that_comes_after_the_shell_has_ended_is_not_lost(sshd: Sshd) -> None:
    result = _one(sshd.node("rig"), b"(sleep 0.3; echo late) & echo early; exit 5\n")
    assert (result.ok, result.stdout, result.exit_status) == (True, b"early\nlate\n", 5)


def test_a_script_that_does_not_read_to_its_end_is_no_failure(sshd: Sshd) -> None:
    result = _one(sshd.node("rig"), b"echo ok; exit 0\n" + b": 0123456789\n" * 400_000)
    assert (result.ok, result.stdout) == (True, b"ok\n")


def test_a_shell_that_is_killed_has_no_status_but_was_there(sshd: Sshd) -> None:
    result = _one(sshd.node("rig"), b"echo before; kill -9 $$\n")
    assert (result.reachable, result.stdout, result.exit_status) == (True, b"before\n", None)


def test_all_nodes_together_end_within_the_total(sshd: Sshd) -> None:
    limits = Limits(connect_s=5, command_s=30, total_s=1, concurrency=2)
    started = time.monotonic()
    results = run_script_blocking(sshd.nodes(), lambda _: b"sleep 60\n", limits=limits)
    assert time.monotonic() - started < 30
    assert [_error(result) for result in results] == ["timeout"] * 4


def test_progress_is_told_once_a_node(sshd: Sshd) -> None:
    seen: list[str] = []
    run_script_blocking(
        [*sshd.nodes(), NodeSpec(name="-bad")],
        lambda _: b":\n",
        limits=QUICK,
        on_result=lambda result: seen.append(result.node.name),
    )
    assert sorted(seen) == sorted([*sshd.hosts, "-bad"])


def test_no_nodes_give_no_results() -> None:
    assert run_script_blocking([], lambda _: b"") == []


def test_kept_connections_log_in_once(sshd: Sshd) -> None:
    before = sshd.log().count("Accepted publickey")
    with BlockingConnections(QUICK) as connections:
        for turn in range(3):
            results = connections.run_script(sshd.nodes(), _echo(turn))
            assert [result.stdout for result in results] == [b"%d\n" % turn] * 4
    assert sshd.log().count("Accepted publickey") - before == 4


def test_runs_on_the_same_connections_may_overlap(sshd: Sshd) -> None:
    async def scenario() -> list[list[NodeResult]]:
        async with Connections(QUICK) as connections:
            runs = (connections.run_script(sshd.nodes(), _echo(turn)) for turn in range(3))
            return list(await asyncio.gather(*runs))

    for turn, results in enumerate(asyncio.run(scenario())):
        assert [result.stdout for result in results] == [b"%d\n" % turn] * 4


def test_a_kept_connection_that_died_is_opened_anew(tmp_path: Path) -> None:
    hosts = ["127.0.0.2", "127.0.0.3"]
    with Sshd(tmp_path / "sshd", hosts) as server, BlockingConnections(QUICK) as connections:
        assert all(r.ok for r in connections.run_script(server.nodes(), lambda _: b"echo 1\n"))
        server.drop_sessions()
        results = connections.run_script(server.nodes(), lambda _: b"echo 2\n")
        assert [result.stdout for result in results] == [b"2\n"] * 2, results
        server.stop()
        results = connections.run_script(server.nodes(), lambda _: b"echo 3\n")
        assert [_error(result) for result in results] == ["refused"] * 2


def test_a_kept_connection_that_fell_silent_costs_one_timeout_at_most(tmp_path: Path) -> None:
    limits = Limits(connect_s=2, command_s=60, total_s=90)
    with Sshd(tmp_path / "sshd", ["127.0.0.2"]) as server, BlockingConnections(limits) as kept:
        assert all(result.ok for result in kept.run_script(server.nodes(), lambda _: b":\n"))
        # A frozen machine: the session's processes stop, a new connection is still taken.
        frozen = server.sessions()
        for pid in frozen:
            os.kill(pid, signal.SIGSTOP)
        try:
            started = time.monotonic()
            (result,) = kept.run_script(server.nodes(), lambda _: b"echo again\n")
            assert result.stdout == b"again\n"
            assert time.monotonic() - started < 30
        finally:
            for pid in frozen:
                os.kill(pid, signal.SIGCONT)


def test_it_works_in_a_thread_and_where_a_loop_runs_already(sshd: Sshd) -> None:
    results: list[NodeResult] = []
    thread = threading.Thread(target=lambda: results.append(_one(sshd.node("rig"))))
    thread.start()
    thread.join(20)
    assert results[0].ok

    async def notebook() -> NodeResult:
        return _one(sshd.node("rig"))

    assert asyncio.run(notebook()).ok


def test_being_cancelled_closes_what_is_open(sshd: Sshd) -> None:
    async def scenario() -> None:
        run = asyncio.create_task(
            run_script(
                [*sshd.nodes(), NodeSpec(name="here", address="localhost")],
                lambda _: b"echo up; sleep 60\n",
                limits=replace(QUICK, command_s=60),
            )
        )
        await asyncio.sleep(1.0)
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
        left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        assert left == []

    started = time.monotonic()
    asyncio.run(scenario())
    assert time.monotonic() - started < 30


def test_ctrl_c_ends_a_run_and_leaves_no_child(sshd: Sshd, tmp_path: Path) -> None:
    marker = tmp_path / "pid"
    program = (
        "import sys\n"
        "from collectors.reach import *\n"
        f"far = NodeSpec(name='far', address='127.0.0.2', ssh_config={str(sshd.ssh_config)!r})\n"
        "here = NodeSpec(name='here', address='localhost')\n"
        f"script = b'echo $$ > {marker}.tmp && mv {marker}.tmp {marker}; sleep 60\\n'\n"
        "run_script_blocking(\n"
        "    [far, here], lambda node: script if node is here else b'sleep 60\\n'\n"
        ")\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program], stderr=subprocess.PIPE, cwd=Path.cwd(), text=True
    )
    for _ in range(500):
        if marker.exists():
            break
        time.sleep(0.02)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    _, talk = process.communicate(timeout=15)
    assert "KeyboardInterrupt" in talk
    assert "never retrieved" not in talk
    with pytest.raises(ProcessLookupError):
        os.kill(int(marker.read_text()), 0)


def test_a_node_that_refuses_its_jump_host_is_refused(sshd: Sshd, tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("Host 127.0.0.2\n  ProxyJump 127.0.0.3\n" + sshd.ssh_config.read_text())
    node = replace(sshd.node("rig", port=free_port("127.0.0.2")), ssh_config=str(config))
    assert _error(_one(node)) == "refused"
