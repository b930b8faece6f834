"""Progress on a terminal or as plain lines: what the tools show while they work."""

import sys
import time
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

VERDICT_STYLES = {
    "PASS": "green",
    "FAIL": "bold red",
    "NOT STARTED": "yellow",
    "NOT RUN": "dim",
    "INTERNAL ERROR": "bold magenta",
}


def make_console() -> Console:
    """The console for results; off a terminal, lines are as long as they are."""
    console = Console(highlight=False, markup=False, emoji=False)
    return console if console.is_terminal else Console(width=200, highlight=False, markup=False)


class Bar:
    """A progress bar for one piece of work; off a terminal, one line when it starts.

    Redrawn from `tick` by the caller's own loop, so that no second thread runs.
    """

    REDRAW_S = 0.1

    def __init__(self, console: Console, what: str, total: int | None = None) -> None:
        self._console = console
        self._drawn = 0.0
        self._progress = None
        if console.is_terminal:
            self._progress = Progress(
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                console=console,
                auto_refresh=False,
                transient=True,
            )
            self._task = self._progress.add_task(what, total=total)
        else:
            self.line(what)

    def __enter__(self) -> Self:
        if self._progress is not None:
            self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._progress is not None:
            self._progress.stop()

    def update(
        self, done: int | None = None, total: int | None = None, what: str | None = None
    ) -> None:
        if self._progress is not None:
            self._progress.update(self._task, completed=done, total=total, description=what)

    def advance(self) -> None:
        if self._progress is not None:
            self._progress.advance(self._task)

    def line(self, text: str, style: str = "") -> None:
        """Prints a line above the bar."""
        self._console.print(Text(text, style=style), soft_wrap=True)

    def plain_line(self, text: str) -> None:
        """Prints a line where there is no bar to show the same."""
        if self._progress is None:
            self.line(text)
            sys.stdout.flush()

    def tick(self) -> None:
        now = time.monotonic()
        if self._progress is not None and now - self._drawn > self.REDRAW_S:
            self._drawn = now
            self._progress.refresh()
