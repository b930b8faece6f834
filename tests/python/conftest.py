"""Builds the wheel as `pip wheel .` does, installs it into a folder, and lets the tests import it.

$FLASH_LESSONS_INSTALLED: nothing is built, and the package that is installed here is tested.
"""

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import types
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "build" / "python-package"
SITE = FOLDER / "site"
SOURCES = ("pyproject.toml", "README.md", "python", "cpu_device", "kernels", "solutions")


def _pip(*arguments: object) -> None:
    finished = subprocess.run(
        [sys.executable, "-m", "pip", "--disable-pip-version-check", *map(str, arguments)],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if finished.returncode != 0:
        raise RuntimeError(f"pip {arguments[0]} failed:\n{finished.stdout[-8000:]}")


def _stamp() -> str:
    """Changes with everything that the wheel is made of."""
    digest = hashlib.sha256(f"{ROOT} {metadata.version('nanobind')}".encode())
    for name in SOURCES:
        path = ROOT / name
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file() and "__pycache__" not in file.parts:
                digest.update(f"{file}\0".encode() + file.read_bytes())
    return digest.hexdigest()


@contextlib.contextmanager
def _locked() -> Iterator[None]:
    """The workers of one run of pytest share the folder."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with open(FOLDER / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _install() -> None:
    with _locked():
        stamp, now = FOLDER / "stamp", _stamp()
        if stamp.exists() and stamp.read_text(encoding="ascii") == now:
            return
        stamp.unlink(missing_ok=True)
        for folder in (FOLDER / "wheel", SITE):
            shutil.rmtree(folder, ignore_errors=True)
        # Without isolation: what the build needs is in requirements-test.txt, so no network is.
        offline = ("--no-build-isolation", "--no-deps", "--no-index")
        _pip(
            *("wheel", ".", *offline, "-w", FOLDER / "wheel"),
            *("--config-settings", f"build-dir={FOLDER / 'objects'}"),
        )
        _pip("install", *offline, "--target", SITE, wheel_path())
        stamp.write_text(now, encoding="ascii")


def wheel_path() -> Path:
    (path,) = (FOLDER / "wheel").glob("*.whl")
    return path


if "FLASH_LESSONS_INSTALLED" not in os.environ:
    _install()
    sys.path.insert(0, str(SITE))


@pytest.fixture(scope="session")
def wheel() -> Path:
    if "FLASH_LESSONS_INSTALLED" in os.environ:
        pytest.skip("an installed package is tested, not a wheel")
    return wheel_path()


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
