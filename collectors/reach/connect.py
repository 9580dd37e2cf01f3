"""SSH connections by asyncssh: opened, jump hosts included, with every failure put into words.

No terminal, no forwarding, no environment is asked for, and no key is
accepted that known_hosts does not hold.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

from collectors.reach.dial import dial
from collectors.reach.failures import Attempt, Unusable, explain, timed_out, unread_in_time
from collectors.reach.node import SSH_PORT, Limits, NodeSpec, unsafe_name
from collectors.reach.offloop import off_loop
from collectors.reach.result import Failure
from collectors.reach.session import Link
from collectors.reach.settings import Settings, SettingsReader

if TYPE_CHECKING:
    import asyncssh
    from asyncssh import SSHClientConnection

_HOP = re.compile(
    r"(?:ssh://)?(?:(?P<user>[^@]+)@)?(?P<host>\[[^\]]+\]|[^:@\[\]]+)(?::(?P<port>[0-9]{1,5}))?/?\Z"
)

_PAUSE_S = 0.5
"""Before a login is tried again."""


class Linker:
    """Opens connections: reads settings once, shares jump hosts among the nodes behind them."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._reader = SettingsReader()
        self._jumps: dict[tuple[NodeSpec, ...], asyncio.Task[SSHClientConnection]] = {}

    async def open(self, node: NodeSpec) -> tuple[Link, float]:
        """A connection to ``node``, and the seconds from the first packet to the login.

        Raises `Unusable` for whatever goes wrong.
        """
        connection, latency_s = await self._connect(node, None, ())
        return Link(connection), latency_s

    async def close(self) -> None:
        """Close the jump hosts' connections."""
        tasks, self._jumps = list(self._jumps.values()), {}
        for task in tasks:
            task.cancel()
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            if not isinstance(outcome, BaseException):
                outcome.abort()

    async def _connect(
        self, node: NodeSpec, via: SSHClientConnection | None, behind: tuple[NodeSpec, ...]
    ) -> tuple[SSHClientConnection, float]:
        attempt = Attempt(
            address=node.address,
            port=node.port or SSH_PORT,
            user=node.user or "",
            ssh_config=node.ssh_config,
        )
        wrong = unsafe_name("address", node.address)
        if wrong is None and node.user is not None:
            wrong = unsafe_name("user", node.user)
        if wrong is not None:
            raise Unusable(Failure("dns", wrong, "correct it in the configuration"))
        loop = asyncio.get_running_loop()
        started = loop.time()
        try:
            settings = await self._read(node, attempt)
            read_s = loop.time() - started
            if via is None and settings.jump:
                attempt.jump = settings.jump
                via = await self._jump(settings.jump, node, behind)
        except Exception as error:
            raise Unusable(explain(error, attempt)) from error
        if via is None:
            attempt.jump = None
        limit = min(self._limits.connect_s, settings.connect_s or self._limits.connect_s)
        started = loop.time()
        try:
            async with asyncio.timeout(min(limit, self._limits.connect_s - read_s)):
                try:
                    connection = await self._log_in(settings, via, attempt)
                except Unusable as error:
                    if not _was_cut_early(error, attempt):
                        raise
                    # More logins at once than sshd takes (MaxStartups): soon it will.
                    await asyncio.sleep(_PAUSE_S)
                    connection = await self._log_in(settings, via, attempt)
        except TimeoutError as error:
            raise Unusable(timed_out(attempt, limit)) from error
        return connection, loop.time() - started

    async def _read(self, node: NodeSpec, attempt: Attempt) -> Settings:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._limits.connect_s):
                return await off_loop(lambda: self._reader.read(node, attempt, loop))
        except TimeoutError as error:
            raise Unusable(unread_in_time(attempt, self._limits.connect_s)) from error

    async def _log_in(
        self, settings: Settings, via: SSHClientConnection | None, attempt: Attempt
    ) -> SSHClientConnection:
        import asyncssh

        attempt.is_encrypted = lambda: False
        attempt.stage = "connecting"
        socket = None
        try:
            if via is None and not settings.has_proxy_command:
                socket = await dial(
                    settings.host, settings.port, family=settings.family, local=settings.local
                )
            attempt.stage = "during key exchange and login"
            connection = await asyncssh.connect(
                sock=socket,
                tunnel=via,
                client_factory=lambda: _client_class()(attempt),
                **settings.arguments,
            )
            socket = None  # now its own
        except Exception as error:
            raise Unusable(explain(error, attempt)) from error
        finally:
            if socket is not None:
                socket.close()
        return connection

    async def _jump(
        self, spec: str, node: NodeSpec, behind: tuple[NodeSpec, ...]
    ) -> SSHClientConnection | None:
        """The connection through which ``node`` is reached; None where it would be its own."""
        hops = tuple(_hop(text.strip(), node) for text in spec.split(","))
        if any(hop.address == node.address for hop in hops):
            return None  # `Host *` with a ProxyJump speaks of the jump host too
        if any(hop in behind for hop in hops):
            raise Unusable(
                Failure("other", f"ProxyJump {spec} goes round in a circle", "correct ProxyJump")
            )
        via = None
        try:
            async with asyncio.timeout(2 * self._limits.connect_s):
                for count in range(1, len(hops) + 1):
                    via = await self._shared(hops[:count], via, (*behind, *hops))
        except TimeoutError as error:
            attempt = Attempt(address=spec, stage="reaching jump hosts")
            raise Unusable(timed_out(attempt, 2 * self._limits.connect_s)) from error
        return via

    async def _shared(
        self,
        hops: tuple[NodeSpec, ...],
        via: SSHClientConnection | None,
        behind: tuple[NodeSpec, ...],
    ) -> SSHClientConnection:
        """The connection to the last of ``hops``, made by the first node that needs it."""
        task = self._jumps.get(hops)
        if task is not None and task.done() and (task.exception() or task.result().is_closed()):
            task = None
        if task is None:
            task = asyncio.create_task(self._connect_hop(hops[-1], via, behind))
            self._jumps[hops] = task
        # Shielded: that one node gives up must not take the way from the others.
        return await asyncio.shield(task)

    async def _connect_hop(
        self, hop: NodeSpec, via: SSHClientConnection | None, behind: tuple[NodeSpec, ...]
    ) -> SSHClientConnection:
        try:
            connection, _ = await self._connect(hop, via, behind)
        except Unusable as error:
            inner = error.failure
            raise Unusable(
                Failure(inner.error, f"by its jump host: {inner.detail}", inner.remedy)
            ) from error
        return connection


