"""The GPU as scripts/bench --device cuda uses it: tests/benchmarks/gpu_bench.h through ctypes."""

import ctypes
from collections.abc import Callable
from ctypes import POINTER, byref, c_char_p, c_double, c_float, c_int, c_int64, c_uint64, c_void_p
from dataclasses import dataclass
from pathlib import Path

from course_tools.errors import InternalError, SetupError

TENSORS = ("Q", "K", "V", "O", "LSE", "dO", "dQ", "dK", "dV")  # protocol::Tensor
MEMORY_ALLOCATION = 2  # cudaErrorMemoryAllocation
NOT_SUPPORTED = 801  # cudaErrorNotSupported
LONGEST_CALL_S = 120  # a call that lasts longer ends the benchmark
_STOPPED, _TOO_LONG = -1, -2  # kGpuBenchStopped, kGpuBenchTooLong
_NAN_BYTE = 0xFF
_PROBE_BYTES = 1 << 20
_CALL = ctypes.CFUNCTYPE(c_int, c_int)
_TICK = ctypes.CFUNCTYPE(c_int)


class CudaError(Exception):
    """A CUDA call, or a launcher, returned an error."""

    def __init__(self, code: int, name: str) -> None:
        super().__init__(name)
        self.code = code


class DeviceLost(Exception):
    """Nothing more can be measured: the device does not answer this process any longer."""


class _Device(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char * 256),
        *((name, ctypes.c_int32) for name in ("driver", "runtime", "major", "minor")),
        ("multiprocessors", ctypes.c_int32),
        ("l2_bytes", ctypes.c_int32),
        ("memory_bytes", c_uint64),
        *((name, ctypes.c_int32) for name in ("pci_domain", "pci_bus", "pci_device")),
    )


class _Memory(ctypes.Structure):
    _fields_ = tuple((name, c_uint64) for name in ("peak_bytes", "kept_bytes", "refused_bytes"))


class _Shape(ctypes.Structure):
    _fields_ = tuple(
        (name, ctypes.c_int32) for name in ("batch", "num_heads", "seq_len", "head_dim", "causal")
    )


class _AttentionShape(ctypes.Structure):
    """kernels/attention.h."""

    _fields_ = tuple(
        (name, c_int)
        for name in ("batch", "num_heads", "num_heads_kv", "seq_len_q", "seq_len_k", "head_dim")
    )


class _Tensors(ctypes.Structure):
    _fields_ = (("tensor", c_void_p * len(TENSORS)),)


class _Outcome(ctypes.Structure):
    _fields_ = (
        *((name, c_int64) for name in ("elements", "wrong", "not_finite", "never_written")),
        ("worst", c_double),
        ("row", c_int64),
        ("k", ctypes.c_int32),
        ("got", c_float),
        ("expected", c_double),
        ("accepted", ctypes.c_int32),
    )


@dataclass(frozen=True)
class Shape:
    batch: int
    num_heads: int
    seq_len: int
    head_dim: int
    causal: bool = False

    @property
    def heads(self) -> int:
        return self.batch * self.num_heads

    def flops(self, backward: bool) -> float:
        """4 B H N_q N_k d, half of it with the mask; backward 2.5 times that."""
        forward = 4 * self.heads * self.seq_len**2 * self.head_dim * (0.5 if self.causal else 1)
        return forward * (2.5 if backward else 1)

    def floats(self, tensor: str) -> int:
        return self.heads * self.seq_len * (1 if tensor == "LSE" else self.head_dim)

    def __str__(self) -> str:
        sizes = f"B{self.batch} H{self.num_heads} N{self.seq_len} d{self.head_dim}"
        return sizes + (" causal" if self.causal else "")


@dataclass(frozen=True)
class Memory:
    """What one call allocated."""

    peak_bytes: int
    kept_bytes: int
    refused_bytes: int


@dataclass(frozen=True)
class Outcome:
    """How one output compares with the right answers at the sampled rows."""

    tensor: str
    elements: int
    wrong: int
    not_finite: int
    never_written: int
    worst: float  # error / bound
    row: int
    k: int
    got: float
    expected: float
    accepted: bool

    def within(self, bounds: float) -> bool:
        """Whether every error is at most so many times the bound."""
        written = self.elements > 0 and self.not_finite == 0 and self.never_written == 0
        return self.accepted or (written and self.worst <= bounds)

    def __str__(self) -> str:
        where = f"{self.tensor}[row {self.row}, {self.k}] = {self.got:.6g}"
        return f"{where}, expected {self.expected:.6g}"


Pointers = dict[str, int]  # device addresses by tensor


