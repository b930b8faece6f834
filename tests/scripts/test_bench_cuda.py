"""scripts/bench --device cuda: nothing is timed that is wrong. Measured here on the CPU device."""

import argparse
import copy
import functools
import json
import math
import re
import struct
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ClassVar

import pytest
from conftest import ROOT, Repository, assert_one_line_error, run
from course_tools import (
    bench_cuda,
    build,
    course,
    display,
    gpu_cublas,
    gpu_ladder,
    gpu_pytorch,
    paths,
    tables,
)
from course_tools.errors import UsageError
from course_tools.gpu import DeviceLost, Gpu, Shape
from course_tools.gpu_bench import Bench, Section
from course_tools.gpu_kernels import Kernel
from course_tools.gpu_problem import BACKWARD, FORWARD
from fake_torch import Torch

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


@pytest.fixture(scope="module")
def solutions(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Kernel]:
    kernels = [solution(one.name) for one in course.load()]
    compile_all(make_bench(), tmp_path_factory.mktemp("kernels"), *kernels)
    return {one.name: one for one in kernels}


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


# Measuring


@pytest.mark.parametrize("shape", [SMALL, MASKED], ids=str)
def test_every_solution_is_compared_and_timed(shape: Shape, solutions: dict[str, Kernel]) -> None:
    bench = make_bench()
    found = measure(bench, shape, solutions["07_work_partitioning"], *solutions.values())
    forward = [name for name in solutions if name != "06_backward"]
    if shape.causal:
        forward = [name for name in forward if name >= "05"]
    expected = {(name, FORWARD) for name in forward} | {("06_backward", BACKWARD)}
    assert set(found) == expected
    assert not bench.failed
    pairs = shape.heads * shape.seq_len**2
    for (name, direction), entry in found.items():
        assert entry["outcome"] == "timed", entry
        assert len(entry["ms"]) == entry["n"] >= 3
        assert entry["min_ms"] <= entry["median_ms"] <= entry["max_ms"]
        assert entry["scratch_bytes"] == (4 * pairs if name < "03" else 4 * 80 * (name[:2] == "06"))
        assert entry["lse_bytes"] == (4 * 80 if direction == FORWARD and name >= "03" else 0)
        assert all(0 < worst < 0.5 for worst in entry["worst"].values())
        flops = 4 * pairs * 20 * (2.5 if direction == BACKWARD else 1) / (2 if shape.causal else 1)
        assert entry["tflops"] == pytest.approx(flops / entry["median_ms"] / 1e9)


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("01_naive", "s *= softmax_scale;", ""),
        ("01_naive", "o_row[k] = o / l;", "if (i != N_q - 1) o_row[k] = o / l;"),
        ("01_naive", "o_row[k] = o / l;", "o_row[k] = 0.0f * (o / 0.0f);"),
        ("07_work_partitioning", "= kLn2 * (m[r]", "= 0.7f * (m[r]"),
        ("06_backward", "if (shape.num_heads", "return cudaSuccess;\n  if (shape.num_heads"),
    ],
)
def test_what_is_wrong_is_not_timed(
    name: str, old: str, new: str, tmp_path: Path, solutions: dict[str, Kernel]
) -> None:
    bench = make_bench()
    text = (paths.SOLUTIONS / f"{name}.cu").read_text(encoding="utf-8")
    if name == "06_backward":  # the first statement of attention_backward
        place = text.index("{\n", text.index('extern "C" cudaError_t attention_backward(')) + 2
        source = tmp_path / f"{name}.cu"
        source.write_text(text[:place] + "  return cudaSuccess;\n" + text[place:], encoding="utf-8")
        kernel = Kernel(name, source, "06")
    else:
        kernel = changed(tmp_path, name, old, new)
    compile_all(bench, tmp_path, kernel)
    (entry,) = measure(bench, SMALL, solutions["07_work_partitioning"], kernel).values()
    assert entry["outcome"] == "wrong"
    assert "expected" in entry["reason"]
    assert "ms" not in entry and "tflops" not in entry
    assert bench.failed
    assert "WRONG" in gpu_ladder.in_words(entry)


