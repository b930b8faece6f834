"""What the course's kernels are measured beside: PyTorch's attention, and cuBLAS's rate as the ceiling."""

import ctypes
import importlib
import math
import os
import random
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from ctypes import byref, c_float, c_int, c_void_p
from pathlib import Path
from typing import Any

from course_tools.gpu import CudaError, Gpu, Pointers, Shape

# In fp32. FLASH_ATTENTION and CUDNN_ATTENTION take half precision only.
BACKENDS = {"pytorch_math": "MATH", "pytorch_efficient": "EFFICIENT_ATTENTION"}
TITLES = {"pytorch_math": "PyTorch, MATH", "pytorch_efficient": "PyTorch, EFFICIENT"}
# EFFICIENT makes an fp32 product from three of TF32, whose relative error is up to 4 times larger.
TOLERANCE = 4.0

_UNITS = {"GiB": 2**30, "MiB": 2**20, "KiB": 2**10, "bytes": 1}


class OutOfMemory(Exception):
    def __init__(self, asked_bytes: int) -> None:
        super().__init__()
        self.asked_bytes = asked_bytes


class Refused(Exception):
    """The backend does not take this problem."""


class PyTorch:
    """scaled_dot_product_attention on the benchmark's own tensors and stream."""

    def __init__(self, torch: Any, gpu: Gpu) -> None:
        self._torch, self._gpu = torch, gpu
        self.version = torch.__version__
        torch.backends.cuda.matmul.allow_tf32 = False
        torch.backends.cudnn.allow_tf32 = False
        self._stream = torch.cuda.ExternalStream(gpu.stream)

    @staticmethod
    def load(gpu: Gpu) -> tuple["PyTorch | None", str]:
        """PyTorch, or why there is none. Call it after Gpu has been made."""
        try:
            torch = importlib.import_module("torch")
        except (ImportError, OSError) as error:
            return None, f"PyTorch is not here ({sys.executable}): {_first_line(error)}"
        if not torch.cuda.is_available():
            return None, f"PyTorch {torch.__version__} does not see the GPU"
        return PyTorch(torch, gpu), ""

    def tensors(self, shape: Shape, at: Pointers, names: tuple[str, ...]) -> list[Any]:
        """Views of the benchmark's memory, nothing is copied."""
        sizes = (shape.batch, shape.num_heads, shape.seq_len, shape.head_dim)
        return [
            self._torch.as_tensor(_DeviceMemory(at[name], sizes), device="cuda") for name in names
        ]

    @contextmanager
    def backend(self, kernel: str, graph: bool) -> Iterator[None]:
        """One backend alone, on our stream; its errors are told apart."""
        torch = self._torch
        attention = importlib.import_module("torch.nn.attention")
        with ExitStack() as stack:
            stack.enter_context(torch.cuda.stream(self._stream))
            chosen = getattr(attention.SDPBackend, BACKENDS[kernel])
            stack.enter_context(attention.sdpa_kernel([chosen]))
            stack.enter_context(torch.enable_grad() if graph else torch.no_grad())
            try:
                yield
            except torch.OutOfMemoryError as error:
                raise OutOfMemory(_asked_bytes(str(error))) from None
            except RuntimeError as error:
                raise Refused(_first_line(error)) from None

    def forward(self, shape: Shape, qkv: list[Any]) -> Any:
        return self._torch.nn.functional.scaled_dot_product_attention(
            *qkv, is_causal=shape.causal, scale=self._gpu.softmax_scale(shape.head_dim)
        )

    def leaves(self, qkv: list[Any]) -> list[Any]:
        return [one.detach().requires_grad_() for one in qkv]

    def gradients(self, output: Any, leaves: list[Any], upstream: Any) -> tuple[Any, ...]:
        return self._torch.autograd.grad(output, leaves, upstream, retain_graph=True)

    def pointers(self, names: tuple[str, ...], tensors: list[Any]) -> tuple[Pointers, list[Any]]:
        """Addresses of contiguous copies, and the copies, which have to live as long."""
        kept = [one.detach().contiguous() for one in tensors]
        return {name: one.data_ptr() for name, one in zip(names, kept, strict=True)}, kept

    def extra_bytes(self, work: Callable[[], list[Any]]) -> int:
        """Peak of PyTorch's allocator during work(), without what it returns."""
        cuda = self._torch.cuda
        cuda.synchronize()
        cuda.reset_peak_memory_stats()
        before = cuda.memory_allocated()
        returned = work()
        cuda.synchronize()
        outputs = sum(one.untyped_storage().nbytes() for one in returned)
        return max(0, cuda.max_memory_allocated() - before - outputs)

    def empty_cache(self) -> None:
        self._torch.cuda.synchronize()
        self._torch.cuda.empty_cache()


class _DeviceMemory:
    """float32 memory as other libraries take it over."""

    def __init__(self, pointer: int, sizes: tuple[int, ...]) -> None:
        self.__cuda_array_interface__ = {
            "shape": sizes,
            "typestr": "<f4",
            "data": (pointer, False),
            "version": 3,
            "strides": None,
        }


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


