"""scripts/grade: grades kernel files, lesson by lesson, check by check."""

import argparse
import os
import secrets
from collections.abc import Sequence
from pathlib import Path

from course_tools import course, judge, paths, report, results
from course_tools import device as devices
from course_tools.cli import Parser, positive
from course_tools.errors import UsageError

# For tests of this script: a folder with the judges to run; nothing is built.
JUDGE_DIR = "COURSE_JUDGE_DIR"

# On a GPU a process takes a third of a second to start. With four checks a lesson still has several of them.
CHECKS_PER_PROCESS = {devices.CPU: 1, devices.CUDA: 4}

EPILOG = """\
exit status: 0 every check passed, 1 something failed or is not started, 2 wrong command line,
3 internal error (never the fault of the kernel)

examples:
  scripts/grade                        every lesson in kernels/
  scripts/grade 01                     one lesson
  scripts/grade --solutions            the reference solutions
  scripts/grade 01 --check ragged --seed 0x5eed1234
"""


def main(arguments: Sequence[str]) -> int:
    options = _parse(arguments)
    seed = secrets.randbits(64) if options.seed is None else options.seed
    lessons = course.select(course.load(), options.lessons)
    lessons = course.select_by_checks(lessons, options.check)
    device = options.device or devices.default()
    lessons = [one.graded_on(device) for one in lessons]
    tasks = [
        judge.Task(
            one,
            _source(options, one),
            tuple(name for name in options.check if name in one.points),
            CHECKS_PER_PROCESS[device],
        )
        for one in lessons
    ]
    _check_report_paths(options)
    if device == devices.CUDA:
        devices.require_cuda_compiler()
    info = report.RunInfo(device, seed, _replay_options(options))
    graded = _grade(options, device, seed, tasks, info)
    return results.exit_status(graded)


def _grade(
    options: argparse.Namespace,
    device: str,
    seed: int,
    tasks: Sequence[judge.Task],
    info: report.RunInfo,
) -> list[results.LessonResult]:
    # rich is imported late: --help and usage errors do without it.
    from course_tools import build, display, summary

    console = display.make_console()
    bin_dir = os.environ.get(JUDGE_DIR)
    if not bin_dir:
        lessons = {task.lesson.name: task.lesson for task in tasks}
        bin_dir = build.build_judges(console, device, list(lessons.values()))
    total = sum(len(task.expected) for task in tasks)
    with display.Bar(console, f"grading on the {device} device, seed {seed:#x}", total) as bar:

        def show_check(task: judge.Task, check: str, line: str) -> None:
            bar.update(what=f"{task.lesson.name} {check}")
            bar.advance()
            bar.plain_line(f"  {task.lesson.name}  {line}")

        def show_line(task: judge.Task, line: str) -> None:
            if options.verbose:
                bar.line(f"{task.lesson.name}| {line}")

        graded = judge.grade(
            tasks, Path(bin_dir), device, seed, options.jobs, show_check, show_line, tick=bar.tick
        )
    for path, text in ((options.json, report.as_json), (options.junit, report.as_junit)):
        if path is not None:
            report.write(path, text(info, graded))
    summary.print_summary(console, info, graded)
    return graded


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = Parser("grade", "Grades kernel files, check by check.", EPILOG)
    parser.add_argument(
        "lessons", nargs="*", metavar="LESSON", help="01, 1 or 01_naive; all lessons if none"
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--solutions", action="store_true", help="grade the reference solutions")
    where.add_argument("--kernels", metavar="DIR", help="grade the files in DIR, not in kernels/")
    parser.add_argument(
        "--device",
        choices=(devices.CPU, devices.CUDA),
        help="cuda: an NVIDIA GPU; cpu: no GPU needed (default: cuda where a GPU answers)",
    )
    parser.add_argument(
        "--seed", type=_seed, help="64-bit seed of the inputs, as a run prints it (default: random)"
    )
    parser.add_argument(
        "--check",
        action="append",
        default=[],
        metavar="NAME",
        help="only this check and what it depends on; may be given again",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write a JSON report")
    parser.add_argument("--junit", type=Path, metavar="FILE", help="write a JUnit XML report")
    parser.add_argument(
        "--jobs", type=positive, default=1, metavar="N", help="lessons graded at once (default 1)"
    )
    parser.add_argument("--verbose", action="store_true", help="show everything the judge prints")
    options = parser.parse_intermixed_args(arguments)
    options.check = list(dict.fromkeys(options.check))
    return options


def _seed(text: str) -> int:
    try:
        seed = int(text, 16 if text.lower().startswith("0x") else 10)
    except ValueError:
        seed = -1
    if not 0 <= seed < 1 << 64 or not text.isascii() or "_" in text:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a seed: give 64 bits in hex (0x5eed) or decimal"
        )
    return seed


def _source(options: argparse.Namespace, lesson: course.Lesson) -> Path:
    folder = paths.SOLUTIONS if options.solutions else paths.KERNELS
    if options.kernels is not None:
        folder = Path(options.kernels)
        if not folder.exists():
            raise UsageError(f"there is no folder {options.kernels!r}")
        if not folder.is_dir():
            raise UsageError(f"{options.kernels!r} is not a folder: --kernels takes a folder")
    source = folder / f"{lesson.name}.cu"
    if not source.is_file():
        what = "is not a file" if source.exists() else "is missing"
        raise UsageError(f"{paths.shown(source)} {what}")
    if not os.access(source, os.R_OK):
        raise UsageError(f"{paths.shown(source)} cannot be read")
    return source


def _check_report_paths(options: argparse.Namespace) -> None:
    wanted = [path for path in (options.json, options.junit) if path is not None]
    if len({os.path.realpath(path) for path in wanted}) < len(wanted):
        raise UsageError("--json and --junit name the same file")
    for path in wanted:
        report.check_writable(path)


def _replay_options(options: argparse.Namespace) -> list[str]:
    """What a replay command must repeat besides the lesson, the check and the seed."""
    words = ["--solutions"] if options.solutions else []
    if options.kernels is not None:
        words += ["--kernels", options.kernels]
    if options.device is not None:
        words += ["--device", options.device]
    return words