def test_a_launch_that_nobody_has_looked_at(tmp_path: Path, solutions: dict[str, Kernel]) -> None:
    bench = make_bench()
    old = "naive_attention_kernel<<<heads * blocks_per_head, kThreads, 0, stream>>>("
    kernel = changed(tmp_path, "01_naive", old, old.replace("kThreads", "4096"))
    text = kernel.source.read_text(encoding="utf-8")
    kernel.source.write_text(
        text.replace(
            "const cudaError_t launched = cudaGetLastError();", "const auto launched = cudaSuccess;"
        ),
        encoding="utf-8",
    )
    compile_all(bench, tmp_path, kernel)
    found = measure(bench, SMALL, solutions["07_work_partitioning"], kernel, solutions["05_causal"])
    entry = found["01_naive", FORWARD]
    assert (entry["outcome"], entry["reason"]) == ("failed", "cudaErrorInvalidConfiguration")
    assert found["05_causal", FORWARD]["outcome"] == "timed"


def test_a_launcher_that_fails(tmp_path: Path, solutions: dict[str, Kernel]) -> None:
    bench = make_bench()
    kernel = changed(
        tmp_path, "01_naive", "if (N_q == 0) return cudaSuccess;", "return cudaErrorInvalidValue;"
    )
    compile_all(bench, tmp_path, kernel)
    (entry,) = measure(bench, SMALL, solutions["07_work_partitioning"], kernel).values()
    assert (entry["outcome"], entry["reason"]) == ("failed", "cudaErrorInvalidValue")
    assert bench.failed


def test_a_file_of_no_lesson_may_refuse_the_mask(
    tmp_path: Path, solutions: dict[str, Kernel]
) -> None:
    bench = make_bench()
    kernel = Kernel("mine.cu", paths.SOLUTIONS / "04_vectorized_io.cu", "")
    compile_all(bench, tmp_path, kernel)
    (entry,) = measure(bench, MASKED, solutions["07_work_partitioning"], kernel).values()
    assert entry["outcome"] == "refused"
    assert not bench.failed


