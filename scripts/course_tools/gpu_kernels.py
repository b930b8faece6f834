"""Kernel files on a GPU: found, compiled with the grader's command, compared and timed."""

import hashlib
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from course_tools import course, paths, processes
from course_tools.errors import UsageError
from course_tools.gpu import MEMORY_ALLOCATION, NOT_SUPPORTED, CudaError, Gpu, Launchers, Shape
from course_tools.gpu_problem import (
    BACKWARD,
    FAILED,
    FORWARD,
    NOT_RUN,
    OUT_OF_MEMORY,
    OUTPUTS,
    REFUSED,
    TIMED,
    WRONG,
    Problem,
    buffers,
    comparison,
)
from course_tools.gpu_timer import Timer
from course_tools.text import clean, shorten

if TYPE_CHECKING:
    from rich.console import Console

CAUSAL_FROM = "05"  # the first lesson whose kernels have the mask
LSE_FROM = "03"  # and the first that give the log-sum-exp


@dataclass(eq=False)
class Kernel:
    """A file with attention_forward, attention_backward or both."""

    name: str
    source: Path
    number: str  # of its lesson, "" for a file that belongs to none
    launchers: Launchers | None = None  # None before it is compiled, and if it does not

    def has(self, direction: str) -> bool:
        if self.launchers is None:
            return False
        if direction == FORWARD:
            return self.launchers.has_forward
        return self.launchers.has_backward

    def takes(self, shape: Shape) -> bool:
        return not shape.causal or not self.number or self.number >= CAUSAL_FROM

    @property
    def has_lse(self) -> bool:
        return not self.number or self.number >= LSE_FROM


def find(lessons: Sequence[str], folder: Path, files: Sequence[str]) -> list[Kernel]:
    """The lessons' files in the folder that are no untouched stubs, and other files."""
    if not folder.is_dir():
        raise UsageError(f"there is no folder {str(folder)!r}")
    found = []
    for lesson in course.select(course.load(), lessons):
        for source in sorted(folder.glob(f"{lesson.number}_*.cu")):
            if hashlib.sha256(source.read_bytes()).hexdigest() != lesson.stub_sha256:
                found.append(Kernel(source.stem, source, lesson.number))
    for name in files:
        if not Path(name).is_file():
            raise UsageError(f"{name!r} is not a file")
        found.append(Kernel(paths.shown(Path(name)), Path(name), ""))
    if not found:
        raise UsageError(f"nothing to measure in {paths.shown(folder)}: no file has been started")
    return found


def last_forward(kernels: Sequence[Kernel]) -> Kernel:
    """The last lesson's solution, whose O and LSE the backward passes get; one of the kernels, or
    one more."""
    number = max(one.number for one in course.load() if not one.name.endswith("_backward"))
    source = next(paths.SOLUTIONS.glob(f"{number}_*.cu"))
    for kernel in kernels:
        if kernel.source.resolve() == source.resolve():
            return kernel
    return Kernel(source.stem, source, number)


def compile_all(
    console: "Console", gpu: Gpu, folder: Path, kernels: Sequence[Kernel], scratch: Path
) -> list[Kernel]:
    """Several at a time, with the command that a build folder names; returns those that fail."""
    from course_tools.display import Bar

    libraries = [scratch / f"kernel{n}.so" for n in range(len(kernels))]
    commands = [
        processes.Command(
            [*_compiler(folder), "-o", str(library), str(kernel.source.resolve())], paths.ROOT
        )
        for kernel, library in zip(kernels, libraries, strict=True)
    ]
    with Bar(console, f"compiling {len(kernels)} files") as bar:
        cores = len(os.sched_getaffinity(0))
        ended = processes.run_all(commands, cores, lambda *_: None, bar.tick)
    failed = []
    for kernel, library, one in zip(kernels, libraries, ended, strict=True):
        if one.returncode == 0:
            kernel.launchers = gpu.load_kernels(library)
            continue
        failed.append(kernel)
        console.print(f"{kernel.name} does not compile:", markup=False)
        console.print(shorten(clean(one.output), 20), markup=False)
    return failed


def _compiler(folder: Path) -> list[str]:
    return (folder / "compiler.txt").read_text(encoding="utf-8").split("\n")[:-1]


