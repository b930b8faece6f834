"""scripts/lesson_diff, and the rule that a lesson adds little, or says that it is a rewrite."""

import subprocess

import pytest
from course_tools import course, lesson_diff, paths

LESSONS = course.load()


def run(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [paths.ROOT / "scripts" / "lesson_diff", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_comments_and_blank_lines_are_no_code() -> None:
    lines = ["// one", "", "int a;  // two", "  // three", "int b;"]
    assert lesson_diff.code_of(lines) == ["int a;", "int b;"]


@pytest.mark.parametrize("step", lesson_diff.steps(LESSONS), ids=lambda step: step.lesson.name)
def test_a_lesson_adds_little(step: lesson_diff.Step) -> None:
    print(step.words())
    if step.is_rewrite:
        assert step.added > lesson_diff.MOST_ADDED, "its header calls a small change a rewrite"
        assert step.lines <= lesson_diff.MOST_LINES
    else:
        assert 0 < step.added <= lesson_diff.MOST_ADDED


def test_the_sizes_of_all_lessons() -> None:
    result = run()
    assert result.returncode == 0
    assert len(result.stdout.splitlines()) == len(LESSONS) - 1


@pytest.mark.skipif(len(LESSONS) < 2, reason="there is one lesson")
def test_the_diff_of_one_lesson() -> None:
    result = run(LESSONS[1].number)
    assert result.returncode == 0
    assert result.stdout.startswith(f"--- solutions/{LESSONS[0].name}.cu\n")
    assert f"+// Lesson {LESSONS[1].number}" in result.stdout


@pytest.mark.parametrize(("word", "said"), [("1", "is the first lesson"), ("77", "unknown lesson")])
def test_lessons_without_a_diff(word: str, said: str) -> None:
    result = run(word)
    assert result.returncode == 2
    assert said in result.stderr
    assert len(result.stderr.splitlines()) == 1
