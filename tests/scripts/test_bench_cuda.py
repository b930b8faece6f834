"""scripts/bench --device cuda: nothing is timed that is wrong. Measured here on the CPU device."""

import argparse
import copy
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Repository, assert_one_line_error
from course_tools import (
    bench,
    bench_cuda,
    gpu_cublas,
    gpu_kernels,
    gpu_ladder,
    paths,
)
from course_tools.errors import InternalError, UsageError
from course_tools.gpu import DeviceLost, Shape
from course_tools.gpu_bench import Section
from course_tools.gpu_kernels import Kernel
from course_tools.gpu_problem import BACKWARD, FORWARD
from gpu_stand_in import (
    MASKED,
    SMALL,
    all_solutions,
    bench_command,
    changed,
    compile_all,
    make_bench,
    measure,
    splitmix,
    the_gpu,
)


@pytest.fixture
def solutions() -> dict[str, Kernel]:
    return all_solutions()


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


# The whole command, with the CPU device in the place of the GPU


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[dict]:
    """The records that would go to notebooks/data and into the texts."""
    records: list[dict] = []
    monkeypatch.setattr(bench_cuda, "_require_gpu", lambda: None)
    monkeypatch.setattr(bench_cuda.device, "CUDA", "cpu")
    monkeypatch.setattr(bench_cuda, "FLUSH_BYTES", 0)
    monkeypatch.setattr(bench_cuda, "SECTIONS", {"all": (Section("speed", (SMALL,)),)})
    monkeypatch.setattr(gpu_ladder, "write", records.append)
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.setattr(gpu_cublas, "_load", lambda gpu: None)
    return records


def test_a_whole_run_is_recorded(written: list[dict], capsys: pytest.CaptureFixture) -> None:
    assert bench.main(["--device", "cuda", "--seconds", "0.01"]) == 0
    (record,) = written
    solutions = {path.stem for path in paths.SOLUTIONS.glob("*.cu")}
    assert {entry["kernel"] for entry in record["speed"]["entries"]} == solutions
    assert record["speed"]["conditions"]["command"] == "scripts/bench --device cuda --seconds 0.01"
    text = capsys.readouterr().out
    assert "PyTorch is not here" in text
    assert "no libcublas.so" in text


def test_a_wrong_kernel_ends_the_command_with_1(
    written: list[dict], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    kernel = changed(tmp_path, "01_naive", "s *= softmax_scale;", "")
    report = tmp_path / "record.json"
    arguments = ["--lessons", "05", "--file", str(kernel.source), "--json", str(report)]
    assert bench.main(["--device", "cuda", *arguments]) == 1
    entries = json.loads(report.read_text(encoding="utf-8"))["speed"]["entries"]
    assert [one["outcome"] for one in entries] == ["timed", "wrong"]
    assert written == []
    assert "WRONG" in capsys.readouterr().out


def test_a_part_of_the_lessons_is_shown_and_not_recorded(written: list[dict]) -> None:
    assert bench.main(["--device", "cuda", "--lessons", "05"]) == 0
    assert written == []


def test_a_lost_gpu_is_an_error_of_ours_and_leaves_what_was_measured(
    written: list[dict], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lose(*_: object) -> dict:
        raise DeviceLost("cudaErrorIllegalAddress")

    monkeypatch.setattr(gpu_kernels, "measure", lose)
    report = tmp_path / "record.json"
    with pytest.raises(InternalError, match="the GPU was lost: cudaErrorIllegalAddress"):
        bench.main(["--device", "cuda", "--lessons", "05", "--json", str(report)])
    section = json.loads(report.read_text(encoding="utf-8"))["speed"]
    assert section["lost"] == "cudaErrorIllegalAddress"
    assert section["entries"][0]["outcome"] == "failed"


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
