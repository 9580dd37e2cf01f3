"""A real OpenSSH server on loopback, with keys, known_hosts and login of its own.

    with Sshd(tmp_path, {"127.0.0.2": {"RUNLEDGER_ROOT": "/tmp/rig"}}) as sshd:
        node = sshd.node("rig-6600", "127.0.0.2")

Each address is a host; its mapping is what sessions there have in their
environment. HOME is an empty folder unless given, so that nobody's start-up
files run. It serves the current user, without a password, PAM or root.
Where sshd is missing, the test that asks for one is skipped.
"""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from collectors.reach import NodeSpec

_MOST_LISTENERS = 16
"""What one sshd can listen on; more addresses get more servers."""
_START_S = 10.0


def sshd_path() -> str:
    """The server's program, or a skipped test."""
    found = shutil.which("sshd", path="/usr/sbin:/sbin:/usr/local/sbin:" + os.environ["PATH"])
    if found is None:
        pytest.skip("needs Debian package openssh-server")
    return found


def make_key(path: Path) -> Path:
    """A fresh Ed25519 key at ``path``, its public half beside it."""
    if shutil.which("ssh-keygen") is None:
        pytest.skip("needs Debian package openssh-client")
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", str(path)], check=True
    )
    return path


def free_port(address: str = "127.0.0.1") -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind((address, 0))
        port: int = probe.getsockname()[1]
        return port


class Sshd:
    """OpenSSH on some loopback addresses, one high port for all of them."""

    def __init__(
        self,
        folder: Path,
        hosts: Iterable[str] | Mapping[str, Mapping[str, str]] = ("127.0.0.2",),
        *,
        extra: Iterable[str] = (),
    ) -> None:
        """``extra`` are further lines of sshd_config, which come first and so win."""
        self._program = sshd_path()
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.hosts = dict(hosts) if isinstance(hosts, Mapping) else {host: {} for host in hosts}
        self._extra = list(extra)
        self._processes: list[subprocess.Popen[bytes]] = []
        self.port = free_port(next(iter(self.hosts)))
        self.user = getpass.getuser()
        self.home = folder / "home"
        self.home.mkdir(exist_ok=True)
        self.host_key = make_key(folder / "host_key")
        self.identity = make_key(folder / "id_ed25519")
        shutil.copy(self.public(self.identity), folder / "authorized_keys")
        self.known_hosts = folder / "known_hosts"
        self.trust(self.host_key)
        self.ssh_config = folder / "ssh_config"
        self.ssh_config.write_text(
            f"Host *\n  User {self.user}\n  Port {self.port}\n  IdentityFile {self.identity}\n"
            f"  IdentitiesOnly yes\n  UserKnownHostsFile {self.known_hosts}\n"
            "  GlobalKnownHostsFile /dev/null\n"
        )

    @staticmethod
    def public(key: Path) -> Path:
        """The file of a key's public half."""
        return key.with_name(key.name + ".pub")

    def trust(self, key: Path) -> None:
        """Make ``key`` the one and only known host key of every host."""
        text = " ".join(self.public(key).read_text().split()[:2])
        self.known_hosts.write_text(
            "".join(f"[{host}]:{self.port} {text}\n" for host in self.hosts)
        )

    def node(self, name: str, address: str | None = None, **more: object) -> NodeSpec:
        """A node at one of the hosts, by the configuration file of this server."""
        return NodeSpec(
            name=name,
            address=address or next(iter(self.hosts)),
            ssh_config=str(self.ssh_config),
            **more,  # type: ignore[arg-type]
        )

    def nodes(self) -> list[NodeSpec]:
        """One node for each host, named after its address."""
        return [self.node(host, host) for host in self.hosts]

    def start(self) -> Self:
        """Begin to serve; returns when every server answers."""
        addresses = list(self.hosts)
        if os.getuid() == 0:
            # sshd insists on it before it drops privileges; distributions make it at boot.
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        for start in range(0, len(addresses), _MOST_LISTENERS):
            group = addresses[start : start + _MOST_LISTENERS]
            config = self.folder / f"sshd_config_{start}"
            config.write_text("\n".join([*self._extra, *self._config(group), ""]))
            with (self.folder / f"sshd_{start}.log").open("wb") as log:
                self._processes.append(
                    subprocess.Popen(
                        [self._program, "-D", "-e", "-f", str(config)],
                        stdin=subprocess.DEVNULL,
                        stdout=log,
                        stderr=log,
                    )
                )
        give_up = time.monotonic() + _START_S
        for address in addresses[::_MOST_LISTENERS]:
            while True:
                try:
                    socket.create_connection((address, self.port), 1).close()
                    break
                except OSError:
                    if time.monotonic() > give_up:
                        self.stop()
                        raise RuntimeError(f"sshd did not start: {self.log()}") from None
                    time.sleep(0.02)
        return self

    def stop(self) -> None:
        """End the servers and every session they serve."""
        sessions = self.sessions()
        for process in self._processes:
            process.terminate()
            process.wait(10)
        _kill(sessions)
        self._processes = []

    def sessions(self) -> list[int]:
        """The processes that serve the connections there are now."""
        return [
            pid
            for process in self._processes
            for child in _children(process.pid)
            for pid in (child, *_children(child))
        ]

    def drop_sessions(self) -> None:
        """Cut all connections; the servers go on."""
        _kill(self.sessions())

    def log(self) -> str:
        """What the servers have written."""
        return "\n".join(
            file.read_text(errors="replace") for file in self.folder.glob("sshd_*.log")
        )

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def _config(self, addresses: list[str]) -> list[str]:
        lines = [
            f"Port {self.port}",
            *(f"ListenAddress {address}" for address in addresses),
            f"HostKey {self.host_key}",
            f"AuthorizedKeysFile {self.folder / 'authorized_keys'}",
            "StrictModes no",
            "UsePAM no",
            "PidFile none",
            "PasswordAuthentication no",
            "KbdInteractiveAuthentication no",
            "PermitRootLogin yes",
            "PrintMotd no",
            "MaxStartups 1000",
            "AllowTcpForwarding yes",
        ]
        for address in addresses:
            environment = {"HOME": str(self.home), **self.hosts[address]}
            pairs = " ".join(f'"{name}={value}"' for name, value in environment.items())
            lines += [f"Match LocalAddress {address}", f"  SetEnv {pairs}"]
        return lines


def _kill(pids: Iterable[int]) -> None:
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def _children(parent: int) -> list[int]:
    """Direct children of a process, by /proc."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                fields = (entry / "stat").read_bytes().rpartition(b")")[2].split()
            except OSError:
                continue
            if len(fields) > 1 and int(fields[1]) == parent:
                found.append(int(entry.name))
    return found
