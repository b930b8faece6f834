"""What the texts say a command prints is what it prints."""

import re
import subprocess
from pathlib import Path

import pytest
from course_tools import course, paths

SEED = "0x5eed1234"
BLOCK = re.compile(r"<!-- output: (\S+) -->\n```\n(.*?)\n```\n<!-- end: \1 -->", re.DOTALL)
TEXTS = [paths.ROOT / "README.md", *sorted(paths.ROOT.glob("lessons/*/README.md"))]


# What a text's block was printed for, if not for the stub or the solution: a file in solutions/, and
# what is replaced in it.
KERNELS = {
    ("01_naive", "grade-failure"): ("01_naive", {"    s *= softmax_scale;\n": ""}),
    ("02_tiled", "grade-previous"): ("01_naive", {}),
    ("03_online_softmax", "grade-previous"): ("02_tiled", {}),
    ("04_vectorized_io", "grade-previous"): ("03_online_softmax", {}),
    ("05_causal", "grade-previous"): ("04_vectorized_io", {}),
    ("07_work_partitioning", "grade-previous"): ("05_causal", {}),
}


def lesson_of(text: Path) -> str:
    """The lesson that the text is about; the first page of all is about lesson 01."""
    return "01_naive" if text.parent == paths.ROOT else text.parent.name


def blocks() -> list[tuple[Path, str, str]]:
    return [
        (text, name, block)
        for text in TEXTS
        for name, block in BLOCK.findall(text.read_text(encoding="utf-8"))
    ]


def kernels_for(lesson: str, name: str, folder: Path) -> Path:
    """The kernels that a block is about."""
    if name == "grade-stub":
        return paths.KERNELS
    source, replaced = KERNELS.get((lesson, name), (lesson, {}))
    solution = (paths.SOLUTIONS / f"{source}.cu").read_text(encoding="utf-8")
    for old, new in replaced.items():
        assert old in solution
        solution = solution.replace(old, new)
    (folder / f"{lesson}.cu").write_text(solution, encoding="utf-8")
    return folder


def test_the_texts_show_output() -> None:
    shown = {(lesson_of(text), name) for text, name, _ in blocks()}
    assert shown >= {("01_naive", "grade-solutions"), *KERNELS}
    for lesson in course.load():
        assert shown >= {(lesson.name, "grade-stub"), (lesson.name, "grade-solution")}


@pytest.mark.parametrize(
    ("text", "name", "block"),
    [pytest.param(*one, id=f"{lesson_of(one[0])}-{one[1]}") for one in blocks()],
)
def test_every_line_is_printed_in_order(text: Path, name: str, block: str, tmp_path: Path) -> None:
    lesson = lesson_of(text)
    command = [str(paths.ROOT / "scripts/grade"), lesson, "--seed", SEED]
    command += (
        ["--solutions"]
        if name == "grade-solutions"
        else ["--kernels", str(kernels_for(lesson, name, tmp_path))]
    )
    command += ["--device", "cpu"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    # The folder that this test had to use stands for the student's own.
    output = re.sub(r" --(kernels|device) \S+", "", run.stdout).replace(str(tmp_path), "kernels")
    printed = iter(output.splitlines())
    for line in block.splitlines():
        assert line in printed, f"{text}: {name}: not printed, or not there: {line!r}\n{run.stdout}"
