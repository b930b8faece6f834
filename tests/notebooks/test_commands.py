"""scripts/plot and scripts/course notebook."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from course_tools import course_commands, notebook
from course_tools.errors import UsageError

PNG = b"\x89PNG\r\n"


def plot(root: Path, *arguments: object) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, root / "scripts/course_tools", "plot", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )


def test_figures_are_drawn_without_jupyter(root: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "folder"
    result = plot(root, out, "--only", "02_", "--only", "lessons")
    assert result.returncode == 0, result.stderr
    assert "3 figures, as PNG and SVG" in result.stdout
    names = {
        f"{name}.{ending}"
        for name in ("02_running", "02_rules", "03_lessons")
        for ending in ("png", "svg")
    }
    assert {path.name for path in out.iterdir()} == names
    for path in out.glob("*.png"):
        assert path.read_bytes().startswith(PNG)
    for path in out.glob("*.svg"):
        assert ElementTree.parse(path).getroot().tag.endswith("svg")


def test_the_folder_of_the_readme_is_not_in_git(root: Path) -> None:
    (folder,) = re.findall(
        r"^scripts/plot (\S+)", (root / "README.md").read_text("utf-8"), re.MULTILINE
    )
    assert f"/{folder}/" in (root / ".gitignore").read_text("utf-8").splitlines()


def test_a_learners_kernel_is_drawn_too(root: Path, tmp_path: Path) -> None:
    kernels = tmp_path / "kernels"
    kernels.mkdir()
    for path in (root / "solutions/03_online_softmax.cu", *(root / "kernels").glob("*.h")):
        shutil.copy(path, kernels)
    result = plot(root, tmp_path, "--only", "01_memory", "--kernels", kernels)
    assert result.returncode == 0, result.stderr
    alone = tmp_path / "alone"
    assert plot(root, alone, "--only", "01_memory").returncode == 0
    assert (alone / "01_memory.svg").read_bytes() != (tmp_path / "01_memory.svg").read_bytes()
    gpu = "01_memory_gpu.svg"
    assert (alone / gpu).read_bytes() == (tmp_path / gpu).read_bytes()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--only", "07_"], "no figure has 07_ in its name; there are 01_memory, "),
        (["--kernels", "/nowhere"], "/nowhere is no folder"),
        (["--frob"], "unrecognized arguments: --frob (see scripts/plot --help)"),
    ],
)
def test_a_wrong_command_line(root: Path, tmp_path: Path, arguments: list[str], words: str) -> None:
    result = plot(root, tmp_path / "out", *arguments)
    assert (result.returncode, result.stderr.count("\n")) == (2, 1)
    assert words in result.stderr


OUT_OF_BOUNDS = (
    "o_row[k] = inv_l * o_reg[k];",
    "o_row[k + (int64_t{1} << 40)] = inv_l * o_reg[k];",
)


def test_kernels_that_fail_are_told_and_the_others_drawn(root: Path, tmp_path: Path) -> None:
    kernels = tmp_path / "kernels"
    kernels.mkdir()
    for header in (root / "kernels").glob("*.h"):
        shutil.copy(header, kernels)
    (kernels / "02_tiled.cu").write_text("int x = y;\n", encoding="ascii")
    right = (root / "solutions/03_online_softmax.cu").read_text(encoding="ascii")
    assert OUT_OF_BOUNDS[0] in right
    (kernels / "03_online_softmax.cu").write_text(right.replace(*OUT_OF_BOUNDS), encoding="ascii")
    shutil.copy(root / "solutions/05_causal.cu", kernels)
    result = plot(root, tmp_path / "out", "--only", "03_traffic", "--kernels", kernels)
    assert result.returncode == 1, result.stderr
    assert "1 figure, as PNG and SVG" in result.stdout
    lines = [line for line in result.stderr.splitlines() if line.startswith("scripts/plot: ")]
    assert len(lines) == 3  # the rest is the CPU device's own report
    assert "02 is not drawn: " in lines[0]
    assert "02_tiled.cu does not compile: " in lines[0] and "error: " in lines[0]
    assert "03 is wrong: " in lines[1] and "03 is not drawn: " in lines[2]
    drawn = (tmp_path / "out/03_traffic.svg").read_text(encoding="utf-8")
    assert "<!-- yours, 05 -->" in drawn
    assert "<!-- yours, 03 -->" not in drawn


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "cannot read "),
        ('{"speed": ', "cannot read "),
        ("[1]", "is not a record"),
        ('{"speed": {}}', "is not a record"),
    ],
)
def test_a_record_that_cannot_be_drawn(
    root: Path, tmp_path: Path, text: str | None, words: str
) -> None:
    record = tmp_path / "nothing.json"
    if text is not None:
        record.write_text(text, encoding="ascii")
    script = root / "scripts/figures/ladder_cuda.py"
    result = subprocess.run(
        [sys.executable, script, "--record", record, "--out", tmp_path / "out"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stderr.count("\n")) == (2, 1), result.stderr
    assert words in result.stderr
    assert not (tmp_path / "out").exists()


def test_jupyterlab_is_started_on_the_notebook(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    started = []
    monkeypatch.setattr("os.execve", lambda path, argv, env: started.append((path, argv, env)))
    course_commands.main(["notebook", "03", "--no-browser", "--port", "9999"])
    ((path, argv, env),) = started
    assert path == sys.executable
    assert argv[1:3] == ["-m", "jupyterlab"]
    assert "--port=9999" in argv
    assert "--LabApp.default_url=/lab/tree/notebooks/03_counting_traffic.ipynb" in argv
    assert (Path(env["PYTHONPATH"].split(":")[0]) / "flash_lessons/__init__.py").exists()


@pytest.mark.parametrize(
    "word", ["3", "03", "03_counting_traffic", "notebooks/03_counting_traffic.ipynb"]
)
def test_a_notebook_has_several_names(word: str) -> None:
    assert notebook.find(word).name == "03_counting_traffic.ipynb"


def test_a_notebook_that_is_not_there() -> None:
    with pytest.raises(UsageError, match="there is no notebook '0'; there are 01_memory"):
        notebook.find("0")
    assert notebook.find(None).name == "notebooks"
