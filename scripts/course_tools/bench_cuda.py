"""scripts/bench --device cuda: the kernels on a GPU, each compared first and then timed, beside PyTorch."""

import argparse
import ctypes
import datetime
import functools
import hashlib
import os
import shlex
import statistics
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from course_tools import course, device, gpu_ladder, paths, processes, records
from course_tools.errors import EXIT_FAILED, EXIT_OK, InternalError, SetupError, UsageError
from course_tools.gpu import (
    MEMORY_ALLOCATION,
    NOT_SUPPORTED,
    TENSORS,
    CudaError,
    DeviceLost,
    Gpu,
    Launchers,
    Outcome,
    Pointers,
    Reference,
    Shape,
)
from course_tools.gpu_rivals import (
    BACKENDS,
    TOLERANCE,
    Clock,
    CuBlas,
    OutOfMemory,
    PyTorch,
    Refused,
)
from course_tools.text import clean, shorten

if TYPE_CHECKING:
    from rich.console import Console

    from course_tools.display import Bar

CAUSAL_FROM = "05"  # the first lesson whose kernels have the mask
LSE_FROM = "03"  # and the first that give the log-sum-exp
SEED = 0x5EED
SECONDS = 15.0
RUNS = 20
LEAST_RUNS = 3
WARM_UP_MS = 50.0
WARM_UP_RUNS = 10
LONGEST_MS = 20_000.0  # a kernel that would take longer for one call is not run
FLUSH_BYTES = 2**30  # overwritten before each run; its time hides that of the host's calls
DOUBLINGS = 4  # past the longest sequence, for the kernels whose memory runs out

FORWARD, BACKWARD = "forward", "backward"
OUTPUTS = {FORWARD: ("O", "LSE"), BACKWARD: ("dQ", "dK", "dV")}
INPUTS = ("Q", "K", "V", "dO")

TIMED, WRONG, FAILED = "timed", "wrong", "failed"
OUT_OF_MEMORY, NOT_RUN, REFUSED = "out of memory", "not run", "refused"


@dataclass(frozen=True)
class Section:
    """Shapes that belong together; in the first one memory is the subject."""

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
SECTIONS = {"memory": (MEMORY,), "speed": (SPEED,), "all": (MEMORY, SPEED)}


@dataclass
class Kernel:
    """A file with attention_forward, attention_backward or both."""

    name: str
    source: Path
    number: str  # of its lesson, "" for a file that belongs to none
    launchers: Launchers | None = None
    trouble: str = ""  # why it has no launchers

    def directions(self) -> list[str]:
        has = {
            FORWARD: self.launchers is not None and self.launchers.has_forward,
            BACKWARD: self.launchers is not None and self.launchers.has_backward,
        }
        return [direction for direction in (FORWARD, BACKWARD) if has[direction]]

    def takes(self, shape: Shape) -> bool:
        return not shape.causal or not self.number or self.number >= CAUSAL_FROM

    @property
    def has_lse(self) -> bool:
        return not self.number or self.number >= LSE_FROM


def add_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("with --device cuda")
    group.add_argument(
        "--shapes",
        choices=list(SECTIONS),
        help="memory: one head, N from 512 on; speed: B4 H16 N4096; all: both (default)",
    )
    group.add_argument("--lessons", nargs="+", metavar="LESSON", help="only these, 05 or 05_causal")
    group.add_argument("--kernels", metavar="DIR", help="measure the files in DIR, not solutions/")
    group.add_argument(
        "--file", action="append", metavar="PATH", help="measure this file as well; repeatable"
    )
    group.add_argument(
        "--seconds",
        type=_positive,
        metavar="S",
        help="fewer than 20 runs of what would take longer, at least 3 (default 15)",
    )
    group.add_argument("--seed", type=_seed, help="of the inputs (default 0x5eed)")
    group.add_argument("--json", type=Path, metavar="FILE", help="write the record to FILE")
    group.add_argument(
        "--record-from",
        type=Path,
        metavar="FILE",
        help="measure nothing: take a record that --json has written, on another machine perhaps",
    )


