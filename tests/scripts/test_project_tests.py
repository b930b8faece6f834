"""scripts/test counts what ran, lists what did not, and is green only if every suite ran a test."""

from pathlib import Path

import pytest
from course_tools import project_tests, suites
from course_tools.outcomes import FAILED, NOT_RUN, PASSED, Outcome

OUTCOMES = {
    "format": [Outcome("ascii", PASSED)],
    "build": [Outcome("cpu", PASSED), Outcome("cuda", NOT_RUN, "there is no nvcc here")],
    "ctest": [Outcome("cpu: one", PASSED), Outcome("cpu: two", PASSED)],
    "scripts": [Outcome("one", PASSED)],
    "python": [Outcome("one", PASSED)],
    "notebooks": [Outcome("one", PASSED)],
    "corpus": [Outcome("one", PASSED)],
}


def run_with(
    monkeypatch: pytest.MonkeyPatch, *arguments: str, **changes: list[Outcome]
) -> tuple[int, list[str]]:
    """Runs scripts/test with made-up suites; returns the status and the suites that ran."""
    ran = []

    def fake(name: str, outcomes: list[Outcome]) -> None:
        def run(_console: object, _only: object) -> list[Outcome]:
            ran.append(name)
            return outcomes

        monkeypatch.setitem(suites.RUN, name, run)

    for name, outcomes in (OUTCOMES | changes).items():
        fake(name, outcomes)
    return project_tests.main(arguments), ran


def last_lines(capsys: pytest.CaptureFixture, count: int) -> list[str]:
    return capsys.readouterr().out.rstrip("\n").split("\n")[-count:]


def test_all_green(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    assert run_with(monkeypatch) == (0, list(OUTCOMES))
    assert last_lines(capsys, 2) == [
        "NOT RUN  build: cuda: there is no nvcc here",
        "8 passed, 0 failed, 1 skipped",
    ]


def test_a_failure(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    failed = [Outcome("one", FAILED, "it is [red]wrong[/red]")]
    assert run_with(monkeypatch, corpus=failed)[0] == 1
    text = capsys.readouterr().out
    assert "FAILED corpus: one\nit is [red]wrong[/red]\n" in text
    assert text.endswith("7 passed, 1 failed, 1 skipped\n")


@pytest.mark.parametrize("outcomes", [[], [Outcome("one", NOT_RUN, "no GPU")]])
def test_a_suite_that_ran_nothing_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture, outcomes: list[Outcome]
) -> None:
    assert run_with(monkeypatch, ctest=outcomes)[0] == 1
    assert "FAILED   ctest: no test of this suite ran" in capsys.readouterr().out


def test_nothing_runs_on_a_failed_build(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    status, ran = run_with(monkeypatch, build=[Outcome("cpu", FAILED, "line 1: error")])
    assert (status, ran) == (1, ["format", "build"])
    text = capsys.readouterr().out
    assert "line 1: error" in text
    assert text.endswith("1 passed, 1 failed, 5 skipped\n")


def test_only_some_suites(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    assert run_with(monkeypatch, "--only", "format", "--only", "corpus") == (
        0,
        ["format", "corpus"],
    )
    assert last_lines(capsys, 1) == ["2 passed, 0 failed"]


def test_only_some_names(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run_with(monkeypatch, "-k", "one", ctest=[]) == (
        0,
        ["ctest", "scripts", "python", "notebooks", "corpus"],
    )
    nothing = {name: [] for name in project_tests.SELECTABLE}
    assert run_with(monkeypatch, "-k", "x", **nothing)[0] == 1


CTEST = """\
<testsuite>
<testcase name="good" classname="good" time="1" status="run"><system-out/></testcase>
<testcase name="bad" classname="bad" time="1" status="fail">
  <failure message=""/><system-out>line 3: wrong</system-out></testcase>
<testcase name="later" classname="later" time="1" status="notrun">
  <skipped message="SKIP_RETURN_CODE=77"/><system-out>looking
no GPU answers</system-out></testcase>
<testcase name="unbuilt" classname="unbuilt" time="1" status="notrun">
  <skipped message="Unable to find executable: unbuilt"/><system-out/></testcase>
</testsuite>
"""
PYTEST = """\
<testsuites><testsuite>
<testcase classname="tests.scripts.test_a" name="test_good" time="1"/>
<testcase classname="tests.scripts.test_a" name="test_bad"><failure message="m">E  1</failure></testcase>
<testcase classname="tests.scripts.test_a" name="test_error"><error message="m">E  2</error></testcase>
<testcase classname="tests.scripts.test_a" name="test_later"><skipped message="why">x</skipped></testcase>
</testsuite></testsuites>
"""


def test_the_report_of_ctest(tmp_path: Path) -> None:
    (tmp_path / "r.xml").write_text(CTEST, encoding="utf-8")
    assert suites.read_junit(tmp_path / "r.xml", "cpu: ") == [
        Outcome("cpu: good", PASSED),
        Outcome("cpu: bad", FAILED, "line 3: wrong"),
        Outcome("cpu: later", NOT_RUN, "no GPU answers"),
        Outcome("cpu: unbuilt", FAILED, "Unable to find executable: unbuilt"),
    ]


def test_the_report_of_pytest(tmp_path: Path) -> None:
    (tmp_path / "r.xml").write_text(PYTEST, encoding="utf-8")
    assert suites.read_junit(tmp_path / "r.xml", "") == [
        Outcome("test_a::test_good", PASSED),
        Outcome("test_a::test_bad", FAILED, "E  1"),
        Outcome("test_a::test_error", FAILED, "E  2"),
        Outcome("test_a::test_later", NOT_RUN, "why"),
    ]
