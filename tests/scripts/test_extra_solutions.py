"""The second references, solutions/NN_name_more.cu: graded as the lesson, and compiled without spills."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import real
from course_tools import paths
from course_tools.results import PASS

FAST = paths.SOLUTIONS / "06_backward_fast.cu"
# What ptxas says of each kernel: its mangled name, then its stack and its spills.
KERNEL = re.compile(
    r"Compiling entry function '(\w+)'.*?(\d+) bytes stack frame, "
    r"(\d+) bytes spill stores, (\d+) bytes spill loads",
    re.DOTALL,
)


def test_the_fast_backward_pass_has_full_points() -> None:
    result = real.grade("06_backward", FAST)
    assert {check.check: check.verdict for check in result.checks if check.verdict != PASS} == {}
    assert result.points == 100


@pytest.mark.skipif(not shutil.which("nvcc"), reason="no nvcc")
def test_the_fast_backward_pass_keeps_its_numbers_in_registers(tmp_path: Path) -> None:
    command = ["nvcc", "-std=c++17", "-O2", "-arch=sm_90", "-Xptxas=-v", "-cubin"]
    run = subprocess.run(
        [*command, "-I", paths.KERNELS, "-o", tmp_path / "kernels.cubin", FAST],
        capture_output=True,
        text=True,
        check=True,
    )
    kernels = KERNEL.findall(run.stdout + run.stderr)
    of_gradients = [name for name, *_ in kernels if "gradients_kernel" in name]
    assert len(of_gradients) == 6  # three sizes of tiles, each with float and with float4
    assert {name: rest for name, *rest in kernels if rest != ["0", "0", "0"]} == {}
