"""The key under which this user's checkpoints are signed, which no database holds.

Whoever may write to the database could otherwise write a state of their own
there, with a digest that fits. It is one file for each user, made when it is
first needed, and read only where nobody else could have read or written it.
Where there can be none, nothing is kept and every decision folds all history.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import logging
import os
import secrets
import stat
from pathlib import Path
from typing import NamedTuple

_log = logging.getLogger(__name__)

_BYTES = 32


class CheckpointKey(NamedTuple):
    """A secret, and the id by which others know whose it is without knowing it."""

    id: str
    secret: bytes

    def sign(self, text: str) -> str:
        """HMAC-SHA-256 in lower-case hexadecimal."""
        return hmac.new(self.secret, text.encode(), hashlib.sha256).hexdigest()


def own_key() -> CheckpointKey | None:
    """This user's key, made where it is missing; None where none can be kept for them alone."""
    path = _path()
    if path is None:
        return None
    try:
        secret = _read(path) if path.exists() else _make(path)
    except OSError as error:
        _log.debug("no key for checkpoints: %s", error)
        return None
    if secret is None:
        _log.warning("%s is not its owner's alone, or no key: remove it (checkpoints wait)", path)
        return None
    id = hashlib.sha256(b"runledger checkpoints " + secret).hexdigest()[:16]
    return CheckpointKey(id, secret)


def _path() -> Path | None:
    """As other programs' states, in the folder of the XDG base directory specification."""
    state = os.environ.get("XDG_STATE_HOME", "")
    home = os.path.expanduser("~")
    if not os.path.isabs(state):  # the specification has relative ones ignored
        if not os.path.isabs(home):
            return None
        state = os.path.join(home, ".local", "state")
    return Path(state, "runledger", "checkpoint.key")


def _read(path: Path) -> bytes | None:
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    with open(file, "rb") as opened:
        status = os.fstat(file)
        alone = stat.S_ISREG(status.st_mode) and not status.st_mode & 0o077
        if not alone or status.st_uid != os.geteuid():
            return None
        text = opened.read(3 * _BYTES).strip()
    with contextlib.suppress(ValueError):
        secret = bytes.fromhex(text.decode("ascii", "replace"))
        return secret if len(secret) == _BYTES else None
    return None


def _make(path: Path) -> bytes | None:
    """Whole or not at all, whoever else makes it at the same moment."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    file = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with open(file, "w", encoding="ascii") as made:
            made.write(secrets.token_hex(_BYTES) + "\n")
        with contextlib.suppress(FileExistsError):
            os.link(part, path)
    finally:
        part.unlink()
    return _read(path)
