"""Where things are in the repository."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache"
LESSONS = ROOT / "lessons"
KERNELS = ROOT / "kernels"
SOLUTIONS = ROOT / "solutions"
CORPUS = ROOT / "tests" / "corpus"


def build_dir(preset: str) -> Path:
    return ROOT / "build" / preset


def shown(path: Path) -> str:
    """The path as a person would type it: relative to the repository where it lies inside."""
    path = Path(os.path.abspath(path))
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)
