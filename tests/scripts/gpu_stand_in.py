"""The CPU device in the place of a GPU, for the tests of scripts/bench --device cuda."""

import functools
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from conftest import Repository, run
from course_tools import build, course, display, paths
from course_tools.gpu import Gpu, Shape
from course_tools.gpu_bench import Bench, Section
from course_tools.gpu_kernels import Kernel

SMALL = Shape(1, 2, 40, 20)
MASKED = Shape(1, 2, 40, 20, causal=True)


@functools.cache
def library_folder() -> Path:
    return build.build(display.make_console(), "cpu", ["gpu_bench"]) / "lib"


@functools.cache
def the_gpu() -> Gpu:
    return Gpu(library_folder())


def make_bench() -> Bench:
    return Bench(the_gpu(), display.make_console(), 0.01, 3, "scripts/bench --device cuda")


def solution(name: str) -> Kernel:
    return Kernel(name, paths.SOLUTIONS / f"{name}.cu", name[:2])


def compile_all(bench: Bench, folder: Path, *kernels: Kernel) -> None:
    bench.compile(library_folder(), list(kernels), folder)


def changed(tmp_path: Path, name: str, old: str, new: str) -> Kernel:
    """A solution with other text at one place."""
    text = (paths.SOLUTIONS / f"{name}.cu").read_text(encoding="utf-8")
    assert text.count(old) == 1
    source = tmp_path / f"{name}.cu"
    source.write_text(text.replace(old, new), encoding="utf-8")
    return Kernel(name, source, name[:2])


def measure(
    bench: Bench, shape: Shape, helper: Kernel, *kernels: Kernel
) -> dict[tuple[str, str], dict]:
    section = bench.measure(Section("speed", (shape,)), list(kernels), helper)
    return {(one["kernel"], one["direction"]): one for one in section["entries"]}


def splitmix(seed: int) -> Iterator[int]:
    mask = 2**64 - 1
    while True:
        seed = (seed + 0x9E3779B97F4A7C15) & mask
        z = ((seed ^ (seed >> 30)) * 0xBF58476D1CE4E5B9) & mask
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
        yield z ^ (z >> 31)


def bench_command(repository: Repository, *arguments: object):
    command = [sys.executable, repository.root / "scripts" / "course_tools", "bench", *arguments]
    return run(command, cwd=repository.root)


@functools.cache
def _folder() -> tempfile.TemporaryDirectory:
    return tempfile.TemporaryDirectory(prefix="course-kernels-")


@functools.cache
def all_solutions() -> dict[str, Kernel]:
    """Compiled once; by name."""
    kernels = [solution(one.name) for one in course.load()]
    compile_all(make_bench(), Path(_folder().name), *kernels)
    return {one.name: one for one in kernels}
