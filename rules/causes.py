"""Why a job failed: what its text says, and the rules that name a cause.

Reading text is done here, once, when the failure is folded; naming the cause is
left to rules over the result and over what else happened on the node, because
that may arrive later. The first cause in `CAUSE_RULES` that fits wins.
"""

from __future__ import annotations

import re

from rules.ruleset import Condition, Rule

WEIGHING = frozenset({"gpu", "smu"})
"""The only causes that weigh on a card."""

# In this order: "CUDA error: all devices are busy" is about the device's mode,
# and "CUDA out of memory" about memory, although both mention CUDA.
_SAYS: tuple[tuple[str, re.Pattern[str]], ...] = (
    (
        "busy",
        re.compile(
            r"devices? (?:is|are) (?:busy|unavailable)|busy or unavailable|device or resource busy"
            r"|exclusive[ _-]process|compute[ _-]mode|device unavailable",
            re.IGNORECASE,
        ),
    ),
    (
        "memory",
        re.compile(
            r"out of memory|outofmemory|\bOOM\b|MemoryError|cannot allocate memory|bad_alloc"
            r"|unable to allocate|\bENOMEM\b",
            re.IGNORECASE,
        ),
    ),
    (
        "killed",
        re.compile(
            r"\bkilled\b(?! by (?:user|operator))|\bSIGKILL\b|signal 9\b|exit (?:code|status) 137"
            r"|exited with 137|returncode[= ]-9\b|exit (?:code|status) -9\b",
            re.IGNORECASE,
        ),
    ),
    (
        "signal",
        re.compile(
            r"\bSIG(?:TERM|INT)\b|KeyboardInterrupt|signal (?:2|15)\b"
            r"|exit (?:code|status) (?:130|143)\b|\bterminated\b|returncode[= ]-(?:2|15)\b"
            r"|exit (?:code|status) -(?:2|15)\b",
            re.IGNORECASE,
        ),
    ),
    (
        "module",
        re.compile(
            r"No module named|ModuleNotFoundError|ImportError|cannot import name"
            r"|error while loading shared libraries|command not found",
            re.IGNORECASE,
        ),
    ),
    (
        "gpu",
        re.compile(
            r"GPU hang|\bHIP (?:error|exception|runtime error)|\bhipError|HSA_STATUS_ERROR"
            r"|hardware exception|GPU (?:core )?dump|device (?:was )?lost|GPU has fallen off"
            r"|Memory access fault by GPU|CUDA error|cudaError|\bXid\b|ring \S+ timeout"
            r"|GPU node-\d+",
            re.IGNORECASE,
        ),
    ),
    ("smu", re.compile(r"\bSMU\b|SMN_C2PMSG", re.IGNORECASE)),
    (
        "file",
        re.compile(
            r"FileNotFoundError|No such file or directory|FILE_MISSING|FILE_EMPTY|\bENOENT\b"
            r"|file (?:is )?(?:missing|not found)|INVALID_JSON",
            re.IGNORECASE,
        ),
    ),
    (
        "connection",
        re.compile(
            r"connection (?:was )?(?:reset|lost|closed|refused|aborted|timed out)|ConnectionReset"
            r"|ConnectionLost|ConnectionError|ConnectionRefused|ConnectionAborted|broken pipe"
            r"|BrokenPipe|SSH_ERROR|no route to host|host is unreachable|\bssh: ",
            re.IGNORECASE,
        ),
    ),
    (
        "code",
        re.compile(
            r"\A(?:\w+\.)*(?:TypeError|ValueError|KeyError|IndexError|AttributeError|NameError"
            r"|ZeroDivisionError|AssertionError|NotImplementedError|SyntaxError|RecursionError"
            r"|UnboundLocalError|IndentationError|OverflowError|StopIteration|LookupError"
            r"|ArithmeticError|UnicodeDecodeError|UnicodeEncodeError|JSONDecodeError)\b"
        ),
    ),
)


def says(exception: str, message: str, traceback: str) -> str:
    """What a failure's text is about: one word, ``nothing`` where it tells nothing.

    Exception and message speak first; of the traceback only its last line, since
    the frames above quote source code.
    """
    lines = traceback.strip().splitlines()
    for text in (f"{exception}: {message}", lines[-1].strip() if lines else ""):
        for word, pattern in _SAYS:
            if pattern.search(text):
                return word
    return "nothing"


def _cause(name: str, *when: Condition) -> Rule:
    return Rule(name=name, about="failure", when=when, severity="info", message="{job}", remedy="")


def _said(name: str, word: str) -> Rule:
    return _cause(name, ("says", "==", word))


CAUSE_RULES: tuple[Rule, ...] = (
    _said("device_mode", "busy"),
    _said("out_of_memory", "memory"),
    _said("out_of_memory", "killed"),
    _said("operator", "signal"),
    _said("deploy", "module"),
    _said("smu", "smu"),
    _cause("smu", ("says", "==", "gpu"), ("near_smu", "==", True)),
    _said("gpu", "gpu"),
    _said("input", "file"),
    _said("ssh", "connection"),
    _said("code", "code"),
    _cause("out_of_memory", ("near_oom", "==", True)),
    _cause("smu", ("near_smu", "==", True)),
    _cause("ssh", ("near_lost", "==", True)),
)
"""First match wins; a failure that none fits has the cause ``unknown``."""
