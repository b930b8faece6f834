"""cuBLAS: the rate of a float32 matrix product, which everything else is a percentage of."""

import ctypes
import math
import os
import random
from ctypes import byref, c_float, c_int, c_void_p
from pathlib import Path

from course_tools.gpu import CudaError, Gpu, Pointers
from course_tools.gpu_problem import buffers
from course_tools.gpu_timer import Timer


class CuBlas:
    """SGEMM in float32: the rate that this GPU reaches on the simplest dense work there is."""

    SIZE = 8192
    FLOPS = 2 * SIZE**3
    MATH = "CUBLAS_DEFAULT_MATH, float32 without TF32"
    SAMPLES = 64
    BOUND = 16 * 2.0**-24  # of an error over the sum of absolute products; TF32 is past it

    def __init__(self, library: ctypes.CDLL, gpu: Gpu) -> None:
        self._library, self._gpu = library, gpu
        self._handle = c_void_p()
        self._check(library.cublasCreate_v2(byref(self._handle)))
        self._check(library.cublasSetStream_v2(self._handle, c_void_p(gpu.stream)))
        self._check(library.cublasSetMathMode(self._handle, 0))
        version = c_int()
        library.cublasGetVersion_v2(self._handle, byref(version))
        self.version = version.value

    def _check(self, status: int) -> None:
        if status != 0:
            raise CudaError(status, f"cuBLAS status {status}")

    def matmul(self, A: int, B: int, C: int) -> None:
        """C = A B, all of them SIZE x SIZE, column by column."""
        one, zero, size, none = c_float(1), c_float(0), self.SIZE, 0
        sizes = (self._handle, none, none, size, size, size)
        a, b, c = c_void_p(A), c_void_p(B), c_void_p(C)
        self._check(
            self._library.cublasSgemm_v2(*sizes, byref(one), a, size, b, size, byref(zero), c, size)
        )

    def worst_error(self, A: int, B: int, C: int, seed: int) -> float:
        """Over some elements: the error, as a part of BOUND times the sum of absolute products."""
        size = self.SIZE
        a, b, c = (self._gpu.read_floats(at, size * size) for at in (A, B, C))
        draw = random.Random(seed)
        errors = []
        for _ in range(self.SAMPLES):
            i, j = draw.randrange(size), draw.randrange(size)
            products = [
                x * y for x, y in zip(a[i::size], b[j * size : (j + 1) * size], strict=True)
            ]
            error = abs(c[i + j * size] - math.fsum(products))
            errors.append(error / (self.BOUND * math.fsum(map(abs, products))))
        return math.nan if any(map(math.isnan, errors)) else max(errors)


def measure(gpu: Gpu, timer: Timer, seed: int) -> dict:
    """The rate, or the `trouble` for which there is none."""
    library = _load(gpu)
    if library is None:
        name = f"libcublas.so.{gpu.runtime // 1000}"
        return {"trouble": f"no {name}: not on the library path, in {_HOME} or with PyTorch"}
    size = CuBlas.SIZE
    with buffers(gpu, {name: 4 * size * size for name in ("A", "B", "C")}) as at:
        if at is None:
            return {"trouble": "not enough memory for its matrices"}
        try:
            return _measure(CuBlas(library, gpu), timer, at, seed)
        except CudaError as error:
            return {"trouble": str(error)}


def _measure(cublas: CuBlas, timer: Timer, at: Pointers, seed: int) -> dict:
    gpu, size = timer.gpu, cublas.SIZE
    for n, name in enumerate(("A", "B")):
        gpu.fill_normal(at[name], size * size, seed + 1000 + n)
    gpu.fill_nan(at["C"], 4 * size * size)
    gpu.time(1, lambda _: cublas.matmul(**at))
    worst = cublas.worst_error(**at, seed=seed)
    if not worst <= 1:
        return {"trouble": f"its result is not one of float32 ({worst:.3g} bounds)"}
    timed = timer.time(lambda _: cublas.matmul(**at))
    return {
        "what": f"SGEMM {size} x {size} x {size}, {cublas.MATH}",
        "version": cublas.version,
        **timed,
        "tflops": cublas.FLOPS / timed["median_ms"] / 1e9,
        "worst": worst,
    }


_HOME = Path(os.environ.get("CUDA_HOME", "/usr/local/cuda"))


def _load(gpu: Gpu) -> ctypes.CDLL | None:
    """The library: after PyTorch has been loaded, its copy."""
    os.environ.pop("NVIDIA_TF32_OVERRIDE", None)
    names = (f"libcublas.so.{gpu.runtime // 1000}", "libcublas.so")
    for candidate in (
        *names,
        *(str(_HOME / part / name) for part in ("lib64", "lib") for name in names),
    ):
        try:
            return ctypes.CDLL(candidate)
        except OSError:
            continue
    return None
