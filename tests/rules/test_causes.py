"""Why jobs failed, told from what Python, CUDA, HIP, SSH and shells really print."""

from __future__ import annotations

import pytest

from ledger.payloads import GpuFault, JobFailedWithTraceback
from rules.causes import CAUSE_RULES, says
from rules.conditions import when
from tests.rules.histories import H, S, Story, pci

TEXTS: dict[str, list[tuple[str, str]]] = {
    "gpu": [
        ("RuntimeError", "HIP error: unspecified launch failure\nHIP kernel errors might be"),
        ("torch.AcceleratorError", "HIP error: the operation cannot be performed now"),
        ("RuntimeError", "CUDA error: an illegal memory access was encountered"),
        ("RuntimeError", "CUDA driver error: unknown error"),
        ("cupy_backends.cuda.api.runtime.CUDARuntimeError", "hipErrorUnknown: unknown error"),
        ("cupy.cuda.runtime.CUDARuntimeError", "cudaErrorLaunchFailure: unspecified"),
        ("pycuda._driver.LogicError", "cuCtxSynchronize failed: an illegal memory access"),
        ("numba.cuda.cudadrv.driver.CudaAPIError", "[700] Call to cuMemcpyDtoH results in X"),
        ("XlaRuntimeError", "INTERNAL: CUDA_ERROR_LAUNCH_TIMEOUT: the launch timed out"),
        ("SIGABRT", "ended by signal 6 (SIGABRT): HW Exception by GPU node-11 reason :GPU Hang"),
        ("SIGABRT", "ended by signal 6 (SIGABRT): Memory access fault by GPU node-1 on address"),
        ("SIGABRT", "Callback: Queue 0x7f aborting with error : HSA_STATUS_ERROR_EXCEPTION"),
        ("RuntimeError", "GPU is lost.  Reboot the system to recover this GPU"),
        ("JobError", "hardware exception"),
    ],
    "smu": [
        ("RuntimeError", "SMU: response:0xFFFFFFFF for index:18"),
        ("RuntimeError", "amdgpu: SMU: I'm not done with your previous command"),
    ],
    "out_of_memory": [
        ("torch.OutOfMemoryError", "HIP out of memory. Tried to allocate 2.00 GiB. GPU 0 has"),
        ("cupy.cuda.memory.OutOfMemoryError", "Out of memory allocating 8,000,000,000 bytes"),
        ("RuntimeError", "hipErrorOutOfMemory"),
        ("RuntimeError", "CUDA error: cudaErrorMemoryAllocation"),
        ("RuntimeError", "CUDA_ERROR_OUT_OF_MEMORY"),
        ("MemoryError", ""),
        ("numpy.core._exceptions._ArrayMemoryError", "Unable to allocate 7.45 GiB for an array"),
        ("OSError", "[Errno 12] Cannot allocate memory"),
        ("RuntimeError", "DefaultCPUAllocator: not enough memory: you tried to allocate 8 bytes"),
        ("SIGABRT", "terminate called after throwing an instance of 'std::bad_alloc'"),
        ("JobError", "Out of memory: Killed process 123 (python) total-vm:1kB"),
        ("JobError", "the container was OOMKilled"),
        ("SIGKILL", "ended by signal 9 (SIGKILL)"),
        ("ExitCode 137", "exit code 137 (SIGKILL), and nothing on stderr"),
        ("CalledProcessError", "Command '['python3', 'x.py']' died with <Signals.SIGKILL: 9>."),
        ("CalledProcessError", "Command 'x' returned non-zero exit status 137."),
        ("RuntimeError", "return code: -9"),
        ("RuntimeError", "worker exited with code 137"),
        ("RuntimeError", "exitcode=-9"),
        ("RuntimeError", "rc=137"),
        ("RuntimeError", "DataLoader worker (pid 123) is killed by signal: Killed."),
        ("BrokenProcessPool", "A process in the process pool was terminated abruptly while the"),
        ("JobError", "bash: line 1: 12345 Killed                  python3 x.py"),
    ],
    "operator": [
        ("KeyboardInterrupt", ""),
        ("SIGTERM", "ended by signal 15 (SIGTERM)"),
        ("SIGKILL", "ended by signal 9 (SIGKILL) after SIGTERM"),
        ("ExitCode 143", "exit code 143 (SIGTERM), and nothing on stderr"),
        ("CalledProcessError", "Command 'x' died with <Signals.SIGINT: 2>."),
        ("CalledProcessError", "Command 'x' returned non-zero exit status -15."),
        ("JobError", "return code -15"),
        ("JobError", "exit code: 130"),
        ("JobError", "Killed by signal 15."),
        ("JobError", "killed by SIGTERM"),
        ("JobError", "killed by operator"),
        ("JobError", "Terminated"),
    ],
    "device_mode": [
        ("RuntimeError", "CUDA error: all CUDA-capable devices are busy or unavailable"),
        ("CUDARuntimeError", "cudaErrorDevicesUnavailable: device(s) is/are busy or unavailable"),
        ("RuntimeError", "CUDA_ERROR_DEVICE_UNAVAILABLE"),
        ("OSError", "[Errno 16] Device or resource busy: '/dev/kfd'"),
        ("RuntimeError", "GPU is busy"),
        ("RuntimeError", "hipErrorContextAlreadyInUse"),
    ],
    "deploy": [
        ("ModuleNotFoundError", "No module named 'torch'"),
        ("ImportError", "libamdhip64.so.6: cannot open shared object file: No such file"),
        ("OSError", "libcudart.so.12: cannot open shared object file: No such file or directory"),
        ("ExitCode 1", "exit code 1: /usr/bin/python3: No module named optuna"),
        ("ExitCode 127", "command not found: python3.9"),
    ],
    "input": [
        ("FileNotFoundError", "[Errno 2] No such file or directory: '/dev/shm/history.json'"),
        ("OSError", "survivors.npz not found."),
        ("ExitCode 1", "exit code 1: cat: x.json: No such file or directory"),
        ("RuntimeError", "missing file x.json"),
    ],
    "ssh": [
        ("ConnectionResetError", "[Errno 104] Connection reset by peer"),
        ("asyncssh.misc.ConnectionLost", "Connection lost"),
        ("paramiko.ssh_exception.SSHException", "Error reading SSH protocol banner"),
        ("paramiko.ssh_exception.NoValidConnectionsError", "Unable to connect to port 22"),
        ("SSHException", "Server connection dropped: "),
        ("OSError", "Socket is closed"),
        ("OSError", "[Errno 113] No route to host"),
        ("ExitCode 255", "exit code 255: client_loop: send disconnect: Broken pipe"),
        ("ExitCode 255", "exit code 255: ssh: connect to host rig port 22: Connection refused"),
        ("ExitCode 255", "exit code 255: Connection to 192.0.2.1 closed by remote host."),
        ("ExitCode 255", "exit code 255: Timeout, server 192.0.2.1 not responding."),
    ],
    "code": [
        ("ValueError", "invalid literal for int()"),
        ("json.decoder.JSONDecodeError", "Expecting value: line 1 column 1 (char 0)"),
        ("KeyError", "'file'"),
        ("AssertionError", ""),
    ],
    "unknown": [
        ("RuntimeError", "boom"),
        ("ExitCode 1", "exit code 1, and nothing on stderr"),
        ("SIGSEGV", "ended by signal 11 (SIGSEGV)"),
        ("TimeoutExpired", "Command 'x' timed out after 7200 seconds"),
        ("OSError", "[Errno 28] No space left on device"),
        ("asyncssh.process.ProcessError", "Process exited with non-zero exit status 1"),
        ("RuntimeError", "job 137 exited with 1"),
        ("JobError", "FILE_MISSING: results/x.json"),
        ("JobError", "FILE_EMPTY: results/x.json"),
        ("JobError", "INVALID_JSON: Expecting value: line 1 column 1 (char 0)"),
        ("JobError", "expected output results/x.json not found"),
        ("JobError", "no output: FileNotFoundError"),
    ],
}