class Gpu:
    """One device, one stream, and the memory of the tensors on it."""

    def __init__(self, folder: Path, flush_bytes: int = 0, flushes: int = 1) -> None:
        """Loads the libraries of a build folder. They must come before any other user of CUDA.

        Before a run a buffer of flush_bytes, at least twice the L2 cache, is overwritten.
        """
        self._library = _load(folder / "libgpu_bench.so", ctypes.RTLD_GLOBAL)
        self._fill = _load(folder / "libfill_normal.so", ctypes.RTLD_LOCAL)
        self._declare()
        found = _Device()
        status = self._library.gpu_bench_open(0, flush_bytes, flushes, byref(found))
        if status != 0:
            raise SetupError(f"no GPU can be used: {self.error_name(status)}")
        self.name = found.name.decode()
        self.driver, self.runtime = found.driver, found.runtime
        self.capability = f"{found.major}.{found.minor}"
        self.multiprocessors = found.multiprocessors
        self.l2_bytes, self.memory_bytes = found.l2_bytes, found.memory_bytes
        self.pci_bus_id = f"{found.pci_domain:08x}:{found.pci_bus:02x}:{found.pci_device:02x}.0"
        self.stream = self._library.gpu_bench_stream()
        self.on_tick: Callable[[], None] = lambda: None
        self._check_counting()

    def _declare(self) -> None:
        library = self._library
        library.gpu_bench_error_name.restype = c_char_p
        library.gpu_bench_stream.restype = c_void_p
        library.gpu_bench_allocate.restype = c_void_p
        library.gpu_bench_allocate.argtypes = (c_uint64,)
        library.gpu_bench_free.argtypes = (c_void_p,)
        library.gpu_bench_free_bytes.argtypes = (POINTER(c_uint64),)
        library.gpu_bench_open.argtypes = (c_int, c_uint64, c_int, POINTER(_Device))
        library.gpu_bench_set_bytes.argtypes = (c_void_p, c_int, c_uint64)
        library.gpu_bench_read.argtypes = (c_void_p, c_void_p, c_uint64)
        library.gpu_bench_meter_end.argtypes = (POINTER(_Memory),)
        library.gpu_bench_time.argtypes = (c_int, _CALL, _TICK, c_double, POINTER(c_float))
        library.gpu_bench_reference.restype = c_void_p
        library.gpu_bench_reference.argtypes = (_Shape, c_uint64, POINTER(_Tensors))
        library.gpu_bench_reference_gradients.argtypes = (c_void_p, POINTER(_Tensors))
        library.gpu_bench_reference_rows.argtypes = (c_void_p, POINTER(c_int64), POINTER(c_int64))
        library.gpu_bench_reference_free.argtypes = (c_void_p,)
        library.gpu_bench_compare.argtypes = (c_void_p, c_int, POINTER(_Tensors), POINTER(_Outcome))
        library.gpu_bench_softmax_scale.restype = c_float
        self._fill.fill_normal.argtypes = (c_void_p, c_uint64, c_uint64, c_void_p)
        self._fill.allocate_and_free.argtypes = (c_uint64, c_void_p)

    def _check_counting(self) -> None:
        """A kernel library's allocations have to arrive at our counter."""
        self._library.gpu_bench_meter_begin()
        self._check(self._fill.allocate_and_free(_PROBE_BYTES, self.stream))
        counted = self._memory()
        if counted.peak_bytes != _PROBE_BYTES or counted.kept_bytes != 0:
            raise InternalError("the allocations of kernel libraries do not reach the counter")

    def error_name(self, code: int) -> str:
        return self._library.gpu_bench_error_name(code).decode()

    def _check(self, code: int) -> None:
        if code != 0:
            raise CudaError(code, self.error_name(code))

    def synchronize(self) -> None:
        self._check(self._library.gpu_bench_synchronize())

    def late_error(self) -> CudaError | None:
        """The error that CUDA still holds, for itself or for whoever asks."""
        try:
            self.synchronize()
        except CudaError as error:
            return error
        return None

    def check_alive(self) -> None:
        """After an error: some end every use of the device by this process."""
        self._library.gpu_bench_synchronize()
        status = self._library.gpu_bench_synchronize()
        if status != 0:
            raise DeviceLost(self.error_name(status))

    def free_bytes(self) -> int:
        found = c_uint64()
        self._check(self._library.gpu_bench_free_bytes(byref(found)))
        return found.value

    def allocate(self, size: int) -> int | None:
        """Device memory that is not counted, or None if there is not enough."""
        return self._library.gpu_bench_allocate(max(size, 1))

    def free(self, pointer: int) -> None:
        self._check(self._library.gpu_bench_free(pointer))

    def trim(self) -> None:
        """Gives the memory that the stream's pool keeps back to the device."""
        self._check(self._library.gpu_bench_trim())

    def fill_normal(self, pointer: int, count: int, seed: int) -> None:
        self._check(self._fill.fill_normal(pointer, count, seed, self.stream))

    def fill_nan(self, pointer: int, size: int) -> None:
        self._check(self._library.gpu_bench_set_bytes(pointer, _NAN_BYTE, size))

    def read_floats(self, pointer: int, count: int) -> memoryview:
        buffer = (c_float * count)()
        self._check(self._library.gpu_bench_read(buffer, pointer, 4 * count))
        return memoryview(buffer).cast("B").cast("f")

    def time(self, runs: int, work: Callable[[int], None]) -> list[float]:
        """The times in ms of `work(run)`; what it raises ends the runs and is raised here."""
        raised: list[BaseException] = []

        def guarded(call: Callable[[], None]) -> int:
            try:
                call()
            except BaseException as error:  # noqa: BLE001  # nothing may pass through C
                raised.append(error)
                return 1
            return 0

        times = (c_float * runs)()
        status = self._library.gpu_bench_time(
            runs,
            _CALL(lambda run: guarded(lambda: work(run))),
            _TICK(lambda: guarded(self.on_tick)),
            LONGEST_CALL_S,
            times,
        )
        if raised:
            raise raised[0]
        if status == _TOO_LONG:
            raise DeviceLost(f"a call takes longer than {LONGEST_CALL_S} s")
        self._check(status)
        return list(times)

    def metered(self, work: Callable[[], None]) -> tuple[Memory, CudaError | None]:
        """What `work` allocates, and the error with which it ends."""
        self._library.gpu_bench_meter_begin()
        failed = None
        try:
            work()
        except CudaError as error:
            failed = error
        return self._memory(), failed

    def _memory(self) -> Memory:
        found = _Memory()
        self._library.gpu_bench_meter_end(byref(found))
        return Memory(found.peak_bytes, found.kept_bytes, found.refused_bytes)

    def softmax_scale(self, head_dim: int) -> float:
        return self._library.gpu_bench_softmax_scale(head_dim)

    def load_kernels(self, library: Path) -> "Launchers":
        return Launchers(self, library)

    def reference(self, shape: Shape, seed: int, pointers: Pointers) -> "Reference":
        return Reference(self._library, shape, seed, pointers)


