"""The headers of the corpus: what is understood, and that nothing else is let through."""

from pathlib import Path

import pytest
from course_tools import corpus, course
from course_tools.course import Lesson
from course_tools.results import CheckResult, LessonResult

LESSON = Lesson("01_naive", "", "", "", {"compiles": 10, "ragged": 90, "large_index": 0})


def entry(tmp_path: Path, folder: str, text: str) -> corpus.Entry:
    path = tmp_path / folder / "01_naive" / "kernel.cu"
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="utf-8")
    return corpus.read(path)


def result(**verdicts: str) -> LessonResult:
    checks = [
        CheckResult(name, verdict, LESSON.points[name], kind="race" if verdict == "FAIL" else "")
        for name, verdict in verdicts.items()
    ]
    return LessonResult(LESSON, "kernel.cu", checks)


def test_a_mutant(tmp_path: Path) -> None:
    text = "// corpus: fails ragged (race | crash)\n// corpus: survives compiles, launches\n// x\n"
    found = entry(tmp_path, "mutants", text)
    assert found.fails == {"ragged": ("race", "crash")}
    assert found.survives == ("compiles", "launches")


@pytest.mark.parametrize(
    ("folder", "text"),
    [
        ("mutants", ""),
        ("mutants", "int x;\n// corpus: fails ragged (race)\n"),
        ("mutants", "// corpus: survives ragged\n"),
        ("mutants", "// corpus: fails ragged\n"),
        ("mutants", "// corpus: fails ragged (race)\n// corpus: passes\n"),
        ("mutants", "// corpus: fails ragged (race)\n// corpus: dies\n"),
        ("valid", "// A fine kernel.\n"),
        ("valid", "// corpus: passes\n// corpus: fails ragged (race)\n"),
    ],
)
def test_a_header_that_is_missing_or_wrong(tmp_path: Path, folder: str, text: str) -> None:
    with pytest.raises(corpus.BadHeader):
        entry(tmp_path, folder, text)


@pytest.mark.parametrize(
    ("verdicts", "count"),
    [
        ({"compiles": "PASS", "ragged": "FAIL"}, 0),
        ({"compiles": "PASS", "ragged": "PASS"}, 2),
        ({"compiles": "FAIL", "ragged": "NOT RUN"}, 2),
        ({"compiles": "PASS", "ragged": "INTERNAL ERROR"}, 2),
        ({"compiles": "PASS"}, 1),
    ],
)
def test_what_a_mutant_must_do(tmp_path: Path, verdicts: dict[str, str], count: int) -> None:
    text = "// corpus: fails ragged (race)\n// corpus: survives compiles\n"
    mutant = entry(tmp_path, "mutants", text)
    assert len(corpus.problems(mutant, result(**verdicts))) == count


def test_a_mutant_that_fails_for_another_reason(tmp_path: Path) -> None:
    mutant = entry(tmp_path, "mutants", "// corpus: fails ragged (crash)\n")
    assert corpus.problems(mutant, result(compiles="PASS", ragged="FAIL"))


@pytest.mark.parametrize(
    ("verdicts", "count"),
    [
        ({"compiles": "PASS", "ragged": "PASS", "large_index": "NOT RUN"}, 0),
        ({"compiles": "PASS", "ragged": "NOT RUN", "large_index": "PASS"}, 1),
        ({"compiles": "PASS", "ragged": "FAIL", "large_index": "FAIL"}, 2),
    ],
)
def test_what_a_valid_kernel_must_do(tmp_path: Path, verdicts: dict[str, str], count: int) -> None:
    valid = entry(tmp_path, "valid", "// corpus: passes\n")
    assert len(corpus.problems(valid, result(**verdicts))) == count


def test_every_header_names_checks_that_its_lesson_has() -> None:
    points = {lesson.name: lesson.points for lesson in course.load()}
    for path in corpus.files():
        found = corpus.read(path)
        assert set(found.checks) <= set(points[found.lesson]), path
