"""What a failed job's text says of its cause, in words that both databases know.

The rules read the same texts with regular expressions (``rules/causes.py``) and
look at what else happened on the node; a view has only LIKE. A test holds the
two together on the texts that matter.

Released revisions are built from this module: add to it, change nothing.
"""

from __future__ import annotations

_SAYS: tuple[tuple[str, str], ...] = (
    ("device_mode", "device is busy|devices are busy|device is unavailable|devices are unavailable"
     "|busy or unavailable|device or resource busy| device busy | gpu busy | gpu is busy "
     "|exclusive process|exclusive-process|exclusive_process|compute mode|compute-mode"
     "|compute_mode|device unavailable|deviceunavailable|devicesunavailable|device_unavailable"
     "|contextalreadyinuse"),
    ("out_of_memory", "out of memory|out_of_memory|outofmemory| oom | oomkilled | oom-kill"
     "|memoryerror|cannot allocate memory|can''t allocate memory|bad_alloc|unable to allocate"
     "|errormemoryallocation| no memory | not enough memory | insufficient memory | enomem "),
    ("operator", " sigterm | sigint |keyboardinterrupt| signal 2 | signal 15 | exit code 130 "
     "| exit code 143 | exit status 130 | exit status 143 | returncode -2 | returncode -15 "
     "| exit code -2 | exit code -15 | exit status -2 | exit status -15 | code -2 | code -15 "
     "| killed by user | killed by operator | killed by the user | killed by the operator "),
    ("out_of_memory", " terminated abruptly | terminated unexpectedly "),
    ("operator", " terminated "),
    ("out_of_memory", " killed | sigkill | signal 9 | exit code 137 | exit status 137 "
     "|exited with 137| returncode -9 | exit code -9 | exit status -9 | code 137 | code -9 "),
    ("deploy", "no module named|modulenotfounderror|importerror|cannot import name"
     "|error while loading shared libraries|cannot open shared object file|command not found"),
    ("gpu", "gpu hang|gpu hung| hip error| hip exception| hip runtime error| hip driver error"
     "| hiperror|hsa_status_error|hardware exception| hw exception|gpu dump|gpu core dump"
     "|device lost|device was lost|device is lost|devicelost|device_lost|gpu is lost"
     "|gpu has fallen off|memory access fault by gpu|illegal memory access|uncorrectable ecc"
     "|cuda error|cuda driver error|cudaerror|cuda_error|cudaapierror| xid | ring % timeout"
     "|gpu node-"),
    ("smu", " smu |smn_c2pmsg"),
    ("input", "filenotfounderror|no such file|file_missing|file_empty| enoent "
     "| file missing| file is missing| file not found| file is not found|file does not exist"
     "| missing file |invalid_json| json not found| npz not found| npy not found| csv not found"),
    ("ssh", "connection reset|connection was reset|connection lost|connection was lost"
     "|connection closed|connection was closed|connection refused|connection was refused"
     "|connection abort|connection was aborted|connection timed out|connection was timed out"
     "|connection dropped|lost connection|dropped connection|connection to % closed"
     "|connectionreset|connectionlost|connectionerror|connectionrefused|connectionaborted"
     "|broken pipe|brokenpipe|socket is closed|ssh_error|sshexception|novalidconnections"
     "|no route to host|host is unreachable|network is unreachable"
     "|host key verification failed| paramiko | ssh |server % not responding"),
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


_OUTPUT = (
    "file_missing|file_empty|invalid_json| no output | no results | missing output"
    "| missing result| expected output % not found| expected output % missing"
    "| expected output % empty"
)


def cause_beside_output(words: str, exception: str) -> str:
    """As `cause`; a job's own output that is missing or broken is no cause."""
    of_output = " OR ".join(f"{words} LIKE '%{each}%'" for each in _OUTPUT.split("|"))
    read = cause(words, exception)
    return f"CASE WHEN {of_output} THEN nullif({read}, 'input') ELSE {read} END"


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