def _asked_bytes(message: str) -> int:
    found = re.search(r"Tried to allocate ([0-9.]+) (GiB|MiB|KiB|bytes)", message)
    return int(float(found[1]) * _UNITS[found[2]]) if found else 0


class CuBlas:
    """SGEMM in float32: the rate that this GPU reaches on the simplest dense work there is."""

    SIZE = 8192
    FLOPS = 2 * SIZE**3
    MATH = "CUBLAS_DEFAULT_MATH, float32 without TF32"
    SAMPLES = 64
    BOUND = (
        16 * 2.0**-24
    )  # of an element's error over its sum of absolute products; TF32 is past it

    def __init__(self, library: ctypes.CDLL, gpu: Gpu) -> None:
        self._library, self._gpu = library, gpu
        self._handle = c_void_p()
        self._check(library.cublasCreate_v2(byref(self._handle)))
        self._check(library.cublasSetStream_v2(self._handle, c_void_p(gpu.stream)))
        self._check(library.cublasSetMathMode(self._handle, 0))
        version = c_int()
        library.cublasGetVersion_v2(self._handle, byref(version))
        self.version = version.value

    @staticmethod
    def load(gpu: Gpu) -> tuple["CuBlas | None", str]:
        """cuBLAS, or why there is none. After PyTorch, whose own copy is then taken."""
        os.environ.pop("NVIDIA_TF32_OVERRIDE", None)
        major = gpu.runtime // 1000
        names = [f"libcublas.so.{major}", "libcublas.so"]
        home = Path(os.environ.get("CUDA_HOME", "/usr/local/cuda"))
        candidates = [
            *names,
            *(str(home / part / name) for part in ("lib64", "lib") for name in names),
        ]
        for candidate in candidates:
            try:
                library = ctypes.CDLL(candidate)
            except OSError:
                continue
            return CuBlas(library, gpu), ""
        return None, f"no {names[0]}: neither on the library path, nor in {home}, nor with PyTorch"

    def _check(self, status: int) -> None:
        if status != 0:
            raise CudaError(status, f"cuBLAS status {status}")

    def matmul(self, a: int, b: int, c: int) -> None:
        """C = A B, all of them SIZE x SIZE, column by column."""
        one, zero, size, none = c_float(1), c_float(0), self.SIZE, 0
        A, B, C = c_void_p(a), c_void_p(b), c_void_p(c)
        sizes = (self._handle, none, none, size, size, size)
        self._check(
            self._library.cublasSgemm_v2(*sizes, byref(one), A, size, B, size, byref(zero), C, size)
        )

    def worst_error(self, a: int, b: int, c: int, seed: int) -> float:
        """Over some elements: the error, as a part of BOUND times the sum of absolute products."""
        size = self.SIZE
        A, B, C = (self._gpu.read_floats(at, size * size) for at in (a, b, c))
        draw = random.Random(seed)
        errors = []
        for _ in range(self.SAMPLES):
            i, j = draw.randrange(size), draw.randrange(size)
            products = [
                x * y for x, y in zip(A[i::size], B[j * size : (j + 1) * size], strict=True)
            ]
            error = abs(C[i + j * size] - math.fsum(products))
            errors.append(error / (self.BOUND * math.fsum(map(abs, products))))
        return math.nan if any(map(math.isnan, errors)) else max(errors)


class Clock:
    """The clock of the multiprocessors in MHz, from NVML; None where it cannot be had."""

    _SM = 1  # NVML_CLOCK_SM

    def __init__(self, pci_bus_id: str) -> None:
        self._device = None
        try:
            self._library = ctypes.CDLL("libnvidia-ml.so.1")
            if self._library.nvmlInit_v2() == 0:
                self._device = self._find(pci_bus_id)
        except (OSError, AttributeError):
            pass

    def _find(self, pci_bus_id: str) -> c_void_p | None:
        """The device, which inside a container may be the only one and have another address."""
        found, count = c_void_p(), ctypes.c_uint()
        library = self._library
        if library.nvmlDeviceGetHandleByPciBusId_v2(pci_bus_id.encode(), byref(found)) == 0:
            return found
        if library.nvmlDeviceGetCount_v2(byref(count)) != 0 or count.value != 1:
            return None
        return found if library.nvmlDeviceGetHandleByIndex_v2(0, byref(found)) == 0 else None

    def mhz(self) -> int | None:
        if self._device is None:
            return None
        found = ctypes.c_uint()
        status = self._library.nvmlDeviceGetClockInfo(self._device, self._SM, byref(found))
        return found.value if status == 0 else None

    def driver(self) -> str | None:
        if self._device is None:
            return None
        text = ctypes.create_string_buffer(80)
        status = self._library.nvmlSystemGetDriverVersion(text, len(text))
        return text.value.decode() if status == 0 else None
