"""What the tests of the scripts share: a small repository to run them in, with a fake judge."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

FAKE_JUDGE = Path(__file__).with_name("fake_judge.py")
STUB = '// The stub.\nextern "C" int attention_forward() { return 0; }\n'
COURSE = """\
[[lesson]]
name = "01_naive"
title = "Naive"
test = "01_naive_test"
stub_sha256 = "00"
hints = []
[lesson.points]
compiles = 10
one_tile = 50
ragged = 40
large_index = 0
[[lesson]]
name = "02_tiled"
title = "Tiled"
test = "02_tiled_test"
stub_sha256 = "00"
hints = []
[lesson.points]
compiles = 10
one_tile = 50
ragged = 40
large_index = 0
traffic = 0
"""


class Repository:
    """A copy of scripts/ with two lessons, whose judges are the fake one."""

    def __init__(self, root: Path) -> None:
        self.root = root
        shutil.copytree(
            ROOT / "scripts",
            root / "scripts",
            ignore=shutil.ignore_patterns("__pycache__", "figures"),
        )
        self.write("lessons/course.toml", COURSE)
        for folder in ("kernels", "solutions"):
            for name in ("01_naive", "02_tiled"):
                self.write(f"{folder}/{name}.cu", STUB)
        (root / "bin").mkdir()
        for name in ("01_naive_test", "02_tiled_test"):
            (root / "bin" / name).symlink_to(FAKE_JUDGE)

    def write(self, name: str, text: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def environment(self, judge: str) -> dict[str, str]:
        return os.environ | {
            "FAKE_JUDGE": judge,
            "COURSE_JUDGE_DIR": str(self.root / "bin"),
            # The interpreter of the tests has rich, so the copy needs no .venv.
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        }

    def grade(
        self, *arguments: object, judge: str = "", cwd: Path | None = None
    ) -> subprocess.CompletedProcess:
        return run(
            [self.root / "scripts" / "grade", *arguments],
            env=self.environment(judge),
            cwd=cwd or self.root,
        )

    def report(self, *arguments: object, judge: str = "") -> dict:
        """Grades lesson 01 and returns the JSON report."""
        path = self.root / "report.json"
        self.grade("01", "--json", path, *arguments, judge=judge)
        return json.loads(path.read_text(encoding="utf-8"))


def run(
    argv: list, env: dict[str, str] | None = None, cwd: Path = ROOT
) -> subprocess.CompletedProcess:
    return subprocess.run(
        [str(word) for word in argv],
        env=env,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=580,
        check=False,
    )


def assert_one_line_error(result: subprocess.CompletedProcess, status: int, *words: str) -> None:
    assert result.returncode == status, result.stdout + result.stderr
    assert "Traceback" not in result.stdout + result.stderr
    lines = result.stderr.strip().split("\n")
    assert len(lines) == 1, result.stderr
    for word in words:
        assert word in lines[0]


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    root = tmp_path / "repository"
    root.mkdir()
    return Repository(root)
