"""scripts/course notebook: starts JupyterLab on the notebooks, with the package flash_lessons."""

import argparse
import os
import sys
from pathlib import Path

from course_tools import paths
from course_tools.errors import InternalError, UsageError

WHAT = "starts JupyterLab on the notebooks"
NOTEBOOKS = paths.ROOT / "notebooks"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "name", nargs="?", metavar="NOTEBOOK", help="which one to open, such as 01 (default: none)"
    )
    parser.add_argument("--no-browser", action="store_true", help="print the address only")
    parser.add_argument("--port", type=int, help="default: 8888, or the next that is free")


def run(options: argparse.Namespace) -> int:
    path = find(options.name)
    # What --help and usage errors do without is imported late.
    from course_tools import display, python_package

    with display.Bar(display.make_console(), "building the package flash_lessons"):
        site = python_package.install()
    sys.stdout.flush()
    argv = [sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={paths.ROOT}"]
    argv += ["--no-browser"] if options.no_browser else []
    argv += [f"--port={options.port}"] if options.port else []
    # Jupyter refuses to run as root unless told; in a container there is often no other user.
    argv += ["--allow-root"] if os.geteuid() == 0 else []
    argv += [f"--LabApp.default_url=/lab/tree/{path.relative_to(paths.ROOT)}"]
    try:
        os.execve(argv[0], argv, os.environ | environment(site))
    except OSError as error:
        raise InternalError(f"cannot start JupyterLab: {error}") from error


def environment(site: Path) -> dict[str, str]:
    """What a notebook's Python needs to import flash_lessons."""
    return {
        "PYTHONPATH": os.pathsep.join(filter(None, [str(site), os.environ.get("PYTHONPATH")])),
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    }


def find(name: str | None) -> Path:
    """The notebook whose name begins with this; the folder for none."""
    if name is None:
        return NOTEBOOKS
    every = sorted(NOTEBOOKS.glob("*.ipynb"))
    word = name.zfill(2) if name.isascii() and name.isdigit() else Path(name).stem
    found = [path for path in every if path.stem == word or path.stem.startswith(f"{word}_")]
    if len(found) != 1:
        known = ", ".join(path.stem for path in every)
        raise UsageError(f"there is no notebook {name!r}; there are {known}")
    return found[0]
