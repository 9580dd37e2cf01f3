r"""What the end of a program's stderr says about why it failed. No I/O.

>>> text = '''loading
... Traceback (most recent call last):
...   File "train.py", line 3, in <module>
...     run()
... RuntimeError: HIP error: out of tunes
... '''
>>> last_python_error(text)
('RuntimeError', 'HIP error: out of tunes')
"""

from __future__ import annotations

import re

from ledger.text.characters import without_terminal

MESSAGE_LINES = 5
"""So many lines of a message are kept where nothing says where it ends."""

_HEADER = re.compile(
    r"^(?P<prefix>\[[^\]\n]{1,40}\]:? ?)?(?:Traceback|  \+ Exception Group Traceback)"
    r" \(most recent call last\):[ \t]*$",
    re.MULTILINE,
)
_ERROR = re.compile(r"(?P<name>[A-Za-z_][\w.]*(?:\.<locals>\.\w+)*)(?:: (?P<message>.*)|:?)\Z")
_SYNTAX = re.compile(r"(?P<name>SyntaxError|IndentationError|TabError): (?P<message>.*)\Z")


def cleaned(data: bytes) -> str:
    """The text on stderr, without colours and without what a progress bar wrote over."""
    text = without_terminal(data.decode("utf-8", "backslashreplace")).replace("\r\n", "\n")
    return "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n"))


def last_python_error(text: str) -> tuple[str, str] | None:
    """Exception and message of the last traceback; None where there is none."""
    header = None
    for header in _HEADER.finditer(text):  # noqa: B007  # the last one is wanted
        pass
    lines = text[header.end() :].split("\n")[1:] if header is not None else []
    prefix = (header["prefix"] or "") if header is not None else ""
    for number, line in enumerate(lines):
        line = _unmarked(line.removeprefix(prefix))
        if line.startswith((" ", "\t")) or not line.strip():
            continue
        found = _ERROR.match(line)
        if found is None:
            return None
        message = [found["message"] or ""]
        for more in lines[number + 1 : number + MESSAGE_LINES]:
            more = _unmarked(more.removeprefix(prefix))
            if not more.strip() or more.startswith("+-"):
                break
            message.append(more.rstrip())
        return found["name"], "\n".join(message).strip()
    # Python shows no header for a file that it cannot compile.
    last = last_lines(text, 1)
    found = _SYNTAX.match(last)
    return (found["name"], found["message"]) if found is not None else None


def last_lines(text: str, count: int = MESSAGE_LINES) -> str:
    """The last lines that say anything."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return "\n".join(lines[-count:])


def _unmarked(line: str) -> str:
    """A line of an exception group without the margin of the outermost group."""
    return line.removeprefix("  | ") if line.startswith("  | ") else line