def _cause(word: str) -> str:
    """What the rules make of a text alone."""
    for rule in CAUSE_RULES:
        if rule.when == when(f"says == {word}"):
            return rule.name
    return "unknown"


@pytest.mark.parametrize(
    ("exception", "message", "cause"),
    [(*text, cause) for cause, texts in TEXTS.items() for text in texts],
)
def test_a_text_names_its_cause(exception: str, message: str, cause: str) -> None:
    assert _cause(says(exception, message, "")) == cause
    quoted = f"Traceback (most recent call last):\n  GPU hang\n{exception}: {message}"
    if "\n" not in message:
        assert _cause(says("Strange", "nothing that is known", quoted)) == cause


def test_where_the_output_is_missing_the_job_itself_is_heard() -> None:
    ended = "Traceback (most recent call last):\n  run()\nRuntimeError: HIP error: launch failure"
    assert says("JobError", "FILE_MISSING: results/x.json", ended) == "gpu"
    assert says("JobError", "FILE_MISSING", "cat: draws.json: No such file or directory") == "file"


def test_of_a_long_text_both_ends_are_read() -> None:
    filler = "x " * 500_000
    assert says("JobError", f"GPU hang {filler}", "") == "gpu"
    assert says("JobError", f"{filler} GPU hang", "") == "gpu"


def _unexplained(story: Story, at: int, says: str = "exit code 1, and nothing on stderr") -> Story:
    return story.add(
        JobFailedWithTraceback(
            job="j",
            node="rig",
            pci=pci(2),
            attempt=1,
            exception="ExitCode 1",
            message=says,
            traceback="",
            will_retry=False,
            fingerprint=f"f{at}",
        ),
        at,
    )


@pytest.mark.parametrize("says", ["exit code 1", "FILE_MISSING: results/x.json"])
@pytest.mark.parametrize(("card", "state"), [(2, "watch"), (1, "ok")])
@pytest.mark.parametrize("kind", ["smu_error", "gpu_fault"])
def test_a_fault_of_the_same_card_explains_a_failure_that_says_nothing(
    kind: str, card: int, state: str, says: str
) -> None:
    story = Story().error(0, card)
    if kind == "gpu_fault":
        story = Story().add(GpuFault(node="rig", pci=pci(card), fault="device_lost", raw="x"), 0)
    # The incident itself no longer counts: what is left is what the failures say.
    story.override(f"gpu/rig/{pci(card)}", "reinstate", S)
    for number in range(3):
        _unexplained(story, (2 + number) * S, says)
    assert story.state(at=H) == state
