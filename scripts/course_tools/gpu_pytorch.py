"""PyTorch's attention on the benchmark's own tensors and stream, compared and timed like a kernel."""

import importlib
import re
import sys
import warnings
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from course_tools.gpu import CudaError, Gpu, Pointers, Shape
from course_tools.gpu_problem import (
    BACKWARD,
    FAILED,
    INPUTS,
    NOT_RUN,
    OUT_OF_MEMORY,
    OUTPUTS,
    REFUSED,
    TIMED,
    WRONG,
    Problem,
    comparison,
)
from course_tools.gpu_timer import Timer

# In fp32. FLASH_ATTENTION and CUDNN_ATTENTION take half precision only.
BACKENDS = {"pytorch_math": "MATH", "pytorch_efficient": "EFFICIENT_ATTENTION"}
TITLES = {"pytorch_math": "PyTorch, MATH", "pytorch_efficient": "PyTorch, EFFICIENT"}
# EFFICIENT makes an fp32 product from three of TF32, whose relative error is up to 4 times larger.
TOLERANCE = 4.0

_UNITS = {"GiB": 2**30, "MiB": 2**20, "KiB": 2**10, "bytes": 1}


class PyTorch:
    """scaled_dot_product_attention on the benchmark's own tensors and stream."""

    def __init__(self, torch: Any, gpu: Gpu) -> None:
        self._torch, self._gpu = torch, gpu
        self.version = torch.__version__
        torch.backends.cuda.matmul.allow_tf32 = False
        torch.backends.cudnn.allow_tf32 = False
        # Said once by the thread that runs backward passes, before it sets the context itself.
        warnings.filterwarnings("ignore", message=".*there was no current CUDA context")
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

    def measure(self, timer: Timer, backend: str, problem: Problem, direction: str) -> dict:
        """Compared, then timed: a part of an entry of the record."""
        torch, gpu = self._torch, self._gpu
        attention = importlib.import_module("torch.nn.attention")
        gpu.trim()
        self._begin_peak()
        try:
            with ExitStack() as stack:
                stack.enter_context(torch.cuda.stream(self._stream))
                chosen = getattr(attention.SDPBackend, BACKENDS[backend])
                stack.enter_context(attention.sdpa_kernel([chosen]))
                if direction == BACKWARD:
                    return self._backward(timer, problem)
                stack.enter_context(torch.no_grad())
                return self._forward(timer, problem)
        except torch.OutOfMemoryError as error:
            return {
                "outcome": OUT_OF_MEMORY,
                "asked_bytes": _asked_bytes(str(error)),
                "held_bytes": self._peak(),
                "memory_bytes": gpu.memory_bytes,
            }
        except CudaError as error:
            gpu.check_alive()
            return {"outcome": FAILED, "reason": str(error)}
        except RuntimeError as error:
            return {"outcome": REFUSED, "reason": _first_line(error)}
        finally:
            torch.cuda.synchronize()
            torch.cuda.empty_cache()

    def _forward(self, timer: Timer, problem: Problem) -> dict:
        sets = [self._tensors(problem.shape, at, ("Q", "K", "V")) for at in problem.sets]

        def call(run: int) -> Any:
            return self._attention(problem.shape, sets[run % len(sets)])

        entry = self._compared(problem, ("O",), [call(0)])
        if entry["outcome"] == TIMED:
            entry["extra_bytes"] = self._extra_bytes(lambda: [call(0)])
            entry |= timer.time(call)
        return entry

    def _backward(self, timer: Timer, problem: Problem) -> dict:
        if not problem.has_forward:
            return {"outcome": NOT_RUN, "reason": "no reference: no forward pass was right"}
        *qkv, upstream = self._tensors(problem.shape, problem.sets[0], INPUTS)
        leaves = [one.detach().requires_grad_() for one in qkv]
        output = self._attention(problem.shape, leaves)

        def call(_: int) -> list[Any]:
            return list(self._torch.autograd.grad(output, leaves, upstream, retain_graph=True))

        entry = self._compared(problem, OUTPUTS[BACKWARD], call(0))
        if entry["outcome"] == TIMED:
            entry["extra_bytes"] = self._extra_bytes(lambda: call(0))
            entry |= timer.time(call)
        return entry

    def _attention(self, shape: Shape, qkv: list[Any]) -> Any:
        return self._torch.nn.functional.scaled_dot_product_attention(
            *qkv, is_causal=shape.causal, scale=self._gpu.softmax_scale(shape.head_dim)
        )

    def _tensors(self, shape: Shape, at: Pointers, names: tuple[str, ...]) -> list[Any]:
        """Views of the benchmark's memory; nothing is copied."""
        sizes = (shape.batch, shape.num_heads, shape.seq_len, shape.head_dim)
        return [
            self._torch.as_tensor(_DeviceMemory(at[name], sizes), device="cuda") for name in names
        ]

    def _compared(self, problem: Problem, names: tuple[str, ...], outputs: list[Any]) -> dict:
        contiguous = [one.detach().contiguous() for one in outputs]
        at = {name: one.data_ptr() for name, one in zip(names, contiguous, strict=True)}
        self._gpu.synchronize()
        compared = problem.reference.compare(names, at)
        wrong = [one for one in compared if not one.within(TOLERANCE)]
        if wrong:
            return {"outcome": WRONG, "reason": str(wrong[0]), **comparison(compared)}
        return {"outcome": TIMED, **comparison(compared)}

    def _extra_bytes(self, work: Callable[[], list[Any]]) -> int:
        """Peak of PyTorch's allocator during work(), without what it returns."""
        self._begin_peak()
        returned = work()
        outputs = sum(one.untyped_storage().nbytes() for one in returned)
        return max(0, self._peak() - outputs)

    def _begin_peak(self) -> None:
        cuda = self._torch.cuda
        cuda.synchronize()
        cuda.reset_peak_memory_stats()
        self._allocated = cuda.memory_allocated()

    def _peak(self) -> int:
        """Bytes at the highest, beside what was allocated before."""
        self._torch.cuda.synchronize()
        return self._torch.cuda.max_memory_allocated() - self._allocated


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
