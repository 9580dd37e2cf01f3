"""Servers that misbehave in the middle of a conversation."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from collectors.reach import Connections, Limits, NodeResult, NodeSpec, run_script, ssh_probe

LIMITS = Limits(connect_s=1.5, command_s=1.5, total_s=10, stdout_bytes=100_000)
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class AnyoneMayLogIn(asyncssh.SSHServer):
    """A server without passwords, keys or scruples."""

    def begin_auth(self, username: str) -> bool:
        return False


class NobodyMayLogIn(asyncssh.SSHServer):
    """A server that knows no key."""

    def begin_auth(self, username: str) -> bool:
        return True

    def public_key_auth_supported(self) -> bool:
        return True


class Lab:
    """Servers on 127.0.0.1 and the nodes that point at them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.host_key = asyncssh.generate_private_key("ssh-ed25519")
        self.known_hosts = folder / "known_hosts"
        identity = folder / "id"
        asyncssh.generate_private_key("ssh-ed25519").write_private_key(str(identity))
        (folder / "config").write_text(f"Host *\n  User tester\n  IdentityFile {identity}\n")

    def node(self, port: int, name: str = "rig") -> NodeSpec:
        public = self.host_key.export_public_key().decode()
        self.known_hosts.write_text(f"127.0.0.1,[127.0.0.1]:{port} {public}")
        return NodeSpec(
            name=name,
            address="127.0.0.1",
            port=port,
            ssh_config=str(self.folder / "config"),
            known_hosts=(str(self.known_hosts),),
        )

    async def ssh(self, **options: Any) -> asyncssh.SSHAcceptor:
        options = {
            "server_factory": AnyoneMayLogIn,
            "server_host_keys": [self.host_key],
            "encoding": None,
            **options,
        }
        return await asyncssh.listen("127.0.0.1", 0, **options)

    async def raw(self, handler: Handler) -> asyncio.Server:
        return await asyncio.start_server(handler, "127.0.0.1", 0)


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


def _of_process(
    lab: Lab, process: Callable[[Any], Any], limits: Limits = LIMITS, script: bytes = b"script\n"
) -> NodeResult:
    async def scenario() -> NodeResult:
        server = await lab.ssh(process_factory=process)
        node = lab.node(server.get_port())
        try:
            (result,) = await run_script([node], lambda _: script, limits=limits)
            return result
        finally:
            server.close()

    return asyncio.run(scenario())


def _of_raw(lab: Lab, handler: Handler) -> NodeResult:
    async def scenario() -> NodeResult:
        server = await lab.raw(handler)
        node = lab.node(server.sockets[0].getsockname()[1])
        try:
            (result,) = await run_script([node], lambda _: b":\n", limits=LIMITS)
            return result
        finally:
            server.close()

    return asyncio.run(scenario())


def _error(result: NodeResult) -> str:
    assert result.failure is not None
    assert ssh_probe(result).error == result.failure.error
    return result.failure.error


def test_the_command_is_constant_and_the_script_comes_by_stdin(lab: Lab) -> None:
    async def echo(process: asyncssh.SSHServerProcess[bytes]) -> None:
        data = await process.stdin.read()
        process.stdout.write(f"{process.command}|{process.get_terminal_type()}|".encode() + data)
        process.exit(0)

    result = _of_process(lab, echo, script=b"whatever $(is) 'sent'\n")
    assert result.stdout == b"sh -s|None|whatever $(is) 'sent'\n"


def test_a_connection_closed_in_the_middle_keeps_what_had_come(lab: Lab) -> None:
    async def close(process: asyncssh.SSHServerProcess[bytes]) -> None:
        process.stdout.write(b"half a ")
        await asyncio.sleep(0.2)
        process.channel.get_connection().abort()

    result = _of_process(lab, close)
    assert (result.reachable, _error(result), result.stdout) == (True, "protocol", b"half a ")


def test_a_session_closed_without_a_status_is_no_success(lab: Lab) -> None:
    async def close(process: asyncssh.SSHServerProcess[bytes]) -> None:
        process.close()

    result = _of_process(lab, close)
    assert (result.reachable, _error(result)) == (False, "protocol")


def test_a_session_that_never_says_a_word_is_not_reachable(lab: Lab) -> None:
    async def hang(process: asyncssh.SSHServerProcess[bytes]) -> None:
        await asyncio.sleep(30)

    result = _of_process(lab, hang)
    assert (result.reachable, _error(result)) == (False, "timeout")
    assert result.failure is not None
    assert "logged in" in result.failure.detail


def test_endless_output_is_cut_at_the_cap(lab: Lab) -> None:
    async def pour(process: asyncssh.SSHServerProcess[bytes]) -> None:
        while True:
            process.stdout.write(b"x" * 32768)
            await process.stdout.drain()

    result = _of_process(lab, pour)
    assert (result.reachable, _error(result), len(result.stdout)) == (True, "protocol", 100_000)


def test_endless_errors_end_with_the_time(lab: Lab) -> None:
    async def pour(process: asyncssh.SSHServerProcess[bytes]) -> None:
        while True:
            process.stderr.write(b"x" * 32768)
            await process.stderr.drain()

    result = _of_process(lab, pour)
    assert (_error(result), len(result.stderr)) == ("timeout", LIMITS.stderr_bytes)


def test_a_server_that_opens_no_session_is_not_reachable(lab: Lab) -> None:
    async def scenario() -> NodeResult:
        server = await lab.ssh()  # neither process nor session: it declines
        node = lab.node(server.get_port())
        (result,) = await run_script([node], lambda _: b":\n", limits=LIMITS)
        server.close()
        return result

    result = asyncio.run(scenario())
    assert (result.reachable, _error(result)) == (False, "protocol")


