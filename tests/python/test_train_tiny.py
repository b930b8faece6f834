"""scripts/train_tiny: the loss curves of the course's kernels and of PyTorch's attention."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

try:
    import torch
except ModuleNotFoundError:
    torch = None
needs_torch = pytest.mark.skipif(torch is None, reason="PyTorch is not installed")
SMALL = ("--device", "cpu", "--steps", 20, "--layers", 1, "--heads", 2, "--context", 32)


def train(root: Path, *arguments: object, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, root / "scripts/course_tools", "train_tiny", *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)} | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@needs_torch
@pytest.mark.parametrize("forward", ["05", "07"])
def test_the_loss_curves_agree(root: Path, tmp_path: Path, forward: str) -> None:
    report = tmp_path / "curves.json"
    result = train(root, "--solutions", "--forward", forward, "--json", report, *SMALL)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "the loss curves agree" in result.stdout
    curves = json.loads(report.read_text(encoding="utf-8"))
    ours, theirs, twin = curves.values()
    assert twin["losses"] != theirs["losses"]
    assert list(curves)[1] == "PyTorch"
    assert len(ours["losses"]) == len(theirs["losses"]) == 20
    assert ours["losses"][-1] < ours["losses"][0] - 0.5
    assert max(abs(a - b) for a, b in zip(ours["losses"], theirs["losses"], strict=True)) < 1e-3


@needs_torch
@pytest.mark.parametrize(
    "mutant", ["scale_missing_in_dk", "scale_twice_in_dk", "delta_not_subtracted", "mask_ignored"]
)
def test_a_wrong_gradient_is_seen(root: Path, tmp_path: Path, mutant: str) -> None:
    shutil.copyfile(root / "solutions/05_causal.cu", tmp_path / "05_causal.cu")
    wrong = root / f"tests/corpus/mutants/06_backward/{mutant}.cu"
    shutil.copyfile(wrong, tmp_path / "06_backward.cu")
    result = train(root, "--kernels", tmp_path, *SMALL)
    assert result.returncode == 1, result.stdout + result.stderr
    assert "the loss curves DIFFER" in result.stdout


@pytest.fixture
def no_torch(tmp_path: Path) -> str:
    """A folder for PYTHONPATH in which PyTorch is missing."""
    folder = tmp_path / "path"
    folder.mkdir()
    (folder / "torch.py").write_text("raise ModuleNotFoundError('torch')\n", encoding="ascii")
    return str(folder)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--kernels", "/nowhere"], "/nowhere/05_causal.cu does not exist"),
        (["--json", "/nowhere/curves.json"], "cannot write /nowhere/curves.json"),
        (["--json", "/"], "cannot write /"),
        (["--context", "100000000"], "--context 100000000: the texts that are held out have"),
    ],
)
def test_what_is_wrong_is_said_before_pytorch_is_needed(
    root: Path, no_torch: str, arguments: list[str], words: str
) -> None:
    result = train(root, *arguments, PYTHONPATH=no_torch)
    assert result.returncode == 2, result.stderr
    assert result.stderr.startswith(f"scripts/train_tiny: {words}")
    assert result.stderr.count("\n") == 1


def test_the_defaults_are_in_the_help(root: Path) -> None:
    help_text = " ".join(train(root, "--help").stdout.split())
    for words in ("--steps STEPS default: 200", "--seed SEED default: 1", "trained; default: both"):
        assert words in help_text


def test_without_pytorch(root: Path, no_torch: str, tmp_path: Path) -> None:
    file = tmp_path / "curves.json"
    result = train(root, "--json", file, PYTHONPATH=no_torch)
    assert result.returncode == 3
    assert result.stderr == (
        "scripts/train_tiny: PyTorch is missing; install with: pip install torch\n"
    )
    assert not file.exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--steps", "0"], "--steps"),
        (["--head-dim", "129"], "1 to 128"),
        (["--solutions", "--kernels", "x"], "exclude each other"),
        (["--attention", "none"], "invalid choice"),
        (["--forward", "03"], "invalid choice: '03' (choose from"),
    ],
)
def test_a_wrong_command_line(root: Path, arguments: list[str], words: str) -> None:
    result = train(root, *arguments)
    assert result.returncode == 2
    assert words in result.stderr
    assert "scripts/train_tiny --help" in result.stderr
