"""pgbouncer in transaction mode before the tests' PostgreSQL, as many servers have it.

Few server connections, so that the statements of one client meet those of others.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

POOL_SIZE = 4
_BINARY = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")

Behind = Callable[[str], str]


@pytest.fixture(scope="session")
def pooler(postgres_server: str) -> Iterator[Behind]:
    """Gives the URL of a database behind the pooler for its own URL."""
    if _BINARY is None:
        pytest.skip("needs pgbouncer: apt-get install pgbouncer")
    direct = make_url(postgres_server)
    folder = Path(tempfile.mkdtemp(prefix="runledger-pgbouncer-"))
    with start(folder, host=str(direct.query["host"]), user=str(direct.username)) as port:
        yield lambda url: behind(url, port)
    shutil.rmtree(folder, ignore_errors=True)


def behind(url: str, port: int) -> str:
    """The same database by way of the pooler."""
    through = make_url(url).set(host="127.0.0.1", port=port, query={})
    return through.render_as_string(hide_password=False)


class start:  # read as a verb: with start(…) as port
    """A pooler for as long as the context is open; gives its port on loopback."""

    def __init__(self, folder: Path, *, host: str, user: str, pool_size: int = POOL_SIZE) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port = free.getsockname()[1]
        folder.chmod(0o755)
        self._host = Path(host)
        self._settings = folder / "pgbouncer.ini"
        self._settings.write_text(
            f"[databases]\n* = host={host} user={user}\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {self._port}\n"
            f"unix_socket_dir =\nauth_type = any\npool_mode = transaction\n"
            f"default_pool_size = {pool_size}\nmax_client_conn = 200\nserver_fast_close = 1\n"
        )
        self._log = folder / "log"

    def __enter__(self) -> int:
        # It will not run as root: as whoever runs the server, then, whose socket it needs.
        as_user = ["-u", self._host.owner()] if os.geteuid() == 0 else []
        assert _BINARY is not None
        with self._log.open("wb") as log:
            command = [_BINARY, *as_user, str(self._settings)]
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        until = time.monotonic() + 20
        while time.monotonic() < until and self._process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self._port), 1).close()
            except OSError:
                time.sleep(0.05)
            else:
                return self._port
        raise RuntimeError(f"pgbouncer did not start: {self._log.read_text()}")

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
