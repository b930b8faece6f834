"""scripts/bench --device cuda: the command line, and where the record goes."""

import argparse
import ctypes
import shlex
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from course_tools import device, gpu_kernels, gpu_ladder, paths, records
from course_tools.errors import EXIT_FAILED, EXIT_OK, InternalError, SetupError, UsageError
from course_tools.gpu import DeviceLost, Gpu
from course_tools.gpu_bench import MEMORY, SPEED, Bench, Section
from course_tools.gpu_kernels import Kernel

if TYPE_CHECKING:
    from rich.console import Console

SEED = 0x5EED
SECONDS = 15.0
# What is overwritten before each run, and how often: the host has until its end to launch the call.
FLUSH_BYTES = 2**28
FLUSHES = 8
SECTIONS = {"memory": (MEMORY,), "speed": (SPEED,), "all": (MEMORY, SPEED)}


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
    """The whole command. A full measurement of the solutions is recorded, with the tables."""
    kernels = find_kernels(options)
    if options.record_from is None:
        _require_gpu()
    # rich is imported late: --help and usage errors do without it.
    from course_tools import display

    console = display.make_console()
    if options.record_from is not None:
        record = records.read_named(options.record_from)
        try:
            gpu_ladder.write(record)
        except (AttributeError, KeyError, TypeError) as error:
            path = options.record_from
            raise UsageError(f"{path} is not a record of scripts/bench --device cuda") from error
        gpu_ladder.show(console, record)
        return EXIT_OK
    record: dict = {}
    bench = _measure(console, options, kernels, record)
    whole = not (options.lessons or options.kernels or options.file)
    if whole and not bench.failed and not bench.lost:
        gpu_ladder.write(record)
    gpu_ladder.show(console, record)
    if bench.lost:
        raise InternalError(f"the GPU was lost: {bench.lost}")
    return EXIT_FAILED if bench.failed else EXIT_OK


def find_kernels(options: argparse.Namespace) -> list[Kernel]:
    folder = paths.SOLUTIONS if options.kernels is None else Path(options.kernels)
    return gpu_kernels.find(options.lessons or [], folder, options.file or [])


def _measure(
    console: "Console", options: argparse.Namespace, kernels: Sequence[Kernel], record: dict
) -> Bench:
    """Fills the record, a section after the other."""
    from course_tools import build

    folder = build.build(console, device.CUDA, ["gpu_bench"]) / "lib"
    gpu = Gpu(folder, FLUSH_BYTES, FLUSHES)
    seed = SEED if options.seed is None else options.seed
    bench = Bench(gpu, console, options.seconds or SECONDS, seed, _command(options))
    helper = gpu_kernels.last_forward(kernels)

    def save(section: Section) -> None:
        record[section.name] = bench.record()
        if options.json is not None:
            records.write(options.json, record)

    with tempfile.TemporaryDirectory(prefix="course-bench-") as scratch:
        bench.compile(folder, list(dict.fromkeys([*kernels, helper])), Path(scratch))
        bench.meet_rivals()
        for section in SECTIONS[options.shapes or "all"]:
            try:
                bench.measure(section, kernels, helper, lambda section=section: save(section))
            except DeviceLost as lost:
                bench.lost = str(lost)
                save(section)
                break
    return bench


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


def _require_gpu() -> None:
    if not device.has_cuda_compiler():
        raise SetupError("--device cuda needs nvcc, which is not on the PATH")
    try:
        status = ctypes.CDLL("libcuda.so.1").cuInit(0)
    except OSError:
        raise SetupError("--device cuda needs an NVIDIA GPU: there is no driver here") from None
    if status != 0:
        raise SetupError(f"--device cuda needs an NVIDIA GPU: none answers (cuInit: {status})")
