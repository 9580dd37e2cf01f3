"""What the user's SSH configuration says of a node, and the keys to log in with.

Read through asyncssh, which honours ``Host``, ``Match``, ``Include``,
``HostName``, ``Port``, ``User``, ``IdentityFile``, ``CertificateFile``,
``IdentitiesOnly``, ``IdentityAgent``, ``ProxyJump``, ``ProxyCommand`` (run by
the user's shell, as ``ssh`` does), ``HostKeyAlias``, ``UserKnownHostsFile``,
``GlobalKnownHostsFile``, ``AddressFamily``, ``BindAddress``,
``ConnectTimeout`` and the algorithm lists. It passes over every other keyword,
``ControlMaster`` and ``StrictHostKeyChecking`` among them: host keys are
always checked here, and ``UserKnownHostsFile none`` trusts nobody rather
than everybody. Not used: passwords, GSSAPI, X.509, forwarding of any kind.

Reading may run programs (``Match exec``) and open files that never answer:
it blocks, and is done off the event loop.
"""

from __future__ import annotations

import asyncio
import copy
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from collectors.reach.failures import Attempt
from collectors.reach.known_hosts import DEFAULT_FILES, KnownHosts
from collectors.reach.node import NodeSpec

if TYPE_CHECKING:
    from asyncssh import SSHClientConnectionOptions, SSHKeyPair

_CONFIG_FILES = ("~/.ssh/config", "/etc/ssh/ssh_config")
# The order of OpenSSH.
_KEY_FILES = ("id_rsa", "id_ecdsa", "id_ecdsa_sk", "id_ed25519", "id_ed25519_sk", "id_dsa")
# asyncssh runs ChaCha20-Poly1305 partly in Python; AES-GCM it leaves to OpenSSL.
_QUICK_CIPHERS = "^aes128-gcm@openssh.com,aes256-gcm@openssh.com"
# Asked for after the kinds of key that are known: a server with none of those
# is to show its key, so that "changed" can be told from "cannot talk to it".
_HOST_KEYS = (
    "ssh-ed25519,ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521,"
    "rsa-sha2-512,rsa-sha2-256"
)


@dataclass(frozen=True, slots=True)
class Settings:
    """How a node is to be reached: arguments of ``asyncssh.connect``, and what is left to us."""

    arguments: dict[str, Any]
    host: str
    port: int
    jump: str | None
    has_proxy_command: bool
    family: int
    local: tuple[str, int] | None
    connect_s: float | None


class SettingsReader:
    """Reads files once for a whole fleet: keys, known hosts; configuration once a node."""

    def __init__(self) -> None:
        self._known_hosts = KnownHosts()
        self._keys: dict[tuple[str, ...], tuple[list[SSHKeyPair], list[str]]] = {}

    def read(self, node: NodeSpec, attempt: Attempt, loop: asyncio.AbstractEventLoop) -> Settings:
        """The settings for ``node``; notes on ``attempt`` what a failure would have to tell.

        ``loop`` is the one that will use them. Blocks. Raises asyncssh's errors
        for a configuration that cannot be read.
        """
        # Long: one pass through the settings, in the order in which they depend on one another.
        from asyncssh import SSHClientConnectionOptions

        files = config_files(node)
        given = {"username": node.user, "port": node.port}
        base: dict[str, Any] = {
            **{name: value for name, value in given.items() if value is not None},
            "x509_trusted_certs": None,
            "gss_host": None,
            "agent_forwarding": False,
            "x11_forwarding": False,
            "password_auth": False,
            "kbdint_auth": False,
            "host_based_auth": False,
        }
        # Without keys and known hosts: this pass only reads the configuration.
        options = SSHClientConnectionOptions(
            None,
            loop=loop,
            host=node.address,
            config=files,
            client_keys=None,
            known_hosts=b"",
            **base,
        )
        if options.config.has_match_final() and not options.canonicalize_hostname:
            # Here, because asyncssh would do it on the event loop.
            options.update(host=options.host, reload=True, canonical=False, final=True)
        attempt.host, attempt.port, attempt.user = options.host, options.port, options.username
        trusted = self._known_hosts.trusted(
            options.host,
            options.port,
            alias=options.host_key_alias,
            files=_known_hosts_files(node, options),
        )
        attempt.trusted = trusted
        wanted = (node.identity,) if node.identity else _texts(options, "IdentityFile")
        pairs, attempt.key_notes = self._key_pairs(wanted)
        attempt.identity = wanted[0] if wanted else None
        if not options.config.get("Ciphers"):
            base["encryption_algs"] = _QUICK_CIPHERS
        if not options.config.get("HostKeyAlgorithms"):
            known = trusted.keys or trusted.authorities
            base["server_host_key_algs"] = f"+{_HOST_KEYS}" if known else _HOST_KEYS
        if options.config.get("IdentitiesOnly"):
            base["agent_identities"] = identities = _identities(options)
            if not identities:
                base["agent_path"] = None  # an empty list would let all of its keys through
        command = cast("str | None", options.config.get("ProxyCommand"))
        if command is not None:
            base["proxy_command"] = _by_shell(command)
        arguments = {
            **base,
            "options": options,
            "host": node.address,
            # Without files asyncssh goes on with what `options` holds already.
            "config": files if options.canonicalize_hostname else (),
            "client_keys": [copy.copy(pair) for pair in pairs],
            "known_hosts": lambda *_: (
                list(trusted.keys),
                list(trusted.authorities),
                list(trusted.revoked),
            ),
            # Its own ConnectTimeout would be told from ours by nobody.
            "connect_timeout": None,
        }
        jump = cast("str | None", options.config.get("ProxyJump"))
        return Settings(
            arguments=arguments,
            host=options.host,
            port=options.port,
            jump=jump,
            has_proxy_command=command is not None,
            family=options.family,
            local=options.local_addr or None,
            connect_s=options.connect_timeout,
        )

    def _key_pairs(self, wanted: tuple[str, ...]) -> tuple[list[SSHKeyPair], list[str]]:
        """Keys from ``wanted`` files, or the user's default ones; notes on those left out."""
        if wanted not in self._keys:
            self._keys[wanted] = _load_keys(wanted)
        return self._keys[wanted]


