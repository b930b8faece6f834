"""scripts/grade turns the judge's verdicts into points, verdicts, messages and an exit status."""

import re
import subprocess

import pytest
from conftest import Repository, run


def lesson_and_check(report: dict, name: str) -> tuple[dict, dict]:
    lesson = report["lessons"][0]
    return lesson, next(check for check in lesson["checks"] if check["check"] == name)


def test_everything_passes(repository: Repository) -> None:
    result = repository.grade()
    assert result.returncode == 0, result.stdout + result.stderr
    assert "200 / 200 points" in result.stdout
    assert "extra memory is 4 N^2 bytes per head" in result.stdout


def test_a_failure_is_shown_as_the_style_says(repository: Repository) -> None:
    result = repository.grade("01", "--seed", "0x5eed1234", judge="ragged=fail")
    assert result.returncode == 1
    expected = """
01_naive            FAIL  wrong values   N_q=33 N_k=65 d=64, randn
  O[q=3 k=1] = 1.5, expected 2 (seed 0x5eed1234)
  looks like: the grid is too small
  again:      scripts/grade 01 --check ragged --seed 0x5eed1234
  read:       lessons/01_naive/README.md, "The idea"
"""
    assert expected in result.stdout
    assert "\n01_naive    FAIL   60 / 100 points\n" in result.stdout


def test_a_check_that_did_not_run_is_worth_nothing(repository: Repository) -> None:
    report = repository.report(judge="one_tile=fail,ragged=notrun")
    lesson, ragged = lesson_and_check(report, "ragged")
    assert (ragged["verdict"], ragged["points"], ragged["max_points"]) == ("NOT RUN", 0, 40)
    assert (lesson["verdict"], lesson["points"]) == ("FAIL", 10)


def test_a_check_without_points_that_did_not_run_spoils_nothing(repository: Repository) -> None:
    result = repository.grade("01", judge="large_index=notrun")
    assert result.returncode == 0
    assert re.search(r"^large_index +NOT RUN +0 / 0 +one_tile failed$", result.stdout, re.MULTILINE)


def test_points_that_no_check_could_earn_are_not_green(repository: Repository) -> None:
    result = repository.grade("01", judge="one_tile=notrun,ragged=notrun,large_index=notrun")
    assert result.returncode == 1
    assert "NOT RUN   10 / 100 points" in result.stdout


def test_the_untouched_stub_is_not_started(repository: Repository) -> None:
    judge = ",".join(f"{check}=notstarted" for check in ("compiles", "one_tile", "ragged"))
    result = repository.grade("01", judge=f"{judge},large_index=notstarted")
    assert result.returncode == 1
    assert "01_naive    NOT STARTED   0 / 100 points" in result.stdout
    assert "is the untouched stub" in result.stdout
    assert "again:" not in result.stdout


@pytest.mark.parametrize(
    "judge",
    [
        "CRASH",
        "torn",
        "status=2",
        "status=3",
        "status=1",
        "ragged=fail,status=0",
        "ragged=nonsense",
        "ragged=silent",
        "ragged=internal",
    ],
)
def test_a_judge_that_goes_wrong_is_our_fault(repository: Repository, judge: str) -> None:
    result = repository.grade("01", "--json", "r.json", "--junit", "r.xml", judge=judge)
    assert result.returncode == 3, result.stdout + result.stderr
    assert "Traceback" not in result.stderr
    assert "INTERNAL ERROR" in result.stdout
    assert "not the fault of the kernel" in result.stdout
    assert (repository.root / "r.json").exists()
    assert (repository.root / "r.xml").exists()


def test_the_other_lessons_are_graded_when_a_judge_crashes(repository: Repository) -> None:
    judge = repository.root / "bin/01_naive_test"
    judge.unlink()
    judge.write_text("#!/bin/sh\nkill -SEGV $$\n", encoding="utf-8")
    judge.chmod(0o755)
    result = repository.grade()
    assert result.returncode == 3
    assert "the judge ended with SIGSEGV" in result.stdout
    assert "100 / 200 points" in result.stdout


def test_lessons_can_be_graded_at_once(repository: Repository) -> None:
    result = repository.grade("--jobs", "2", judge="ragged=fail")
    assert result.returncode == 1
    assert "120 / 200 points" in result.stdout


