"""scripts/corpus: which files it takes, and what it says about two devices that have to agree."""

import subprocess

import pytest
from conftest import Repository, assert_one_line_error, run

FILES = {
    "mutants/01_naive/seen.cu": "// corpus: fails ragged (wrong values)\n",
    "mutants/01_naive/unseen.cu": (
        "// corpus: fails one_tile (race)\n// corpus: on a GPU passes: it is too quick\n"
    ),
    "mutants/02_tiled/also_seen.cu": (
        "// corpus: fails one_tile (race)\n// corpus: on a GPU fails ragged (wrong values)\n"
    ),
}


@pytest.fixture
def with_corpus(repository: Repository) -> Repository:
    for name, text in FILES.items():
        repository.write(f"tests/corpus/{name}", text)
    return repository


def corpus(
    repository: Repository, *arguments: str, judge: str = "ragged=fail"
) -> subprocess.CompletedProcess:
    command = [repository.root / "scripts" / "corpus", "--bin", repository.root / "bin"]
    return run([*command, *arguments], env=repository.environment(judge), cwd=repository.root)


def test_a_gpu_agrees_but_for_what_it_cannot_see(with_corpus: Repository) -> None:
    done = corpus(with_corpus, "--device", "cuda")
    assert done.returncode == 0, done.stdout + done.stderr
    summary = (
        "3 files: 2 get the same verdict on both devices, 1 only the CPU device can judge,"
        " 0 are not as expected\n     1  it is too quick\n"
    )
    assert summary in done.stdout


def test_a_verdict_that_is_not_the_expected_one(with_corpus: Repository) -> None:
    done = corpus(with_corpus, "--device", "cuda", judge="one_tile=fail")
    assert done.returncode == 1
    assert "mutants/01_naive/seen.cu" in done.stdout
    assert "1 only the CPU device can judge" not in done.stdout
    assert "3 are not as expected" in done.stdout


def test_the_cpu_device_has_no_lines_about_a_gpu(with_corpus: Repository) -> None:
    done = corpus(with_corpus, "seen.cu", "--seeds", "1")
    assert done.returncode == 1  # one_tile passes, where two headers want a race
    assert "both devices" not in done.stdout


def test_planted_bugs_have_one_seed(with_corpus: Repository) -> None:
    done = corpus(with_corpus, "mutants", "--seeds", "3")
    (summary,) = [line for line in done.stdout.splitlines() if line.startswith("seed")]
    assert ": 3 files, " in summary


def test_shards_have_every_file_once(with_corpus: Repository) -> None:
    seen = []
    for part in ("1/2", "2/2"):
        done = corpus(with_corpus, "--device", "cuda", "--shard", part, "--verbose")
        assert done.returncode == 0, done.stdout + done.stderr
        seen += [line.split()[-1] for line in done.stdout.splitlines() if line.startswith("[")]
    assert sorted(seen) == sorted(f"tests/corpus/{name}" for name in FILES)


@pytest.mark.parametrize("part", ["0/2", "3/2", "1", "a/b"])
def test_a_shard_that_is_none(with_corpus: Repository, part: str) -> None:
    done = corpus(with_corpus, "--shard", part)
    assert_one_line_error(done, 2, "is not a part such as 1/2")


@pytest.mark.parametrize("flag", ["--seeds", "--first", "--jobs"])
def test_a_number_that_is_none(with_corpus: Repository, flag: str) -> None:
    assert_one_line_error(corpus(with_corpus, flag, "0"), 2, "'0' is not a positive number")


def test_a_word_that_no_file_has(with_corpus: Repository) -> None:
    done = corpus(with_corpus, "no_such_kernel")
    assert_one_line_error(done, 2, "no file of tests/corpus has no_such_kernel in its path")


def test_a_judge_that_is_missing(with_corpus: Repository) -> None:
    done = run(
        [with_corpus.root / "scripts" / "corpus", "--bin", with_corpus.root / "none"],
        env=with_corpus.environment(""),
        cwd=with_corpus.root,
    )
    assert_one_line_error(done, 3, "there is no judge")
