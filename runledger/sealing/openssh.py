"""OpenSSH's own signatures, made and checked by its own `ssh-keygen`.

Keys, agents, hardware tokens and passphrases are its affair; nothing here reads
a private key. Every command is a list of arguments, and no shell reads it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import struct
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from ledger.text.characters import one_line
from runledger.errors import BadInput, Missing

NAMESPACE = "runledger"
"""What a signature is for: one made for mail or for git is none for a ledger."""

_SIGNING_S = 180.0
"""Someone may have to type a passphrase or touch a key."""
_CHECKING_S = 30.0
_LONGEST_NAME = 256
_MAGIC = b"SSHSIG" + struct.pack(">I", 1)


class Signature(NamedTuple):
    """The armoured text, and what is known of the key: its comment, else its fingerprint."""

    armoured: str
    signer: str


def sign(message: bytes, key: Path | None) -> Signature:
    """Sign with the key in a file, or with None by the first key that the agent holds.

    Raises `Missing` (no such file), or `BadInput` with what OpenSSH says.
    """
    if key is None:
        with _first_of_agent() as public:
            return _sign(message, ["-U", "-f", str(public)], public)
    if not key.is_file():
        raise Missing(f"{key}: no such key file", remedy="name a private key, or use --agent")
    return _sign(message, ["-f", str(key)], key)


def _sign(message: bytes, arguments: Sequence[str], key: Path) -> Signature:
    done = _run(["ssh-keygen", "-Y", "sign", "-n", NAMESPACE, *arguments], message, _SIGNING_S)
    if done.returncode:
        raise BadInput(f"{key} does not sign: {_last_line(done.stderr)}")
    armoured = done.stdout.decode("ascii", "replace").replace("\r", "")
    return Signature(armoured, _comment(key) or fingerprint(armoured) or "unknown")


@contextmanager
def _first_of_agent() -> Iterator[Path]:
    done = _run(["ssh-add", "-L"], b"", _CHECKING_S)
    lines = done.stdout.decode(errors="replace").splitlines()
    if done.returncode or not lines:
        why = _last_line(done.stderr) or _last_line(done.stdout)
        raise BadInput(f"the agent has no key to sign with ({why}): ssh-add FILE, or use --key")
    with tempfile.TemporaryDirectory(prefix="runledger-seal-") as folder:
        public = Path(folder, "agent.pub")
        public.write_text(lines[0] + "\n", encoding="utf-8")
        yield public


def _comment(key: Path) -> str:
    """What `ssh-keygen -l` calls the key, between its fingerprint and its type."""
    done = _run(["ssh-keygen", "-l", "-f", str(key)], b"", _CHECKING_S)
    words = done.stdout.decode(errors="replace").split()
    comment = one_line(" ".join(words[2:-1]), _LONGEST_NAME)
    nameless = ("no comment", str(key), f"{key}.pub")  # what it says where there is none
    return "" if done.returncode or comment in nameless else comment


def fingerprint(armoured: str) -> str | None:
    """The fingerprint of the key that a signature carries, as OpenSSH writes it."""
    body = "".join(line for line in armoured.splitlines() if not line.startswith("-----"))
    try:
        blob = base64.b64decode(body, validate=True)
        if not blob.startswith(_MAGIC):
            return None
        (size,) = struct.unpack_from(">I", blob, len(_MAGIC))
    except (binascii.Error, struct.error):
        return None
    public = blob[len(_MAGIC) + 4 :][:size]
    return "SHA256:" + base64.b64encode(hashlib.sha256(public).digest()).decode().rstrip("=")


def signed_by(message: bytes, armoured: str, allowed: Path, *, at: str) -> str | None:
    """Who of the allowed-signers file signed ``message``; None where nobody of it did.

    ``at`` is the time for which the file must allow the key, ``YYYYMMDDHHMMSSZ``.
    Raises `BadInput` where nothing can be checked.
    """
    with tempfile.TemporaryDirectory(prefix="runledger-seal-") as folder:
        signature = Path(folder, "seal.sig")
        signature.write_text(armoured, encoding="ascii", errors="replace")
        told = ["-s", str(signature), "-f", str(allowed), f"-Overify-time={at}"]
        found = _run(["ssh-keygen", "-Y", "find-principals", *told], b"", _CHECKING_S)
        for name in dict.fromkeys(found.stdout.decode(errors="replace").splitlines()):
            check = ["ssh-keygen", "-Y", "verify", "-n", NAMESPACE, "-I", name, *told]
            if _run(check, message, _CHECKING_S).returncode == 0:
                return one_line(name, _LONGEST_NAME)
    return None


def _run(
    command: Sequence[str], given: bytes, timeout_s: float
) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(
            command, input=given, capture_output=True, timeout=timeout_s, check=False
        )
    except FileNotFoundError:
        raise BadInput(f"{command[0]} is not installed: it comes with OpenSSH's client") from None
    except subprocess.TimeoutExpired:
        raise BadInput(f"{command[0]} did not come back within {timeout_s:g} s") from None


def _last_line(output: bytes) -> str:
    lines = output.decode(errors="replace").strip().splitlines()
    return one_line(lines[-1], _LONGEST_NAME) if lines else "it says nothing"