class Launchers:
    """The functions of one compiled kernel file."""

    def __init__(self, gpu: Gpu, library: Path) -> None:
        self._gpu = gpu
        self._library = _load(library, ctypes.RTLD_LOCAL)
        self.has_forward = hasattr(self._library, "attention_forward")
        self.has_backward = hasattr(self._library, "attention_backward")

    def forward(self, shape: Shape, at: Pointers) -> None:
        self._call("attention_forward", ("Q", "K", "V", "O", "LSE"), shape, at)

    def backward(self, shape: Shape, at: Pointers) -> None:
        self._call("attention_backward", TENSORS, shape, at)

    def _call(self, name: str, tensors: tuple[str, ...], shape: Shape, at: Pointers) -> None:
        sizes = _AttentionShape(
            shape.batch,
            shape.num_heads,
            shape.num_heads,
            shape.seq_len,
            shape.seq_len,
            shape.head_dim,
        )
        status = getattr(self._library, name)(
            *(c_void_p(at.get(tensor)) for tensor in tensors),
            sizes,
            c_float(self._gpu.softmax_scale(shape.head_dim)),
            ctypes.c_bool(shape.causal),
            c_void_p(self._gpu.stream),
        )
        if status != 0:
            raise CudaError(status, self._gpu.error_name(status))


class Reference:
    """The right answers at sampled rows of one problem."""

    def __init__(self, library: ctypes.CDLL, shape: Shape, seed: int, pointers: Pointers) -> None:
        self._library = library
        sizes = _Shape(
            shape.batch, shape.num_heads, shape.seq_len, shape.head_dim, int(shape.causal)
        )
        self._handle = library.gpu_bench_reference(sizes, seed, byref(_tensors(pointers)))
        if not self._handle:
            raise InternalError("the inputs cannot be read from the device")
        queries, keys = c_int64(), c_int64()
        library.gpu_bench_reference_rows(self._handle, byref(queries), byref(keys))
        self.queries, self.keys = queries.value, keys.value

    def add_gradients(self, pointers: Pointers) -> None:
        """Needs O and LSE of a forward pass that has been compared, for long sequences."""
        if self._library.gpu_bench_reference_gradients(self._handle, byref(_tensors(pointers))):
            raise InternalError("the inputs of the backward pass cannot be read from the device")

    def compare(self, tensors: tuple[str, ...], pointers: Pointers) -> list[Outcome]:
        return [self._compare(tensor, pointers) for tensor in tensors]

    def _compare(self, tensor: str, pointers: Pointers) -> Outcome:
        found = _Outcome()
        self._library.gpu_bench_compare(
            self._handle, TENSORS.index(tensor), byref(_tensors(pointers)), byref(found)
        )
        fields = {name: getattr(found, name) for name, _ in _Outcome._fields_}
        return Outcome(tensor=tensor, **{**fields, "accepted": bool(found.accepted)})

    def free(self) -> None:
        self._library.gpu_bench_reference_free(self._handle)
        self._handle = None


def _tensors(pointers: Pointers) -> _Tensors:
    return _Tensors((c_void_p * len(TENSORS))(*(pointers.get(tensor) for tensor in TENSORS)))


def _load(library: Path, mode: int) -> ctypes.CDLL:
    try:
        return ctypes.CDLL(str(library), mode=mode)
    except OSError as error:
        raise InternalError(f"cannot load {library.name}: {error}") from error