def test_a_server_that_hangs_after_the_login_is_a_timeout(lab: Lab) -> None:
    class Stuck(AnyoneMayLogIn):
        async def session_requested(self) -> Any:
            await asyncio.sleep(30)

    async def scenario() -> NodeResult:
        server = await lab.ssh(server_factory=Stuck)
        node = lab.node(server.get_port())
        (result,) = await run_script([node], lambda _: b":\n", limits=LIMITS)
        server.close()
        return result

    result = asyncio.run(scenario())
    assert (result.reachable, _error(result)) == (False, "timeout")


def test_a_login_nobody_gets_is_auth(lab: Lab) -> None:
    async def scenario() -> NodeResult:
        server = await lab.ssh(server_factory=NobodyMayLogIn)
        node = lab.node(server.get_port())
        (result,) = await run_script([node], lambda _: b":\n", limits=LIMITS)
        server.close()
        return result

    result = asyncio.run(scenario())
    assert (result.reachable, _error(result)) == (False, "auth")
    assert result.failure is not None
    assert "tester" in result.failure.detail


def test_a_host_key_that_changes_between_two_runs_is_refused(lab: Lab) -> None:
    async def hello(process: asyncssh.SSHServerProcess[bytes]) -> None:
        process.stdout.write(b"hello")
        process.exit(0)

    async def scenario() -> tuple[NodeResult, NodeResult]:
        server = await lab.ssh(process_factory=hello)
        port = server.get_port()
        node = lab.node(port)
        async with Connections(LIMITS) as connections:
            (before,) = await connections.run_script([node], lambda _: b":\n")
            server.close()
            await server.wait_closed()
            other = await asyncssh.listen(
                "127.0.0.1",
                port,
                server_factory=AnyoneMayLogIn,
                process_factory=hello,
                server_host_keys=[asyncssh.generate_private_key("ssh-ed25519")],
                encoding=None,
            )
            await connections.close()
            (after,) = await connections.run_script([node], lambda _: b":\n")
            other.close()
        return before, after

    before, after = asyncio.run(scenario())
    assert before.ok
    assert (after.reachable, _error(after)) == (False, "host_key")
    assert after.failure is not None
    assert "CHANGED" in after.failure.detail


async def _garbage(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n\x00\xff" * 50)
    writer.close()


async def _garbage_after_version(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    writer.write(b"SSH-2.0-OpenSSH_9.2\r\n" + bytes(range(256)) * 20)
    await writer.drain()
    await asyncio.sleep(0.3)
    writer.close()


async def _endless_garbage(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()
    except OSError:
        writer.close()


async def _closes_at_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def _too_many(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"Exceeded MaxStartups\r\n")
    writer.close()


@pytest.mark.parametrize(
    "handler", [_garbage, _garbage_after_version, _endless_garbage, _closes_at_once, _too_many]
)
def test_what_is_not_ssh_is_a_protocol_failure(lab: Lab, handler: Handler) -> None:
    result = _of_raw(lab, handler)
    assert (result.reachable, _error(result)) == (False, "protocol")


def test_a_server_that_takes_the_connection_and_says_nothing_is_a_timeout(lab: Lab) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    result = _of_raw(lab, silent)
    assert (result.reachable, _error(result)) == (False, "timeout")
    assert result.failure is not None
    assert "within 1.5 s" in result.failure.detail


def test_a_banner_that_drips_is_a_timeout(lab: Lab) -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            for _ in range(100):
                writer.write(b"please wait\r\n")
                await writer.drain()
                await asyncio.sleep(0.1)
        except OSError:
            writer.close()

    assert _error(_of_raw(lab, drip)) == "timeout"


def test_a_reason_full_of_escapes_is_stored_as_plain_text(lab: Lab) -> None:
    async def kick(process: asyncssh.SSHServerProcess[bytes]) -> None:
        process.channel.get_connection().disconnect(
            asyncssh.DISC_BY_APPLICATION, "go\x1b[2J\x07 away\nnow " + "x" * 10_000
        )

    result = _of_process(lab, kick)
    detail = ssh_probe(result).detail
    assert detail is not None
    assert detail.isprintable()
    assert len(detail) < 5000


def test_hanging_nodes_cost_one_timeout_and_delay_nobody(lab: Lab) -> None:
    async def hello(process: asyncssh.SSHServerProcess[bytes]) -> None:
        process.stdout.write(b"hello")
        process.exit(0)

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async def scenario() -> tuple[list[NodeResult], float, list[float]]:
        loop = asyncio.get_running_loop()
        good, bad = await lab.ssh(process_factory=hello), await lab.raw(silent)
        bad_port = bad.sockets[0].getsockname()[1]
        hanging = [lab.node(bad_port, f"bad{n}") for n in range(5)]
        healthy = [lab.node(good.get_port(), f"good{n}") for n in range(5)]
        started = loop.time()
        done: list[float] = []
        results = await run_script(
            hanging + healthy,
            lambda _: b":\n",
            limits=LIMITS,
            on_result=lambda result: done.append(loop.time() - started),
        )
        took = loop.time() - started
        good.close()
        bad.close()
        return results, took, done

    results, took, done = asyncio.run(scenario())
    assert [result.ok for result in results] == [False] * 5 + [True] * 5
    assert took < LIMITS.connect_s + 1
    assert sorted(done)[4] < 1
