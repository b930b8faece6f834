"""scripts/bench --claims: a claim that the numbers contradict does not hold, and the numbers are measured."""

import copy
from collections.abc import Callable
from pathlib import Path

import pytest
from course_tools import bench, claims, course, display, paths, tables
from course_tools.errors import InternalError

ONLINE = paths.SOLUTIONS / "03_online_softmax.cu"
NAIVE_NAME, ONLINE_NAME = "01_naive", ONLINE.stem
MEMORY, QUADRATIC, LINEAR, REFUSED, RUNS, BY_TILE, BY_HEAD_DIM, BY_SEQ_LEN, ARITHMETIC = range(9)

Change = Callable[[dict], object]


def test_the_readme_shows_the_record() -> None:
    assert tables.table_in(claims.README, claims.TABLE) == claims.table(claims.read()), (
        "scripts/bench --claims refreshes the table"
    )


def test_every_claim_holds() -> None:
    assert [one.claim for one in claims.judge(claims.read()) if not one.holds] == []


def test_the_lessons_that_are_here_are_in_the_record() -> None:
    linear = {one.name for one in course.load() if one.number in claims.LINEAR}
    for part in ("counted", "growth"):
        assert set(claims.read()[part]) == {NAIVE_NAME, *linear}


def changed(part: str, name: str, **values: object) -> Change:
    return lambda record: record[part][name].update(values)


def times(points: str, n: int, factor: float) -> Change:
    def change(record: dict) -> None:
        record["tiles"][points][n]["kv_bytes"] *= factor

    return change


@pytest.mark.parametrize(
    ("claim", "change"),
    [
        (MEMORY, changed("counted", ONLINE_NAME, scratch_bytes=31 * 2**10)),
        (MEMORY, changed("counted", NAIVE_NAME, scratch_bytes=63 * 2**10)),
        (QUADRATIC, changed("growth", NAIVE_NAME, growth="subquadratic")),
        (QUADRATIC, changed("growth", NAIVE_NAME, ratio=3.8)),
        (QUADRATIC, changed("growth", NAIVE_NAME, ratio=float("nan"))),
        (QUADRATIC, changed("growth", NAIVE_NAME, ratio=4.2)),
        (LINEAR, changed("growth", ONLINE_NAME, growth="quadratic")),
        (LINEAR, changed("growth", ONLINE_NAME, ratio=2.1)),
        (LINEAR, changed("growth", "05_causal", ratio=2.1)),
        (REFUSED, changed("long", NAIVE_NAME, returned="cudaErrorInvalidValue")),
        (REFUSED, changed("long", NAIVE_NAME, returned="cudaSuccess", refused_bytes=0)),
        (REFUSED, changed("long", NAIVE_NAME, refused_bytes=2**35)),
        (REFUSED, changed("long", NAIVE_NAME, device_bytes=2**37)),
        (REFUSED, changed("long", NAIVE_NAME, launches=1)),
        (RUNS, changed("long", ONLINE_NAME, returned="cudaErrorMemoryAllocation")),
        (RUNS, changed("long", ONLINE_NAME, rows=0)),
        (RUNS, changed("long", ONLINE_NAME, right=False)),
        (RUNS, changed("long", ONLINE_NAME, worst=1.1)),
        (RUNS, changed("long", ONLINE_NAME, worst=float("nan"))),
        (RUNS, changed("long", ONLINE_NAME, scratch_bytes=60_000)),
        (BY_TILE, times("by_tile", 1, 2)),
        (BY_TILE, times("by_tile", 4, 1.11)),
        (BY_TILE, times("by_tile", 4, 0.89)),
        (BY_HEAD_DIM, times("by_head_dim", 2, 0.5)),
        (BY_SEQ_LEN, times("by_seq_len", 2, 0.5)),
        (ARITHMETIC, changed("counted", ONLINE_NAME, exp_calls=262_143)),
        (ARITHMETIC, changed("counted", ONLINE_NAME, shared_load_bytes=2**26)),
        (ARITHMETIC, changed("counted", ONLINE_NAME, global_bytes=2**29)),
    ],
)
def test_a_claim_that_the_numbers_contradict(claim: int, change: Change) -> None:
    record = copy.deepcopy(claims.read())
    change(record)
    verdicts = claims.judge(record)
    assert [n for n, one in enumerate(verdicts) if not one.holds] == [claim]
    assert "does not hold" in claims.table(record)


