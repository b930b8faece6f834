"""What a type checker makes of a reader's lines."""

import os
import subprocess
import sys
import types
from pathlib import Path

import pytest

START = """\
import flash_lessons
import numpy
q = numpy.zeros((1, 2, 8, 4), numpy.float32)
"""
RIGHT = """\
o = flash_lessons.attention(q, q, q)
print(o.shape, o.sum())
with_lse = flash_lessons.attention(q, q, q, return_lse=True)
batch, heads, length = with_lse[1].shape
mine: numpy.ndarray = flash_lessons.load("mine.cu").attention(q, q, q)
dq: numpy.ndarray = flash_lessons.backward(q, q, q, *with_lse, o)[0]
def twice(a: flash_lessons.Array) -> flash_lessons.Array:
    return flash_lessons.lesson("03").attention(a, a, a)
"""
WRONG = """\
flash_lessons.attention([1], q, q)
a: numpy.ndarray = flash_lessons.attention(q, q, q, return_lse=True)
flash_lessons.load("mine.cu").attention(q, q, q).nothing
"""


def test_what_mypy_says(fl: types.ModuleType, tmp_path: Path) -> None:
    pytest.importorskip("mypy", reason="mypy is not installed")
    for name, lines in (("right", RIGHT), ("wrong", WRONG)):
        (tmp_path / f"{name}.py").write_text(START + lines, encoding="ascii")
    finished = subprocess.run(
        [sys.executable, "-m", "mypy", "--follow-imports=silent", "right.py", "wrong.py"],
        cwd=tmp_path,
        env=os.environ | {"MYPYPATH": str(Path(fl.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )
    found = [line for line in finished.stdout.splitlines() if ": error: " in line]
    first = len(START.splitlines()) + 1
    places = [f"wrong.py:{first + n}:" for n in range(len(WRONG.splitlines()))]
    assert [line.split()[0] for line in found] == places, finished.stdout + finished.stderr
