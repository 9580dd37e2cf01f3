"""Every way in which reaching a node fails, as the ledger's word, a sentence and a remedy."""

from __future__ import annotations

import errno
import re
import shlex
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from collectors.reach.known_hosts import TrustedKeys, shell_path
from collectors.reach.node import SSH_PORT
from collectors.reach.result import ErrorWord, Failure, plain

if TYPE_CHECKING:
    from asyncssh import SSHKey

_NO_ROUTE = (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN)
_POWER_AND_NETWORK = "check power and network of the node, then rerun"
_SSHD = "see whether sshd runs there and on which port (port in the configuration), then rerun"


@dataclass(slots=True)
class Attempt:
    """What was known while one connection was being made; filled in as it goes."""

    address: str
    host: str = ""
    port: int = SSH_PORT
    user: str = ""
    trusted: TrustedKeys | None = None
    offered: SSHKey | None = None
    key_notes: list[str] = field(default_factory=list)
    identity: str | None = None
    ssh_config: str | None = None
    stage: str = "connecting"
    jump: str | None = None
    is_encrypted: Callable[[], bool] = lambda: False

    @property
    def where(self) -> str:
        """The place for a sentence: as it was asked for, and what that came to."""
        shown = f"{self.host or self.address}:{self.port}"
        return shown if self.host in ("", self.address) else f"{self.address} ({shown})"


class Unusable(Exception):
    """A connection failed for a reason that has been put into words already."""

    def __init__(self, failure: Failure) -> None:
        self.failure = failure
        super().__init__(failure.detail)


def timed_out(attempt: Attempt, seconds: float) -> Failure:
    """No answer in time, and how far it got."""
    return Failure(
        "timeout",
        f"{attempt.where} did not answer within {seconds:g} s ({attempt.stage})",
        _POWER_AND_NETWORK,
    )


def unread_in_time(attempt: Attempt, seconds: float) -> Failure:
    """The SSH configuration, or a file that it names, could not be read in time."""
    files = plain(attempt.ssh_config or "~/.ssh/config, /etc/ssh/ssh_config")
    return Failure(
        "other",
        f"the SSH settings of {plain(attempt.address)} were not read within {seconds:g} s "
        f"({files})",
        "look there for a `Match exec` whose program does not end, and for keys or known_hosts "
        "that are pipes; or name another file (ssh_config in the configuration)",
    )


def explain(error: BaseException, attempt: Attempt) -> Failure:
    """The failure behind an exception of ours, of the system or of asyncssh."""
    if isinstance(error, Unusable):
        return error.failure
    if isinstance(error, socket.gaierror):
        return _unknown_name(attempt, plain(str(error.strerror or error)))
    if isinstance(error, ConnectionRefusedError):
        return _refused(attempt)
    if isinstance(error, TimeoutError):
        return Failure("timeout", f"{attempt.where} did not answer in time", _POWER_AND_NETWORK)
    if isinstance(error, (ConnectionResetError, BrokenPipeError)):
        return _broken(attempt, "the connection was reset")
    if isinstance(error, OSError):
        if error.errno in _NO_ROUTE:
            return Failure("other", f"no route to {attempt.where}", _POWER_AND_NETWORK)
        return _other(attempt, error)
    return _explain_ssh(error, attempt)


def _explain_ssh(error: BaseException, attempt: Attempt) -> Failure:
    import asyncssh

    said = plain(str(error))
    if isinstance(error, asyncssh.HostKeyNotVerifiable):
        return _host_key(attempt, said)
    if isinstance(error, asyncssh.PermissionDenied) or (
        isinstance(error, asyncssh.DisconnectError) and "authentication failures" in said
    ):
        return _auth(attempt, said)
    if isinstance(error, asyncssh.KeyExchangeFailed) and "host key" in said:
        return _host_key(attempt, said)
    if isinstance(error, asyncssh.ChannelOpenError):
        return _channel(attempt, said)
    if isinstance(error, asyncssh.DisconnectError):
        return _broken(attempt, said)
    return _other(attempt, error)


def _unknown_name(attempt: Attempt, said: str) -> Failure:
    return Failure(
        "dns",
        f"the name {plain(attempt.host or attempt.address)!r} was not found: {said}",
        "correct the node's address, or add the name to DNS, /etc/hosts or ~/.ssh/config",
    )


def _refused(attempt: Attempt) -> Failure:
    return Failure("refused", f"{attempt.where} refused the connection", _SSHD)


