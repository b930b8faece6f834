"""tests/on_a_gpu.sh where it cannot run, and what it says of a stage that fails."""

import os
import re
import subprocess
from pathlib import Path

import pytest
from course_tools import paths

SCRIPT = paths.ROOT / "tests" / "on_a_gpu.sh"


def run(
    tmp_path: Path, *stages: str, gpus: str, python: str = "exit 1"
) -> subprocess.CompletedProcess:
    """With a nvidia-smi that lists these GPUs, a nvcc that does nothing, and this for python3."""
    for name, text in {"nvidia-smi": f"echo '{gpus}'", "nvcc": "", "python3": python}.items():
        tool = tmp_path / name
        tool.write_text(f"#!/bin/sh\n{text}\n", encoding="ascii")
        tool.chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "LOGS": str(tmp_path / "logs"),
    }
    return subprocess.run(
        [SCRIPT, *stages], env=environment, capture_output=True, text=True, check=False
    )


def test_without_a_gpu(tmp_path: Path) -> None:
    done = run(tmp_path, gpus="No devices were found")
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == "on_a_gpu.sh: needs nvcc and a GPU that answers\n"


def test_a_stage_that_there_is_not(tmp_path: Path) -> None:
    done = run(tmp_path, "training", "packages", gpus="GPU 0: any")
    assert done.returncode == 2
    assert re.fullmatch(
        r"on_a_gpu.sh: there is no stage 'packages': the stages are package .* corpus\n",
        done.stderr,
    )


@pytest.mark.parametrize("python", ["echo no such module; exit 1", "echo killed; exit 9"])
def test_a_stage_that_fails(tmp_path: Path, python: str) -> None:
    done = run(tmp_path, "package", gpus="GPU 0: any", python=python)
    assert done.returncode == 1
    assert done.stdout.startswith("package: FAILED, status")
    assert python.split(";")[0].removeprefix("echo ") in done.stdout
    assert (tmp_path / "logs" / "package.log").exists()
