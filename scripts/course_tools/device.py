"""Which devices this machine has."""

import os
import shutil

CPU = "cpu"
CUDA = "cuda"


def default() -> str:
    """CUDA where a GPU answers and nvcc is here; scripts/lib/setup.sh has looked."""
    return os.environ.get("COURSE_DEFAULT_DEVICE") or CPU


def has_cuda_compiler() -> bool:
    return shutil.which("nvcc") is not None
