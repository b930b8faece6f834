"""scripts/test: runs the project's own tests and counts how they ended."""

import argparse
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from course_tools.cli import Parser
from course_tools.errors import EXIT_FAILED, EXIT_OK
from course_tools.outcomes import FAILED, NOT_RUN, PASSED, Outcome
from course_tools.text import clean_line, shorten

if TYPE_CHECKING:
    from rich.console import Console

DETAIL_LINES = 80
SUITES = {
    "format": "clang-format, ruff and ASCII",
    "build": "everything, with warnings as errors",
    "ctest": "the CPU device, the judge and the lessons",
    "scripts": "the scripts and the lesson files",
    "python": "the package flash_lessons, as a wheel",
    "notebooks": "every notebook runs, and its figures show what was counted",
    "corpus": "planted bugs must fail, odd but correct kernels must pass",
}
# Suites whose tests -k can choose from.
SELECTABLE = ("ctest", "scripts", "python", "notebooks", "corpus")


def main(arguments: Sequence[str]) -> int:
    options = _parse(arguments)
    # rich is imported late: --help and usage errors do without it.
    from course_tools import display, suites

    console = display.make_console()
    found: dict[str, list[Outcome]] = {}
    for suite in options.only or (SELECTABLE if options.k else SUITES):
        start = time.monotonic()
        if _count(found.get("build", []), FAILED):
            found[suite] = [Outcome(suite, NOT_RUN, "the build failed")]
            continue
        found[suite] = suites.RUN[suite](console, options.k)
        _print_suite(console, suite, found[suite], time.monotonic() - start)
    return _print_end(console, found, selecting=options.k is not None)


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = Parser(
        "test",
        "Runs the project's own tests.",
        "suites, in this order:\n"
        + "\n".join(f"  {name:<11}{what}" for name, what in SUITES.items()),
    )
    parser.add_argument(
        "--only",
        action="append",
        metavar="SUITE",
        choices=list(SUITES),
        help="only this suite; may be given again",
    )
    parser.add_argument("-k", metavar="WORD", help="only tests with this word in their name")
    return parser.parse_args(arguments)


def _count(outcomes: Sequence[Outcome], status: str) -> int:
    return sum(outcome.status == status for outcome in outcomes)


def _print_suite(
    console: "Console", suite: str, outcomes: Sequence[Outcome], seconds: float
) -> None:
    for outcome in outcomes:
        if outcome.status == FAILED:
            console.print(f"\nFAILED {suite}: {outcome.name}", style="bold red")
            console.print(shorten(outcome.detail, DETAIL_LINES), soft_wrap=True)
    console.print(
        f"{suite:<11}{_count(outcomes, PASSED):>5} passed {_count(outcomes, FAILED):>4} failed"
        f" {_count(outcomes, NOT_RUN):>4} not run {seconds:>7.1f} s"
    )


def _print_end(console: "Console", found: dict[str, list[Outcome]], selecting: bool) -> int:
    everything = [outcome for outcomes in found.values() for outcome in outcomes]
    counts = {status: _count(everything, status) for status in (PASSED, FAILED, NOT_RUN)}
    console.print()
    for name, outcomes in found.items():
        for outcome in outcomes:
            if outcome.status == NOT_RUN:
                reason = clean_line(outcome.detail) or "no reason given"
                console.print(f"NOT RUN  {name}: {outcome.name}: {reason}", soft_wrap=True)
    # A suite that ran nothing proves nothing.
    empty = [name for name, outcomes in found.items() if _count(outcomes, NOT_RUN) == len(outcomes)]
    if counts[FAILED] or (selecting and len(empty) < len(found)):
        empty = []
    for name in empty:
        console.print(f"FAILED   {name}: no test of this suite ran", style="bold red")
    skipped = f", {counts[NOT_RUN]} skipped" if counts[NOT_RUN] else ""
    console.print(f"{counts[PASSED]} passed, {counts[FAILED] + len(empty)} failed{skipped}")
    return EXIT_FAILED if counts[FAILED] or empty else EXIT_OK