def test_a_file_that_does_not_compile(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    bench = make_bench()
    source = tmp_path / "broken.cu"
    source.write_text("int main( {", encoding="utf-8")
    kernel = Kernel("broken.cu", source, "")
    compile_all(bench, tmp_path, kernel)
    assert not kernel.has(FORWARD) and not kernel.has(BACKWARD)
    assert bench.failed
    assert "broken.cu does not compile" in capsys.readouterr().out


def test_without_a_right_forward_pass_there_is_no_backward_pass(
    tmp_path: Path, solutions: dict[str, Kernel]
) -> None:
    bench = make_bench()
    helper = changed(tmp_path, "07_work_partitioning", "= kLn2 * (m[r]", "= 0.7f * (m[r]")
    compile_all(bench, tmp_path, helper)
    (entry,) = measure(bench, SMALL, helper, solutions["06_backward"]).values()
    assert entry["outcome"] == "not run"


def test_a_call_that_would_take_too_long_is_not_run(solutions: dict[str, Kernel]) -> None:
    bench = make_bench()
    bench.expected_ms["01_naive", FORWARD] = (20, 6_000.0)
    shape = Shape(1, 1, 40, 20)
    (entry,) = measure(
        bench, shape, solutions["07_work_partitioning"], solutions["01_naive"]
    ).values()
    assert (entry["outcome"], entry["expected_ms"]) == ("not run", 24_000)
    assert gpu_ladder.outcome(entry) == "not run: about 24 s a call"
    assert not bench.failed


def test_memory_that_runs_out_is_a_row(solutions: dict[str, Kernel]) -> None:
    """The CPU device has 16 GiB: S of N = 65,536 takes all of it."""
    bench = make_bench()
    last = Shape(1, 1, 32_768, 4)
    bench.entries = [
        {"kernel": "01_naive", "seq_len": 32_768, "scratch_bytes": 4 * 32_768**2},
        {"kernel": "05_causal", "seq_len": 32_768, "scratch_bytes": 4 * 32_768},
        {"kernel": "pytorch_math", "seq_len": 32_768, "extra_bytes": 4 * 32_768**2},
    ]
    bench._double_until_refused(last, [solutions["01_naive"], solutions["05_causal"]])
    (entry,) = bench.entries[3:]
    assert (entry["kernel"], entry["seq_len"]) == ("01_naive", 65_536)
    assert entry["outcome"] == "out of memory"
    assert entry["asked_bytes"] == 2**34
    assert gpu_ladder.outcome(entry) == "out of memory: asks for 16 GiB of 16 GiB"
    assert not bench.failed


def test_inputs_take_turns(solutions: dict[str, Kernel], monkeypatch: pytest.MonkeyPatch) -> None:
    bench = make_bench()
    kernel = copy.copy(solutions["05_causal"])
    seen = []

    class Spy:
        has_forward, has_backward = True, False

        def forward(self, shape: Shape, at: dict[str, int]) -> None:
            seen.append((at["Q"], at["K"], at["V"]))
            solutions["05_causal"].launchers.forward(shape, at)

    kernel.launchers = Spy()
    (entry,) = measure(bench, SMALL, solutions["07_work_partitioning"], kernel).values()
    timed = seen[-entry["n"] :]
    assert len(set(timed)) == 4 if entry["n"] >= 4 else len(set(timed)) == entry["n"]


def test_an_exception_ends_the_runs() -> None:
    runs = []

    def work(run: int) -> None:
        runs.append(run)
        if run == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        the_gpu().time(5, work)
    assert runs == [0, 1, 2]


def test_a_device_that_is_lost_ends_the_measuring(
    solutions: dict[str, Kernel], monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = make_bench()
    kernel = solutions["07_work_partitioning"]
    before = the_gpu().free_bytes()

    def time(runs: int, work: Callable[[int], None]) -> list[float]:
        raise DeviceLost("a call takes longer than 120 s")

    monkeypatch.setattr(the_gpu(), "time", time)
    with pytest.raises(DeviceLost):
        bench.measure(Section("speed", (SMALL,)), [kernel], kernel)
    (entry,) = bench.entries
    assert (entry["outcome"], entry["reason"]) == ("failed", "a call takes longer than 120 s")
    assert the_gpu().free_bytes() == before


def splitmix(seed: int) -> Iterator[int]:
    mask = 2**64 - 1
    while True:
        seed = (seed + 0x9E3779B97F4A7C15) & mask
        z = ((seed ^ (seed >> 30)) * 0xBF58476D1CE4E5B9) & mask
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
        yield z ^ (z >> 31)


def test_the_inputs_are_those_of_the_judges_generator() -> None:
    gpu, count, seed = the_gpu(), 1000, 0xFEEDC0FFEE123456
    pointer = gpu.allocate(4 * count)
    gpu.fill_normal(pointer, count, seed)
    gpu.synchronize()
    found = gpu.read_floats(pointer, count).tolist()
    gpu.free(pointer)
    words = splitmix(seed)
    for value in found:
        drawn = [next(words) for _ in range(3)]
        parts = [word >> shift & 0xFFFF for word in drawn for shift in (0, 16, 32, 48)]
        assert value == (sum(parts) - 6 * 65535) / 65536
    assert abs(sum(found)) / count < 0.1


# PyTorch and cuBLAS


@pytest.fixture
def torch(solutions: dict[str, Kernel], monkeypatch: pytest.MonkeyPatch) -> Iterator[Torch]:
    fake = Torch(
        the_gpu(), solutions["07_work_partitioning"].launchers, solutions["06_backward"].launchers
    )
    for name, module in fake.modules().items():
        monkeypatch.setitem(sys.modules, name, module)
    yield fake
    fake.free()


def beside_torch(torch: Torch, solutions: dict[str, Kernel]) -> dict[tuple[str, str], dict]:
    bench = make_bench()
    bench.torch, why = gpu_pytorch.PyTorch.load(bench.gpu)
    assert bench.torch is not None, why
    assert not torch.backends.cuda.matmul.allow_tf32
    found = measure(bench, MASKED, solutions["07_work_partitioning"])
    assert set(found) == {(b, d) for b in gpu_pytorch.BACKENDS for d in (FORWARD, BACKWARD)}
    assert not bench.failed
    return found


def test_pytorch_is_compared_and_timed(torch: Torch, solutions: dict[str, Kernel]) -> None:
    for (_, direction), entry in beside_torch(torch, solutions).items():
        assert entry["outcome"] == "timed", entry
        assert set(entry["worst"]) == ({"O"} if direction == FORWARD else {"dQ", "dK", "dV"})
        assert entry["extra_bytes"] == (3 if direction == FORWARD else 5) * 2**10


def test_what_pytorch_cannot_do_is_a_row(torch: Torch, solutions: dict[str, Kernel]) -> None:
    torch.troubles = {
        ("MATH", FORWARD): torch.OutOfMemoryError(
            "CUDA out of memory. Tried to allocate 2.50 GiB. GPU"
        ),
        ("EFFICIENT_ATTENTION", FORWARD): RuntimeError("No available kernel.\nAborting execution."),
        ("EFFICIENT_ATTENTION", BACKWARD): RuntimeError("never reached"),
    }
    found = beside_torch(torch, solutions)
    for direction in (FORWARD, BACKWARD):
        entry = found["pytorch_math", direction]
        assert (entry["outcome"], entry["asked_bytes"]) == ("out of memory", 5 * 2**29)
        assert entry["held_bytes"] == 7 * 2**10
        assert "asks for 2.50 GiB beside 7 KiB of 16 GiB" in gpu_ladder.outcome(entry)
        entry = found["pytorch_efficient", direction]
        assert (entry["outcome"], entry["reason"]) == ("refused", "No available kernel.")


def test_pytorch_may_be_wrong_too(torch: Torch, solutions: dict[str, Kernel]) -> None:
    torch.troubles = {("MATH", FORWARD): "wrong", ("EFFICIENT_ATTENTION", BACKWARD): "wrong"}
    found = beside_torch(torch, solutions)
    for key in (("pytorch_math", FORWARD), ("pytorch_efficient", BACKWARD)):
        assert found[key]["outcome"] == "wrong"
        assert "ms" not in found[key]


def test_without_pytorch_a_line_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    found, why = gpu_pytorch.PyTorch.load(the_gpu())
    assert found is None
    assert why.startswith("PyTorch is not here")


def to_float32(value: float) -> float:
    return struct.unpack("f", struct.pack("f", value))[0]


def to_tf32(value: float) -> float:
    (bits,) = struct.unpack("I", struct.pack("f", value))
    return struct.unpack("f", struct.pack("I", (bits + 0x1000) & ~0x1FFF))[0]


class FakeCuBlas(gpu_cublas.CuBlas):
    """Its matrices are lists in host memory."""

    SIZE = 256
    matrices: ClassVar[dict[int, list[float]]] = {}

    def __init__(self, product: Callable[[float, float], float]) -> None:
        words = splitmix(1)
        size = self.SIZE
        A, B = ([(next(words) >> 40) / 2**24 - 0.5 for _ in range(size**2)] for _ in range(2))
        C = [0.0] * size**2
        for i in range(size):
            for j in range(0, size, 16):  # only columns that are sampled
                C[i + j * size] = to_float32(
                    sum(product(x, y) for x, y in zip(A[i::size], B[j * size :], strict=False))
                )
        self.matrices = {1: A, 2: B, 3: C}
        self._gpu = self

    def read_floats(self, pointer: int, count: int) -> list[float]:
        return self.matrices[pointer][:count]


class OneInSixteen:
    """A random generator whose columns are multiples of 16."""

    def __init__(self, seed: int) -> None:
        self.words, self.n = splitmix(seed), 0

    def randrange(self, size: int) -> int:
        self.n += 1
        return (
            next(self.words)
            % size
            // (16 if self.n % 2 == 0 else 1)
            * (16 if self.n % 2 == 0 else 1)
        )


def test_a_matmul_in_float32_is_told_from_one_in_tf32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu_cublas.random, "Random", OneInSixteen)
    exact = FakeCuBlas(lambda x, y: to_float32(x * y))
    assert exact.worst_error(1, 2, 3, seed=1) < 0.5
    assert FakeCuBlas(lambda x, y: to_tf32(x) * to_tf32(y)).worst_error(1, 2, 3, seed=1) > 1
    exact.matrices[3] = [math.nan] * exact.SIZE**2
    assert not exact.worst_error(1, 2, 3, seed=1) <= 1
    exact.matrices[3] = [0.0] * exact.SIZE**2
    assert exact.worst_error(1, 2, 3, seed=1) > 1


# The record and the tables


def entry(kernel: str, direction: str = FORWARD, **values: object) -> dict:
    made = {
        "kernel": kernel,
        "direction": direction,
        "batch": 4,
        "num_heads": 16,
        "seq_len": 4096,
        "head_dim": 64,
        "causal": False,
        "outcome": "timed",
        "n": 20,
        "median_ms": 12.345,
        "tflops": 10.0,
        "share_of_cublas": 0.2,
        "extra_bytes": 2**20,
        "scratch_bytes": 0,
        "lse_bytes": 2**20,
        "worst": {"O": 0.02, "LSE": 0.1},
        "sm_clock_mhz": 1980,
    }
    return made | values


def section(*entries: dict) -> dict:
    conditions = {
        "gpu": "Some GPU",
        "cuda_runtime": "13.0",
        "driver": "580.1",
        "pytorch": "2.11",
        "date": "2026-01-02",
    }
    return {"conditions": conditions, "cublas": {"tflops": 50.0}, "entries": list(entries)}


def fabricated() -> dict:
    gone = {"outcome": "out of memory", "asked_bytes": 2**38, "memory_bytes": 140 * 2**30}
    speed = section(
        entry("04_vectorized_io"),
        entry("05_causal", n=3, median_ms=1234.5, scratch_bytes=2048),
        entry("05_causal", causal=True, head_dim=128, median_ms=0.0123),
        entry("06_backward", BACKWARD, lse_bytes=0, scratch_bytes=2**20, extra_bytes=2**20),
        entry("06_backward_fast", BACKWARD, outcome="wrong", reason="dQ"),
        entry("07_work_partitioning"),
        entry("pytorch_math", extra_bytes=9280 * 2**20, scratch_bytes=9280 * 2**20, lse_bytes=0),
        entry("pytorch_efficient", outcome="refused", reason="No available kernel."),
        entry("pytorch_math", BACKWARD, **gone),
    )
    one_head = {"batch": 1, "num_heads": 1, "head_dim": 128}
    memory = section(
        entry("01_naive", **one_head, lse_bytes=0, scratch_bytes=2**26, extra_bytes=2**26),
        entry("01_naive", **one_head | {"seq_len": 262_144}, **gone),
        entry("pytorch_math", **one_head | {"seq_len": 262_144}, **gone | {"asked_bytes": 0}),
        entry("05_causal", **one_head),
    )
    return {"speed": speed, "memory": memory}


def rows(table: str) -> list[list[str]]:
    lines = [line for line in table.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1:]]


