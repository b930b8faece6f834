"""Grading with the real judges, for the tests that need them."""

import functools
from pathlib import Path

from course_tools import build, course, display, judge
from course_tools.results import LessonResult

SEED = 0x5EED1234


@functools.cache
def judges() -> Path:
    """The folder with the judges for the CPU device, built if they are not."""
    return build.build_judges(display.make_console(), "cpu", course.load())


def lesson(name: str) -> course.Lesson:
    return course.select(course.load(), [name])[0]


def grade(lesson_name: str, source: Path, checks: tuple[str, ...] = ()) -> LessonResult:
    task = judge.Task(lesson(lesson_name), source, checks)
    return judge.grade([task], judges(), "cpu", SEED)[0]
