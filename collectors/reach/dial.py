"""Name lookup and TCP, apart from SSH: their failures are told apart, and none blocks another."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from typing import Any

from collectors.reach.offloop import off_loop

_AddressInfo = tuple[int, int, int, str, Any]


async def dial(
    host: str, port: int, *, family: int = socket.AF_UNSPEC, local: tuple[str, int] | None = None
) -> socket.socket:
    """A connected socket; its owner closes it.

    Raises `socket.gaierror` for an unknown name, else the `OSError` of the
    last address tried. Sets no time limit.
    """
    problem: OSError | None = None
    for kind, sock_type, protocol, _, address in await _look_up(host, port, family):
        sock = socket.socket(kind, sock_type, protocol)
        try:
            sock.setblocking(False)
            if local is not None:
                sock.bind(local)
            await asyncio.get_running_loop().sock_connect(sock, address)
        except OSError as error:
            sock.close()
            problem = error
        except BaseException:
            sock.close()
            raise
        else:
            return sock
    raise problem or socket.gaierror(socket.EAI_NONAME, "no address")


async def _look_up(host: str, port: int, family: int) -> Sequence[_AddressInfo]:
    try:
        return socket.getaddrinfo(
            host, port, family, socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST
        )
    except (socket.gaierror, UnicodeError):
        pass

    def ask() -> Sequence[_AddressInfo]:
        try:
            return socket.getaddrinfo(host, port, family, socket.SOCK_STREAM)
        except UnicodeError as error:
            raise socket.gaierror(socket.EAI_NONAME, f"no valid host name: {error}") from error

    return await off_loop(ask)
