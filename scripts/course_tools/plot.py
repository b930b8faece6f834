"""scripts/plot: draws every figure of the notebooks and of the lessons into a folder."""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from course_tools import paths, processes
from course_tools.cli import Parser
from course_tools.errors import EXIT_FAILED, EXIT_OK, InternalError, UsageError
from course_tools.text import clean

LESSON_FIGURES = paths.ROOT / "scripts" / "figures"
DEFAULT = paths.ROOT / "build" / "plots"


def main(arguments: Sequence[str]) -> int:
    options = _parse(arguments)
    if options.kernels and not options.kernels.is_dir():
        raise UsageError(f"{options.kernels} is no folder")
    try:
        options.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot write to {options.out}: {error.strerror}") from error
    # What --help does without is imported late.
    from course_tools import display

    console = display.make_console()
    start = time.monotonic()
    said: list[str] = []  # about the kernels of --kernels
    count = _draw_measured(options, console, said)
    if not options.only:
        count += _draw_lessons(options.out, console)
    console.print(
        f"{count} {'figure' if count == 1 else 'figures'}, as PNG and SVG, in "
        f"{paths.shown(options.out)} ({time.monotonic() - start:.0f} s)"
    )
    for line in dict.fromkeys(said):
        print(f"scripts/plot: {line}", file=sys.stderr)
    return EXIT_FAILED if said else EXIT_OK


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = Parser(
        "plot",
        "Draws every figure, without Jupyter: those of the notebooks, measured again on the CPU\n"
        "device where they are not of a recorded GPU run, and those of the lessons' texts. Each as\n"
        "PNG and SVG.",
    )
    parser.add_argument(
        "out",
        type=Path,
        nargs="?",
        metavar="DIR",
        default=DEFAULT,
        help=f"into which folder (default: {paths.shown(DEFAULT)})",
    )
    parser.add_argument(
        "--only",
        action="append",
        metavar="WORD",
        help="only figures of the notebooks whose names have this in them, such as 01 or memory; "
        "may be given again",
    )
    parser.add_argument(
        "--kernels",
        type=Path,
        metavar="DIR",
        help="also draw the kernels of this folder, but for untouched stubs, into 01_memory and "
        "03_traffic; says which of them fail or are wrong, and ends with status 1 if one does",
    )
    return parser.parse_args(arguments)


def _draw_measured(options: argparse.Namespace, console: object, said: list[str]) -> int:
    from course_tools import python_package
    from course_tools.display import Bar

    with Bar(console, "building the package flash_lessons"):
        folders = (LESSON_FIGURES, paths.ROOT / "notebooks", python_package.install())
        sys.path[:0] = map(str, folders)
    import card
    from plots import catalogue

    words = options.only or [""]
    chosen = [name for name in catalogue.FIGURES if any(word in name for word in words)]
    if not chosen:
        raise UsageError(
            f"no figure has {' or '.join(words)} in its name; there are "
            f"{', '.join(catalogue.FIGURES)}"
        )
    with Bar(console, "measuring and drawing", len(chosen)) as bar:
        for name in chosen:
            bar.update(what=name)
            yours = options.kernels and name in catalogue.OF_KERNELS
            figure = catalogue.FIGURES[name](*([options.kernels, said.append] if yours else ()))
            card.write(figure, options.out / f"{name}.svg", png=True)
            bar.advance()
            bar.plain_line(f"  {name}")
    return len(chosen)


def _draw_lessons(out: Path, console: object) -> int:
    """The figures of the texts, by the scripts that draw them there: a folder for each script."""
    from course_tools.display import Bar

    scripts = [
        script
        for script in sorted(LESSON_FIGURES.glob("*.py"))
        if '"--out"' in script.read_text(encoding="utf-8")
    ]
    commands = [
        processes.Command(
            [sys.executable, str(script), "--out", str((out / "lessons" / script.stem).absolute())],
            paths.ROOT,
            {"COURSE_FIGURES_PNG": "1"},
        )
        for script in scripts
    ]
    with Bar(console, "drawing the lessons' figures") as bar:
        jobs = min(2, os.cpu_count() or 1)
        results = processes.run_all(commands, jobs, lambda _, __: None, bar.tick)
    for script, finished in zip(scripts, results, strict=True):
        if finished.returncode != 0:
            raise InternalError(f"{paths.shown(script)} {finished.how()}", clean(finished.output))
    return sum(len(finished.output.splitlines()) for finished in results)  # each says what it drew
