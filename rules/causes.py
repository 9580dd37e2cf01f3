"""Why a job failed: what its text says, and the rules that name a cause.

Reading text is done here, once, when the failure is folded; naming the cause is
left to rules over the result and over what else happened on the node, because
that may arrive later. The first cause in `CAUSE_RULES` that fits wins.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from rules.conditions import Scalar, when
from rules.engine.plain import holds
from rules.ruleset import Rule

WEIGHING = frozenset({"gpu", "smu"})
"""The only causes that weigh on a card."""

_END_CHARS = 4_000

_ENDED_WITH = (
    r"(?:\b|system)(?:exit(?:ed)?|return(?:ed)?|status|code|rc)"
    r"(?:[ _-]?(?:with|non-zero|exit|status|code|value)){0,3}\s{0,2}[:=]?\s{0,2}"
)
"""What comes before the number, where a text tells how a process ended."""

# In this order: "CUDA error: all devices are busy" is about the device's mode,
# and "CUDA out of memory" about memory, although both mention CUDA; "killed by
# signal 15" was asked to end.
_TEXTS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "busy",
        (
            r"devices? (?:is|are) (?:currently )?(?:busy|unavailable)|busy or unavailable",
            r"device or resource busy|\b(?:device|GPU) (?:is )?busy|devices?[ _]?unavailable",
            r"exclusive[ _-]process|compute[ _-]mode|context[ _]?already[ _]?in[ _]?use",
        ),
    ),
    (
        "memory",
        (
            r"out[ _]of[ _]memory|outofmemory|\bOOM(?:[ _-]?kill\w*)?\b|MemoryError|bad_alloc",
            r"(?:cu|hip)(?:BLAS|blas|DNN|dnn)?_STATUS_ALLOC_FAILED|CUBLAS_STATUS_ALLOC_FAILED",
            r"rocblas_status_memory_error|HSA_STATUS_ERROR_OUT_OF_RESOURCES",
            r"ErrorMemoryAllocation|can(?:not|'t) allocate memory|unable to allocate",
            r"\b(?:no|not enough|insufficient) (?:\w+ )?memory\b|\bENOMEM\b",
        ),
    ),
    (
        "signal",
        (
            r"\bSIG(?:TERM|INT)\b|KeyboardInterrupt|signal (?:2|15)\b",
            rf"{_ENDED_WITH}(?:130|143|-2|-15)(?!\d)",
            r"\bterminated\b(?! (?:abruptly|unexpectedly|early))",
            r"\b(?:killed|cancell?ed|stopped) by (?:the )?(?:user|operator)\b",
        ),
    ),
    (
        "killed",
        (
            r"\bkilled\b|\bSIGKILL\b|signal 9\b",
            rf"{_ENDED_WITH}(?:137|-9)(?!\d)",
            r"terminated (?:abruptly|unexpectedly)",
        ),
    ),
    (
        "module",
        (
            r"No module named|ModuleNotFoundError|ImportError|cannot import name",
            r"error while loading shared libraries|cannot open shared object file",
            r"command not found",
            r"no kernel image is available|invalid device function|hipErrorNoBinaryForGpu",
            r"driver version is insufficient|undefined symbol:|rocBLAS error: Cannot read",
            r"not compiled with (?:CUDA|ROCm|HIP)|GLIBC(?:XX)?_[\d.]+' not found",
        ),
    ),
    (
        "code",
        (
            r"device-side assert|triton\S*\.(?:CompilationError|OutOfResources)",
            r"out of resource: shared memory|mat1 and mat2 shapes cannot be multiplied",
            r"CUBLAS_STATUS_INVALID_VALUE|rocblas_status_invalid",
        ),
    ),
    (
        "gpu",
        (
            r"GPU h[au]ng|\bHIP (?:\w+ )?(?:error|exception)|\bhipError|HSA_STATUS_ERROR",
            r"(?:hardware|\bHW) exception|GPU (?:core )?dump|GPU node-\d+",
            r"device[ _]?(?:was |is )?lost|GPU (?:is lost|has fallen off)",
            r"Memory access fault by GPU|illegal memory access|uncorrectable ECC",
            r"(?:CUBLAS|CUDNN|HIPBLAS)_STATUS_(?:EXECUTION_FAILED|INTERNAL_ERROR|NOT_INITIALIZED)",
            r"rocblas_status_internal_error|miopenStatus(?:Internal|Unknown)Error",
            r"nccl(?:UnhandledCuda|UnhandledHip)Error|unhandled (?:cuda|hip) error",
            r"no (?:CUDA-capable|ROCm-capable) device|No HIP GPUs are available",
            r"CUDA (?:\w+ )?error|cudaError|CUDA_ERROR|CudaAPIError|\bXid\b|ring \S+ timeout",
        ),
    ),
    ("smu", (r"\bSMU\b|SMN_C2PMSG",)),
    (
        "file",
        (
            r"FileNotFoundError|No such file|FILE_MISSING|FILE_EMPTY|\bENOENT\b|INVALID_JSON",
            r"\bfile (?:is |was )?(?:missing|not found)|file does not exist|missing file\b",
            r"\.(?:jsonl?|np[yz]|csv|pkl|txt|db) (?:is |was )?(?:missing|not found)",
        ),
    ),
    (
        "connection",
        (
            r"connection (?:was |to \S+ )?(?:reset|lost|closed|refused|aborted|timed out)",
            r"Connection(?:Reset|Lost|Error|Refused|Aborted)|(?:lost|dropped) connection",
            r"nccl(?:System|Remote)Error|DistNetworkError|DistStoreError|socketStartConnect",
            r"Watchdog caught collective operation timeout|NCCL communicator was aborted",
            r"connection (?:abort|dropped)|broken ?pipe|socket is closed",
            r"no route to host|(?:host|network) is unreachable|host key verification failed",
            r"SSH_ERROR|SSHException|\bssh: |\bSSH (?:session|protocol|connection)\b",
            r"\bparamiko\.|\basyncssh\.(?!process\b|ProcessError)|NoValidConnections",
            r"server \S+ not responding",
        ),
    ),
    (
        "code",
        (
            r"\A(?:\w+\.)*(?:TypeError|ValueError|KeyError|IndexError|AttributeError|NameError"
            r"|ZeroDivisionError|AssertionError|NotImplementedError|SyntaxError"
            r"|RecursionError|UnboundLocalError|IndentationError|OverflowError|StopIteration"
            r"|LookupError|ArithmeticError|UnicodeDecodeError|UnicodeEncodeError"
            r"|JSONDecodeError)\b",
        ),
    ),
)
_OUTPUT = re.compile(
    r"\bFILE_(?:MISSING|EMPTY)\b|\bINVALID_JSON\b"
    r"|\b(?:output|result)s?(?: file)?\b.{0,200}?"
    r"\b(?:missing|empty|not found|not written|invalid)\b"
    r"|\b(?:missing|empty|invalid|no) (?:expected )?(?:output|result)s?\b",
    re.IGNORECASE,
)
"""A job's own output that is missing, empty or broken: that is how it failed, and not why."""
_SAYS = tuple((word, re.compile("|".join(patterns), re.IGNORECASE)) for word, patterns in _TEXTS)


