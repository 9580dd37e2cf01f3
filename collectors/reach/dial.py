"""Name lookup and TCP, apart from SSH: their failures are told apart, and none blocks another.

Lookups run in daemon threads of their own: a name server that does not answer
holds up neither the other nodes (asyncio's few shared threads would) nor the
end of the program.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Sequence
from typing import Any

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
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[Sequence[_AddressInfo]] = loop.create_future()

    def tell(found: Sequence[_AddressInfo] | None, error: Exception | None) -> None:
        if answer.done():
            return
        if found is not None:
            answer.set_result(found)
        else:
            answer.set_exception(error or socket.gaierror(socket.EAI_NONAME, "no address"))

    def ask() -> None:
        found: Sequence[_AddressInfo] | None = None
        problem: Exception | None = None
        try:
            found = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM)
        except UnicodeError as error:
            problem = socket.gaierror(socket.EAI_NONAME, f"no valid host name: {error}")
        except Exception as error:  # handed to the waiting coroutine
            problem = error
        try:
            loop.call_soon_threadsafe(tell, found, problem)
        except RuntimeError:
            return  # the loop has closed meanwhile: nobody waits any more

    threading.Thread(target=ask, name="runledger-lookup", daemon=True).start()
    return await answer
