"""What libraries of both vendors print when they fail, and what it is about."""

from __future__ import annotations

import pytest

from rules.causes import says

TEXTS = [
    (
        "RuntimeError",
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate`",
        "memory",
    ),
    ("RuntimeError", "rocblas_status_memory_error", "memory"),
    ("RuntimeError", "HIP error: no kernel image is available for execution", "module"),
    ("RuntimeError", "HIP error: invalid device function", "module"),
    ("RuntimeError", "CUDA driver version is insufficient for CUDA runtime version", "module"),
    ("ImportError", "libtorch_hip.so: undefined symbol: _ZN3c10", "module"),
    ("AssertionError", "Torch not compiled with CUDA enabled", "module"),
    ("SIGABRT", "rocBLAS error: Cannot read TensileLibrary.dat", "module"),
    ("RuntimeError", "CUDA error: device-side assert triggered", "code"),
    ("RuntimeError", "HIP error: device-side assert triggered", "code"),
    ("triton.compiler.errors.CompilationError", "at 10:4:", "code"),
    ("triton.runtime.errors.OutOfResources", "out of resource: shared memory", "code"),
    ("RuntimeError", "mat1 and mat2 shapes cannot be multiplied (4x8 and 4x8)", "code"),
    ("RuntimeError", "CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling", "gpu"),
    ("RuntimeError", "cuDNN error: CUDNN_STATUS_INTERNAL_ERROR", "gpu"),
    ("RuntimeError", "rocblas_status_internal_error", "gpu"),
    ("RuntimeError", "miopenStatusInternalError", "gpu"),
    ("RuntimeError", "No HIP GPUs are available", "gpu"),
    ("RuntimeError", "no CUDA-capable device is detected", "gpu"),
    ("torch.distributed.DistBackendError", "NCCL error: ncclUnhandledCudaError: Call", "gpu"),
    ("torch.distributed.DistBackendError", "ncclSystemError: System call failed", "connection"),
    ("torch.distributed.DistBackendError", "ncclRemoteError: remote process", "connection"),
    ("RuntimeError", "[Rank 1] Watchdog caught collective operation timeout", "connection"),
]


@pytest.mark.parametrize(("exception", "message", "word"), TEXTS)
def test_a_librarys_words_tell_what_failed(exception: str, message: str, word: str) -> None:
    assert says(exception, message, "") == word