def compiler_version(folder: Path) -> str:
    """The line with the release in what `nvcc --version` prints."""
    argv = [_compiler(folder)[0], "--version"]
    finished = subprocess.run(argv, capture_output=True, text=True, check=False)
    return next((line.strip() for line in finished.stdout.splitlines() if "release" in line), "")


def measure(timer: Timer, kernel: Kernel, problem: Problem, direction: str) -> dict:
    """Compared, then timed: a part of an entry of the record."""
    shape, gpu = problem.shape, timer.gpu
    if direction == BACKWARD and not problem.has_forward:
        return {"outcome": NOT_RUN, "reason": "no forward pass gave a right O and LSE"}
    launch = kernel.launchers.forward if direction == FORWARD else kernel.launchers.backward

    def work(run: int) -> None:
        launch(shape, problem.at(run, direction))

    problem.fill_outputs(direction)
    first: list[float] = []
    memory, error = gpu.metered(lambda: first.extend(gpu.time(1, work)))
    if error is None:
        error = gpu.late_error()  # of a launch that nobody has asked about
    if error is not None:
        gpu.check_alive()
        return _error_entry(gpu, error, memory.refused_bytes)
    tensors = OUTPUTS[direction]
    if direction == FORWARD and not kernel.has_lse:
        tensors = ("O",)
    compared = problem.reference.compare(tensors, problem.at(0, direction))
    entry = comparison(compared)
    wrong = [one for one in compared if not one.accepted]
    if wrong:
        return {"outcome": WRONG, "reason": str(wrong[0]), **entry}
    lse_bytes = 4 * shape.floats("LSE") if "LSE" in tensors else 0
    entry |= {"scratch_bytes": memory.peak_bytes, "lse_bytes": lse_bytes}
    entry["extra_bytes"] = memory.peak_bytes + lse_bytes
    if memory.kept_bytes:
        entry["kept_bytes"] = memory.kept_bytes
    return {"outcome": TIMED, **entry, **timer.time(work, first)}


def _error_entry(gpu: Gpu, error: CudaError, refused_bytes: int) -> dict:
    if error.code == MEMORY_ALLOCATION:
        return {
            "outcome": OUT_OF_MEMORY,
            "asked_bytes": refused_bytes,
            "memory_bytes": gpu.memory_bytes,
        }
    if error.code == NOT_SUPPORTED:
        return {"outcome": REFUSED, "reason": str(error)}
    return {"outcome": FAILED, "reason": str(error)}


def prepare_backward(gpu: Gpu, problem: Problem, kernel: Kernel) -> None:
    """Puts O and LSE of a forward pass into every set, if they are right."""
    if kernel.launchers is None:
        return
    for at in problem.sets:
        for name in OUTPUTS[FORWARD]:
            gpu.fill_nan(at[name], 4 * problem.shape.floats(name))
    try:
        gpu.time(
            len(problem.sets),
            lambda run: kernel.launchers.forward(problem.shape, problem.sets[run]),
        )
    except CudaError:
        gpu.check_alive()
        return
    compared = problem.reference.compare(OUTPUTS[FORWARD], problem.sets[0])
    if all(one.accepted for one in compared):
        problem.reference.add_gradients(problem.sets[0])
        problem.has_forward = True


def ask_for_memory(gpu: Gpu, kernel: Kernel, shape: Shape, expected_bytes: int) -> dict | None:
    """Calls a launcher whose scratch cannot fit, and says how that went; None where it can."""
    gpu.trim()
    if expected_bytes <= gpu.free_bytes():
        return None
    names = ("Q", "K", "V", "O", "LSE")
    with buffers(gpu, {name: 4 * shape.floats(name) for name in names}) as at:
        if at is None:
            return {"outcome": NOT_RUN, "reason": "the tensors do not fit into memory"}
        memory, error = gpu.metered(lambda: kernel.launchers.forward(shape, at))
        if error is None:
            gpu.synchronize()
            return {"outcome": NOT_RUN, "reason": f"{expected_bytes} bytes were given after all"}
        gpu.check_alive()
        return _error_entry(gpu, error, memory.refused_bytes)
