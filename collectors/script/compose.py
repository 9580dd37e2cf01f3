"""Put together what is sent to ``sh -s`` on a rig.

The program text is fixed. Everything that varies travels as *data lines* in a
quoted here-document that the script reads with ``read -r``: no value is ever
part of the program, so that nothing has to be escaped. The only thing a line
must not hold is a line break, and such a value is refused.

The command to run on the far side is always the constant `COMMAND`.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from importlib.resources import files

from ledger.errors import BadInput
from ledger.text.characters import CONTROL

COMMAND = "sh -s"
"""What to run on the rig; the composed script goes to its stdin."""

_NONCE = re.compile(r"[0-9a-f]{16,64}\Z")


class InvalidScriptInput(BadInput):
    """A value cannot be sent to a rig: it holds a control character. Nothing was sent."""

    def __init__(self, name: str, value: str) -> None:
        self.name, self.value = name, value
        super().__init__(
            f"{name} {value!r} holds a control character: correct it in the configuration"
        )


def new_nonce() -> str:
    """A fresh secret for one run of a script, which frames its output."""
    return secrets.token_hex(16)


def compose(
    parts: Iterable[tuple[str, str]], main: str, nonce: str, lines: Iterable[tuple[str, str]]
) -> bytes:
    """The bytes to send: shell files, then a call of ``main`` with its data lines.

    ``parts`` are (package, file name) of shell files, in order; ``lines`` are
    (key, value) pairs. Raises `InvalidScriptInput` for a value with a control
    character.
    """
    if not _NONCE.match(nonce):
        raise InvalidScriptInput("nonce", nonce)
    text = [files(package).joinpath(name).read_text(encoding="utf-8") for package, name in parts]
    delimiter = f"RUNLEDGER_{nonce}"
    text.append(f"{main} <<'{delimiter}'")
    for key, value in (("nonce", nonce), *lines):
        if CONTROL.search(value):
            raise InvalidScriptInput(key, value)
        text.append(f"{key} {value}")
    # `exit` keeps the shell from reading on in whatever else may come over stdin.
    text += [delimiter, "exit", ""]
    return "\n".join(text).encode("utf-8", "surrogateescape")
