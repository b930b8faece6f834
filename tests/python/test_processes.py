"""Ctrl-C, and processes that are forked from one that has used the CPU device."""

import os
import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path

import pytest

BEGIN = """
import os, sys
import numpy, flash_lessons
arrays = numpy.ones((3, 1, 2, 512, 16), numpy.float32)
"""

# A launcher that is interrupted before its kernel begins, so that no clock decides.
NEVER_ENDS = """
#include <signal.h>
#include <unistd.h>
#include "attention.h"
__global__ void spin(volatile float* O) { while (true) *O = 0.0f; }
extern "C" cudaError_t attention_forward(
    const float*, const float*, const float*, float* O, float*, AttentionShape, float, bool,
    cudaStream_t stream) {
  kill(getpid(), SIGINT);
  spin<<<1, 1, 0, stream>>>(O);
  return cudaGetLastError();
}
"""


@pytest.fixture
def python(fl: types.ModuleType) -> Callable[..., subprocess.CompletedProcess]:
    def run(script: str, *arguments: object) -> subprocess.CompletedProcess:
        return subprocess.run(
            [sys.executable, "-c", BEGIN + script, *map(str, arguments)],
            env={**os.environ, "PYTHONPATH": str(Path(fl.__file__).parents[1])},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


@pytest.fixture
def never_ends(tmp_path: Path) -> Path:
    path = tmp_path / "03_never_ends.cu"
    path.write_text(NEVER_ENDS, encoding="ascii")
    return path


def test_ctrl_c_ends_a_call(python: Callable, never_ends: Path) -> None:
    done = python(
        """
mine = flash_lessons.load(sys.argv[1])
try:
    mine.attention(*arrays)
except KeyboardInterrupt:
    print("interrupted")
assert flash_lessons.attention(*arrays).max() == 1  # the next call is not
""",
        never_ends,
    )
    assert (done.returncode, done.stdout) == (0, "interrupted\n"), done.stderr


def test_ctrl_c_ends_a_program_without_a_handler(python: Callable, never_ends: Path) -> None:
    done = python(
        """
import signal
signal.signal(signal.SIGINT, signal.SIG_DFL)
flash_lessons.load(sys.argv[1]).attention(*arrays)
""",
        never_ends,
    )
    assert done.returncode == -2


def test_a_forked_process_is_told_what_to_do(python: Callable) -> None:
    done = python(
        """
flash_lessons.attention(*arrays)
if os.fork() == 0:
    try:
        flash_lessons.attention(*arrays)
    except flash_lessons.DeviceError as error:
        print(error, flush=True)
    os._exit(0)
os.wait()
assert flash_lessons.attention(*arrays).max() == 1  # the parent goes on
"""
    )
    assert done.returncode == 0, done.stderr
    assert 'multiprocessing.get_context("spawn")' in done.stdout


def test_a_process_may_be_forked_before_the_first_call(python: Callable) -> None:
    done = python(
        """
if os.fork() == 0:
    print(flash_lessons.attention(*arrays).max(), flush=True)
    os._exit(0)
os.wait()
"""
    )
    assert (done.returncode, done.stdout) == (0, "1.0\n"), done.stderr
