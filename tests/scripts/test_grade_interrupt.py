"""An interrupted scripts/grade leaves no process behind and no report."""

import os
import signal
import subprocess
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import ROOT, Repository

MARK = "COURSE_TEST_MARK"


def processes_marked(mark: str) -> dict[int, str]:
    """The processes that inherited the mark in their environment, and their command lines."""
    found = {}
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and f"{MARK}={mark}".encode() in (
                (entry / "environ").read_bytes().split(b"\0")
            ):
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ")
                found[int(entry.name)] = command.decode(errors="replace")
        except OSError:
            continue  # it ended meanwhile, or is not ours to read
    return found


def wait_for(what: Callable[[], object], limit_s: float) -> object:
    deadline = time.monotonic() + limit_s
    while not (found := what()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return found


class Run:
    """A marked scripts/grade in the background."""

    def __init__(self, tmp_path: Path, root: Path, env: dict[str, str], *arguments: str) -> None:
        self.mark = uuid.uuid4().hex
        self.folder = tmp_path / "interrupted"  # of the report and of everything temporary
        self.folder.mkdir()
        self.report = self.folder / "report.json"
        self.process = subprocess.Popen(
            [root / "scripts/grade", "--json", self.report, *arguments],
            env=env | {MARK: self.mark, "TMPDIR": str(self.folder)},
            cwd=root,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def wait_for_process(self, word: str, limit_s: float = 300) -> None:
        """Waits until a process of this run has the word in its command line."""

        def commands() -> str:
            return " ".join(processes_marked(self.mark).values())

        assert wait_for(lambda: word in commands(), limit_s), f"no {word!r} in {commands()!r}"

    def stop(self, number: int) -> tuple[str, str]:
        os.killpg(self.process.pid, number)
        return self.process.communicate(timeout=30)

    def assert_nothing_is_left(self) -> None:
        assert processes_marked(self.mark) == {}
        assert list(self.folder.iterdir()) == []


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_signal_while_the_judge_works(
    tmp_path: Path, repository: Repository, number: int, status: int
) -> None:
    run = Run(tmp_path, repository.root, repository.environment("SLEEP"), "01", "--verbose")
    run.wait_for_process("sleep 1000", 30)
    stdout, stderr = run.stop(number)
    assert run.process.returncode == status, stdout + stderr
    assert stderr.strip() == "scripts/grade: interrupted"
    run.assert_nothing_is_left()


def test_a_judge_that_ignores_the_signal_is_killed(tmp_path: Path, repository: Repository) -> None:
    judge = repository.root / "bin/01_naive_test"
    judge.unlink()
    judge.write_text("#!/bin/bash\ntrap '' TERM INT\nwhile :; do sleep 0.3; done\n")
    judge.chmod(0o755)
    run = Run(tmp_path, repository.root, repository.environment(""), "01")
    run.wait_for_process("bin/01_naive_test", 30)
    run.stop(signal.SIGINT)
    assert run.process.returncode == 130
    run.assert_nothing_is_left()


def test_a_second_signal_does_not_stop_the_cleaning_up(
    tmp_path: Path, repository: Repository
) -> None:
    run = Run(tmp_path, repository.root, repository.environment("SLEEP"), "01")
    run.wait_for_process("sleep 1000", 30)
    os.killpg(run.process.pid, signal.SIGINT)
    run.stop(signal.SIGINT)
    assert run.process.returncode == 130
    run.assert_nothing_is_left()


def test_the_judge_does_not_outlive_a_killed_run(tmp_path: Path, repository: Repository) -> None:
    run = Run(tmp_path, repository.root, repository.environment("SLEEP"), "01")
    run.wait_for_process("01_naive_test", 30)
    run.stop(signal.SIGKILL)

    def judges() -> list[str]:
        return [command for command in processes_marked(run.mark).values() if "_test" in command]

    gone = wait_for(lambda: not judges(), 5)
    for pid in processes_marked(run.mark):  # the fake judge's own child
        os.kill(pid, signal.SIGKILL)
    assert gone


SLOW_TO_COMPILE = """
template <unsigned long N> struct F { static constexpr unsigned long v = F<N - 1>::v * 3 + N; };
template <> struct F<0> { static constexpr unsigned long v = 1; };
constexpr unsigned long slow(unsigned long n) {
  unsigned long sum = 0;
  for (unsigned long i = 0; i < n; ++i) sum += i * i;
  return sum;
}
constexpr unsigned long a0 = slow(250000), a1 = slow(250001), a2 = slow(250002);
constexpr unsigned long a3 = slow(250003), a4 = slow(250004), a5 = slow(250005);
constexpr unsigned long a6 = slow(250006), a7 = slow(250007), a8 = slow(250008);
constexpr unsigned long f = F<800>::v;
"""
HANGS = """
#include <unistd.h>
__attribute__((constructor)) static void hang() { for (;;) pause(); }
"""


@pytest.mark.parametrize(
    ("text", "words"),
    [(SLOW_TO_COMPILE, ("bin/cucc", "cc1plus")), (HANGS, ("bin/runner",))],
    ids=["compiles", "runs"],
)
def test_a_signal_while_the_real_judge_works(
    tmp_path: Path, text: str, words: tuple[str, ...]
) -> None:
    kernels = tmp_path / "kernels"
    kernels.mkdir()
    solution = (ROOT / "solutions/01_naive.cu").read_text(encoding="utf-8")
    (kernels / "01_naive.cu").write_text(solution + text, encoding="utf-8")
    run = Run(tmp_path, ROOT, dict(os.environ), "--device=cpu", "01", "--kernels", str(kernels))
    for word in words:
        run.wait_for_process(word)
    stdout, stderr = run.stop(signal.SIGINT)
    assert run.process.returncode == 130, stdout + stderr
    assert stderr.strip() == "scripts/grade: interrupted"
    run.assert_nothing_is_left()