def test_the_ladder_has_a_row_for_each_kernel_and_case() -> None:
    table = gpu_ladder.ladder_table(fabricated())
    found = {tuple(row[:2]): row[2:] for row in rows(table)}
    assert found["forward", "`04_vectorized_io`"][:4] == ["12.3", "10.0", "20.0 %", "LSE, 1 MiB"]
    assert found["forward", "`05_causal`"][:4] == ["1,234 (n=3)", "10.0", "20.0 %", "LSE + 2 KiB"]
    assert found["forward, causal", "`05_causal`"][4] == "0.0123"
    assert found["forward, causal", "`05_causal`"][:4] == [""] * 4
    assert found["backward", "`06_backward`"][3] == "1 MiB"
    assert found["backward", "`06_backward_fast`"][0] == "WRONG"
    assert found["forward", "PyTorch, MATH"][3] == "9.06 GiB"
    assert found["forward", "PyTorch, EFFICIENT"][0] == "refused"
    assert found["backward", "PyTorch, MATH"][0] == "out of memory: asks for 256 GiB of 140 GiB"
    assert "Some GPU, CUDA 13.0, driver 580.1, PyTorch 2.11, 1,980 MHz, 2026-01-02" in table
    assert "50.0 TFLOP/s" in table


def test_a_lesson_shows_its_step_beside_the_one_before() -> None:
    record = fabricated()

    def kernels(lesson: str) -> list[tuple[str, str]]:
        return [(row[0], row[1].strip("`")) for row in rows(gpu_ladder.step_table(record, lesson))]

    rivals = [("forward", "PyTorch, MATH"), ("forward", "PyTorch, EFFICIENT")]
    assert kernels("04_vectorized_io") == [("forward", "04_vectorized_io"), *rivals]
    assert kernels("05_causal") == [
        ("forward", "04_vectorized_io"),
        ("forward", "05_causal"),
        *rivals,
        ("forward, causal", "05_causal"),
    ]
    assert kernels("06_backward") == [
        ("backward", "06_backward"),
        ("backward", "06_backward_fast"),
        ("backward", "PyTorch, MATH"),
    ]
    assert kernels("07_work_partitioning")[:2] == [
        ("forward", "05_causal"),
        ("forward", "07_work_partitioning"),
    ]


