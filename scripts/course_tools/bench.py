"""scripts/bench: runs the benchmarks and shows each figure beside the bound that it must keep."""

import json
import os
import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from course_tools import bench_cuda, paths, processes
from course_tools.cli import Parser
from course_tools.errors import EXIT_FAILED, EXIT_OK, InternalError
from course_tools.text import clean

if TYPE_CHECKING:
    from rich.console import Console

TARGETS = ("cpu_device_benchmark", "checked_cost_benchmark")
REPETITIONS = 9


@dataclass(frozen=True)
class Measure:
    """A benchmark's figure, or its ratio to another benchmark's."""

    what: str
    benchmark: str
    bound: float
    divided_by: str | None = None
    counter: str = "real_time"
    unit: str = "times"
    cores: int = 1


MEASURES = (
    Measure(
        "lesson 01, N=512 d=64, 1 thread / a plain C++ loop",
        "naive_attention/threads:1",
        1.15,
        divided_by="plain_loop/threads:1",
    ),
    Measure(
        "lesson 01, N=512 d=64, 2 threads / a plain C++ loop",
        "naive_attention/threads:2",
        0.6,
        divided_by="plain_loop/threads:1",
        cores=2,
    ),
    Measure(
        "a barrier of 128 threads, for each thread",
        "barrier/128",
        12,
        counter="ns_per_thread",
        unit="ns",
    ),
    *(
        Measure(
            f"{mode}, N=512 d=64, attention {kernel} / a plain C++ loop",
            f"{name}/{mode}",
            bound,
            divided_by="plain_online_loop",
        )
        for kernel, name, bounds in (
            ("from global memory", "global", (10, 20)),
            ("in tiles", "tiled", (10, 20)),
            ("in tiles of float4", "tiled_float4", (10, 12)),
        )
        for mode, bound in zip(("checked", "counted"), bounds, strict=True)
    ),
    Measure(
        "memory of the checked and counted runs",
        "tiled/counted",
        512,
        counter="peak_mib",
        unit="MiB",
    ),
)


def main(arguments: Sequence[str]) -> int:
    parser = Parser("bench", "Measures the course's kernels, and the CPU device itself.")
    parser.add_argument(
        "--cpu-device",
        action="store_true",
        help="the speed of the CPU device on this machine, each figure beside its bound",
    )
    parser.add_argument(
        "--device",
        choices=["cpu", "cuda"],
        help="the ladder. cpu: what each lesson's solution moves and keeps, counted on the CPU "
        "device; cuda: time, TFLOP/s, memory beside PyTorch's, on a GPU. Records it in "
        "notebooks/data and refreshes the tables in the texts",
    )
    parser.add_argument(
        "--claims",
        action="store_true",
        help="the famous claims about memory and traffic, each with a verdict, measured on the CPU "
        "device; records them and refreshes the README's table",
    )
    bench_cuda.add_arguments(parser)
    options = parser.parse_args(arguments)
    if options.device == "cuda":
        if options.cpu_device or options.claims:
            parser.error("--device cuda measures alone")
        return bench_cuda.run(options)
    for name in bench_cuda.ONLY_CUDA:
        if getattr(options, name) is not None:
            parser.error(f"--{name.replace('_', '-')} needs --device cuda")
    if not options.cpu_device and not options.claims and options.device is None:
        parser.print_help()
        return EXIT_OK
    # rich is imported late: --help and usage errors do without it.
    from course_tools import build, display

    console = display.make_console()
    if options.device is not None:
        from course_tools import ladder

        record = ladder.measure(console)
        ladder.write(record)
        ladder.show(console, record)
    status = EXIT_OK
    if options.claims:
        from course_tools import claims

        record = claims.measure(console)
        claims.write(record)
        status = claims.show(console, record)
    if not options.cpu_device:
        return status
    folder = build.build(console, "cpu", TARGETS, reconfigure=True)
    found = {}
    for target in TARGETS:
        found |= measure(console, folder / "bin" / target)
    return max(status, print_table(console, found))


def measure(console: "Console", executable: Path) -> dict[str, list[dict]]:
    """The repetitions of each benchmark. Interleaved: a slow moment then hits all of them alike."""
    from course_tools.display import Bar

    with tempfile.TemporaryDirectory(prefix="course-bench-") as scratch:
        report = Path(scratch, "report.json")
        argv = [
            str(executable),
            f"--benchmark_repetitions={REPETITIONS}",
            "--benchmark_enable_random_interleaving=true",
            "--benchmark_out_format=json",
            f"--benchmark_out={report}",
        ]
        with Bar(console, f"measuring ({REPETITIONS} repetitions)") as bar:
            finished = processes.run(processes.Command(argv, paths.ROOT), tick=bar.tick)
        if finished.returncode != 0:
            raise InternalError(f"{executable.name} {finished.how()}", clean(finished.output))
        entries = json.loads(report.read_text(encoding="utf-8"))["benchmarks"]
    found: dict[str, list[dict]] = {}
    for entry in entries:
        if entry["run_type"] == "iteration":
            found.setdefault(entry["run_name"].removesuffix("/real_time"), []).append(entry)
    return found


def print_table(console: "Console", found: dict[str, list[dict]]) -> int:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2))
    table.add_column("measure (median)")
    table.add_column("value", justify="right")
    table.add_column("bound", justify="right")
    table.add_column("")
    cores = len(os.sched_getaffinity(0))
    status = EXIT_OK
    for one in MEASURES:
        bound = f"{one.bound:g} {one.unit}"
        if one.cores > cores:
            table.add_row(one.what, "-", bound, f"NOT RUN: {cores} core(s) here")
            continue
        value = _median(found, one.benchmark, one.counter)
        if one.divided_by is not None:
            value /= _median(found, one.divided_by, one.counter)
        keeps = value <= one.bound
        status = status if keeps else EXIT_FAILED
        verdict = Text("ok", "green") if keeps else Text("over the bound", "bold red")
        table.add_row(one.what, f"{value:.2f} {one.unit}", bound, verdict)
    console.print(table)
    return status


def _median(found: dict[str, list[dict]], benchmark: str, counter: str) -> float:
    try:
        return statistics.median(entry[counter] for entry in found[benchmark])
    except KeyError as error:
        raise InternalError(f"the benchmarks report no {counter} of {benchmark}") from error