ONLY_CUDA = ("shapes", "lessons", "kernels", "file", "seconds", "seed", "json", "record_from")


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1
    if not 0 < value < 1e6:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number")
    return value


def _seed(text: str) -> int:
    try:
        seed = int(text, 0)
    except ValueError:
        seed = -1
    if not 0 <= seed < 2**64:
        raise argparse.ArgumentTypeError(f"{text!r} is not a seed: give 64 bits in hex or decimal")
    return seed


def run(options: argparse.Namespace) -> int:
    """The whole command. Records what is a full measurement of the solutions."""
    from course_tools import display

    if options.record_from is not None:
        record = records.read(options.record_from)
        gpu_ladder.write(record)
        gpu_ladder.show(display.make_console(), record)
        return EXIT_OK
    kernels = find_kernels(options)
    _require_gpu()
    console = display.make_console()
    sections = SECTIONS[options.shapes or "all"]
    record: dict = {}
    with tempfile.TemporaryDirectory(prefix="course-bench-") as scratch:
        from course_tools import build

        folder = build.build(console, device.CUDA, ["gpu_bench"]) / "lib"
        gpu = Gpu(folder, FLUSH_BYTES)
        seed = SEED if options.seed is None else options.seed
        bench = Bench(gpu, console, options.seconds or SECONDS, seed, _command(options))
        helper = _helper(kernels)
        extra = [] if any(one is helper for one in kernels) else [helper]
        bench.compile(folder, [*kernels, *extra], scratch)
        bench.meet_rivals()

        def save(section: Section) -> None:
            record[section.name] = bench.record()
            if options.json is not None:
                records.write(options.json, record)

        try:
            for section in sections:
                bench.measure(section, kernels, helper, lambda section=section: save(section))
        except DeviceLost as lost:
            bench.lost = str(lost)
            save(section)
        whole = not (options.lessons or options.kernels or options.file)
        if whole and not bench.failed and not bench.lost:
            gpu_ladder.write(record)
    gpu_ladder.show(console, record)
    if bench.lost:
        raise InternalError(f"the GPU was lost: {bench.lost}")
    return EXIT_FAILED if bench.failed else EXIT_OK


def _command(options: argparse.Namespace) -> str:
    """What measures the same again: without where the record goes."""
    words = ["scripts/bench", "--device", "cuda"]
    for name in ("shapes", "kernels", "seconds", "seed"):
        if (value := getattr(options, name)) is not None:
            words += [f"--{name}", f"{value:g}" if name == "seconds" else str(value)]
    if options.lessons:
        words += ["--lessons", *options.lessons]
    for path in options.file or []:
        words += ["--file", path]
    return shlex.join(words)


def find_kernels(options: argparse.Namespace) -> list[Kernel]:
    """The solutions, or the files of --kernels, of the lessons asked for, and those of --file."""
    folder = paths.SOLUTIONS if options.kernels is None else Path(options.kernels)
    if not folder.is_dir():
        raise UsageError(f"there is no folder {str(folder)!r}")
    found = []
    for lesson in course.select(course.load(), options.lessons or []):
        for source in sorted(folder.glob(f"{lesson.number}_*.cu")):
            if hashlib.sha256(source.read_bytes()).hexdigest() != lesson.stub_sha256:
                found.append(Kernel(source.stem, source, lesson.number))
    for name in options.file or []:
        if not Path(name).is_file():
            raise UsageError(f"{name!r} is not a file")
        found.append(Kernel(paths.shown(Path(name)), Path(name), ""))
    if not found:
        raise UsageError(f"nothing to measure in {paths.shown(folder)}: no file has been started")
    return found


def _helper(kernels: list[Kernel]) -> Kernel:
    """The forward pass whose O and LSE the backward passes get: the last lesson's solution."""
    number = max(one.number for one in course.load() if not one.name.endswith("_backward"))
    source = next(paths.SOLUTIONS.glob(f"{number}_*.cu"))
    for kernel in kernels:
        if kernel.source.resolve() == source.resolve():
            return kernel
    return Kernel(source.stem, source, number)


