"""Which machines are reached, and within what bounds.

A `NodeSpec` says where a node is; everything it leaves open comes from the
user's own SSH configuration. It holds no secrets: keys stay in files and
agents.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

LOCALHOST = "localhost"
"""The one address that is run here, without SSH. ``127.0.0.1`` is reached by SSH like any other."""

# What OpenSSH refuses in a host or user name too, because names travel on to
# ProxyCommand: a leading dash would be read as an option.
_UNSAFE = re.compile(r"""[\x00-\x20\x7f-\x9f'"`$\\;&<>|(){}]""")
_LONGEST_NAME = 255
SSH_PORT = 22


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSpec:
    """Where a node is, and what differs from the user's SSH configuration.

    ``address`` is a host name, an IP address or a ``Host`` alias of the SSH
    configuration; left out, it is the name. ``ssh_config`` is a file read
    instead of ``~/.ssh/config`` and ``/etc/ssh/ssh_config`` (``"none"``: no
    file at all), ``known_hosts`` are files read instead of the usual ones,
    ``identity`` is the file of the one key to log in with.
    ``gpus`` is the number of cards expected; reaching a node does not use it.
    """

    name: str
    address: str = ""
    port: int | None = None
    user: str | None = None
    ssh_config: str | None = None
    known_hosts: tuple[str, ...] | None = None
    identity: str | None = None
    gpus: int | None = None

    def __post_init__(self) -> None:
        if not self.address:
            object.__setattr__(self, "address", self.name)

    @property
    def is_local(self) -> bool:
        """Whether the node is this machine, reached without SSH."""
        return self.address == LOCALHOST


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds on time (seconds), size (bytes) and number; every run has all of them.

    ``connect_s`` covers TCP, key exchange, login and the opening of the
    session; ``command_s`` the script; ``total_s`` the whole call, all nodes.
    A script's own limits on the far side should be a little under ``command_s``.
    ``exit_grace_s``: how long output may still come once the shell has ended.
    """

    connect_s: float = 10.0
    command_s: float = 90.0
    total_s: float = 240.0
    exit_grace_s: float = 2.0
    stdout_bytes: int = 16 * 1024 * 1024
    stderr_bytes: int = 64 * 1024
    concurrency: int = 32

    def __post_init__(self) -> None:
        for field in self.__slots__:
            if getattr(self, field) <= 0:
                raise ValueError(f"{field} must be greater than 0, not {getattr(self, field)}")


def unsafe_name(kind: str, value: str) -> str | None:
    """What is wrong with a host or user name, or None.

    >>> unsafe_name("address", "-oProxyCommand=x")
    "address '-oProxyCommand=x' begins with a dash"
    """
    if not value or len(value) > _LONGEST_NAME:
        return f"{kind} is empty or longer than {_LONGEST_NAME} characters"
    if value.startswith("-"):
        return f"{kind} {value!r} begins with a dash"
    if _UNSAFE.search(value):
        return f"{kind} {value!r} holds a character that no {kind} may have"
    return None
