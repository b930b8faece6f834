"""What the texts say a command prints is what it prints."""

import re
import subprocess
from pathlib import Path

import pytest
from course_tools import paths

SEED = "0x5eed1234"
BLOCK = re.compile(r"<!-- output: (\S+) -->\n```\n(.*?)\n```\n<!-- end: \1 -->", re.DOTALL)
TEXTS = [paths.ROOT / "README.md", *sorted(paths.ROOT.glob("lessons/*/README.md"))]


def blocks() -> list[tuple[Path, str, str]]:
    return [
        (text, name, block)
        for text in TEXTS
        for name, block in BLOCK.findall(text.read_text(encoding="utf-8"))
    ]


def kernels_for(name: str, folder: Path) -> Path:
    """The kernels that a block is about."""
    if name == "grade-stub":
        return paths.KERNELS
    solution = (paths.ROOT / "solutions/01_naive.cu").read_text(encoding="utf-8")
    if name == "grade-failure":
        assert "    s *= softmax_scale;\n" in solution
        solution = solution.replace("    s *= softmax_scale;\n", "")
    (folder / "01_naive.cu").write_text(solution, encoding="utf-8")
    return folder


def test_the_texts_show_output() -> None:
    assert {name for _, name, _ in blocks()} >= {
        "grade-solutions",
        "grade-failure",
        "grade-stub",
        "grade-solution",
    }


@pytest.mark.parametrize(
    ("text", "name", "block"), [pytest.param(*block, id=block[1]) for block in blocks()]
)
def test_every_line_is_printed_in_order(text: Path, name: str, block: str, tmp_path: Path) -> None:
    command = [str(paths.ROOT / "scripts/grade"), "01", "--seed", SEED]
    command += (
        ["--solutions"]
        if name == "grade-solutions"
        else ["--kernels", str(kernels_for(name, tmp_path))]
    )
    command += ["--device", "cpu"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    # The folder that this test had to use stands for the student's own.
    output = re.sub(r" --(kernels|device) \S+", "", run.stdout).replace(str(tmp_path), "kernels")
    printed = iter(output.splitlines())
    for line in block.splitlines():
        assert line in printed, f"{text}: {name}: not printed, or not there: {line!r}\n{run.stdout}"
