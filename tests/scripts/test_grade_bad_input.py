"""scripts/grade answers bad input with one clear line, the right exit status and no traceback."""

import pytest
from conftest import Repository, assert_one_line_error


@pytest.mark.parametrize("lesson", ["99", "naive", "01_naiv", "-1", "\u0661"])
def test_unknown_lesson_lists_the_known_ones(repository: Repository, lesson: str) -> None:
    result = repository.grade("--", lesson)
    assert_one_line_error(result, 2, "unknown lesson", "01_naive", "02_tiled")


def test_unknown_check_lists_the_known_ones(repository: Repository) -> None:
    result = repository.grade("01", "--check", "raged")
    assert_one_line_error(result, 2, "unknown check 'raged'", "ragged", "one_tile")


def test_check_of_another_lesson_is_unknown(repository: Repository) -> None:
    assert_one_line_error(repository.grade("01", "--check", "traffic"), 2, "unknown check")


def test_missing_file_is_named(repository: Repository) -> None:
    (repository.root / "kernels/01_naive.cu").unlink()
    assert_one_line_error(repository.grade("01"), 2, "kernels/01_naive.cu is missing")


def test_folder_in_the_place_of_a_file(repository: Repository) -> None:
    (repository.root / "kernels/01_naive.cu").unlink()
    (repository.root / "kernels/01_naive.cu").mkdir()
    assert_one_line_error(repository.grade("01"), 2, "kernels/01_naive.cu is not a file")


def test_kernel_folder_that_does_not_exist(repository: Repository) -> None:
    assert_one_line_error(repository.grade("--kernels", "nowhere"), 2, "there is no folder")


def test_kernel_folder_that_is_a_file(repository: Repository) -> None:
    result = repository.grade("--kernels", "kernels/01_naive.cu")
    assert_one_line_error(result, 2, "is not a folder")


def test_solutions_and_kernels_exclude_each_other(repository: Repository) -> None:
    result = repository.grade("--solutions", "--kernels", "kernels")
    assert_one_line_error(result, 2, "not allowed with")


@pytest.mark.parametrize("option", ["--json", "--junit"])
def test_report_does_not_replace_a_source_file(repository: Repository, option: str) -> None:
    kernel = repository.root / "kernels/01_naive.cu"
    before = kernel.read_text(encoding="utf-8")
    result = repository.grade("01", option, "kernels/01_naive.cu")
    assert_one_line_error(result, 2, "it is a source file and would be lost")
    assert kernel.read_text(encoding="utf-8") == before


@pytest.mark.parametrize(
    "seed", ["", "x", "0x", "-1", "0x1_0", "1e3", "0x10000000000000000", "18446744073709551616"]
)
def test_bad_seed(repository: Repository, seed: str) -> None:
    assert_one_line_error(repository.grade(f"--seed={seed}"), 2, "--seed", "is not a seed")


@pytest.mark.parametrize("jobs", ["0", "-1", "two"])
def test_bad_jobs(repository: Repository, jobs: str) -> None:
    assert_one_line_error(repository.grade(f"--jobs={jobs}"), 2, "is not a positive number")


@pytest.mark.parametrize("option", ["--device=tpu", "--nonsense", "--sol"])
def test_unknown_options(repository: Repository, option: str) -> None:
    assert_one_line_error(repository.grade(option), 2, "--help")


@pytest.mark.parametrize("option", ["--json", "--junit"])
@pytest.mark.parametrize("path", ["nowhere/report", ".", "/dev/null", "/proc/report", ""])
def test_unwritable_report_is_found_before_grading(
    repository: Repository, option: str, path: str
) -> None:
    result = repository.grade("01", option, path)
    assert_one_line_error(result, 2, "cannot write")
    assert "compiles" not in result.stdout


def test_one_file_for_both_reports(repository: Repository) -> None:
    assert_one_line_error(repository.grade("--json", "r", "--junit", "./r"), 2, "the same file")


def test_broken_list_of_lessons_is_our_fault(repository: Repository) -> None:
    repository.write("lessons/course.toml", "[[lesson]\n")
    assert_one_line_error(repository.grade(), 3, "lessons/course.toml")


def test_unexpected_exception_names_a_log(repository: Repository) -> None:
    path = repository.root / "scripts/course_tools/course.py"
    path.write_text(path.read_text(encoding="utf-8") + "\n\ndef load():\n    return 1 / 0\n")
    assert_one_line_error(repository.grade(), 3, "internal error: ZeroDivisionError", ".log")
    logs = list((repository.root / ".cache").glob("grade-*.log"))
    assert len(logs) == 1
    assert "Traceback" in logs[0].read_text(encoding="utf-8")
