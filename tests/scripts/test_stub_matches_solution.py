"""Every lesson's stub is its solution with the gaps emptied, and the course's files agree.

A gap opens with `// TODO(01.2): title   (~8 lines)` in kernels/ and `// DONE(01.2): ...` in
solutions/, and closes with `// END(01.2)` in both. Outside the gaps the two files are equal.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
COURSE = tomllib.loads((ROOT / "lessons" / "course.toml").read_text(encoding="utf-8"))
LESSONS: list[dict] = COURSE["lesson"]
HEADERS = {"attention.h", "cuda_check.h"}
EXTRA_SOLUTIONS = ["06_backward_fast"]  # a second reference for a lesson, without a stub
HEADER_WORDS = ["Before", "Change", "Why", "Grid", "Block", "Shared", "Requires"]

OPENING = re.compile(r"^\s*// (TODO|DONE)\((\d\d\.\d+)\): (.+?)\s+\(~(\d+) lines\)$")
CLOSING = re.compile(r"^\s*// END\((\d\d\.\d+)\)$")
MARKER = re.compile(r"//\s*(TODO|DONE|END)\b")
QUIET = re.compile(r"^\(void\)&?\w+(, \(void\)&?\w+)*;(\s*//.*)?$")  # (void)Q, (void)&m;


@dataclass
class Gap:
    """One gap: its number, its title, the size it announces and the lines between its markers."""

    number: str
    title: str
    size: int
    lines: list[str]


@dataclass
class KernelFile:
    """A kernel file, taken apart: the lines outside the gaps, and the gaps."""

    outside: list[str]
    gaps: list[Gap]


def parse(path: Path, word: str) -> KernelFile:
    """Takes the file apart; `word` is what opens a gap in it, TODO or DONE."""
    outside: list[str] = []
    gaps: list[Gap] = []
    is_open = False
    for number, line in enumerate(path.read_text(encoding="ascii").splitlines(), start=1):
        where = f"{path.name}:{number}: {line.strip()}"
        opening, closing = OPENING.match(line), CLOSING.match(line)
        if opening:
            assert not is_open, f"a gap opens inside a gap: {where}"
            assert opening[1] == word, f"expected {word}: {where}"
            gaps.append(Gap(opening[2], opening[3], int(opening[4]), []))
            outside.append(f"<gap {opening[2]}: {opening[3]} ({opening[4]})>")
            is_open = True
        elif closing:
            assert is_open and closing[1] == gaps[-1].number, f"closes no open gap: {where}"
            is_open = False
        else:
            assert not MARKER.search(line), f"not a well-formed marker: {where}"
            (gaps[-1].lines if is_open else outside).append(line)
    assert not is_open, f"{path.name}: gap {gaps[-1].number} is never closed"
    return KernelFile(outside, gaps)


def names() -> list[str]:
    return [lesson["name"] for lesson in LESSONS]


def code_lines(lines: list[str]) -> list[str]:
    stripped = [line.strip() for line in lines]
    return [line for line in stripped if line and not line.startswith("//")]


@pytest.mark.parametrize("name", names())
def test_files_are_equal_outside_the_gaps(name: str) -> None:
    stub = parse(ROOT / "kernels" / f"{name}.cu", "TODO")
    solution = parse(ROOT / "solutions" / f"{name}.cu", "DONE")
    assert stub.outside == solution.outside


@pytest.mark.parametrize("name", names())
def test_gaps_are_numbered_small_and_empty_in_the_stub(name: str) -> None:
    stub = parse(ROOT / "kernels" / f"{name}.cu", "TODO")
    solution = parse(ROOT / "solutions" / f"{name}.cu", "DONE")
    assert 2 <= len(stub.gaps) <= 4
    expected = [f"{name[:2]}.{n}" for n in range(1, len(stub.gaps) + 1)]
    assert [gap.number for gap in stub.gaps] == expected
    for gap in stub.gaps:
        assert gap.lines, f"gap {gap.number} says nothing about what is wanted"
        wrong = [line for line in code_lines(gap.lines) if not QUIET.match(line)]
        assert not wrong, f"gap {gap.number} of the stub holds code: {wrong}"
    for gap in solution.gaps:
        lines = len([line for line in gap.lines if line.strip()])
        assert abs(lines - gap.size) <= 2, f"gap {gap.number} has {lines} lines, not {gap.size}"


@pytest.mark.parametrize("name", names())
def test_stub_hash_in_course_toml(name: str) -> None:
    lesson = LESSONS[names().index(name)]
    digest = hashlib.sha256((ROOT / "kernels" / f"{name}.cu").read_bytes()).hexdigest()
    assert lesson["stub_sha256"] == digest


@pytest.mark.parametrize("name", names())
def test_lesson_has_text_hints_title_and_points(name: str) -> None:
    lesson = LESSONS[names().index(name)]
    text = (ROOT / "lessons" / name / "README.md").read_text(encoding="utf-8")
    assert text.startswith("# ")
    assert lesson["title"]
    assert lesson["test"] == f"{name}_test"
    assert lesson["hints"]
    for hint in lesson["hints"]:
        hints = (ROOT / hint).read_text(encoding="utf-8")
        assert len(re.findall(r"^## Hint \d", hints, flags=re.MULTILINE)) == 3
        assert "```" not in hints, "a hint nudges, it never shows code"
    points = lesson["points"]
    assert all(isinstance(value, int) and value >= 0 for value in points.values())
    assert sum(points.values()) == 100


@pytest.mark.parametrize("name", names())
def test_every_image_and_link_of_the_text_exists(name: str) -> None:
    folder = ROOT / "lessons" / name
    for page in folder.glob("*.md"):
        text = page.read_text(encoding="utf-8")
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            if not target.startswith(("https://", "#")):
                assert (page.parent / target.split("#")[0]).exists(), f"{page.name}: {target}"


@pytest.mark.parametrize(
    ("folder", "name"),
    [(folder, name) for folder in ("kernels", "solutions") for name in names()]
    + [("solutions", name) for name in EXTRA_SOLUTIONS],
)
def test_kernel_file_is_short_and_has_its_header(folder: str, name: str) -> None:
    lines = (ROOT / folder / f"{name}.cu").read_text(encoding="ascii").splitlines()
    assert len(lines) <= (150 if name < "06" else 340 if name in EXTRA_SOLUTIONS else 300)
    assert max(len(line) for line in lines) <= 100
    assert lines[0].startswith(f"// Lesson {name[:2]}: ")
    words = [match[1] for line in lines if (match := re.match(r"^// ([A-Z][a-z]+) {2,}\S", line))]
    assert words == HEADER_WORDS


@pytest.mark.parametrize(
    ("folder", "extra"),
    [("kernels", HEADERS), ("solutions", {f"{name}.cu" for name in EXTRA_SOLUTIONS})],
)
def test_no_stray_file(folder: str, extra: set[str]) -> None:
    found = {str(path.relative_to(ROOT / folder)) for path in (ROOT / folder).rglob("*")}
    assert found == {f"{name}.cu" for name in names()} | extra


def test_lessons_are_listed_once_and_in_order() -> None:
    assert names() == sorted(set(names()))
    folders = {path.name for path in (ROOT / "lessons").iterdir() if path.is_dir()}
    assert folders - {"figures"} == set(names())
