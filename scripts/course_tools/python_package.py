"""The package flash_lessons, built as `pip wheel .` does and unpacked below build/.

Notebooks, scripts/plot and the tests import it from there: nothing is installed into an environment,
and what is imported is never older than the sources.
"""

import contextlib
import fcntl
import hashlib
import shutil
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from course_tools import paths, processes
from course_tools.errors import InternalError

FOLDER = paths.ROOT / "build" / "python-package"
SITE = FOLDER / "site"
SOURCES = ("pyproject.toml", "README.md", "python", "cpu_device", "kernels", "solutions")


def install() -> Path:
    """Builds the package, unless the sources are those of the last time; returns what to import from."""
    with _locked():
        stamp, now = FOLDER / "stamp", _stamp()
        if stamp.exists() and stamp.read_text(encoding="ascii") == now:
            return SITE
        stamp.unlink(missing_ok=True)
        for folder in (FOLDER / "wheel", SITE):
            shutil.rmtree(folder, ignore_errors=True)
        # Without isolation: what the build needs is pinned in scripts/, so no network is needed.
        offline = ("--no-build-isolation", "--no-deps", "--no-index")
        _pip(
            *("wheel", ".", *offline, "-w", FOLDER / "wheel"),
            *("--config-settings", f"build-dir={FOLDER / 'objects'}"),
        )
        _pip("install", *offline, "--target", SITE, wheel())
        stamp.write_text(now, encoding="ascii")
    return SITE


def wheel() -> Path:
    """The wheel that install() made."""
    (path,) = (FOLDER / "wheel").glob("*.whl")
    return path


@contextlib.contextmanager
def _locked() -> Iterator[None]:
    """Two runs at once share the folder."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with open(FOLDER / "lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _stamp() -> str:
    """Changes with everything that the package is made of."""
    digest = hashlib.sha256(f"{paths.ROOT} {metadata.version('nanobind')}".encode())
    for name in SOURCES:
        path = paths.ROOT / name
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file() and "__pycache__" not in file.parts:
                digest.update(f"{file}\0".encode() + file.read_bytes())
    return digest.hexdigest()


def _pip(*arguments: object) -> None:
    argv = [sys.executable, "-m", "pip", "--disable-pip-version-check", *map(str, arguments)]
    finished = processes.run(processes.Command(argv, paths.ROOT))
    if finished.returncode != 0:
        raise InternalError(f"pip {arguments[0]} {finished.how()}", finished.output[-8000:])
