"""Which devices this machine has."""

import os
import shutil

from course_tools.errors import SetupError

CPU = "cpu"
CUDA = "cuda"


def default() -> str:
    """CUDA where a GPU answers and nvcc is here; scripts/lib/setup.sh has looked."""
    return os.environ.get("COURSE_DEFAULT_DEVICE") or CPU


def has_cuda_compiler() -> bool:
    return shutil.which("nvcc") is not None


def require_cuda_compiler() -> None:
    """For what --device cuda was asked for."""
    if not has_cuda_compiler():
        raise SetupError("--device cuda needs nvcc, the CUDA compiler, on PATH")
