"""The list of lessons, as lessons/course.toml has it."""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from course_tools import device, paths
from course_tools.errors import InternalError, UsageError


@dataclass(frozen=True)
class Lesson:
    name: str  # 01_naive
    title: str
    test: str  # the judge's executable
    stub_sha256: str
    points: dict[str, int]  # check -> points, in the order in which they run
    points_on_gpu: dict[str, int] = field(default_factory=dict)  # where they differ

    @property
    def number(self) -> str:
        return self.name.split("_")[0]

    def graded_on(self, device_name: str) -> "Lesson":
        """The same lesson, with the points that its checks have on this device."""
        if device_name == device.CPU:
            return self
        return replace(self, points={**self.points, **self.points_on_gpu})

    def matches(self, word: str) -> bool:
        return word == self.name or (
            word.isascii() and word.isdigit() and int(word) == int(self.number)
        )


def load() -> list[Lesson]:
    path = paths.LESSONS / "course.toml"
    try:
        entries = tomllib.loads(path.read_text(encoding="utf-8"))["lesson"]
        return [
            Lesson(
                name=entry["name"],
                title=entry["title"],
                test=entry["test"],
                stub_sha256=entry["stub_sha256"],
                points=_points(entry["points"]),
                points_on_gpu=_points(entry.get("points_on_gpu", {})),
            )
            for entry in entries
        ]
    except (OSError, tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise InternalError(f"cannot read {paths.shown(path)}: {error!r}") from error


def _points(table: dict[str, object]) -> dict[str, int]:
    return {check: int(points) for check, points in table.items()}


def select(lessons: Sequence[Lesson], words: Sequence[str]) -> list[Lesson]:
    """The lessons that the words name, in the course's order; all of them for no words."""
    for word in words:
        if not any(lesson.matches(word) for lesson in lessons):
            known = ", ".join(lesson.name for lesson in lessons)
            raise UsageError(f"unknown lesson {word!r}; the lessons are: {known}")
    return [one for one in lessons if not words or any(one.matches(word) for word in words)]


def select_by_checks(lessons: Sequence[Lesson], checks: Sequence[str]) -> list[Lesson]:
    """The lessons that have one of the checks; all of them for no checks."""
    for check in checks:
        if not any(check in lesson.points for lesson in lessons):
            known = ", ".join(dict.fromkeys(name for one in lessons for name in one.points))
            raise UsageError(f"unknown check {check!r}; the checks are: {known}")
    return [one for one in lessons if not checks or any(check in one.points for check in checks)]