def says(exception: str, message: str, traceback: str) -> str:
    """What a failure's text is about: one word, ``nothing`` where it tells nothing.

    Exception and message speak first; of the traceback only its last line, since
    the frames above quote source code. Of a long text, both ends are read.
    """
    lines = traceback[-_END_CHARS:].strip().splitlines()
    for text in (_ends(f"{exception}: {message}"), lines[-1].strip() if lines else ""):
        of_output = _OUTPUT.search(text) is not None
        for word, pattern in _SAYS:
            if pattern.search(text) and not (of_output and word == "file"):
                return word
    return "nothing"


def _ends(text: str) -> str:
    return text if len(text) <= 2 * _END_CHARS else f"{text[:_END_CHARS]}\n{text[-_END_CHARS:]}"


def _cause(name: str, *texts: str) -> Rule:
    return Rule(
        name=name, about="failure", when=when(*texts), severity="info", message="{job}", remedy=""
    )


def _said(name: str, word: str) -> Rule:
    return _cause(name, f"says == {word}")


CAUSE_RULES: tuple[Rule, ...] = (
    _said("device_mode", "busy"),
    _said("out_of_memory", "memory"),
    _said("operator", "signal"),
    _said("out_of_memory", "killed"),
    _said("deploy", "module"),
    _said("smu", "smu"),
    _cause("smu", "says == gpu", "near_smu == true"),
    _said("gpu", "gpu"),
    _said("input", "file"),
    _said("ssh", "connection"),
    _said("code", "code"),
    _cause("out_of_memory", "near_oom == true"),
    _cause("smu", "near_smu == true"),
    _cause("gpu", "near_gpu == true"),
    _cause("ssh", "near_lost == true"),
)
"""First match wins; a failure that none fits has the cause ``unknown``."""

CAUSES = frozenset(rule.name for rule in CAUSE_RULES)
"""Every cause that a rule can name."""

NEAR = ("smu", "gpu", "oom", "lost")
"""What may have happened around a failure."""


def features_of(says: str, near: Sequence[str]) -> dict[str, Scalar]:
    """A failure as the rules look at it."""
    return {"says": says, **{f"near_{kind}": kind in near for kind in NEAR}}


@lru_cache(maxsize=1024)
def weighs(says: str, near: tuple[str, ...], off: frozenset[str] = frozenset()) -> bool:
    """Whether a failure is of a cause that weighs on its card; ``off`` names causes not asked for.

    For the fold, which is before all rules: they say the same.
    """
    features = features_of(says, near)
    for rule in CAUSE_RULES:
        if rule.name not in off and all(holds(features, each) for each in rule.when):
            return rule.name in WEIGHING
    return False
