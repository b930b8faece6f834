"""What scripts/grade prints when it is done: the table, each failure, the total."""

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from course_tools.display import VERDICT_STYLES
from course_tools.report import RunInfo
from course_tools.results import (
    FAIL,
    INTERNAL_ERROR,
    NOT_RUN,
    NOT_STARTED,
    PASS,
    CheckResult,
    LessonResult,
)
from course_tools.text import clean_line, shorten

MESSAGE_LINES = 24


def print_summary(console: Console, info: RunInfo, lessons: Sequence[LessonResult]) -> None:
    for lesson in lessons:
        console.print()
        console.print(lesson.file, style="bold")
        _print_rows(console, _check_rows(lesson))
        shown: set[str] = set()
        for check in lesson.of(FAIL) + lesson.of(INTERNAL_ERROR):
            if check.verdict == FAIL or check.message not in shown:
                shown.add(check.message)
                console.print()
                for line in _failure(info, lesson, check):
                    console.print(line, soft_wrap=True)
        if lesson.of(NOT_STARTED):
            text = f"lessons/{lesson.lesson.name}/README.md"
            console.print(f"\n{lesson.file} is the untouched stub; begin with {text}")
    console.print()
    _print_rows(console, _total_rows(lessons))
    console.print(f"device {info.device}, seed {info.seed:#x}")


Row = tuple[str, str, str, str]  # name, verdict, points, remark


def _print_rows(console: Console, rows: Sequence[Row]) -> None:
    """01_naive    PASS   100 / 100 points"""
    names, verdicts, points = (max(len(row[n]) for row in rows) for n in range(3))
    for name, verdict, got, remark in rows:
        line = Text(f"{name:<{names}}    ")
        line.append(f"{verdict:<{verdicts}}", VERDICT_STYLES.get(verdict, ""))
        line.append(f"   {got:>{points}}   {remark}")
        line.rstrip()
        console.print(line, soft_wrap=True)


def _check_rows(lesson: LessonResult) -> list[Row]:
    return [
        (check.check, check.verdict, f"{check.points} / {check.max_points}", _remark(check))
        for check in lesson.checks
    ]


def _total_rows(lessons: Sequence[LessonResult]) -> list[Row]:
    rows = [(one.lesson.name, one.verdict, one.points, one.max_points) for one in lessons]
    if len(rows) > 1:
        rows.append(("total", "", sum(row[2] for row in rows), sum(row[3] for row in rows)))
    return [(name, verdict, f"{got} / {most} points", "") for name, verdict, got, most in rows]


def _remark(check: CheckResult) -> str:
    """What the table says beside a verdict: the kind of failure, the reason, or a fact."""
    text = {PASS: check.note, FAIL: check.kind, NOT_RUN: check.message}.get(check.verdict, "")
    return clean_line(text)


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
