"""Lesson 06 in stages: an answer that is not finished earns what its stage is worth."""

import re
from pathlib import Path

import pytest
import real
from course_tools import paths
from course_tools.results import FAIL, NOT_RUN, PASS

LESSON = "06_backward"
ALL_GAPS = ["06.1", "06.2", "06.3", "06.4"]
STAGES = re.compile(r'extern "C" cudaError_t attention_backward_stages.*?\n}\n', re.DOTALL)


def solution() -> str:
    return (paths.SOLUTIONS / f"{LESSON}.cu").read_text(encoding="utf-8")


def without(gaps: list[str]) -> str:
    """The solution with these gaps empty."""
    text = solution()
    for gap in gaps:
        number = re.escape(gap)
        pattern = rf"^ *// DONE\({number}\).*?// END\({number}\)\n"
        text, count = re.subn(pattern, "", text, flags=re.DOTALL | re.MULTILINE)
        assert count == 1, gap
    return text


def grade(tmp_path: Path, text: str) -> tuple[dict[str, str], int]:
    """The verdict on each check, and the points."""
    file = tmp_path / f"{LESSON}.cu"
    file.write_text(text, encoding="utf-8")
    result = real.grade(LESSON, file)
    return {check.check: check.verdict for check in result.checks}, result.points


@pytest.mark.parametrize(
    ("done", "right", "wrong", "points"),
    [
        (0, [], ["delta", "dv", "dp_ds", "dk", "dq"], 5),
        (1, ["delta"], ["dv", "dp_ds", "dk", "dq"], 10),
        (2, ["delta", "dv"], ["dp_ds", "dk", "dq"], 20),
        (3, ["delta", "dv", "dp_ds"], ["dk", "dq"], 35),
        (4, ["delta", "dv", "dp_ds", "dk", "dq"], [], 100),
    ],
)
def test_each_stage_has_its_points(
    done: int, right: list[str], wrong: list[str], points: int, tmp_path: Path
) -> None:
    verdicts, earned = grade(tmp_path, without(ALL_GAPS[done:]))
    assert [name for name in right + wrong if verdicts[name] == PASS] == right
    assert [name for name in right + wrong if verdicts[name] == FAIL] == wrong
    assert verdicts["causal"] == (NOT_RUN if wrong else PASS)
    assert earned == points


def test_the_function_for_the_grader_is_optional(tmp_path: Path) -> None:
    text, count = STAGES.subn("", solution())
    assert count == 1
    verdicts, earned = grade(tmp_path, text)
    assert set(verdicts.values()) == {PASS}
    assert earned == 100


def test_without_it_the_stages_are_judged_by_the_gradients(tmp_path: Path) -> None:
    text = STAGES.sub("", without(ALL_GAPS[3:]))
    verdicts, _ = grade(tmp_path, text)
    assert [verdicts[name] for name in ("delta", "dv", "dp_ds")] == [FAIL, PASS, FAIL]
