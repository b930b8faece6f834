"""The headers of the corpus: what is understood, and that nothing else is let through."""

from pathlib import Path

import pytest
from course_tools import corpus, course
from course_tools.course import Lesson
from course_tools.results import CheckResult, LessonResult

LESSON = Lesson(
    "01_naive",
    "",
    "",
    "",
    {"compiles": 10, "ragged": 85, "large_index": 0, "safety": 0, "speed": 5},
)


def entry(tmp_path: Path, folder: str, text: str) -> corpus.Entry:
    path = tmp_path / folder / "01_naive" / "kernel.cu"
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="utf-8")
    return corpus.read(path)


def result(**verdicts: str) -> LessonResult:
    checks = [
        CheckResult(name, verdict, LESSON.points[name], kind="race" if verdict == "FAIL" else "")
        for name, verdict in verdicts.items()
    ]
    return LessonResult(LESSON, "kernel.cu", checks)


def test_a_mutant(tmp_path: Path) -> None:
    text = "// corpus: fails ragged (race | crash)\n// corpus: survives compiles, launches\n// x\n"
    found = entry(tmp_path, "mutants", text)
    assert found.fails == {"ragged": ("race", "crash")}
    assert found.survives == ("compiles", "launches")


@pytest.mark.parametrize(
    ("folder", "text"),
    [
        ("mutants", ""),
        ("mutants", "int x;\n// corpus: fails ragged (race)\n"),
        ("mutants", "// corpus: survives ragged\n"),
        ("mutants", "// corpus: fails ragged\n"),
        ("mutants", "// corpus: fails ragged (race)\n// corpus: passes\n"),
        ("mutants", "// corpus: fails ragged (race)\n// corpus: dies\n"),
        ("valid", "// A fine kernel.\n"),
        ("valid", "// corpus: passes\n// corpus: fails ragged (race)\n"),
    ],
)
def test_a_header_that_is_missing_or_wrong(tmp_path: Path, folder: str, text: str) -> None:
    with pytest.raises(corpus.BadHeader):
        entry(tmp_path, folder, text)


@pytest.mark.parametrize(
    ("verdicts", "count"),
    [
        ({"compiles": "PASS", "ragged": "FAIL"}, 0),
        ({"compiles": "PASS", "ragged": "PASS"}, 2),
        ({"compiles": "FAIL", "ragged": "NOT RUN"}, 2),
        ({"compiles": "PASS", "ragged": "INTERNAL ERROR"}, 2),
        ({"compiles": "PASS"}, 1),
    ],
)
def test_what_a_mutant_must_do(tmp_path: Path, verdicts: dict[str, str], count: int) -> None:
    text = "// corpus: fails ragged (race)\n// corpus: survives compiles\n"
    mutant = entry(tmp_path, "mutants", text)
    assert len(corpus.problems(mutant, result(**verdicts))) == count


def test_a_mutant_that_fails_for_another_reason(tmp_path: Path) -> None:
    mutant = entry(tmp_path, "mutants", "// corpus: fails ragged (crash)\n")
    assert corpus.problems(mutant, result(compiles="PASS", ragged="FAIL"))


@pytest.mark.parametrize(
    ("verdicts", "count"),
    [
        ({"compiles": "PASS", "ragged": "PASS", "large_index": "NOT RUN"}, 0),
        ({"compiles": "PASS", "ragged": "NOT RUN", "large_index": "PASS"}, 1),
        ({"compiles": "PASS", "ragged": "FAIL", "large_index": "FAIL"}, 2),
    ],
)
def test_what_a_valid_kernel_must_do(tmp_path: Path, verdicts: dict[str, str], count: int) -> None:
    valid = entry(tmp_path, "valid", "// corpus: passes\n")
    assert len(corpus.problems(valid, result(**verdicts))) == count


# ---- What a GPU sees. ----

RACE = "// corpus: fails ragged (race)\n// corpus: survives compiles\n"
COUNTED = "only the CPU device counts accesses"


def gpu_result(**verdicts: tuple[str, str]) -> LessonResult:
    """Verdicts with their kinds, or with their reasons where they are NOT RUN."""
    checks = [
        CheckResult(
            name,
            verdict,
            LESSON.points[name],
            kind=text if verdict == "FAIL" else "",
            message=text if verdict == "NOT RUN" else "",
        )
        for name, (verdict, text) in verdicts.items()
    ]
    return LessonResult(LESSON, "kernel.cu", checks)


PASS = ("PASS", "")
RACY = ("FAIL", "race")


def test_without_a_line_of_its_own_a_gpu_must_find_the_same(tmp_path: Path) -> None:
    mutant = entry(tmp_path, "mutants", RACE)
    assert mutant.graded_on("cuda") == mutant
    assert not corpus.problems(mutant, gpu_result(compiles=PASS, ragged=RACY))
    assert corpus.only_on_cpu(mutant, gpu_result(compiles=PASS, ragged=RACY)) == ""
    assert corpus.problems(mutant, gpu_result(compiles=PASS, ragged=PASS))


def test_a_check_that_a_gpu_cannot_make_is_no_problem(tmp_path: Path) -> None:
    mutant = entry(tmp_path, "mutants", RACE)
    found = gpu_result(compiles=PASS, ragged=("NOT RUN", COUNTED))
    assert not corpus.problems(mutant, found)
    assert corpus.only_on_cpu(mutant, found) == COUNTED
    # What has to survive still has to, if it can be seen.
    assert corpus.problems(mutant, gpu_result(compiles=RACY, ragged=("NOT RUN", COUNTED)))
    assert not corpus.problems(mutant, gpu_result(compiles=("NOT RUN", COUNTED), ragged=RACY))


