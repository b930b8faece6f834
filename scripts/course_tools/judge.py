"""Runs the judges, one executable per lesson, and reads their verdicts from GoogleTest's report."""

import json
import os
import re
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from course_tools import paths, processes
from course_tools.course import Lesson
from course_tools.errors import InternalError
from course_tools.results import (
    INTERNAL_ERROR,
    NOT_RUN,
    PASS,
    VERDICTS,
    CheckResult,
    LessonResult,
    failed_by_us,
)
from course_tools.text import clean, clean_line

TIME_LIMIT_S = 3600  # a backstop: the judge has time limits of its own
USAGE_STATUS = 2
# The folder in which judges that run together keep what one does for all: on a GPU, the proof that
# compute-sanitizer works, and the locks on the GPU's memory.
SHARED_DIR = "COURSE_SHARED_DIR"


@dataclass(frozen=True)
class Task:
    """One file to grade."""

    lesson: Lesson
    source: Path
    checks: tuple[str, ...] = ()  # these and what they depend on; empty for all
    checks_per_process: int = 1  # on a GPU, where a process takes long to start

    @property
    def expected(self) -> list[str]:
        """The checks that must be in the judge's report."""
        return list(self.checks or self.lesson.points)


OnCheck = Callable[[Task, str, str], None]  # task, check, the judge's line about it
OnLine = Callable[[Task, str], None]


def no_line(task: Task, line: str) -> None:
    """Shows nothing of what a judge prints."""


def grade(
    tasks: Sequence[Task],
    bin_dir: Path,
    device: str,
    seed: int,
    jobs: int = 1,
    on_check: OnCheck = lambda task, check, line: None,
    on_line: OnLine = no_line,
    tick: Callable[[], None] = lambda: None,
) -> list[LessonResult]:
    """Grades every task; a judge that fails spoils its own lesson only."""

    def line_read(index: int, line: str) -> None:
        line = clean(line)
        on_line(tasks[index], line)
        if check := finished_check(tasks[index].lesson, line):
            on_check(tasks[index], check, line)

    with tempfile.TemporaryDirectory(prefix="course-grade-", ignore_cleanup_errors=True) as scratch:
        reports = [Path(scratch, f"{index}.json") for index in range(len(tasks))]
        commands = [
            processes.Command(
                _arguments(task, bin_dir, device, seed, report),
                cwd=paths.ROOT,
                env={"TMPDIR": scratch, SHARED_DIR: scratch},
                time_limit_s=TIME_LIMIT_S,
            )
            for task, report in zip(tasks, reports, strict=True)
        ]
        for command in commands:
            if not os.access(command.argv[0], os.X_OK):
                raise InternalError(f"there is no judge {paths.shown(Path(command.argv[0]))}")
        ended = processes.run_all(commands, jobs, line_read, tick)
        return [_result(*one) for one in zip(tasks, reports, ended, strict=True)]


def _arguments(task: Task, bin_dir: Path, device: str, seed: int, report: Path) -> list[str]:
    sharing = task.checks_per_process
    return [
        str(bin_dir / task.lesson.test),
        f"--source={paths.shown(task.source)}",
        f"--device={device}",
        f"--seed={seed:#x}",
        f"--stub-sha256={task.lesson.stub_sha256}",
        *(f"--check={check}" for check in task.checks),
        *([f"--checks-per-process={sharing}"] if sharing > 1 else []),
        f"--gtest_output=json:{report}",
    ]


_FINISHED = re.compile(rf"({'|'.join(VERDICTS)}) +(\w+)")


def finished_check(lesson: Lesson, line: str) -> str | None:
    """The check that a line of the judge is about: each starts with the verdict and the check."""
    found = _FINISHED.match(line)
    return found[2] if found and found[2] in lesson.points else None


def _result(task: Task, report: Path, finished: processes.Finished) -> LessonResult:
    try:
        checks = _read_report(task, report, finished)
    except _BadReport as problem:
        message = "\n".join([f"the judge {problem}", *clean(finished.output).split("\n")[-20:]])
        checks = failed_by_us(task.lesson, task.expected, message.rstrip())
    return LessonResult(task.lesson, clean_line(paths.shown(task.source)), checks)


class _BadReport(Exception):
    """The judge left no verdict that can be trusted; the text goes after "the judge"."""


def _read_report(task: Task, report: Path, finished: processes.Finished) -> list[CheckResult]:
    if finished.timed_out or finished.returncode < 0 or finished.returncode == USAGE_STATUS:
        raise _BadReport(finished.how())
    try:
        document = json.loads(report.read_text(encoding="utf-8", errors="replace"))
        tests = [test for suite in document["testsuites"] for test in suite["testsuite"]]
        ran = [test for test in tests if test["status"] == "RUN"]
        found = {test["name"]: _check(task.lesson, test) for test in ran}
    except OSError:
        raise _BadReport(f"{finished.how()} and left no report") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _BadReport(f"left a report that makes no sense: {error!r}") from None
    unknown = [check for check in found if check not in task.lesson.points]
    if unknown:
        raise _BadReport(f"ran checks that lessons/course.toml does not have: {unknown}")
    checks = []
    for check in task.lesson.points:
        if check in found:
            checks.append(found[check])
        elif check in task.expected:
            checks += failed_by_us(task.lesson, [check], "the judge did not report this check")
    verdicts = {check.verdict for check in checks}
    all_green = verdicts <= {PASS, NOT_RUN}
    if INTERNAL_ERROR not in verdicts and finished.returncode != (0 if all_green else 1):
        raise _BadReport(f"{finished.how()}, which its report does not explain")
    return checks


def _check(lesson: Lesson, test: dict) -> CheckResult:
    """One check from its entry in GoogleTest's report; the texts may come from the student."""

    def text(key: str) -> str:
        return clean(str(test.get(key, ""))).strip("\n")

    verdict = test.get("verdict")
    is_green = verdict in (PASS, NOT_RUN)
    if verdict not in VERDICTS or is_green == bool(test.get("failures")):
        return CheckResult(
            check=test["name"],
            verdict=INTERNAL_ERROR,
            max_points=lesson.points.get(test["name"], 0),
            message="\n".join(
                [
                    f"the judge gave the verdict {verdict!r}",
                    *(clean(str(one.get("failure"))) for one in test.get("failures", [])),
                ]
            ),
        )
    return CheckResult(
        check=test["name"],
        verdict=verdict,
        max_points=lesson.points.get(test["name"], 0),
        kind=clean_line(text("kind")),
        message=_without_replay(text("message")),
        case=_case(text("case")),
        diagnosis=clean_line(text("diagnosis")),
        confident=test.get("confident") == "true",
        found=text("found"),
        note=text("note"),
        seconds=float(str(test.get("time", "0")).rstrip("s") or 0),
    )


def _without_replay(message: str) -> str:
    """The judge does not know how scripts/grade was called, so its replay line is left out."""
    return "\n".join(line for line in message.split("\n") if not line.startswith("again:"))


def _case(text: str) -> dict[str, object]:
    if not text:
        return {}
    case = json.loads(text)
    if not isinstance(case, dict):
        raise TypeError(f"a case that is no object: {text!r}")
    return case
