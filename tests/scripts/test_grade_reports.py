"""The reports of scripts/grade: their form, and that hostile text cannot break them."""

import json
from xml.etree import ElementTree

from conftest import Repository

CHECK_TYPES = {
    "check": str,
    "verdict": str,
    "kind": str | None,
    "points": int,
    "max_points": int,
    "case": dict | None,
    "message": str,
    "diagnosis": str | None,
    "confident": bool,
    "found": str | None,
    "replay": str,
}


def test_json_has_the_documented_form(repository: Repository) -> None:
    report = repository.report("--seed", "0x5eed1234", judge="ragged=fail,large_index=notrun")
    lessons = report.pop("lessons")
    assert report == {
        "version": 1,
        "device": "cpu",
        "seed": "0x5eed1234",
        "points": 60,
        "max_points": 100,
    }
    (lesson,) = lessons
    checks = lesson.pop("checks")
    assert lesson == {
        "lesson": "01_naive",
        "file": "kernels/01_naive.cu",
        "verdict": "FAIL",
        "points": 60,
        "max_points": 100,
    }
    assert [check["check"] for check in checks] == ["compiles", "one_tile", "ragged", "large_index"]
    for check in checks:
        assert set(check) - {"note"} == set(CHECK_TYPES)
        assert all(isinstance(check[key], kind) for key, kind in CHECK_TYPES.items())
    assert checks[2]["case"] == {
        "seq_len_q": 33,
        "seq_len_k": 65,
        "head_dim": 64,
        "inputs": "randn",
    }


def test_json_has_a_note_only_where_the_judge_gave_one(repository: Repository) -> None:
    checks = repository.report()["lessons"][0]["checks"]
    assert [check.get("note") for check in checks] == [
        None,
        None,
        "extra memory is 4 N^2 bytes per head",
        None,
    ]


def test_junit_counts_each_verdict(repository: Repository) -> None:
    judge = "one_tile=fail,ragged=internal,large_index=notrun"
    repository.grade("01", "--junit", "r.xml", judge=judge)
    root = ElementTree.parse(repository.root / "r.xml").getroot()
    suite = root.find("testsuite")
    for element in (root, suite):
        counts = {key: element.get(key) for key in ("tests", "failures", "errors", "skipped")}
        assert counts == {"tests": "4", "failures": "1", "errors": "1", "skipped": "1"}
    children = [[child.tag for child in case] for case in suite.iter("testcase")]
    assert children == [[], ["failure"], ["error"], ["skipped"]]
    failure = suite.find("testcase/failure")
    assert failure.get("type") == "wrong values"
    assert "again: scripts/grade 01 --check one_tile" in failure.text


def test_hostile_text_cannot_break_a_report_or_the_terminal(repository: Repository) -> None:
    result = repository.grade(
        "01", "--junit", "r.xml", "--json", "r.json", "--verbose", judge="ragged=hostile"
    )
    failure = ElementTree.parse(repository.root / "r.xml").find(".//failure")
    assert "red text  <b>&amp; ]]> drowkcab  end" in failure.text
    report = json.loads((repository.root / "r.json").read_text(encoding="utf-8"))
    message = report["lessons"][0]["checks"][2]["message"]
    for text in (message, result.stdout, failure.text):
        assert not set("\x1b\x00\x01\x07\u202e\u202c") & set(text)


def test_a_report_replaces_the_old_one_and_leaves_nothing_beside_it(
    repository: Repository,
) -> None:
    folder = repository.root / "reports"
    folder.mkdir()
    (folder / "r.json").write_text("old", encoding="utf-8")
    repository.grade("01", "--json", "reports/r.json")
    assert [path.name for path in folder.iterdir()] == ["r.json"]
    assert json.loads((folder / "r.json").read_text(encoding="utf-8"))["version"] == 1


def test_a_report_through_a_link_keeps_the_link(repository: Repository) -> None:
    (repository.root / "link.json").symlink_to(repository.root / "real.json")
    repository.grade("01", "--json", "link.json")
    assert (repository.root / "link.json").is_symlink()
    assert (repository.root / "real.json").exists()
