"""The record of scripts/bench --device cuda, and the tables and texts made of it."""

import json
import re

import pytest
from conftest import ROOT, Repository, assert_one_line_error
from course_tools import course, display, gpu_ladder, paths, tables
from course_tools.gpu_problem import BACKWARD, FORWARD
from gpu_stand_in import bench_command


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


RECORD = "notebooks/data/ladder_cuda.json"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"speed": 3}', "elsewhere.json is not a record"),
        ('{"speed": {"entries": [{}]}}', "elsewhere.json is not a record"),
        ("[1]", "the record has no section"),
        ('{"speed": ', "cannot read"),
    ],
)
def test_a_file_that_is_no_record_changes_nothing(texts: Repository, text: str, words: str) -> None:
    texts.write(RECORD, json.dumps(fabricated()))
    before = (texts.root / "README.md").read_text()
    made = texts.write("elsewhere.json", text)
    result = bench_command(texts, "--device", "cuda", "--record-from", made)
    assert_one_line_error(result, 2, words)
    assert json.loads((texts.root / RECORD).read_text()) == fabricated()
    assert (texts.root / "README.md").read_text() == before


@pytest.mark.parametrize("name", ["nothing.json", "lessons"])
def test_a_named_file_that_cannot_be_read_is_wrong_usage(texts: Repository, name: str) -> None:
    result = bench_command(texts, "--device", "cuda", "--record-from", texts.root / name)
    assert_one_line_error(result, 2, f"cannot read {name}:")


def test_our_own_record_that_cannot_be_read_is_our_fault(texts: Repository) -> None:
    texts.write(RECORD, "{")
    made = texts.write("elsewhere.json", json.dumps(fabricated()))
    result = bench_command(texts, "--device", "cuda", "--record-from", made)
    assert_one_line_error(result, 3, f"cannot read {RECORD}:")
    assert (texts.root / RECORD).read_text() == "{"


def test_a_text_without_markers_keeps_the_record_as_it_was(texts: Repository) -> None:
    texts.write(RECORD, json.dumps(fabricated()))
    texts.write("lessons/07_work_partitioning/README.md", "no table here")
    made = texts.write("elsewhere.json", json.dumps({"speed": fabricated()["memory"]}))
    result = bench_command(texts, "--device", "cuda", "--record-from", made)
    assert_one_line_error(result, 3, "07_work_partitioning", "<!-- table: gpu -->")
    assert json.loads((texts.root / RECORD).read_text()) == fabricated()
