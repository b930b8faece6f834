"""The wheel, and what it does in an empty venv."""

import email
import os
import re
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import numpy
import pytest


@pytest.fixture(scope="module")
def empty_venv(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A venv with the wheel, and with NumPy, which is linked in so that no network is needed."""
    folder = tmp_path_factory.mktemp("empty") / "venv"
    venv.create(folder, with_pip=True)
    (site,) = folder.glob("lib/python*/site-packages")
    for path in Path(numpy.__file__).parents[1].glob("numpy*"):
        (site / path.name).symlink_to(path)
    offline = ("--no-index", "--disable-pip-version-check", "--quiet")
    run(folder / "bin/pip", "install", *offline, wheel)
    return folder


def run(*argv: object, **environment: str) -> str:
    finished = subprocess.run(
        [str(word) for word in argv],
        env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | environment,
        cwd="/",
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout


def readme_lines(root: Path) -> list[str]:
    """The commands python -c '...' of the README."""
    return re.findall(r'^python3? -c "(.+)"$', (root / "README.md").read_text(), re.MULTILINE)


def test_the_line_of_the_readme(empty_venv: Path, root: Path) -> None:
    (line,) = readme_lines(root)
    output = run(empty_venv / "bin/python", "-c", line)
    assert "attention of 03_online_softmax on cpu" in output
    assert "0 scratch" in output


def test_it_needs_no_pytorch(empty_venv: Path) -> None:
    code = (
        "import sys, flash_lessons\n"
        "assert 'torch' not in sys.modules\n"
        "try: import flash_lessons.torch\n"
        "except flash_lessons.SetupError as error: print(error)\n"
    )
    assert "needs PyTorch, which is not installed" in run(empty_venv / "bin/python", "-c", code)


def test_it_compiles_where_it_is_installed(empty_venv: Path, root: Path, tmp_path: Path) -> None:
    """With its own compiler and headers: the repository is not where the file is."""
    copy = tmp_path / "03_mine.cu"
    shutil.copyfile(root / "solutions/03_online_softmax.cu", copy)
    code = (
        "import numpy, flash_lessons\n"
        f"mine = flash_lessons.load({str(copy)!r})\n"
        "q = numpy.ones((1, 1, 8, 4), 'float32')\n"
        "with flash_lessons.counting(): print(mine.attention(q, q, q).sum())\n"
        "print(mine.report())\n"
    )
    output = run(empty_venv / "bin/python", "-c", code, FLASH_LESSONS_CACHE=str(tmp_path / "cache"))
    assert output.startswith("32.0\n")
    assert "loads" in output


def test_what_it_holds(wheel: Path, root: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        mode = archive.getinfo("flash_lessons/cpu_device/bin/cucc").external_attr >> 16
    assert mode & 0o111
    for solution in (root / "solutions").glob("*.cu"):
        assert f"flash_lessons/solutions/{solution.name}" in names
        for build in ("fast", "counted"):
            assert f"flash_lessons/libraries/{solution.stem}.{build}.so" in names
    for name in (
        "py.typed",
        "_core.pyi",
        "include/attention.h",
        "cpu_device/include/cuda_runtime.h",
    ):
        assert f"flash_lessons/{name}" in names


def test_its_metadata(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (one for one in archive.namelist() if one.endswith(".dist-info/METADATA"))
        metadata = email.message_from_bytes(archive.read(name))
    assert metadata["License-Expression"] == "MIT"
    assert metadata["License-File"] == "LICENSE"
    assert metadata["Author"] == "The Flash Attention Lessons authors"
    assert "License" not in metadata


def test_its_libraries_can_be_moved(wheel: Path, tmp_path: Path) -> None:
    """No path of the build is searched, and nothing is needed that a machine may not have."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    found = sorted(tmp_path.rglob("*.so"))
    assert len(found) > 10
    for path in [*found, tmp_path / "flash_lessons/cpu_device/bin/cucc"]:
        dynamic = run("readelf", "-d", path)
        assert not re.search("RPATH|RUNPATH", dynamic), path
        needed = set(re.findall(r"NEEDED.*\[(.+?)\]", dynamic))
        known = ("libcpu_device.so", "libstdc++.so.6", "libgcc_s.so.1", "libm.so.6", "libc.so.6")
        assert needed <= {*known, "ld-linux-x86-64.so.2"}, path


def test_this_process_tests_the_wheel(wheel: Path) -> None:
    import flash_lessons

    site = [path for path in sys.path if path.endswith("python-package/site")]
    assert [str(Path(flash_lessons.__file__).parents[1])] == site
