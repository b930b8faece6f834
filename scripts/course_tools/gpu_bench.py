"""One run of scripts/bench --device cuda: which kernels meet which shapes, and the record of it."""

import datetime
import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from course_tools import gpu_cublas, gpu_kernels, gpu_ladder
from course_tools.gpu import DeviceLost, Gpu, Shape
from course_tools.gpu_kernels import Kernel
from course_tools.gpu_problem import (
    BACKWARD,
    FAILED,
    FORWARD,
    NOT_RUN,
    TIMED,
    WRONG,
    Problem,
    problem,
)
from course_tools.gpu_pytorch import BACKENDS, TOLERANCE, PyTorch
from course_tools.gpu_timer import Timer

if TYPE_CHECKING:
    from rich.console import Console

    from course_tools.display import Bar

LONGEST_MS = 20_000.0  # a kernel that would take longer for one call is not run
DOUBLINGS = 4  # past the longest sequence, for kernels whose scratch grows as N^2

DEFINITIONS = {
    "ms": "GPU time between two events around one call, in ms; before each call a buffer of at least "
    "twice the L2 cache is overwritten several times, and the sets of inputs take turns (PyTorch's "
    "backward pass: one set, whose graph is kept)",
    "n": "runs after a warm-up; fewer than 20 where 20 would take longer than --seconds",
    "tflops": "4 B H N N d, half of it with the causal mask, 2.5 times that for the backward pass",
    "extra_bytes": "kernels of the course: peak of what the launcher allocates (scratch_bytes), plus "
    "lse_bytes of LSE; PyTorch: peak of torch.cuda.max_memory_allocated during a call, after a "
    "first call, without the tensors that are returned",
    "scratch": "comes from the stream's pool, which keeps what is freed, as PyTorch's allocator does",
    "asked_bytes": "the request that was refused; held_bytes: what PyTorch had allocated by then",
    "worst": "largest error over the rounding bound, of each output, at the sampled rows; right is "
    f"at most 1, for PyTorch at most {TOLERANCE:g} (EFFICIENT: three products of TF32 for one)",
    "pytorch": "float32; torch.backends.cuda.matmul.allow_tf32 = False; one backend at a time "
    "through torch.nn.attention.sdpa_kernel; the backward pass alone, by torch.autograd.grad",
    "sm_clock_mhz": "median of what NVML said before and during the runs",
}


@dataclass(frozen=True)
class Section:
    """Shapes that belong together."""

    name: str
    shapes: tuple[Shape, ...]
    until_refused: bool = False  # go on doubling N until the memory runs out


MEMORY = Section(
    "memory", tuple(Shape(1, 1, 512 * 2**n, 128) for n in range(9)), until_refused=True
)
SPEED = Section(
    "speed",
    tuple(Shape(4, 16, 4096, d, causal) for d in (64, 128) for causal in (False, True)),
)


