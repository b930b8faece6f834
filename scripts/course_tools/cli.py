"""What the tools share on the command line: exit statuses, signals, one-line errors."""

import argparse
import contextlib
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from typing import NoReturn

from course_tools import paths, processes
from course_tools.errors import EXIT_INTERNAL, EXIT_USAGE, Interrupted, ToolError

Main = Callable[[Sequence[str]], int]
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Parser(argparse.ArgumentParser):
    """Reports a wrong command line in one line."""

    def __init__(self, tool: str, description: str, epilog: str = "") -> None:
        super().__init__(
            prog=f"scripts/{tool}",
            description=description,
            epilog=epilog,
            allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )

    def error(self, message: str) -> NoReturn:
        print(f"{self.prog}: {message} (see {self.prog} --help)", file=sys.stderr)
        sys.exit(EXIT_USAGE)


def positive(text: str) -> int:
    """The type of an argument that is a number of things."""
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number")
    return int(text)


def run_tool(tool: str, load: Callable[[], Main], arguments: Sequence[str]) -> int:
    """Runs a tool's main function; no process that it started outlives this call."""
    for number in STOP_SIGNALS:
        signal.signal(number, _interrupt)
    sys.stdout, sys.stderr = (
        stream or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115  # a closed descriptor
        for stream in (sys.stdout, sys.stderr)
    )
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace", line_buffering=True)
    try:
        return _guarded(tool, load, arguments)
    finally:
        for number in STOP_SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        processes.end_all()


def _guarded(tool: str, load: Callable[[], Main], arguments: Sequence[str]) -> int:
    try:
        processes.adopt_orphans()
        return load()(arguments)
    except ToolError as error:
        if error.details:
            _complain(error.details)
        _complain(f"scripts/{tool}: {error}")
        return error.status
    except Interrupted as stop:
        _complain(f"\nscripts/{tool}: interrupted")
        return 128 + stop.signal_number
    except BrokenPipeError:
        # The reader of our output went away; there is nobody left to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except Exception as error:  # noqa: BLE001  # a user never sees a traceback
        where = write_log(tool, traceback.format_exc())
        what = " ".join(f"{type(error).__name__}: {error}".split())
        _complain(f"scripts/{tool}: internal error: {what} (details: {where})")
        return EXIT_INTERNAL


def _complain(text: str) -> None:
    with contextlib.suppress(OSError):
        print(text, file=sys.stderr)


def write_log(tool: str, text: str) -> str:
    """Keeps `text` in a new file of the cache; returns the file's name for a message."""
    log = paths.CACHE / f"{tool}-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.log"
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(text, encoding="utf-8", errors="replace")
    except OSError as error:
        return f"none, {error}"
    return paths.shown(log)


def _interrupt(number: int, _frame: object) -> None:
    raise Interrupted(number)
