"""The reports that other programs read: JSON and JUnit XML, written whole or not at all."""

import json
import os
import secrets
import shlex
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from course_tools.errors import InternalError, UsageError
from course_tools.results import (
    INTERNAL_ERROR,
    NOT_RUN,
    PASS,
    CheckResult,
    LessonResult,
)
from course_tools.text import clean


@dataclass(frozen=True)
class RunInfo:
    """What a run was asked for, as far as the reports and the replay commands need it."""

    device: str
    seed: int
    options: Sequence[str] = ()  # --solutions, --kernels DIR, --device D as given

    def replay(self, result: LessonResult, check: str) -> str:
        words = ["scripts/grade", result.lesson.number, "--check", check]
        return clean(shlex.join([*words, "--seed", f"{self.seed:#x}", *self.options]))


def as_json(info: RunInfo, lessons: Sequence[LessonResult]) -> str:
    document = {
        "version": 1,
        "device": info.device,
        "seed": f"{info.seed:#x}",
        "points": sum(lesson.points for lesson in lessons),
        "max_points": sum(lesson.max_points for lesson in lessons),
        "lessons": [
            {
                "lesson": lesson.lesson.name,
                "file": lesson.file,
                "verdict": lesson.verdict,
                "points": lesson.points,
                "max_points": lesson.max_points,
                "checks": [_check_as_dict(info, lesson, check) for check in lesson.checks],
            }
            for lesson in lessons
        ],
    }
    return json.dumps(document, indent=2) + "\n"


def _check_as_dict(info: RunInfo, lesson: LessonResult, check: CheckResult) -> dict[str, object]:
    entry: dict[str, object] = {
        "check": check.check,
        "verdict": check.verdict,
        "kind": check.kind or None,
        "points": check.points,
        "max_points": check.max_points,
        "case": check.case or None,
        "message": check.message,
        "diagnosis": check.diagnosis or None,
        "confident": check.confident,
        "found": check.found or None,
        "replay": info.replay(lesson, check.check),
    }
    if check.note:
        entry["note"] = check.note
    return entry


def as_junit(info: RunInfo, lessons: Sequence[LessonResult]) -> str:
    """One test suite per lesson, one test case per check."""
    checks = [check for lesson in lessons for check in lesson.checks]
    root = ElementTree.Element("testsuites", {"name": "scripts/grade", **_counts(checks)})
    for lesson in lessons:
        suite = ElementTree.SubElement(
            root, "testsuite", {"name": lesson.lesson.name, **_counts(lesson.checks)}
        )
        properties = ElementTree.SubElement(suite, "properties")
        for name, value in {
            "device": info.device,
            "seed": f"{info.seed:#x}",
            "file": lesson.file,
            "verdict": lesson.verdict,
            "points": str(lesson.points),
            "max_points": str(lesson.max_points),
        }.items():
            ElementTree.SubElement(properties, "property", {"name": name, "value": value})
        for check in lesson.checks:
            case = ElementTree.SubElement(
                suite,
                "testcase",
                {
                    "name": check.check,
                    "classname": lesson.lesson.name,
                    "time": f"{check.seconds:.3f}",
                },
            )
            if check.verdict != PASS:
                _add_verdict(case, check, info.replay(lesson, check.check))
            if check.note:
                ElementTree.SubElement(case, "system-out").text = check.note
    ElementTree.indent(root)
    xml = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{xml}\n'


def _counts(checks: Sequence[CheckResult]) -> dict[str, str]:
    errors = sum(check.verdict == INTERNAL_ERROR for check in checks)
    skipped = sum(check.verdict == NOT_RUN for check in checks)
    passed = sum(check.verdict == PASS for check in checks)
    return {
        "tests": str(len(checks)),
        "failures": str(len(checks) - errors - skipped - passed),
        "errors": str(errors),
        "skipped": str(skipped),
        "time": f"{sum(check.seconds for check in checks):.3f}",
    }


def _add_verdict(case: ElementTree.Element, check: CheckResult, replay: str) -> None:
    tag = {INTERNAL_ERROR: "error", NOT_RUN: "skipped"}.get(check.verdict, "failure")
    first_line = check.message.split("\n")[0]
    element = ElementTree.SubElement(case, tag, {"message": first_line or check.verdict})
    if tag != "skipped":
        element.set("type", check.kind or check.verdict)
        element.text = "\n".join(line for line in (check.message, f"again: {replay}") if line)


# Files that a mistyped command must not replace by a report.
SOURCES = {".cu", ".cuh", ".cpp", ".h", ".py", ".md", ".toml"}


def check_writable(path: Path) -> None:
    """Raises UsageError where a report could not be written, before anything is graded."""
    target = _target(path)
    try:
        exists = target.exists()
        if exists and not stat.S_ISREG(target.stat().st_mode):
            raise UsageError(f"cannot write {path}: it is not a regular file")
        if exists and target.suffix in SOURCES:
            raise UsageError(f"cannot write {path}: it is a source file and would be lost")
        _new_file_beside(target).unlink()
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from None


def write(path: Path, text: str) -> None:
    """Writes a file whole: a reader finds the old text or the new one, never a part."""
    target = _target(path)
    temporary = None
    try:
        temporary = _new_file_beside(target)
        temporary.write_text(text, encoding="utf-8")
        os.replace(temporary, target)
    except BaseException as error:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise InternalError(f"cannot write {path}: {error.strerror}") from error
        raise


def _target(path: Path) -> Path:
    return Path(os.path.realpath(path))


def _new_file_beside(target: Path) -> Path:
    temporary = target.with_name(f".{target.name[:100]}.{secrets.token_hex(4)}.tmp")
    os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666))
    return temporary
