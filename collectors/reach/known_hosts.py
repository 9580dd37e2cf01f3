"""Host keys that are trusted, as OpenSSH's ``known_hosts`` files have them.

Nothing is ever added here, and no setting turns the check off. As with
``ssh``, only the name that was asked for is looked up (or its
``HostKeyAlias``), not the IP address behind it; a host on another port than
22 may also be listed without the port.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from collectors.reach.node import SSH_PORT

if TYPE_CHECKING:
    from asyncssh import SSHKey, SSHKnownHosts

DEFAULT_FILES = (
    "~/.ssh/known_hosts",
    "~/.ssh/known_hosts2",
    "/etc/ssh/ssh_known_hosts",
    "/etc/ssh/ssh_known_hosts2",
)


@dataclass(frozen=True, slots=True)
class TrustedKeys:
    """What the files say of one host; ``name`` as it stands in them."""

    name: str
    host: str
    port: int
    files: tuple[str, ...]
    keys: Sequence[SSHKey]
    authorities: Sequence[SSHKey]
    revoked: Sequence[SSHKey]
    is_alias: bool = False

    def what_to_type(self, algorithm: str | None, jump: str | None) -> tuple[str, str]:
        """(command that forgets the host, command that learns its key), for a shell.

        A host behind a ``jump`` host is asked for its key from there.
        """
        target = shell_path(self.files[0] if self.files else DEFAULT_FILES[0])
        port = "" if self.port == SSH_PORT else f"-p {self.port} "
        kind = f"-t {algorithm.removeprefix('ssh-')} " if algorithm in _SCANNABLE else ""
        scan = f"ssh-keyscan {kind}{port}-- {shlex.quote(self.host)}"
        if jump is not None:
            last = jump.rpartition(",")[2].strip().removeprefix("ssh://")
            scan = f"ssh {shlex.quote(f'ssh://{last}')} {shlex.quote(scan)}"
        scan += f" >> {target}"
        if self.is_alias:
            scan += f"  # and write {self.name} in its first column"
        return f"ssh-keygen -R {shlex.quote(self.name)} -f {target}", scan


_SCANNABLE = ("ssh-ed25519", "ssh-rsa")


class KnownHosts:
    """Files read once, however many nodes are looked up in them."""

    def __init__(self) -> None:
        self._read: dict[tuple[str, ...], SSHKnownHosts] = {}

    def trusted(
        self, host: str, port: int, *, alias: str | None, files: tuple[str, ...]
    ) -> TrustedKeys:
        """The keys trusted for ``host``, whose files may all be missing."""
        if files not in self._read:
            self._read[files] = _read(files)
        name = (alias or host).lower()
        lookup_port = None if port == SSH_PORT or alias else port
        keys, authorities, revoked, *_ = self._read[files].match(name, "", lookup_port)
        shown = f"[{name}]:{port}" if lookup_port else name
        return TrustedKeys(
            shown, host, port, files, keys, authorities, revoked, is_alias=alias is not None
        )


def _read(files: tuple[str, ...]) -> SSHKnownHosts:
    from asyncssh import SSHKnownHosts

    hosts = SSHKnownHosts()
    for file in files:
        try:
            text = Path(file).expanduser().read_bytes().decode("utf-8", "replace")
        except OSError:
            continue  # a file that is not there knows no host
        for line in text.splitlines():
            try:
                hosts.load(line)
            except ValueError:
                continue  # OpenSSH passes over lines it cannot read too
    return hosts


def shell_path(file: str) -> str:
    """A file's name for a shell, with ``~`` for the user's own folder."""
    home = f"{Path.home()}/"
    below = next((file[len(start) :] for start in ("~/", home) if file.startswith(start)), None)
    return shlex.quote(file) if below is None else f"~/{shlex.quote(below)}"
