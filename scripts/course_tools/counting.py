"""Runs solutions on the CPU device and counts what their kernels do, access by access."""

import functools
import json
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from course_tools import build, display, paths
from course_tools.device import CPU
from course_tools.errors import InternalError
from course_tools.text import clean

DRIVER = Path(__file__).with_name("count_accesses.cu")
SECTOR = 32  # bytes


@dataclass(frozen=True)
class Shape:
    seq_len_q: int
    seq_len_k: int
    head_dim: int
    batch: int = 1
    num_heads: int = 1
    causal: bool = False
    offset: int = 0  # floats by which every tensor misses a 256-byte boundary

    def __str__(self) -> str:
        numbers = (self.batch, self.num_heads, self.seq_len_q, self.seq_len_k, self.head_dim)
        return ",".join(str(int(n)) for n in (*numbers, self.causal, self.offset))


@dataclass(frozen=True)
class Accesses:
    """Loads, stores or both: of one tensor, of several, or of shared memory.

    The counters are ncu's: a request is one instruction of one warp, a sector 32 neighbouring bytes of
    global memory, a wavefront one pass through shared memory.
    """

    requests: int = 0
    bytes: int = 0  # that the threads asked for
    bytes_16: int = 0  # of these, in accesses of 16 bytes
    sectors: int = 0
    wavefronts: int = 0
    ideal_wavefronts: int = 0  # the same without bank conflicts

    def __add__(self, other: "Accesses") -> "Accesses":
        return Accesses(*(a + b for a, b in zip(_values(self), _values(other), strict=True)))

    @property
    def moved(self) -> int:
        """Bytes of the sectors: what global memory or its caches hand over."""
        return SECTOR * self.sectors

    @property
    def share_16(self) -> float:
        return self.bytes_16 / self.bytes

    @property
    def conflicts(self) -> int:
        return self.wavefronts - self.ideal_wavefronts


@dataclass(frozen=True)
class Counts:
    """What one call of attention_forward did, or of attention_backward where the file has it."""

    loads: dict[str, Accesses]  # by tensor: Q, K, V, O, LSE, dO, dQ, dK, dV, and scratch
    stores: dict[str, Accesses]
    atomics: dict[str, Accesses]
    shared_loads: Accesses
    shared_stores: Accesses
    blocks: int
    shared_bytes: int  # of one block
    barriers: int  # passed by a block, over all blocks
    shuffles: int  # of one warp, over all warps
    exp_calls: int  # of one thread, over all threads
    extra_bytes: int  # of device memory, besides the tensors

    def global_loads(self, *tensors: str) -> Accesses:
        """The loads of these tensors, or all of them."""
        return _total(self.loads, tensors)

    def global_stores(self, *tensors: str) -> Accesses:
        return _total(self.stores, tensors)

    def global_accesses(self, *tensors: str) -> Accesses:
        """Loads, stores and atomic operations."""
        atomics = _total(self.atomics, tensors)
        return self.global_loads(*tensors) + self.global_stores(*tensors) + atomics


def _values(accesses: Accesses) -> tuple[int, ...]:
    return tuple(vars(accesses).values())


def _total(by_tensor: dict[str, Accesses], tensors: tuple[str, ...]) -> Accesses:
    return sum((by_tensor[name] for name in tensors or by_tensor), Accesses())


@functools.cache
def count(kernel: str | Path, shape: Shape) -> Counts:
    """What a lesson's solution, "02_tiled", or another kernel file does on the shape."""
    report = json.loads(_run([str(_program(kernel)), str(shape)]))
    kinds = {
        kind: {name: Accesses(**tensor[kind]) for name, tensor in report["global"].items()}
        for kind in ("load", "store", "atomic")
    }
    scalars = {
        name: report[name]
        for name in ("blocks", "shared_bytes", "barriers", "shuffles", "exp_calls", "extra_bytes")
    }
    return Counts(
        loads=kinds["load"],
        stores=kinds["store"],
        atomics=kinds["atomic"],
        shared_loads=Accesses(**report["shared_load"]),
        shared_stores=Accesses(**report["shared_store"]),
        **scalars,
    )


def compiler_version() -> str:
    """The compiler whose instrumentation the counts rest on, "g++ 12.2.0"."""
    return "g++ " + _run(["g++", "-dumpfullversion"]).strip()


@functools.cache
def _compiler() -> Path:
    folder = build.build(display.make_console(), CPU, ["cucc", "cpu_device"])
    return folder / "bin" / "cucc"


@functools.cache
def _scratch() -> tempfile.TemporaryDirectory:
    return tempfile.TemporaryDirectory(prefix="course-counting-")


@functools.cache
def _program(kernel: str | Path) -> Path:
    """The kernel file and the driver, compiled so that every access is counted."""
    source = kernel if isinstance(kernel, Path) else paths.SOLUTIONS / f"{kernel}.cu"
    program = Path(_scratch().name, f"{source.parent.name}-{source.stem}")
    options = ["--check", "-O2", "-I", str(paths.KERNELS), "-o", str(program)]
    _run([str(_compiler()), *options, str(DRIVER), str(source)])
    return program


def _run(argv: list[str]) -> str:
    finished = subprocess.run(argv, cwd=paths.ROOT, capture_output=True, text=True, check=False)
    if finished.returncode != 0:
        what = f"{Path(argv[0]).name} ended with status {finished.returncode}"
        raise InternalError(what, clean(finished.stdout + finished.stderr))
    return finished.stdout