def _was_cut_early(failed: Unusable, attempt: Attempt) -> bool:
    """Whether the server hung up before keys were exchanged: it never got to judge us."""
    import asyncssh

    lost = (asyncssh.ConnectionLost, ConnectionResetError, BrokenPipeError)
    return isinstance(failed.__cause__, lost) and not attempt.is_encrypted()


def _hop(text: str, behind: NodeSpec) -> NodeSpec:
    match = _HOP.match(text)
    if match is None:
        raise Unusable(
            Failure("other", f"ProxyJump {text!r} cannot be read", "write it as user@host:port")
        )
    host = match["host"].strip("[]")
    return NodeSpec(
        name=host,
        address=host,
        user=match["user"],
        port=int(match["port"]) if match["port"] else None,
        ssh_config=behind.ssh_config,
        known_hosts=behind.known_hosts,
    )


@cache
def _client_class() -> Callable[[Attempt], asyncssh.SSHClient]:
    import asyncssh  # a quarter of a second: only once it is needed

    class Client(asyncssh.SSHClient):
        """Trusts no key that is not in known_hosts; remembers which one was offered."""

        def __init__(self, attempt: Attempt) -> None:
            self._attempt = attempt

        def connection_made(self, conn: asyncssh.SSHClientConnection) -> None:
            self._attempt.is_encrypted = lambda: bool(conn.get_extra_info("send_cipher"))

        def validate_host_public_key(
            self, host: str, addr: str, port: int, key: asyncssh.SSHKey
        ) -> bool:
            self._attempt.offered = key
            return False

    return Client