@pytest.mark.parametrize("words", [("1",), ("01",), ("01_naive",), ("01", "1")])
def test_a_lesson_by_any_of_its_names(repository: Repository, words: tuple[str, ...]) -> None:
    result = repository.grade(*words)
    assert result.returncode == 0
    assert "02_tiled" not in result.stdout


def test_one_check_brings_what_it_depends_on(repository: Repository) -> None:
    report = repository.report("--check", "ragged", judge="one_tile=fail")
    lesson = report["lessons"][0]
    assert [check["check"] for check in lesson["checks"]] == ["compiles", "ragged"]
    assert (lesson["verdict"], lesson["points"], lesson["max_points"]) == ("PASS", 50, 50)


def test_several_checks_at_once(repository: Repository) -> None:
    report = repository.report("--check", "ragged", "--check", "one_tile", judge="ragged=fail")
    lesson = report["lessons"][0]
    found = [(check["check"], check["verdict"]) for check in lesson["checks"]]
    assert found == [("compiles", "PASS"), ("one_tile", "PASS"), ("ragged", "FAIL")]
    assert (lesson["points"], lesson["max_points"]) == (60, 100)


def test_a_check_selects_the_lessons_that_have_it(repository: Repository) -> None:
    result = repository.grade("--check", "traffic", "--check", "ragged", "--verbose", judge="ECHO")
    asked = [line for line in result.stdout.split("\n") if "arguments" in line]
    assert [line.split("|")[0] for line in asked] == ["01_naive", "02_tiled"]
    assert "--check=traffic" not in asked[0]
    assert "--check=traffic" in asked[1]
    assert "--check=ragged" in asked[1]
    result = repository.grade("--check", "traffic")
    assert "01_naive" not in result.stdout


def test_what_the_judge_is_asked(repository: Repository) -> None:
    result = repository.grade("01", "--verbose", "--seed", "255", "--check", "ragged", judge="ECHO")
    for word in (
        "--source=kernels/01_naive.cu",
        "--device=cpu",
        "--seed=0xff",
        "--stub-sha256=00",
        "--check=ragged",
    ):
        assert word in result.stdout


def test_on_a_gpu_a_process_serves_several_checks(repository: Repository) -> None:
    nvcc = repository.write("tools/nvcc", "#!/bin/sh\n")
    nvcc.chmod(0o755)
    environment = repository.environment("ECHO")
    environment["PATH"] = f"{nvcc.parent}:{environment['PATH']}"
    for device, shared in (("cuda", True), ("cpu", False)):
        result = run(
            [repository.root / "scripts" / "grade", "01", "--verbose", "--device", device],
            env=environment,
            cwd=repository.root,
        )
        assert f"--device={device}" in result.stdout
        assert ("--checks-per-process=4" in result.stdout) == shared


def test_seed_is_random_and_printed(repository: Repository) -> None:
    first, second = (repository.report()["seed"] for _ in range(2))
    assert first != second
    assert f"seed {second}" in repository.grade("01", "--seed", second).stdout


def test_a_seed_replays_the_same_report(repository: Repository) -> None:
    first = repository.report(judge="ragged=fail")
    second = repository.report("--seed", first["seed"], judge="ragged=fail")
    assert first == second


def test_replay_repeats_the_options_that_matter(repository: Repository) -> None:
    folder = repository.root / "a class"
    (repository.root / "kernels").rename(folder)
    arguments = ("--kernels", "a class", "--device", "cpu", "--seed", "7")
    _, check = lesson_and_check(repository.report(*arguments, judge="ragged=fail"), "ragged")
    replay = "scripts/grade 01 --check ragged --seed 0x7 --kernels 'a class' --device cpu"
    assert check["replay"] == replay
    again = subprocess.run(
        replay,
        shell=True,
        cwd=repository.root,
        env=repository.environment("ragged=fail"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert again.returncode == 1
    assert "a class/01_naive.cu" not in again.stderr


def test_from_another_folder_and_through_a_link(repository: Repository) -> None:
    link = repository.root.parent / "grade-link"
    link.symlink_to(repository.root / "scripts/grade")
    elsewhere = repository.root.parent / "else where"
    elsewhere.mkdir()
    result = subprocess.run(
        [link, "01", "--json", "r.json"],
        cwd=elsewhere,
        env=repository.environment(""),
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert (elsewhere / "r.json").exists()
