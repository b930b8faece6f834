"""The grader is right: every kernel of the corpus gets the verdict that its folder and header say."""

from pathlib import Path

import pytest
import real
from course_tools import corpus, course, paths
from course_tools.results import FAIL, NOT_STARTED

LESSONS = [lesson.name for lesson in course.load()]


@pytest.mark.parametrize(
    "path",
    [pytest.param(path, id=f"{path.parents[1].name}-{path.stem}") for path in corpus.files()],
)
def test_kernel_gets_its_verdict(path: Path) -> None:
    entry = corpus.read(path)
    problems = corpus.problems(entry, real.grade(entry.lesson, path, entry.checks))
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize("folder", corpus.FOLDERS)
@pytest.mark.parametrize("lesson", LESSONS)
def test_lesson_has_a_corpus(folder: str, lesson: str) -> None:
    assert list((paths.CORPUS / folder / lesson).glob("*.cu"))


@pytest.mark.parametrize("lesson", LESSONS)
def test_untouched_stub_is_not_started(lesson: str) -> None:
    result = real.grade(lesson, paths.KERNELS / f"{lesson}.cu")
    assert {check.verdict for check in result.checks} == {NOT_STARTED}
    assert (result.verdict, result.points) == (NOT_STARTED, 0)


@pytest.mark.parametrize("lesson", LESSONS)
def test_stub_with_a_harmless_edit_fails(tmp_path: Path, lesson: str) -> None:
    stub = (paths.KERNELS / f"{lesson}.cu").read_text(encoding="utf-8")
    source = tmp_path / f"{lesson}.cu"
    source.write_text(stub + "// I was here.\n", encoding="utf-8")
    result = real.grade(lesson, source)
    assert result.verdict == FAIL
    assert not result.of(NOT_STARTED)