def test_the_table_of_memory_ends_where_memory_ends() -> None:
    found = rows(gpu_ladder.memory_table(fabricated()))
    assert found == [
        ["4,096", "12.3", "64 MiB", "", ""],
        ["262,144", "out of memory: asks for 256 GiB of 140 GiB", "", "out of memory", ""],
    ]


def test_before_the_first_record_the_tables_say_so() -> None:
    assert gpu_ladder.ladder_table({}) == gpu_ladder.EMPTY
    for lesson, name in gpu_ladder.lesson_tables():
        assert gpu_ladder.lesson_table({}, lesson, name) == gpu_ladder.EMPTY


def test_the_texts_show_the_record() -> None:
    record = gpu_ladder.read()
    again = "scripts/bench --device cuda --record-from notebooks/data/ladder_cuda.json fills them"
    assert tables.table_in(gpu_ladder.README, gpu_ladder.LADDER) == gpu_ladder.ladder_table(
        record
    ), again
    for lesson, name in gpu_ladder.lesson_tables():
        readme = paths.LESSONS / lesson / "README.md"
        assert tables.table_in(readme, name) == gpu_ladder.lesson_table(record, lesson, name), again


def test_the_terminal_shows_every_row(capsys: pytest.CaptureFixture) -> None:
    gpu_ladder.show(display.make_console(), fabricated())
    text = capsys.readouterr().out
    assert len(re.findall("B4 H16 N4096|B1 H1 N", text)) == 13
    assert "out of memory: asks for 256 GiB" in text
    assert "WRONG" in text