@pytest.mark.parametrize(("scratch_bytes", "expected"), [(0, 0), (30 * 2**10, 0), (31 * 2**10, 1)])
def test_the_exit_status(
    scratch_bytes: int,
    expected: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
    tmp_path: Path,
) -> None:
    record = copy.deepcopy(claims.read())
    record["counted"][ONLINE_NAME]["scratch_bytes"] = scratch_bytes  # LSE takes 2 KiB more
    readme = tmp_path / "README.md"
    readme.write_text(claims.README.read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.setattr(claims, "README", readme)
    monkeypatch.setattr(claims, "RECORD", tmp_path / "data" / "claims.json")
    monkeypatch.setattr(claims, "measure", lambda _: record)
    assert bench.main(["--claims"]) == expected
    lines = capsys.readouterr().out.strip().split("\n")
    assert len(lines) == len(claims.judge(record))
    assert sum(line.startswith("does not hold") for line in lines) == expected
    assert claims.read() == record
    assert tables.table_in(readme, claims.TABLE) == claims.table(record)


def test_a_tile_that_the_source_does_not_set_once() -> None:
    source = ONLINE.read_text(encoding="utf-8")
    line = "constexpr int kThreads = 64;"
    assert claims.with_tile(source, 32) == source.replace(line, line.replace("64", "32"))
    for wrong in (source.replace(line, "constexpr int kThreads = 1 << 6;"), source + line + "\n"):
        with pytest.raises(InternalError, match="kThreads"):
            claims.with_tile(wrong, 32)


def without_errors(record: dict) -> dict:
    """What is counted, and so is the same on every machine; the size of an error is not."""
    record = copy.deepcopy(record)
    del record["compiler"]
    del record["long"][ONLINE_NAME]["worst"]
    return record


def test_the_record_is_what_is_measured() -> None:
    recorded, measured = claims.read(), claims.measure(display.make_console())
    assert all(one.holds for one in claims.judge(measured))
    assert without_errors(measured) == without_errors(recorded), (
        f"recorded with {recorded['compiler']}, measured with {measured['compiler']}; "
        "scripts/bench --claims records it again"
    )


@pytest.fixture
def laboratory(tmp_path: Path) -> claims.Laboratory:
    return claims.Laboratory(claims.build_tools(display.make_console()), tmp_path)


def broken(folder: Path, name: str, old: str, new: str) -> Path:
    source = (paths.SOLUTIONS / f"{name}.cu").read_text(encoding="utf-8")
    assert source.count(old) == 1
    path = folder / "broken.cu"
    path.write_text(source.replace(old, new), encoding="utf-8")
    return path


def test_wrong_rows_are_not_right(laboratory: claims.Laboratory, tmp_path: Path) -> None:
    found = laboratory.ask(ONLINE, "last_rows", 65536, 8)
    assert (found["rows"], found["right"]) == (256, True)
    wrong = broken(tmp_path, ONLINE_NAME, "l *= rescale;", "")
    found = laboratory.ask(wrong, "last_rows", 65536, 8)
    assert (found["rows"], found["right"]) == (256, False)


def test_the_workspace_is_refused_for_its_size(laboratory: claims.Laboratory) -> None:
    naive = paths.SOLUTIONS / f"{NAIVE_NAME}.cu"
    # 16 GiB of scores do not fit beside the tensors; 32 MiB less do.
    assert laboratory.ask(naive, "last_rows", 65536, 1)["returned"] == "cudaErrorMemoryAllocation"
    found = laboratory.ask(naive, "last_rows", 65536 - 64, 1)
    assert found["returned"] == "cudaSuccess"
    assert found["scratch_bytes"] == 4 * (65536 - 64) ** 2


def test_a_wrong_kernel_is_not_counted(laboratory: claims.Laboratory, tmp_path: Path) -> None:
    wrong = broken(tmp_path, ONLINE_NAME, "l *= rescale;", "")
    with pytest.raises(InternalError) as raised:
        laboratory.ask(wrong, "counted", 128, 16)
    assert "measure_forward: wrong values" in raised.value.details


def test_a_solution_that_keeps_the_scores_is_quadratic(
    laboratory: claims.Laboratory, tmp_path: Path
) -> None:
    launch = "  online_softmax_kernel<<<"
    scores = "  float* S;\n  cudaMallocAsync(&S, 4 * heads * N_q * N_k, stream);\n"
    source = broken(tmp_path, ONLINE_NAME, launch, f"{scores}  cudaFreeAsync(S, stream);\n{launch}")
    assert laboratory.ask(source, "memory", 64, 1)["growth"] == "quadratic"