class Bench:
    def __init__(
        self, gpu: Gpu, console: "Console", seconds: float, seed: int, command: str
    ) -> None:
        self.gpu, self.console, self.seed, self.command = gpu, console, seed, command
        self.timer = Timer(gpu, seconds)
        self.clock_before = self.timer.clock.mhz()
        self.torch: PyTorch | None = None
        self.cublas: dict = {"trouble": "not measured"}
        self.nvcc = ""
        self.failed = False  # a kernel of ours is wrong, or cannot run
        self.lost = ""  # why the GPU does not answer any longer
        self.entries: list[dict] = []
        self.expected_ms: dict[tuple[str, str], tuple[int, float]] = {}  # (kernel, pass): N, ms
        self._bar: Bar | None = None
        self.timer.on_tick = lambda: self._bar.tick() if self._bar is not None else None

    def compile(self, folder: Path, kernels: Sequence[Kernel], scratch: Path) -> None:
        troubled = gpu_kernels.compile_all(self.console, self.gpu, folder, kernels, scratch)
        self.failed |= bool(troubled)
        self.nvcc = gpu_kernels.compiler_version(folder)

    def meet_rivals(self) -> None:
        """PyTorch and cuBLAS, or a line that says what is missing."""
        self.torch, missing = PyTorch.load(self.gpu)
        self.cublas = gpu_cublas.measure(self.gpu, self.timer, self.seed)
        for line in (missing, self.cublas.get("trouble")):
            if line:
                self.console.print(line, markup=False)

    def measure(
        self,
        section: Section,
        kernels: Sequence[Kernel],
        helper: Kernel,
        save: Callable[[], None] = lambda: None,
    ) -> dict:
        """All kernels and PyTorch's backends on all shapes of a section; saves after each shape.

        The helper's forward pass gives the backward passes their O and LSE.
        """
        from course_tools.display import Bar

        self.entries = []
        with Bar(self.console, f"measuring {section.name}") as self._bar:
            for shape in section.shapes:
                with problem(self.gpu, shape, self.seed) as tensors:
                    self._measure_shape(shape, tensors, kernels, helper)
                save()
            if section.until_refused:
                self._double_until_refused(section.shapes[-1], kernels)
                save()
        return self.record()

    def _measure_shape(
        self, shape: Shape, tensors: Problem | None, kernels: Sequence[Kernel], helper: Kernel
    ) -> None:
        for direction in (FORWARD, BACKWARD):
            if direction == BACKWARD and tensors is not None:
                gpu_kernels.prepare_backward(self.gpu, tensors, helper)
            for kernel in kernels:
                if kernel.has(direction) and kernel.takes(shape):
                    call = functools.partial(gpu_kernels.measure, self.timer, kernel)
                    self._try(kernel.name, shape, direction, tensors, call)
            for backend in BACKENDS if self.torch is not None else ():
                call = functools.partial(self.torch.measure, self.timer, backend)
                self._try(backend, shape, direction, tensors, call)

    def _try(
        self,
        kernel: str,
        shape: Shape,
        direction: str,
        tensors: Problem | None,
        measure: Callable[[Problem, str], dict],
    ) -> None:
        """Measures what fits into memory and does not take too long."""
        if tensors is None:
            found = {"outcome": NOT_RUN, "reason": "the tensors do not fit into memory"}
        elif (expected := self._expected(kernel, direction, shape)) > LONGEST_MS:
            found = {"outcome": NOT_RUN, "expected_ms": expected}
            found["reason"] = f"about {expected / 1000:.0f} s a call"
        else:
            self.timer.clock_seen()
            try:
                found = measure(tensors, direction)
            except DeviceLost as lost:
                self._add(kernel, shape, direction, {"outcome": FAILED, "reason": str(lost)})
                raise
            found |= self.timer.clock_seen()
        self._add(kernel, shape, direction, found)

    def _expected(self, kernel: str, direction: str, shape: Shape) -> float:
        """The time of one call in ms, as that of a shorter sequence of one head foretells it, or 0."""
        seq_len, ms = self.expected_ms.get((kernel, direction), (1, 0.0))
        return ms * (shape.seq_len / seq_len) ** 2 if shape.heads == 1 else 0.0

    def _add(self, kernel: str, shape: Shape, direction: str, found: dict) -> None:
        """Adds one row to the record; says how it went."""
        entry = {
            "kernel": kernel,
            "direction": direction,
            "batch": shape.batch,
            "num_heads": shape.num_heads,
            "seq_len": shape.seq_len,
            "head_dim": shape.head_dim,
            "causal": shape.causal,
            **found,
        }
        if entry["outcome"] == TIMED:
            if shape.heads == 1:
                self.expected_ms[kernel, direction] = (shape.seq_len, entry["median_ms"])
            entry["tflops"] = shape.flops(direction == BACKWARD) / entry["median_ms"] / 1e9
            if "tflops" in self.cublas:
                entry["share_of_cublas"] = entry["tflops"] / self.cublas["tflops"]
        elif entry["outcome"] in (WRONG, FAILED) and kernel not in BACKENDS:
            self.failed = True
        self.entries.append(entry)
        if self._bar is not None:
            line = f"{shape}  {kernel} {direction}: {gpu_ladder.in_words(entry)}"
            self._bar.update(what=line[:100])
            self._bar.plain_line(f"  {line}")

    def _double_until_refused(self, last: Shape, kernels: Sequence[Kernel]) -> None:
        """Where the memory of the kernels ends whose scratch grows as N^2. Nothing is timed."""
        scratch = {
            one["kernel"]: one["scratch_bytes"]
            for one in self.entries
            if one["seq_len"] == last.seq_len and one.get("scratch_bytes", 0) >= 4 * last.seq_len**2
        }
        for kernel in kernels:
            for doubling in range(1, DOUBLINGS + 1) if kernel.name in scratch else ():
                shape = Shape(last.batch, last.num_heads, last.seq_len * 2**doubling, last.head_dim)
                expected = scratch[kernel.name] * 4**doubling
                found = gpu_kernels.ask_for_memory(self.gpu, kernel, shape, expected)
                if found is not None:  # else it would run, and nobody waits for it
                    self._add(kernel.name, shape, FORWARD, found)
                    break

    def record(self) -> dict:
        """What has been measured of a section, with its conditions."""
        gpu, clock = self.gpu, self.timer.clock
        return {
            "conditions": {
                "command": self.command,
                "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
                "seed": f"{self.seed:#x}",
                "gpu": gpu.name,
                "memory_bytes": gpu.memory_bytes,
                "l2_bytes": gpu.l2_bytes,
                "multiprocessors": gpu.multiprocessors,
                "compute_capability": gpu.capability,
                "driver": clock.driver(),
                "cuda_driver": _cuda_version(gpu.driver),
                "cuda_runtime": _cuda_version(gpu.runtime),
                "nvcc": self.nvcc,
                "pytorch": self.torch.version if self.torch else None,
                "sm_clock_mhz": {"before": self.clock_before, "after": clock.mhz()},
            },
            "definitions": DEFINITIONS,
            "cublas": self.cublas,
            "entries": self.entries,
            **({"lost": self.lost} if self.lost else {}),
        }


def _cuda_version(number: int) -> str:
    return f"{number // 1000}.{number % 1000 // 10}"
