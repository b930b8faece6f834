"""Configures and builds with CMake, once at a time for each build folder."""

import contextlib
import fcntl
import re
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console

from course_tools import paths, processes
from course_tools.course import Lesson
from course_tools.device import CPU
from course_tools.display import Bar
from course_tools.errors import InternalError
from course_tools.text import clean

_NINJA_STEP = re.compile(r"^\[(\d+)/(\d+)\]")


def build(
    console: Console,
    preset: str,
    targets: Sequence[str],
    options: Sequence[str] = (),
    reconfigure: bool = False,
) -> Path:
    """Brings the targets (all for none) of a preset up to date; returns the build folder.

    Quiet unless it fails, which raises InternalError with the output.
    """
    folder = paths.build_dir(preset)
    with Bar(console, f"building ({preset})") as bar, _locked(folder, bar):
        if reconfigure or not _is_configured(folder):
            _drop_foreign_cache(folder)
            _step(["cmake", "--preset", preset, *options], "configure", preset, bar)
        _step(
            ["cmake", "--build", str(folder), *(["--target", *targets] if targets else [])],
            "build",
            preset,
            bar,
        )
    return folder


def build_judges(console: Console, device: str, lessons: Sequence[Lesson]) -> Path:
    """Builds what grading the lessons needs; returns the folder of the judges."""
    runtime = ["cucc", "cpu_device"] if device == CPU else []
    return build(console, device, [*runtime, "runner", *(one.test for one in lessons)]) / "bin"


def _step(argv: Sequence[str], what: str, preset: str, bar: Bar) -> None:
    def show(line: str) -> None:
        if step := _NINJA_STEP.match(line):
            bar.update(int(step[1]), int(step[2]))

    finished = processes.run(processes.Command(argv, paths.ROOT), show, bar.tick)
    if finished.returncode != 0:
        output = [
            line for line in clean(finished.output).split("\n") if not _NINJA_STEP.match(line)
        ]
        raise InternalError(f"could not {what} the preset {preset!r}", "\n".join(output))


def _is_configured(folder: Path) -> bool:
    """Whether Ninja has a plan that is this repository's; Ninja itself keeps it up to date."""
    presets = paths.ROOT / "CMakePresets.json"
    plan = folder / "build.ninja"
    return (
        plan.exists()
        and plan.stat().st_mtime >= presets.stat().st_mtime
        and not _is_foreign(folder)
    )


def _is_foreign(folder: Path) -> bool:
    """Whether the cache was made where the repository lay before it was moved or copied."""
    cache = folder / "CMakeCache.txt"
    return (
        cache.exists()
        and f"CMAKE_HOME_DIRECTORY:INTERNAL={paths.ROOT}\n"
        not in cache.read_text(encoding="utf-8", errors="replace")
    )


def _drop_foreign_cache(folder: Path) -> None:
    if _is_foreign(folder):
        shutil.rmtree(folder)


@contextlib.contextmanager
def _locked(folder: Path, bar: Bar) -> Iterator[None]:
    """Holds the folder's lock, which two runs of the tools at once must not share."""
    paths.CACHE.mkdir(parents=True, exist_ok=True)
    with open(paths.CACHE / f"build-{folder.name}.lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            bar.line(f"waiting for another build of {paths.shown(folder)}")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
