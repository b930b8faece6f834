"""The project's own tests, suite by suite: each runs a tool and says how every test of it ended."""

import contextlib
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from importlib import resources
from pathlib import Path
from xml.etree import ElementTree

from rich.console import Console

from course_tools import build, device, paths, processes
from course_tools.display import Bar
from course_tools.errors import InternalError
from course_tools.outcomes import FAILED, NOT_RUN, PASSED, Outcome
from course_tools.text import clean

JOBS = 2
# One switch for every target, whatever flags the targets have of their own.
WARNINGS_AS_ERRORS = "-DCMAKE_COMPILE_WARNING_AS_ERROR=ON"
SKIPPED_FOLDERS = {"build", "__pycache__"}  # and every folder whose name starts with a dot
CXX_ENDINGS = {".cu", ".cuh", ".cpp", ".h"}
ASCII_ENDINGS = CXX_ENDINGS | {".cmake", ".def", ".in", ".json", ".py", ".sh", ".toml", ".txt"}
ASCII_ENDINGS |= {".ipynb"}


def format_suite(console: Console, _: str | None) -> list[Outcome]:
    sources = list(_files())
    cxx = [str(path) for path in sources if path.suffix in CXX_ENDINGS]
    clang_format = resources.files("clang_format").joinpath("data", "bin", "clang-format")
    ruff = [sys.executable, "-m", "ruff"]
    commands = {
        "clang-format": [str(clang_format), "--dry-run", "-Werror", *cxx],
        "ruff check": [*ruff, "check", "."],
        "ruff format": [*ruff, "format", "--check", "."],
    }
    outcomes = [_is_ascii(sources)]
    with Bar(console, "format", len(commands)) as bar:
        for name, argv in commands.items():
            finished = processes.run(processes.Command(argv, paths.ROOT), tick=bar.tick)
            status = PASSED if finished.returncode == 0 else FAILED
            outcomes.append(Outcome(name, status, _without_repeats(clean(finished.output))))
            bar.advance()
    return outcomes


_UNFORMATTED = re.compile(r"(.+?):\d+:\d+: error: code should be clang-formatted")


def _without_repeats(output: str) -> str:
    """clang-format complains once for each place, in three lines; the files are enough."""
    files = dict.fromkeys(_UNFORMATTED.findall(output))
    return "\n".join(f"{file}: needs clang-format -i" for file in files) or output


def _files() -> Iterator[Path]:
    """The repository's files, without what builds and tools leave in it."""
    for folder, subfolders, names in os.walk(paths.ROOT):
        subfolders[:] = sorted(
            name for name in subfolders if name not in SKIPPED_FOLDERS and name[0] != "."
        )
        yield from (Path(folder, name) for name in sorted(names))


def _is_ascii(sources: Sequence[Path]) -> Outcome:
    problems = []
    for path in sources:
        is_launcher = path.suffix == "" and path.parent == paths.ROOT / "scripts"
        if path.suffix in ASCII_ENDINGS or is_launcher:
            for number, line in enumerate(path.read_bytes().split(b"\n"), 1):
                if not line.isascii():
                    problems.append(f"{paths.shown(path)}:{number}: a character outside ASCII")
    return Outcome("ascii", FAILED if problems else PASSED, "\n".join(problems))


def build_suite(console: Console, _: str | None) -> list[Outcome]:
    """Everything, for every device that is here; without a GPU, as much as nvcc can do alone."""
    outcomes = [_build(console, device.CPU)]
    if not device.has_cuda_compiler():
        return [*outcomes, Outcome(device.CUDA, NOT_RUN, "there is no nvcc here")]
    # The judges are the same sources for both devices, but for the paths that CMake writes.
    host_part = ["runner", "gpu_bench"]
    return [*outcomes, _build(console, device.CUDA, [] if _has_gpu() else host_part)]


def _has_gpu() -> bool:
    return device.default() == device.CUDA


def _build(console: Console, preset: str, targets: Sequence[str] = ()) -> Outcome:
    try:
        build.build(console, preset, targets, [WARNINGS_AS_ERRORS], reconfigure=True)
    except InternalError as error:
        return Outcome(preset, FAILED, f"{error.details}\n{error}")
    return Outcome(preset, PASSED)


def ctest_suite(console: Console, only: str | None) -> list[Outcome]:
    """The C++ tests, for every device that is here."""
    outcomes = _ctest(console, device.CPU, only)
    if not _has_gpu():
        return [*outcomes, Outcome(device.CUDA, NOT_RUN, "no GPU with nvcc answers")]
    return outcomes + _ctest(console, device.CUDA, only)


