"""Builds the wheel as `pip wheel .` does, installs it into a folder, and lets the tests import it.

$FLASH_LESSONS_INSTALLED: nothing is built, and the package that is installed here is tested.
"""

import os
import sys
import types
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

from course_tools import python_package

if "FLASH_LESSONS_INSTALLED" not in os.environ:
    sys.path.insert(0, str(python_package.install()))


@pytest.fixture(scope="session")
def wheel() -> Path:
    if "FLASH_LESSONS_INSTALLED" in os.environ:
        pytest.skip("an installed package is tested, not a wheel")
    return python_package.wheel()


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that the tests compile is left behind, nor found by them from before."""
    monkeypatch.setenv("FLASH_LESSONS_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture
def fl() -> types.ModuleType:
    import flash_lessons

    return flash_lessons


@pytest.fixture
def root() -> Path:
    return ROOT
