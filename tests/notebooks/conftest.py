"""The package that the notebooks import, built as scripts/plot and scripts/course notebook do."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

from course_tools import notebook, python_package

SITE = python_package.install()
sys.path[:0] = [str(ROOT / "notebooks"), str(SITE)]


@pytest.fixture
def root() -> Path:
    return ROOT


@pytest.fixture(autouse=True)
def environment(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """What scripts/course notebook gives to a kernel; nothing that is compiled is left behind."""
    for name, value in notebook.environment(SITE).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("FLASH_LESSONS_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path_factory.getbasetemp() / "ipython"))
