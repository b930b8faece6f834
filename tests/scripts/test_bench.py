"""scripts/bench shows medians beside their bounds and fails where one is broken."""

import json
from pathlib import Path

import pytest
from course_tools import bench, display
from course_tools.errors import InternalError

FAKE_BENCHMARK = """\
#!/usr/bin/env python3
import sys
out = next(word for word in sys.argv if word.startswith("--benchmark_out=")).partition("=")[2]
assert "--benchmark_enable_random_interleaving=true" in sys.argv
open(out, "w").write({report!r})
"""


def measure(tmp_path: Path, **medians: float) -> int:
    """Runs the table on made-up figures: the median of each benchmark among two outliers."""
    figures = {
        "plain_loop/threads:1": {"real_time": medians.get("plain", 100)},
        "naive_attention/threads:1": {"real_time": medians.get("one", 110)},
        "naive_attention/threads:2": {"real_time": medians.get("two", 55)},
        "barrier/128": {"real_time": 1, "ns_per_thread": medians.get("barrier", 9)},
        "plain_online_loop": {"real_time": 10},
    }
    for kernel in ("global", "tiled", "tiled_float4"):
        figures[f"{kernel}/checked"] = {"real_time": medians.get("checked", 70)}
        figures[f"{kernel}/counted"] = {"real_time": medians.get("counted", 110)}
    figures["tiled/counted"]["peak_mib"] = medians.get("memory", 60)
    entries = [
        {"run_name": f"{name}/real_time", "run_type": "iteration"}
        | {key: value * factor for key, value in counters.items()}
        for name, counters in figures.items()
        for factor in (1, 0.01, 50)
    ]
    entries.append({"run_name": "barrier/128", "run_type": "aggregate", "ns_per_thread": 1e9})
    executable = tmp_path / "benchmark"
    report = json.dumps({"benchmarks": entries})
    executable.write_text(FAKE_BENCHMARK.format(report=report), encoding="utf-8")
    executable.chmod(0o755)
    console = display.make_console()
    return bench.print_table(console, bench.measure(console, executable))


@pytest.fixture(autouse=True)
def two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1})


def test_figures_within_their_bounds(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert measure(tmp_path) == 0
    text = capsys.readouterr().out
    for figure in ("1.10 times", "0.55 times", "9.00 ns", "7.00 times", "11.00 times", "12 ns"):
        assert figure in text


@pytest.mark.parametrize(
    "slow",
    [
        {"one": 116},
        {"two": 61},
        {"barrier": 13},
        {"plain": 90},
        {"checked": 101},
        {"counted": 121},
        {"memory": 513},
    ],
)
def test_a_figure_over_its_bound(
    tmp_path: Path, capsys: pytest.CaptureFixture, slow: dict[str, float]
) -> None:
    assert measure(tmp_path, **slow) == 1
    assert "over the bound" in capsys.readouterr().out


def test_one_core_cannot_measure_two(
    tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0})
    assert measure(tmp_path, two=100) == 0
    assert "NOT RUN: 1 core(s) here" in capsys.readouterr().out


def test_a_benchmark_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InternalError, match="report no real_time of naive_attention/threads:1"):
        bench.print_table(display.make_console(), {})
