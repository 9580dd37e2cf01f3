"""What a failed job's text says of its cause, in words that both databases know.

The rules read the same texts with regular expressions (``rules/causes.py``) and
look at what else happened on the node; a view has only LIKE. A test holds the
two together on the texts that matter.

Released revisions are built from this module: add to it, change nothing.
"""

from __future__ import annotations

_SAYS: tuple[tuple[str, str], ...] = (
    ("device_mode", "device is busy|devices are busy|device is unavailable|devices are unavailable"
     "|busy or unavailable|device or resource busy|exclusive process|exclusive-process"
     "|exclusive_process|compute mode|compute-mode|compute_mode|device unavailable"),
    ("out_of_memory", "out of memory|outofmemory| oom |memoryerror|cannot allocate memory"
     "|bad_alloc|unable to allocate| enomem "),
    ("out_of_memory", " killed | sigkill | signal 9 | exit code 137 | exit status 137 "
     "|exited with 137| returncode -9 | exit code -9 | exit status -9 "),
    ("operator", " sigterm | sigint |keyboardinterrupt| signal 2 | signal 15 | exit code 130 "
     "| exit code 143 | exit status 130 | exit status 143 | terminated | returncode -2 "
     "| returncode -15 | exit code -2 | exit code -15 | exit status -2 | exit status -15 "),
    ("deploy", "no module named|modulenotfounderror|importerror|cannot import name"
     "|error while loading shared libraries|command not found"),
    ("gpu", "gpu hang| hip error| hip exception| hip runtime error| hiperror|hsa_status_error"
     "|hardware exception|gpu dump|gpu core dump|device lost|device was lost"
     "|gpu has fallen off|memory access fault by gpu|cuda error|cudaerror| xid | ring % timeout"
     "|gpu node-"),
    ("smu", " smu |smn_c2pmsg"),
    ("input", "filenotfounderror|no such file or directory|file_missing|file_empty| enoent "
     "|file missing|file is missing|file not found|file is not found|invalid_json"),
    ("ssh", "connection reset|connection was reset|connection lost|connection was lost"
     "|connection closed|connection was closed|connection refused|connection was refused"
     "|connection aborted|connection was aborted|connection timed out|connection was timed out"
     "|connectionreset|connectionlost|connectionerror|connectionrefused|connectionaborted"
     "|broken pipe|brokenpipe|ssh_error|no route to host|host is unreachable| ssh "),
)  # fmt: skip
_CODE = (
    "type value key index attribute name zerodivision assertion notimplemented syntax recursion "
    "unboundlocal indentation overflow lookup arithmetic unicodedecode unicodeencode jsondecode"
)


def cause(words: str, exception: str) -> str:
    """What a failure's text says, as far as LIKE can tell; compare ``rules/causes.py``."""
    cases = [
        "WHEN " + " OR ".join(f"{words} LIKE '%{each}%'" for each in listed.split("|"))
        + f" THEN '{cause}'"
        for cause, listed in _SAYS
    ]  # fmt: skip
    names = ", ".join(f"'{name}error'" for name in _CODE.split())
    cases.append(f"WHEN {exception} IN ({names}, 'stopiteration') THEN 'code'")
    return "CASE " + "\n    ".join(cases) + " END"


def spaced(text: str) -> str:
    """Lower case, with a space for what ends a word, so that LIKE can see words."""
    expression = f"lower({text})"
    for mark in (":", ",", ".", "(", ")", "[", "]", "=", "\n", ";"):
        expression = f"replace({expression}, '{mark}', ' ')"
    return f"' ' || {expression} || ' '"


def last_part(name: str) -> str:
    """``KeyError`` of ``package.module.KeyError``, in lower case."""
    lowered = f"lower(substr({name}, 1, 500))"
    return f"replace({lowered}, rtrim({lowered}, replace({lowered}, '.', '')), '')"
