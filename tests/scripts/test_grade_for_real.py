"""scripts/grade with the real judge, from the command line to the report, on the CPU device."""

import json
import subprocess
from pathlib import Path

from conftest import ROOT, run

SOLUTION = ROOT / "solutions/01_naive.cu"


def grade(tmp_path: Path, *arguments: str) -> tuple[subprocess.CompletedProcess, dict]:
    report = tmp_path / "report.json"
    result = run([ROOT / "scripts/grade", "01", "--device=cpu", "--json", report, *arguments])
    assert "Traceback" not in result.stderr, result.stderr
    return result, json.loads(report.read_text(encoding="utf-8"))["lessons"][0]


def kernel(tmp_path: Path, text: str) -> Path:
    folder = tmp_path / "kernels"
    folder.mkdir()
    (folder / "01_naive.cu").write_text(text, encoding="utf-8")
    return folder


def grade_text(tmp_path: Path, text: str, *arguments: str) -> tuple[str, dict]:
    """Grades a file that must fail; returns what was printed and the lesson's report."""
    folder = kernel(tmp_path, text)
    result, lesson = grade(tmp_path, "--kernels", str(folder), *arguments)
    assert result.returncode == 1, result.stdout + result.stderr
    assert lesson["verdict"] == "FAIL"
    return result.stdout, lesson


def verdicts(lesson: dict) -> dict[str, str]:
    return {check["check"]: check["verdict"] for check in lesson["checks"]}


def first_failure(lesson: dict) -> dict:
    return next(check for check in lesson["checks"] if check["verdict"] == "FAIL")


def test_the_solution_has_full_points(tmp_path: Path) -> None:
    result, lesson = grade(tmp_path, "--solutions")
    assert result.returncode == 0, result.stdout + result.stderr
    assert (lesson["verdict"], lesson["points"], lesson["max_points"]) == ("PASS", 100, 100)


def test_the_stub_is_not_started(tmp_path: Path) -> None:
    result, lesson = grade(tmp_path)
    assert result.returncode == 1
    assert (lesson["verdict"], lesson["points"]) == ("NOT STARTED", 0)


def test_a_file_that_does_not_compile_shows_the_students_line(tmp_path: Path) -> None:
    lines = SOLUTION.read_text(encoding="utf-8").split("\n")
    lines.append("static int broken = no_such_name;")
    printed, lesson = grade_text(tmp_path, "\n".join(lines))
    compiles = lesson["checks"][0]
    assert (compiles["check"], compiles["kind"]) == ("compiles", "compile error")
    assert f"01_naive.cu:{len(lines)}:" in printed
    assert "no_such_name" in printed
    assert set(verdicts(lesson).values()) == {"FAIL", "NOT RUN"}


def test_a_library_without_the_entry_point(tmp_path: Path) -> None:
    _, lesson = grade_text(tmp_path, 'extern "C" int something_else() { return 0; }\n')
    assert "attention_forward" in first_failure(lesson)["message"]


def test_an_empty_file(tmp_path: Path) -> None:
    _, lesson = grade_text(tmp_path, "")
    assert lesson["points"] <= 5


def test_a_library_that_ends_the_process(tmp_path: Path) -> None:
    text = SOLUTION.read_text(encoding="utf-8")
    text += "#include <cstdlib>\nstatic const int over = (std::exit(0), 0);\n"
    _, lesson = grade_text(tmp_path, text)
    assert first_failure(lesson)["check"] in ("compiles", "launches")


def test_a_failure_replays_with_its_seed(tmp_path: Path) -> None:
    text = SOLUTION.read_text(encoding="utf-8")
    wrong = text.replace("s *= softmax_scale;", "s *= 2 * softmax_scale;")
    assert wrong != text
    folder = kernel(tmp_path, wrong)
    _, first = grade(tmp_path, "--kernels", str(folder))
    failed = first_failure(first)
    words = failed["replay"].split()
    seed = words[words.index("--seed") + 1]
    again = grade(tmp_path, "--kernels", str(folder), "--check", failed["check"], "--seed", seed)
    found = next(check for check in again[1]["checks"] if check["check"] == failed["check"])
    assert found == failed