def _ctest(console: Console, preset: str, only: str | None) -> list[Outcome]:
    argv = ["ctest", "--preset", preset, "--parallel", str(JOBS)]
    argv += ["-R", re.escape(only)] if only else []
    with _junit_report() as report:
        return _run_with_report(
            console,
            f"ctest ({preset})",
            [*argv, "--output-junit", str(report)],
            re.compile(r"^\s*(\d+)/(\d+) Test"),
            report,
            prefix=f"{preset}: ",
        )


def scripts_suite(console: Console, only: str | None) -> list[Outcome]:
    others = ("scripts/test_corpus.py", "python", "notebooks")
    ignored = [f"--ignore=tests/{other}" for other in others]
    return _pytest(console, "scripts", ["tests", *ignored], only)


def python_suite(console: Console, only: str | None) -> list[Outcome]:
    return _pytest(console, "python", ["tests/python"], only)


def notebooks_suite(console: Console, only: str | None) -> list[Outcome]:
    return _pytest(console, "notebooks", ["tests/notebooks"], only)


def corpus_suite(console: Console, only: str | None) -> list[Outcome]:
    return _pytest(console, "corpus", ["tests/scripts/test_corpus.py"], only)


def _pytest(
    console: Console, name: str, selection: Sequence[str], only: str | None
) -> list[Outcome]:
    argv = [sys.executable, "-m", "pytest", "-v", "-n", str(JOBS), "-p", "no:cacheprovider"]
    argv += ["-k", only] if only else []
    with _junit_report() as report:
        return _run_with_report(
            console,
            name,
            [*argv, f"--junitxml={report}", *selection],
            re.compile(r"^\[gw\d+\] \[ *(\d+)(%)\]"),
            report,
        )


@contextlib.contextmanager
def _junit_report() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="course-test-") as folder:
        yield Path(folder, "report.xml")


def _run_with_report(
    console: Console,
    what: str,
    argv: Sequence[str],
    step: re.Pattern[str],
    report: Path,
    prefix: str = "",
) -> list[Outcome]:
    """Runs a test tool; `step` finds (done, total) in its lines, a total of % being 100."""
    with Bar(console, what) as bar:

        def show(line: str) -> None:
            if found := step.match(line):
                bar.update(int(found[1]), 100 if found[2] == "%" else int(found[2]))

        finished = processes.run(processes.Command(argv, paths.ROOT), show, bar.tick)
    output = clean(finished.output)
    try:
        outcomes = read_junit(report, prefix)
    except (OSError, ElementTree.ParseError) as error:
        return [Outcome(what, FAILED, f"{output}\nleft no report: {error}")]
    if finished.returncode != 0 and not any(one.status == FAILED for one in outcomes):
        no_tests = what in ("scripts", "python", "notebooks", "corpus") and finished.returncode == 5
        if not no_tests:
            outcomes.append(Outcome(what, FAILED, f"{output}\n{finished.how()}"))
    return outcomes


def read_junit(report: Path, prefix: str) -> list[Outcome]:
    return [_outcome(case, prefix) for case in ElementTree.parse(report).iter("testcase")]


def _outcome(case: ElementTree.Element, prefix: str) -> Outcome:
    """One test of CTest's or pytest's report."""
    folder, name = case.get("classname", ""), case.get("name", "")
    name = prefix + (name if folder in ("", name) else f"{folder.split('.')[-1]}::{name}")
    output = clean(case.findtext("system-out") or "").strip()
    for tag in ("failure", "error"):
        if (found := case.find(tag)) is not None:
            text = clean(found.text or found.get("message") or "")
            return Outcome(name, FAILED, f"{text}\n{output}".strip())
    skipped = case.find("skipped")
    if skipped is None:
        return Outcome(name, PASSED)
    message = clean(skipped.get("message", ""))
    if case.get("status") is None:  # pytest's: the message is the reason
        return Outcome(name, NOT_RUN, message)
    if message.startswith(
        "SKIP_"
    ):  # CTest's: the message is the rule, the test's last line says why
        return Outcome(name, NOT_RUN, output.split("\n")[-1] or message)
    return Outcome(name, FAILED, f"{message}\n{output}".strip())


RUN: dict[str, Callable[[Console, str | None], list[Outcome]]] = {
    "format": format_suite,
    "build": build_suite,
    "ctest": ctest_suite,
    "scripts": scripts_suite,
    "python": python_suite,
    "notebooks": notebooks_suite,
    "corpus": corpus_suite,
}
