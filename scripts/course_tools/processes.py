"""Runs commands, several at a time, and leaves no process behind.

Each command is the leader of a new session, so a signal to its group reaches what it started. What
leaves the group becomes an orphan, and this process adopts orphans: `end_all` finds those too. If
this process is killed outright, the kernel kills its commands.
"""

import contextlib
import ctypes
import os
import selectors
import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

TICK_S = 0.1  # how often the caller may redraw its progress bar
GRACE_S = 2.0  # between asking a process to end and killing it
DRAIN_S = 0.5  # how long a finished command's pipe may stay open in some other process
LINES_KEPT = 4000
LINE_LIMIT = 1 << 16

_libc = ctypes.CDLL(None, use_errno=True)
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


@dataclass(frozen=True)
class Command:
    argv: Sequence[str]
    cwd: Path
    env: Mapping[str, str] = field(default_factory=dict)  # added to the environment
    time_limit_s: float | None = None


@dataclass
class Finished:
    """How a command ended. `returncode` is minus the signal's number when a signal ended it."""

    returncode: int
    output: str  # stdout and stderr together, the last lines of it
    seconds: float
    timed_out: bool = False

    def how(self) -> str:
        if self.timed_out:
            return f"took longer than {self.seconds:.0f} s"
        if self.returncode < 0:
            return f"ended with {signal.Signals(-self.returncode).name}"
        return f"ended with status {self.returncode}"


def adopt_orphans() -> None:
    _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def run(
    command: Command,
    on_line: Callable[[str], None] = lambda line: None,
    tick: Callable[[], None] = lambda: None,
) -> Finished:
    return run_all([command], 1, lambda _, line: on_line(line), tick)[0]


def run_all(
    commands: Sequence[Command],
    jobs: int,
    on_line: Callable[[int, str], None],
    tick: Callable[[], None],
) -> list[Finished]:
    """Runs the commands, at most `jobs` at a time; callbacks get the command's index."""
    waiting = deque(enumerate(commands))
    results: dict[int, Finished] = {}
    running: list[_Running] = []
    with selectors.DefaultSelector() as selector, _ended_on_error():
        while waiting or running:
            while waiting and len(running) < jobs:
                index, command = waiting.popleft()
                running.append(_Running(index, command, selector))
            for key, _ in selector.select(TICK_S):
                for line in key.data.read():
                    on_line(key.data.index, line)
            for process in [one for one in running if one.is_over()]:
                running.remove(process)
                results[process.index] = process.finish(on_line)
            tick()
    return [results[index] for index in range(len(commands))]


@contextlib.contextmanager
def _ended_on_error() -> Iterator[None]:
    """Ends what runs before the caller removes the files that it works on."""
    try:
        yield
    except BaseException:
        end_all()
        raise


class _Running:
    """One command under way."""

    def __init__(self, index: int, command: Command, selector: selectors.BaseSelector) -> None:
        self.index = index
        self._command = command
        self._selector = selector
        self._lines: deque[str] = deque(maxlen=LINES_KEPT)
        self._partial = b""
        self._open = True
        self._exited_at: float | None = None
        self._timed_out = False
        self._start = time.monotonic()
        self._process = subprocess.Popen(
            list(command.argv),
            cwd=command.cwd,
            env={**os.environ, **command.env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_die_with_parent,  # noqa: PLW1509  # this program has one thread
        )
        os.set_blocking(self._process.stdout.fileno(), False)
        selector.register(self._process.stdout, selectors.EVENT_READ, self)

    def read(self) -> list[str]:
        try:
            data = os.read(self._process.stdout.fileno(), 1 << 16)
        except BlockingIOError:
            return []
        if not data:
            self._close()
        *whole, self._partial = (self._partial + data).split(b"\n")
        if len(self._partial) > LINE_LIMIT:
            whole, self._partial = [*whole, self._partial], b""
        lines = [line[:LINE_LIMIT].decode("utf-8", "replace").rstrip("\r") for line in whole]
        self._lines.extend(lines)
        return lines

    def is_over(self) -> bool:
        now = time.monotonic()
        if self._process.poll() is None:
            limit = self._command.time_limit_s
            if limit is not None and now - self._start > limit:
                self._timed_out = True
                _signal_group(self._process.pid, signal.SIGKILL)
            return False
        self._exited_at = self._exited_at or now
        return not self._open or now - self._exited_at > DRAIN_S

    def finish(self, on_line: Callable[[int, str], None]) -> Finished:
        if self._open:
            self._close()
        if self._partial:
            last = self._partial.decode("utf-8", "replace")
            self._lines.append(last)
            on_line(self.index, last)
        self._process.stdout.close()
        _signal_group(self._process.pid, signal.SIGKILL)
        return Finished(
            self._process.returncode,
            "\n".join(self._lines),
            time.monotonic() - self._start,
            self._timed_out,
        )

    def _close(self) -> None:
        self._open = False
        self._selector.unregister(self._process.stdout)


def end_all() -> None:
    """Ends every descendant of this process: asks first, kills what is left after GRACE_S."""
    for pid in _descendants():
        _signal(pid, signal.SIGTERM)
    _wait_for_descendants(GRACE_S, lambda: None)
    _wait_for_descendants(
        5 * GRACE_S, lambda: [_signal(pid, signal.SIGKILL) for pid in _descendants()]
    )


def _wait_for_descendants(limit_s: float, each_round: Callable[[], object]) -> None:
    deadline = time.monotonic() + limit_s
    while _descendants() and time.monotonic() < deadline:
        each_round()
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            pass
        time.sleep(0.01)


def _descendants() -> list[int]:
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                stat = Path("/proc", entry, "stat").read_bytes()
            except OSError:
                continue  # it ended meanwhile
            # The second field is a name in parentheses, which may hold anything.
            parent = int(stat[stat.rindex(b")") + 1 :].split()[1])
            children.setdefault(parent, []).append(int(entry))
    found: list[int] = []
    queue = [os.getpid()]
    while queue:
        for child in children.get(queue.pop(), []):
            found.append(child)
            queue.append(child)
    return found


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        pass


def _signal_group(pid: int, number: int) -> None:
    try:
        os.killpg(pid, number)
    except (ProcessLookupError, PermissionError):
        pass


def _die_with_parent() -> None:
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