@pytest.fixture
def texts(repository: Repository) -> Repository:
    """The small repository, with the README and the lessons' texts."""
    names = ["README.md", *(f"lessons/{one.name}/README.md" for one in course.load())]
    for name in [*names, "lessons/course.toml"]:
        repository.write(name, (ROOT / name).read_text(encoding="utf-8"))
    return repository


def bench_command(repository: Repository, *arguments: object):
    command = [sys.executable, repository.root / "scripts" / "course_tools", "bench", *arguments]
    return run(command, cwd=repository.root)


def test_a_record_from_elsewhere_fills_the_tables(texts: Repository) -> None:
    made = texts.write("elsewhere.json", json.dumps(fabricated()))
    result = bench_command(texts, "--device", "cuda", "--record-from", made)
    assert result.returncode == 0, result.stderr
    kept = json.loads((texts.root / "notebooks/data/ladder_cuda.json").read_text())
    assert kept == fabricated()
    assert gpu_ladder.ladder_table(fabricated()) in (texts.root / "README.md").read_text()
    for lesson, name in gpu_ladder.lesson_tables():
        text = (texts.root / "lessons" / lesson / "README.md").read_text()
        assert gpu_ladder.lesson_table(fabricated(), lesson, name) in text


def test_one_section_leaves_the_other_alone(texts: Repository) -> None:
    for part in ("speed", "memory"):
        made = texts.write(f"{part}.json", json.dumps({part: fabricated()[part]}))
        assert bench_command(texts, "--device", "cuda", "--record-from", made).returncode == 0
    kept = json.loads((texts.root / "notebooks/data/ladder_cuda.json").read_text())
    assert kept == fabricated()