def test_a_check_that_was_not_run_for_another_reason_is_one(tmp_path: Path) -> None:
    mutant = entry(tmp_path, "mutants", RACE)
    for reason in ("needs compiles, which did not pass", "compute-sanitizer's memcheck: it hangs"):
        assert corpus.problems(mutant, gpu_result(compiles=PASS, ragged=("NOT RUN", reason)))


def test_another_check_may_find_it_on_a_gpu(tmp_path: Path) -> None:
    text = RACE + "// corpus: on a GPU fails compiles (crash)\n"
    mutant = entry(tmp_path, "mutants", text)
    assert mutant.checks == ("ragged", "compiles")  # of the CPU device: fails, survives
    on_gpu = mutant.graded_on("cuda")
    assert on_gpu.checks == ("compiles",)
    assert not corpus.problems(on_gpu, gpu_result(compiles=("FAIL", "crash"), ragged=PASS))
    assert corpus.problems(on_gpu, gpu_result(compiles=PASS, ragged=RACY))


def test_a_mistake_that_a_gpu_does_not_see_has_its_reason(tmp_path: Path) -> None:
    text = RACE + "// corpus: on a GPU passes: racecheck looks at shared memory only\n"
    on_gpu = entry(tmp_path, "mutants", text).graded_on("cuda")
    unseen = gpu_result(compiles=PASS, ragged=PASS)
    assert not corpus.problems(on_gpu, unseen)
    assert corpus.only_on_cpu(on_gpu, unseen) == "racecheck looks at shared memory only"
    # Once it is seen, the line has to go.
    assert corpus.problems(on_gpu, gpu_result(compiles=PASS, ragged=RACY))


EITHER = RACE + "// corpus: on a GPU fails compiles or ragged (crash | race)\n"


@pytest.mark.parametrize(
    ("verdicts", "is_right"),
    [
        ({"compiles": ("FAIL", "crash"), "ragged": ("NOT RUN", "needs compiles")}, True),
        ({"compiles": PASS, "ragged": RACY}, True),
        ({"compiles": PASS, "ragged": PASS}, False),
        ({"compiles": ("FAIL", "wrong values"), "ragged": ("NOT RUN", "needs compiles")}, False),
    ],
)
def test_one_of_two_checks_finds_it_on_a_gpu(
    tmp_path: Path, verdicts: dict[str, tuple[str, str]], is_right: bool
) -> None:
    on_gpu = entry(tmp_path, "mutants", EITHER).graded_on("cuda")
    assert on_gpu.checks == ("compiles", "ragged")
    assert (not corpus.problems(on_gpu, gpu_result(**verdicts))) == is_right
    assert corpus.only_on_cpu(on_gpu, gpu_result(**verdicts)) == ""


@pytest.mark.parametrize("more", ["", "// corpus: on a GPU fails ragged (race)\n"])
def test_a_mistake_that_a_gpu_sees_now_and_then(tmp_path: Path, more: str) -> None:
    text = RACE + more + "// corpus: on a GPU may pass: the blocks may come in order\n"
    on_gpu = entry(tmp_path, "mutants", text).graded_on("cuda")
    unseen, seen = (gpu_result(compiles=PASS, ragged=verdict) for verdict in (PASS, RACY))
    assert not corpus.problems(on_gpu, unseen)
    assert corpus.only_on_cpu(on_gpu, unseen) == "the blocks may come in order"
    assert not corpus.problems(on_gpu, seen)
    assert corpus.only_on_cpu(on_gpu, seen) == ""
    wrong = gpu_result(compiles=PASS, ragged=("FAIL", "crash"))
    assert corpus.problems(on_gpu, wrong)


@pytest.mark.parametrize(
    "line",
    [
        "may pass: no",
        "on a GPU may pass",
        "on a GPU passes: no\n// corpus: on a GPU may pass: no",
        "on a GPU passes",
        "on a GPU passes:",
        "on a GPU dies",
        "on a GPU survives compiles",
        "on a GPU passes: no\n// corpus: on a GPU fails ragged (race)",
    ],
)
def test_a_line_about_a_gpu_that_is_wrong(tmp_path: Path, line: str) -> None:
    with pytest.raises(corpus.BadHeader):
        entry(tmp_path, "mutants", RACE + f"// corpus: {line}\n")


def test_a_valid_kernel_has_no_line_about_a_gpu(tmp_path: Path) -> None:
    text = "// corpus: passes\n// corpus: on a GPU fails ragged (race)\n"
    with pytest.raises(corpus.BadHeader):
        entry(tmp_path, "valid", text)


def test_a_valid_kernel_needs_its_safety_check(tmp_path: Path) -> None:
    valid = entry(tmp_path, "valid", "// corpus: passes\n")
    reason = "compute-sanitizer's memcheck: it did not end within 60 s"
    assert corpus.problems(valid, gpu_result(compiles=PASS, safety=("NOT RUN", reason)))
    assert not corpus.problems(valid, gpu_result(compiles=PASS, speed=("NOT RUN", "no other file")))


def test_every_header_names_checks_that_its_lesson_has() -> None:
    points = {lesson.name: lesson.points for lesson in course.load()}
    for path in corpus.files():
        found = corpus.read(path)
        for device_name in ("cpu", "cuda"):
            named = found.graded_on(device_name).checks
            assert set(named) <= set(points[found.lesson]), path