def _require_gpu() -> None:
    if not device.has_cuda_compiler():
        raise SetupError("--device cuda needs nvcc, which is not on the PATH")
    try:
        status = ctypes.CDLL("libcuda.so.1").cuInit(0)
    except OSError:
        raise SetupError("--device cuda needs an NVIDIA GPU: there is no driver here") from None
    if status != 0:
        raise SetupError(f"--device cuda needs an NVIDIA GPU: none answers (cuInit: {status})")


@dataclass
class Problem:
    """The tensors of one shape: several sets of inputs, one of outputs."""

    shape: Shape
    sets: list[Pointers]
    outputs: Pointers
    reference: Reference
    saved: bool = False  # O and LSE of a compared forward pass are in every set
    has_gradients: bool = False

    def at(self, run: int, direction: str) -> Pointers:
        """What call number `run` gets; outputs take the place of inputs of the same name."""
        names = OUTPUTS[direction]
        inputs = self.sets[run % len(self.sets)]
        return {**inputs, **{name: self.outputs[name] for name in names}}


@dataclass
class Bench:
    gpu: Gpu
    console: "Console"
    seconds: float
    seed: int
    command: str
    torch: PyTorch | None = None
    no_torch: str = ""
    failed: bool = False  # a kernel of ours is wrong
    lost: str = ""
    entries: list[dict] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.clock = Clock(self.gpu.pci_bus_id)
        self.clocks: list[int] = []
        self.cublas: dict = {"trouble": "not measured"}
        self.nvcc = ""
        self.expected_ms: dict[tuple[str, str], tuple[int, float]] = {}  # of (kernel, direction)
        self.scratch_bytes: dict[str, tuple[int, int]] = {}
        self.clock_before = self.clock.mhz()
        self.bar: Bar | None = None
        self.gpu.on_tick = self._tick

    def _tick(self) -> None:
        if (mhz := self.clock.mhz()) is not None:
            self.clocks.append(mhz)
        if self.bar is not None:
            self.bar.tick()

    # Preparation

    def compile(self, folder: Path, kernels: list[Kernel], scratch: str) -> None:
        """With the grader's command, several at a time."""
        from course_tools.display import Bar

        compiler = (folder / "compiler.txt").read_text(encoding="utf-8").split("\n")[:-1]
        libraries = [Path(scratch, f"kernel{n}.so") for n in range(len(kernels))]
        commands = [
            processes.Command(
                [*compiler, "-o", str(library), str(kernel.source.resolve())], paths.ROOT
            )
            for kernel, library in zip(kernels, libraries, strict=True)
        ]
        with Bar(self.console, f"compiling {len(kernels)} files") as bar:
            ended = processes.run_all(
                commands, len(os.sched_getaffinity(0)), lambda *_: None, bar.tick
            )
        for kernel, library, one in zip(kernels, libraries, ended, strict=True):
            if one.returncode == 0:
                kernel.launchers = self.gpu.load_kernels(library)
                continue
            self.failed = True
            kernel.trouble = "does not compile"
            self.console.print(f"{kernel.name} does not compile:", markup=False)
            self.console.print(shorten(clean(one.output), 20), markup=False)
        self.nvcc = _version(compiler[0])

    def meet_rivals(self) -> None:
        """PyTorch and cuBLAS, or a line that says what is missing."""
        self.torch, self.no_torch = PyTorch.load(self.gpu)
        if self.torch is None:
            self.console.print(self.no_torch, markup=False)
        found, trouble = CuBlas.load(self.gpu)
        if found is not None:
            self.cublas = self._time_cublas(found)
            trouble = self.cublas.get("trouble", "")
        else:
            self.cublas = {"trouble": trouble}
        if trouble:
            self.console.print(f"no rate of cuBLAS: {trouble}", markup=False)

    def _time_cublas(self, cublas: CuBlas) -> dict:
        size = cublas.SIZE
        with self._buffers({name: 4 * size * size for name in ("A", "B", "C")}) as at:
            if at is None:
                return {"trouble": "not enough memory for its matrices"}
            for n, name in enumerate(("A", "B")):
                self.gpu.fill_normal(at[name], size * size, self.seed + 1000 + n)
            self.gpu.fill_nan(at["C"], 4 * size * size)

            def work(_: int) -> None:
                cublas.matmul(at["A"], at["B"], at["C"])

            try:
                self.gpu.time(1, work)
                worst = cublas.worst_error(at["A"], at["B"], at["C"], self.seed)
                if not worst <= 1:
                    return {"trouble": f"its result is not one of float32 ({worst:.3g} bounds)"}
                timed = self._timed(work, 2.0)
            except CudaError as error:
                return {"trouble": str(error)}
        rate = cublas.FLOPS / timed["median_ms"] / 1e9
        return {
            "what": f"SGEMM {size} x {size} x {size}, {cublas.MATH}",
            "version": cublas.version,
            **timed,
            "tflops": rate,
            "worst": worst,
        }

    # Measuring

    def measure(
        self,
        section: Section,
        kernels: list[Kernel],
        helper: Kernel,
        save: Callable[[], None] = lambda: None,
    ) -> dict:
        """All kernels and PyTorch's backends on all shapes of a section; saves after each shape."""
        from course_tools.display import Bar

        self.entries = []
        with Bar(self.console, f"measuring {section.name}") as self.bar:
            for shape in section.shapes:
                self._measure_shape(shape, kernels, helper)
                save()
            if section.until_refused:
                self._double_until_refused(section.shapes[-1], kernels)
                save()
        return self.record()

    def _measure_shape(self, shape: Shape, kernels: list[Kernel], helper: Kernel) -> None:
        with self._problem(shape) as problem:
            for direction in (FORWARD, BACKWARD):
                if direction == BACKWARD and problem is not None:
                    self._prepare_backward(problem, helper)
                for kernel in kernels:
                    if direction in kernel.directions() and kernel.takes(shape):
                        measure = functools.partial(
                            self._measure_kernel, kernel, problem, direction
                        )
                        self._try(kernel.name, shape, direction, problem, measure)
                for backend in BACKENDS if self.torch is not None else ():
                    measure = functools.partial(self._measure_torch, backend, problem, direction)
                    self._try(backend, shape, direction, problem, measure)

    def _try(
        self,
        kernel: str,
        shape: Shape,
        direction: str,
        problem: Problem | None,
        measure: Callable[[], dict],
    ) -> None:
        """Measures what fits into memory and does not take too long."""
        if problem is None:
            found = {"outcome": NOT_RUN, "reason": "the tensors do not fit into memory"}
        elif (expected := self._expected(kernel, direction, shape)) > LONGEST_MS:
            found = {"outcome": NOT_RUN, "expected_ms": expected}
            found["reason"] = f"about {expected / 1000:.0f} s a call"
        else:
            self.clocks = []
            try:
                found = measure()
            except DeviceLost as lost:
                self._add(kernel, shape, direction, {"outcome": FAILED, "reason": str(lost)})
                raise
            if self.clocks:
                found["sm_clock_mhz"] = statistics.median(self.clocks)
        self._add(kernel, shape, direction, found)

    def _expected(self, kernel: str, direction: str, shape: Shape) -> float:
        """The time of one call in ms as that of a shorter sequence of one head foretells it, or 0."""
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
        self._say(f"  {shape}  {kernel} {direction}: {gpu_ladder.in_words(entry)}")

    def _say(self, line: str) -> None:
        if self.bar is not None:
            self.bar.update(what=line.strip()[:100])
            self.bar.plain_line(line)

    def _measure_kernel(self, kernel: Kernel, problem: Problem, direction: str) -> dict:
        """Compared, then timed."""
        shape, gpu = problem.shape, self.gpu
        if direction == BACKWARD and not problem.saved:
            return {"outcome": NOT_RUN, "reason": "no forward pass gave a right O and LSE"}
        launch = kernel.launchers.forward if direction == FORWARD else kernel.launchers.backward

        def work(run: int) -> None:
            launch(shape, problem.at(run, direction))

        self._fill_outputs(problem, direction)
        first: list[float] = []
        memory, error = gpu.metered(lambda: first.extend(gpu.time(1, work)))
        if error is None:
            try:
                gpu.synchronize()
            except CudaError as late:
                error = late
        if error is not None:
            gpu.check_alive()
            return self._error_entry(error, memory.refused_bytes)
        tensors = OUTPUTS[direction]
        if direction == FORWARD and not kernel.has_lse:
            tensors = ("O",)
        compared = problem.reference.compare(tensors, problem.at(0, direction))
        entry = _comparison(compared)
        wrong = [one for one in compared if not one.accepted]
        if wrong:
            return {"outcome": WRONG, "reason": str(wrong[0]), **entry}
        lse_bytes = 4 * shape.floats("LSE") if "LSE" in tensors else 0
        entry |= {"scratch_bytes": memory.peak_bytes, "lse_bytes": lse_bytes}
        entry["extra_bytes"] = memory.peak_bytes + lse_bytes
        if memory.kept_bytes:
            entry["kept_bytes"] = memory.kept_bytes
        self.scratch_bytes[kernel.name] = (shape.seq_len, memory.peak_bytes)
        return {"outcome": TIMED, **entry, **self._timed(work, first=first)}

    def _error_entry(self, error: CudaError, refused_bytes: int) -> dict:
        if error.code == MEMORY_ALLOCATION:
            return {
                "outcome": OUT_OF_MEMORY,
                "asked_bytes": refused_bytes,
                "memory_bytes": self.gpu.memory_bytes,
            }
        if error.code == NOT_SUPPORTED:
            return {"outcome": REFUSED, "reason": str(error)}
        return {"outcome": FAILED, "reason": str(error)}

    def _measure_torch(self, backend: str, problem: Problem, direction: str) -> dict:
        """The same for PyTorch; a result of its own tolerance is accepted."""
        torch = self.torch
        self.gpu.trim()
        try:
            with torch.backend(backend, graph=direction == BACKWARD):
                if direction == FORWARD:
                    return self._torch_forward(torch, problem)
                return self._torch_backward(torch, problem)
        except OutOfMemory as error:
            return {
                "outcome": OUT_OF_MEMORY,
                "asked_bytes": error.asked_bytes,
                "memory_bytes": self.gpu.memory_bytes,
            }
        except Refused as error:
            return {"outcome": REFUSED, "reason": str(error)}
        except CudaError as error:
            self.gpu.check_alive()
            return {"outcome": FAILED, "reason": str(error)}
        finally:
            torch.empty_cache()

    def _torch_forward(self, torch: PyTorch, problem: Problem) -> dict:
        shape = problem.shape
        sets = [torch.tensors(shape, at, ("Q", "K", "V")) for at in problem.sets]
        output = torch.forward(shape, sets[0])
        pointers, kept = torch.pointers(("O",), [output])
        entry = self._compare_torch(problem, ("O",), pointers)
        del output, kept
        if entry["outcome"] == WRONG:
            return entry
        extra = torch.extra_bytes(lambda: [torch.forward(shape, sets[0])])
        timed = self._timed(lambda run: torch.forward(shape, sets[run % len(sets)]))
        return {**entry, "extra_bytes": extra, **timed}

    def _torch_backward(self, torch: PyTorch, problem: Problem) -> dict:
        shape = problem.shape
        if not problem.has_gradients:
            return {"outcome": NOT_RUN, "reason": "no reference: no forward pass was right"}
        *qkv, upstream = torch.tensors(shape, problem.sets[0], INPUTS)
        leaves = torch.leaves(qkv)
        output = torch.forward(shape, leaves)
        gradients = list(torch.gradients(output, leaves, upstream))
        pointers, kept = torch.pointers(OUTPUTS[BACKWARD], gradients)
        entry = self._compare_torch(problem, OUTPUTS[BACKWARD], pointers)
        del gradients, kept
        if entry["outcome"] == WRONG:
            return entry
        extra = torch.extra_bytes(lambda: list(torch.gradients(output, leaves, upstream)))
        timed = self._timed(lambda _: torch.gradients(output, leaves, upstream))
        return {**entry, "extra_bytes": extra, **timed}

    def _compare_torch(
        self, problem: Problem, tensors: tuple[str, ...], pointers: Pointers
    ) -> dict:
        self.gpu.synchronize()
        compared = problem.reference.compare(tensors, pointers)
        wrong = [one for one in compared if not one.within(TOLERANCE)]
        if wrong:
            return {"outcome": WRONG, "reason": str(wrong[0]), **_comparison(compared)}
        return {"outcome": TIMED, **_comparison(compared)}

    def _timed(
        self,
        work: Callable[[int], object],
        seconds: float | None = None,
        first: Sequence[float] = (),
    ) -> dict:
        """Warm-up, then the runs. `first` are times of calls that have warmed up already."""

        def call(run: int) -> None:
            work(run)

        warm_up = list(first)
        while sum(warm_up) < WARM_UP_MS and len(warm_up) < WARM_UP_RUNS:
            warm_up += self.gpu.time(1, call)
        limit_ms = 1000 * (self.seconds if seconds is None else seconds)
        runs = max(LEAST_RUNS, min(RUNS, int(limit_ms / max(warm_up[-1], 1e-6))))
        times = self.gpu.time(runs, call)
        return {
            "n": runs,
            "median_ms": statistics.median(times),
            "min_ms": min(times),
            "max_ms": max(times),
            "ms": [round(one, 6) for one in times],
        }

    def _fill_outputs(self, problem: Problem, direction: str) -> None:
        for name in OUTPUTS[direction]:
            self.gpu.fill_nan(problem.outputs[name], 4 * problem.shape.floats(name))

    def _prepare_backward(self, problem: Problem, helper: Kernel) -> None:
        """Puts O and LSE of a forward pass that is right into every set."""
        if helper.launchers is None:
            return
        shape, gpu = problem.shape, self.gpu
        for at in problem.sets:
            for name in OUTPUTS[FORWARD]:
                gpu.fill_nan(at[name], 4 * shape.floats(name))
        try:
            gpu.time(
                len(problem.sets), lambda run: helper.launchers.forward(shape, problem.sets[run])
            )
            gpu.synchronize()
        except CudaError:
            gpu.check_alive()
            return
        compared = problem.reference.compare(OUTPUTS[FORWARD], problem.sets[0])
        if all(one.accepted for one in compared):
            problem.reference.add_gradients(problem.sets[0])
            problem.saved = problem.has_gradients = True

    def _double_until_refused(self, last: Shape, kernels: list[Kernel]) -> None:
        """Where the memory of the kernels ends whose scratch grows as N^2. Nothing is timed."""
        for kernel in kernels:
            known = self.scratch_bytes.get(kernel.name)
            if known is None or known[0] != last.seq_len or known[1] < 4 * last.seq_len**2:
                continue
            shape = last
            for _ in range(DOUBLINGS):
                shape = Shape(shape.batch, shape.num_heads, 2 * shape.seq_len, shape.head_dim)
                expected = known[1] * (shape.seq_len // last.seq_len) ** 2
                entry = self._ask(kernel, shape, expected)
                if entry is None:
                    continue  # it would run; nobody waits for it
                self._add(kernel.name, shape, FORWARD, entry)
                break

    def _ask(self, kernel: Kernel, shape: Shape, expected_bytes: int) -> dict | None:
        """Calls a launcher whose scratch cannot fit; None where it can."""
        self.gpu.trim()
        if expected_bytes <= self.gpu.free_bytes():
            return None
        names = ("Q", "K", "V", "O", "LSE")
        with self._buffers({name: 4 * shape.floats(name) for name in names}) as at:
            if at is None:
                return {"outcome": NOT_RUN, "reason": "the tensors do not fit into memory"}
            memory, error = self.gpu.metered(lambda: kernel.launchers.forward(shape, at))
            if error is None:
                self.gpu.synchronize()
                return {
                    "outcome": NOT_RUN,
                    "reason": f"{expected_bytes} bytes were given after all",
                }
            self.gpu.check_alive()
            return self._error_entry(error, memory.refused_bytes)

    # Memory

    @contextmanager
    def _buffers(self, sizes: dict[str, int]) -> Iterator[Pointers | None]:
        """Device memory by name, or None if there is not enough."""
        at: Pointers = {}
        try:
            for name, size in sizes.items():
                pointer = self.gpu.allocate(size)
                if pointer is None:
                    break
                at[name] = pointer
            yield at if len(at) == len(sizes) else None
        finally:
            for pointer in at.values():
                with suppress(CudaError):  # a device that is lost gives nothing back
                    self.gpu.free(pointer)

    @contextmanager
    def _problem(self, shape: Shape) -> Iterator[Problem | None]:
        """The tensors of a shape, with inputs in them; None if they do not fit."""
        self.gpu.trim()
        inputs = (*INPUTS, "O", "LSE")
        bytes_of = {name: 4 * shape.floats(name) for name in TENSORS}
        set_bytes = sum(bytes_of[name] for name in inputs)
        count = max(2, min(4, -(-2 * self.gpu.l2_bytes // set_bytes)))
        outputs = (*OUTPUTS[FORWARD], *OUTPUTS[BACKWARD])
        sizes = {f"{name} {n}": bytes_of[name] for n in range(count) for name in inputs}
        sizes |= {name: bytes_of[name] for name in outputs}
        with self._buffers(sizes) as at:
            if at is None:
                yield None
                return
            sets = [{name: at[f"{name} {n}"] for name in inputs} for n in range(count)]
            for n, one in enumerate(sets):
                for m, name in enumerate(INPUTS):
                    self.gpu.fill_normal(one[name], shape.floats(name), self.seed + 16 * n + m)
            self.gpu.synchronize()
            reference = self.gpu.reference(shape, self.seed, sets[0])
            try:
                yield Problem(shape, sets, {name: at[name] for name in outputs}, reference)
            finally:
                reference.free()

    # The record

    def record(self) -> dict:
        """What has been measured of a section, with its conditions."""
        gpu = self.gpu
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
                "driver": self.clock.driver(),
                "cuda_driver": _cuda_version(gpu.driver),
                "cuda_runtime": _cuda_version(gpu.runtime),
                "nvcc": self.nvcc,
                "pytorch": self.torch.version if self.torch else None,
                "sm_clock_mhz": {"before": self.clock_before, "after": self.clock.mhz()},
            },
            "definitions": DEFINITIONS,
            "cublas": self.cublas,
            "entries": self.entries,
            **({"lost": self.lost} if self.lost else {}),
        }


DEFINITIONS = {
    "ms": "GPU time between two events around one call, in ms; before each call a buffer of at "
    "least 1 GiB and twice the L2 cache is overwritten, and the sets of inputs take turns "
    "(PyTorch's backward pass: one set, whose graph is kept)",
    "n": "runs after a warm-up; fewer than 20 where 20 would take longer than --seconds",
    "tflops": "4 B H N N d, half of it with the causal mask, 2.5 times that for the backward pass",
    "extra_bytes": "kernels of the course: peak of what the launcher allocates (scratch_bytes), plus "
    "lse_bytes of LSE; PyTorch: peak of torch.cuda.max_memory_allocated during a call, after a "
    "first call, without the tensors that are returned",
    "scratch": "comes from the stream's pool, which keeps what is freed, as PyTorch's allocator does",
    "worst": "largest error over the rounding bound, of each output, at the sampled rows; right is "
    f"at most 1, for PyTorch at most {TOLERANCE:g} (EFFICIENT: three products of TF32 for one)",
    "pytorch": "float32; torch.backends.cuda.matmul.allow_tf32 = False; one backend at a time "
    "through torch.nn.attention.sdpa_kernel; the backward pass alone, by torch.autograd.grad",
    "sm_clock_mhz": "median of what NVML said before and during the runs",
}


def _comparison(compared: list[Outcome]) -> dict:
    return {
        "worst": {one.tensor: one.worst for one in compared},
        "compared_elements": {one.tensor: one.elements for one in compared},
    }


def _cuda_version(number: int) -> str:
    return f"{number // 1000}.{number % 1000 // 10}"


def _version(compiler: str) -> str:
    """The last but one line of `nvcc --version`."""
    try:
        finished = subprocess.run(
            [compiler, "--version"], capture_output=True, text=True, check=False
        )
    except OSError:
        return ""
    lines = [line for line in finished.stdout.splitlines() if "release" in line]
    return lines[0].strip() if lines else ""
