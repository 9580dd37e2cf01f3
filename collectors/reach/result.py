"""The result of running a script on one node: a value, also where it failed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from collectors.reach.node import NodeSpec
from ledger.payloads import SshProbe
from ledger.text.characters import one_line, printable
from ledger.text.secrets import redact

ErrorWord = Literal["dns", "refused", "timeout", "auth", "host_key", "protocol", "other"]

_LONGEST_DETAIL = 2000
_NO_COMMAND = 127
"""The exit status of a login shell that did not find the command."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a node could not be used: one of the ledger's words, what happened, what to do."""

    error: ErrorWord
    detail: str
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeResult:
    """The outcome on one node.

    ``reachable``: its shell was seen to run, by a byte of output or by its
    end. A server that logs us in and then stays silent is not reachable.
    A reachable node can still have a ``failure`` (cut off, killed, timed out);
    then the output is what had come until then. ``signal``: the one that ended
    the shell (``KILL``). ``latency_s``: from the first
    packet until the node was ready to run the script; on a connection kept
    open, the opening of the session only.
    """

    node: NodeSpec
    reachable: bool
    failure: Failure | None = None
    latency_s: float | None = None
    stdout: bytes = b""
    stderr: bytes = b""
    exit_status: int | None = None
    signal: str | None = None

    @property
    def ok(self) -> bool:
        """Whether the shell ran to its end; its exit status may still be anything."""
        return self.failure is None

    def answered_wrongly(self, how: str) -> NodeResult:
        """The same, where the output is not the script's: ``how`` is the failure, with a remedy.

        A failure that is known already is kept.
        """
        if self.failure is not None:
            return self
        user = self.node.user or "the user"
        if self.exit_status == _NO_COMMAND:
            remedy = f"see that `sh` is there and on the PATH of {user}, then rerun"
        else:
            remedy = (
                f"give {user} a login shell on the node (chsh), and the key no forced command "
                "(command= in authorized_keys, ForceCommand in sshd_config), then rerun"
            )
        errors = plain(self.stderr[:300].decode("utf-8", "replace"))
        detail = f"logged in, but {how}{errors and f' ({errors})'}; exit status {self.exit_status}"
        return replace(self, failure=Failure("protocol", detail, remedy))


def ssh_probe(
    result: NodeResult,
    boot_id: str | None = None,
    uptime_s: float | None = None,
    **seen: float | None,
) -> SshProbe:
    """The ``ssh_probe`` payload of a result.

    Boot and uptime are what the script reported, and so is what else was
    ``seen`` of the node: its memory, its clock.
    """
    failure, latency = result.failure, result.latency_s
    address: str | None = result.node.address
    if printable(result.node.address) != result.node.address:
        address = None  # not an identifier; the detail quotes it
    return SshProbe(
        node=result.node.name,
        address=address,
        reachable=result.reachable,
        error=failure.error if failure else None,
        detail=f"{failure.detail}; {failure.remedy}" if failure else None,
        remedy=failure.remedy if failure else None,
        latency_s=None if latency is None else round(latency, 6),
        boot_id=boot_id,
        uptime_s=uptime_s,
        **seen,
    )


def plain(text: str) -> str:
    """Text from a far machine, safe to store and print: one line, no controls, bounded."""
    return one_line(redact(text), _LONGEST_DETAIL)