# The command line


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--shapes", "speed"], ["--shapes needs --device cuda"]),
        (["--device", "cpu", "--seconds", "3"], ["--seconds needs --device cuda"]),
        (["--device", "cuda", "--claims"], ["measures alone"]),
        (["--device", "cuda", "--seconds", "0"], ["'0' is not a positive number"]),
        (["--device", "cuda", "--seed", "x"], ["'x' is not a seed"]),
        (["--device", "cuda", "--shapes", "huge"], ["invalid choice"]),
        (["--device", "cuda", "--lessons", "99"], ["unknown lesson '99'"]),
        (["--device", "cuda", "--kernels", "nowhere"], ["no folder 'nowhere'"]),
        (["--device", "cuda", "--file", "nothing.cu"], ["'nothing.cu' is not a file"]),
        (["--device", "cuda", "--record-from", "course.json"], ["no section"]),
    ],
)
def test_a_wrong_command_line(
    repository: Repository, arguments: list[str], words: list[str]
) -> None:
    repository.write("course.json", "{}")
    assert_one_line_error(bench_command(repository, *arguments), 2, *words)


def test_stubs_are_not_measured(repository: Repository) -> None:
    folder = repository.root / "mine"
    folder.mkdir()
    result = bench_command(repository, "--device", "cuda", "--kernels", folder)
    assert_one_line_error(result, 2, "no file has been started")


def test_an_untouched_stub_is_left_out() -> None:
    options = argparse.Namespace(lessons=["01"], kernels=str(paths.KERNELS), file=None)
    with pytest.raises(UsageError, match="no file has been started"):
        bench_cuda.find_kernels(options)


def test_the_list_of_kernels(tmp_path: Path) -> None:
    for name in ("05_causal", "06_backward", "06_backward_fast", "helper"):
        (tmp_path / f"{name}.cu").write_text("// not a stub\n", encoding="utf-8")
    options = argparse.Namespace(
        lessons=["06"], kernels=str(tmp_path), file=[str(tmp_path / "helper.cu")]
    )
    found = bench_cuda.find_kernels(options)
    assert [(one.name, one.number) for one in found] == [
        ("06_backward", "06"),
        ("06_backward_fast", "06"),
        (str(tmp_path / "helper.cu"), ""),
    ]


def test_the_command_in_the_record_measures_the_same_again() -> None:
    options = argparse.Namespace(
        shapes="speed", kernels=None, seconds=3.0, seed=None, lessons=["05", "07"], file=["a b.cu"]
    )
    assert bench_cuda._command(options) == (
        "scripts/bench --device cuda --shapes speed --seconds 3 --lessons 05 07 --file 'a b.cu'"
    )


def test_without_nvcc_one_line_says_so(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert_one_line_error(bench_command(repository, "--device", "cuda"), 3, "nvcc")
