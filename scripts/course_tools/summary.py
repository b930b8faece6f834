"""What scripts/grade prints when it is done: the table, each failure, the total."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from course_tools.display import VERDICT_STYLES
from course_tools.report import RunInfo
from course_tools.results import (
    FAIL,
    INTERNAL_ERROR,
    NOT_RUN,
    NOT_STARTED,
    CheckResult,
    LessonResult,
)
from course_tools.text import clean_line, shorten

MESSAGE_LINES = 24


def print_summary(console: Console, info: RunInfo, lessons: Sequence[LessonResult]) -> None:
    for lesson in lessons:
        console.print()
        console.print(_table(lesson))
        shown: set[str] = set()
        for check in lesson.of(FAIL) + lesson.of(INTERNAL_ERROR):
            if check.verdict == FAIL or check.message not in shown:
                shown.add(check.message)
                console.print()
                for line in _failure(info, lesson, check):
                    console.print(line, soft_wrap=True)
        for line in _remarks(lesson):
            console.print(Text(line), soft_wrap=True)
    console.print()
    for line in _totals(lessons):
        console.print(line)
    console.print(f"device {info.device}, seed {info.seed:#x}")


def _totals(lessons: Sequence[LessonResult]) -> list[Text]:
    """01_naive    PASS   100 / 100 points"""
    rows = [(one.lesson.name, one.verdict, one.points, one.max_points) for one in lessons]
    if len(rows) > 1:
        rows.append(("total", "", sum(row[2] for row in rows), sum(row[3] for row in rows)))
    names, verdicts, points = (max(len(str(row[n])) for row in rows) for n in range(3))
    lines = []
    for name, verdict, got, most in rows:
        line = Text(f"{name:<{names}}    ")
        line.append(f"{verdict:<{verdicts}}", VERDICT_STYLES.get(verdict, ""))
        lines.append(line.append(f"   {got:>{points}} / {most} points"))
    return lines


def _table(lesson: LessonResult) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2), title_justify="left")
    table.add_column(lesson.lesson.name)
    table.add_column("verdict")
    table.add_column("points", justify="right")
    for check in lesson.checks:
        table.add_row(
            check.check,
            Text(check.verdict, VERDICT_STYLES[check.verdict]),
            f"{check.points} / {check.max_points}",
        )
    return table


def _failure(info: RunInfo, lesson: LessonResult, check: CheckResult) -> list[Text]:
    """One failure: what and where, what the judge says, how to see it again, what to read."""
    message = shorten(check.message, MESSAGE_LINES).split("\n")
    headline, *lines = (
        message if check.verdict == FAIL else ["not the fault of the kernel", *message]
    )
    head = Text(f"{lesson.lesson.name:<19} ")
    head.append(f"{check.verdict}  ", VERDICT_STYLES[check.verdict])
    head.append("   ".join(part for part in (check.kind, headline) if part))
    again = f"again:      {info.replay(lesson, check.check)}"
    at = next((n for n, line in enumerate(lines) if line.startswith("read:")), len(lines))
    return [head, *(Text(f"  {line}") for line in [*lines[:at], again, *lines[at:]])]


def _remarks(lesson: LessonResult) -> list[str]:
    """Facts and reasons in one line each, under the table and the failures."""
    remarks = [f"{check.check}: {clean_line(check.note)}" for check in lesson.checks if check.note]
    remarks += [
        f"{check.check}: not run, {clean_line(check.message) or 'no reason given'}"
        for check in lesson.of(NOT_RUN)
    ]
    if lesson.of(NOT_STARTED):
        remarks.append(f"{lesson.file} is the untouched stub; begin with {_text_of(lesson)}")
    return ["", *remarks] if remarks else []


def _text_of(lesson: LessonResult) -> str:
    return f"lessons/{lesson.lesson.name}/README.md"
