"""What grading found: one record per check and per lesson, and the rules for points and verdicts."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from course_tools.course import Lesson
from course_tools.errors import EXIT_FAILED, EXIT_INTERNAL, EXIT_OK

PASS = "PASS"
FAIL = "FAIL"
NOT_STARTED = "NOT STARTED"
NOT_RUN = "NOT RUN"
INTERNAL_ERROR = "INTERNAL ERROR"
VERDICTS = (PASS, FAIL, NOT_STARTED, NOT_RUN, INTERNAL_ERROR)


@dataclass
class CheckResult:
    check: str
    verdict: str
    max_points: int
    kind: str = ""  # of a FAIL: wrong values, crash, ...
    message: str = ""
    case: dict[str, object] = field(default_factory=dict)  # the shape and the inputs
    diagnosis: str = ""
    confident: bool = False
    found: str = ""  # what the checked build says about the case that failed
    note: str = ""  # a fact worth showing, also for a PASS
    seconds: float = 0.0

    @property
    def points(self) -> int:
        return self.max_points if self.verdict == PASS else 0


@dataclass
class LessonResult:
    lesson: Lesson
    file: str
    checks: list[CheckResult]

    @property
    def points(self) -> int:
        return sum(check.points for check in self.checks)

    @property
    def max_points(self) -> int:
        return sum(check.max_points for check in self.checks)

    @property
    def verdict(self) -> str:
        """The worst of the checks; a check worth nothing that did not run spoils nothing."""
        found = {check.verdict for check in self.checks}
        for verdict in (INTERNAL_ERROR, NOT_STARTED, FAIL):
            if verdict in found:
                return verdict
        return PASS if self.points == self.max_points and PASS in found else NOT_RUN

    def of(self, verdict: str) -> list[CheckResult]:
        return [check for check in self.checks if check.verdict == verdict]


def failed_by_us(lesson: Lesson, checks: Sequence[str], message: str) -> list[CheckResult]:
    """The records of checks that our own failure kept from a verdict."""
    return [
        CheckResult(check, INTERNAL_ERROR, lesson.points[check], message=message)
        for check in checks
    ]


def exit_status(lessons: Sequence[LessonResult]) -> int:
    verdicts = {lesson.verdict for lesson in lessons}
    if INTERNAL_ERROR in verdicts:
        return EXIT_INTERNAL
    return EXIT_OK if verdicts == {PASS} else EXIT_FAILED