def config_files(node: NodeSpec) -> list[str]:
    """The configuration files to read for ``node``, first come first served."""
    if node.ssh_config == "none":
        return []
    if node.ssh_config is not None:
        return [str(Path(node.ssh_config).expanduser())]
    found = [Path(file).expanduser() for file in _CONFIG_FILES]
    return [str(file) for file in found if os.access(file, os.R_OK)]


def _by_shell(command: str) -> list[str]:
    """A ``ProxyCommand`` as ``ssh`` runs it: by the user's shell, which it replaces.

    asyncssh takes what a command says on stderr for the server's words, so that is
    dropped; and a closed stderr for the end of the command, so that stays open as 3.
    """
    shell = os.environ.get("SHELL") or "/bin/sh"
    return ["/bin/sh", "-c", 'exec "$0" -c "$1" 3>&2 2>/dev/null', shell, f"exec {command}"]


def _known_hosts_files(node: NodeSpec, options: SSHClientConnectionOptions) -> tuple[str, ...]:
    if node.known_hosts is not None:
        return node.known_hosts
    configured = options.config
    user = cast("list[str] | None", configured.get("UserKnownHostsFile"))
    everyone = cast("list[str] | None", configured.get("GlobalKnownHostsFile"))
    return (
        *(DEFAULT_FILES[:2] if user is None else user),
        *(DEFAULT_FILES[2:] if everyone is None else everyone),
    )


def _load_keys(wanted: tuple[str, ...]) -> tuple[list[SSHKeyPair], list[str]]:
    from asyncssh import KeyImportError, load_keypairs

    pairs: list[SSHKeyPair] = []
    notes: list[str] = []
    for file in wanted or tuple(f"~/.ssh/{name}" for name in _KEY_FILES):
        path = Path(file).expanduser()
        try:
            # A passphrase is an agent's business; a public key alone stands for an agent's key.
            found = load_keypairs([path], skip_public=True, ignore_encrypted=True)
        except FileNotFoundError:
            if wanted:
                notes.append(f"{file} does not exist")
        except (OSError, KeyImportError, ValueError) as error:
            notes.append(f"{file} cannot be used: {error}")
        else:
            pairs.extend(found)
            if not found and not file.endswith(".pub"):
                notes.append(f"{file} is locked by a passphrase and left to the agent")
    if not pairs and not notes:
        notes.append("there is no key in ~/.ssh")
    return pairs, notes


def _identities(options: SSHClientConnectionOptions) -> Sequence[Any]:
    """Which of the agent's keys ``IdentitiesOnly`` lets through: those named by file."""
    from asyncssh import KeyImportError, read_public_key

    files = _texts(options, "IdentityFile") or tuple(f"~/.ssh/{name}" for name in _KEY_FILES)
    found = []
    for file in files:
        path = Path(file).expanduser()
        for candidate in (path, path.with_name(path.name + ".pub")):
            try:
                found.append(read_public_key(candidate))
            except (OSError, KeyImportError):
                continue
    return found


def _texts(options: SSHClientConnectionOptions, name: str) -> tuple[str, ...]:
    return tuple(cast("list[str]", options.config.get(name, [])))
