"""scripts/lesson_diff: what each lesson's solution changes in the one before it."""

import difflib
import itertools
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from course_tools import course, paths
from course_tools.cli import Parser
from course_tools.course import Lesson
from course_tools.errors import EXIT_OK, InternalError, UsageError

MOST_ADDED = 40  # code lines that a lesson should add at most, if it is no rewrite
MOST_LINES = 300  # of a rewrite's file
_COLOURS = {"+": "\x1b[32m", "-": "\x1b[31m", "@": "\x1b[36m"}


@dataclass(frozen=True)
class Step:
    """From one solution to the next. Counted are lines of code, without comments and blank lines."""

    before: Lesson
    lesson: Lesson
    added: int
    removed: int
    lines: int  # of the new solution's file, all counted
    is_rewrite: bool  # its header says so

    def words(self) -> str:
        return (
            f"{self.before.number} -> {self.lesson.name:<20} "
            f"+{self.added:<3} -{self.removed:<3} of {self.lines} lines"
            f"{', a rewrite' if self.is_rewrite else ''}"
        )


def text_of(lesson: Lesson) -> list[str]:
    path = paths.ROOT / "solutions" / f"{lesson.name}.cu"
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise InternalError(f"cannot read {paths.shown(path)}: {error.strerror}") from error


def code_of(lines: Sequence[str]) -> list[str]:
    """The lines without comments, and without those that hold nothing else."""
    bare = (re.sub(r"\s*//.*", "", line).rstrip() for line in lines)
    return [line for line in bare if line]


def steps(lessons: Sequence[Lesson]) -> list[Step]:
    found = []
    for before, lesson in itertools.pairwise(lessons):
        old, new = text_of(before), text_of(lesson)
        changes = list(difflib.ndiff(code_of(old), code_of(new)))
        added = sum(line.startswith("+ ") for line in changes)
        removed = sum(line.startswith("- ") for line in changes)
        header = itertools.takewhile(lambda line: line.startswith("//"), new)
        is_rewrite = any("rewrite" in line.lower() for line in header)
        found.append(Step(before, lesson, added, removed, len(new), is_rewrite))
    return found


def show(before: Lesson, lesson: Lesson) -> None:
    colours = _COLOURS if sys.stdout.isatty() else {}
    for line in difflib.unified_diff(
        text_of(before),
        text_of(lesson),
        f"solutions/{before.name}.cu",
        f"solutions/{lesson.name}.cu",
        lineterm="",
    ):
        colour = colours.get(line[:1], "")
        print(f"{colour}{line}\x1b[0m" if colour else line)


def main(arguments: Sequence[str]) -> int:
    parser = Parser(
        "lesson_diff",
        "Shows what a lesson's solution changes in the solution before it; without a lesson, how "
        "many lines\nof code each lesson adds and removes, comments and blank lines not counted.",
        "Exit status: 0, 2 wrong usage, 3 internal error.",
    )
    parser.add_argument("lesson", nargs="?", help="03 or 03_online_softmax")
    options = parser.parse_args(arguments)
    lessons = course.load()
    if options.lesson is None:
        for step in steps(lessons):
            print(step.words())
        return EXIT_OK
    lesson = course.select(lessons, [options.lesson])[0]
    at = lessons.index(lesson)
    if at == 0:
        raise UsageError(f"{lesson.name} is the first lesson: there is none before it")
    show(lessons[at - 1], lesson)
    return EXIT_OK