def _broken(attempt: Attempt, said: str) -> Failure:
    return Failure(
        "protocol",
        f"{attempt.where} broke off the SSH conversation ({attempt.stage}): {said}",
        "look into sshd's log on the node (journalctl -u ssh), then rerun",
    )


def _other(attempt: Attempt, error: BaseException) -> Failure:
    said = plain(str(error)) or "no further word"
    remedy = f"try it by hand: ssh {_by_hand(attempt)}"
    if "ifaddr" in said:  # asyncssh needs it for `Match localnetwork`
        said += " (for Match localnetwork)"
        remedy = f"install it: {shlex.quote(sys.executable)} -m pip install ifaddr"
    return Failure("other", f"{attempt.where}: {type(error).__name__}: {said}", remedy)


def _auth(attempt: Attempt, said: str) -> Failure:
    notes = "".join(f"; {note}" for note in attempt.key_notes)
    identity = f"-i {shell_path(attempt.identity)} " if attempt.identity else ""
    return Failure(
        "auth",
        f"{attempt.where} refused the login of {attempt.user}: {said}{notes}",
        f"let the key in: ssh-copy-id {identity}{_by_hand(attempt)} ; or start an agent that "
        "holds it, or correct user and IdentityFile",
    )


def _host_key(attempt: Attempt, said: str) -> Failure:
    trusted, offered = attempt.trusted, attempt.offered
    if trusted is None:
        return Failure("host_key", f"{attempt.where}: {said}", "check the node's host key")
    algorithm = offered.get_algorithm() if offered else None
    shown = f"{algorithm} {offered.get_fingerprint()}" if offered else "no key of a known type"
    forget, learn = trusted.what_to_type(algorithm, attempt.jump)
    compare = (
        "on the node's own console compare the fingerprint "
        "(for key in /etc/ssh/ssh_host_*.pub; do ssh-keygen -lf $key; done)"
    )
    if "revoked" in said:
        return Failure(
            "host_key",
            f"the host key of {trusted.name} is marked @revoked in {_files(trusted)}",
            "do not connect; find out who revoked it and why",
        )
    if trusted.keys:
        known = ", ".join(sorted({key.get_fingerprint() for key in trusted.keys}))
        return Failure(
            "host_key",
            f"the host key of {trusted.name} has CHANGED: it offers {shown}, "
            f"known is {known} (in {_files(trusted)})",
            "find out why (set up anew? another machine at this address? someone in between?); "
            f"{compare}; only then: {forget} ; {learn}",
        )
    if trusted.authorities:
        return Failure(
            "host_key",
            f"{trusted.name} offers {shown} without a certificate of the known authority: {said}",
            "renew the node's host certificate",
        )
    return Failure(
        "host_key",
        f"the host key of {trusted.name} is not known: it offers {shown}, "
        f"and none is in {_files(trusted)}",
        f"{compare}, then: {learn}",
    )


def _files(trusted: TrustedKeys) -> str:
    return ", ".join(plain(file) for file in trusted.files) or "no file"


def _channel(attempt: Attempt, said: str) -> Failure:
    """Opening a session, or the way onwards from a jump host, was declined by the server."""
    if attempt.jump is None:
        return _broken(attempt, f"no session: {said}")
    jump = plain(attempt.jump)
    patterns: tuple[tuple[str, ErrorWord], ...] = (
        (r"refused", "refused"),
        (r"timed? ?out|unreachable|no route", "timeout"),
        (r"resolve|not known|no address", "dns"),
    )
    for pattern, word in patterns:
        if re.search(pattern, said, re.IGNORECASE):
            return Failure(word, f"{attempt.where}, tried from its jump host {jump}: {said}", _SSHD)
    return Failure(
        "protocol",
        f"the jump host {jump} does not let connections through to {attempt.where}: {said}",
        f"allow it on {jump}: AllowTcpForwarding and PermitOpen in its sshd_config, and no "
        "restrict, no-port-forwarding or permitopen for the key in authorized_keys there",
    )


def _by_hand(attempt: Attempt) -> str:
    """The arguments with which a person reaches the same place by OpenSSH's own tools."""
    port = "" if attempt.port == SSH_PORT else f"-p {attempt.port} "
    user = f"{plain(attempt.user)}@" if attempt.user else ""
    config = f"-F {shell_path(attempt.ssh_config)} " if attempt.ssh_config else ""
    return f"{config}{port}{shlex.quote(user + plain(attempt.address))}"
