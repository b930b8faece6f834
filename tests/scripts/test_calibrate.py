"""scripts/calibrate: what it makes of the text of ncu and compute-sanitizer, and its command line.

The samples have the tools' form (Nsight Compute and Compute Sanitizer 2023 to 2025); names and numbers
are invented.
"""

import importlib.util
import json
import os
import subprocess
import sys
import tarfile
from importlib.machinery import SourceFileLoader
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "scripts" / "calibrate"


@pytest.fixture(scope="module")
def calibrate():
    sys.dont_write_bytecode = True
    loader = SourceFileLoader("calibrate", str(SCRIPT))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("calibrate", loader))
    loader.exec_module(module)
    return module


NCU_WIDE = """\
==PROF== Connected to process 4711 (/tmp/micro_kernels)
==PROF== Profiling "rows" - 0: 0%....50%....100% - 3 passes
==PROF== Disconnected from process 4711
"ID","Process ID","Kernel Name","Block Size","Grid Size","CC","device__attribute_warp_size",\
"l1tex__t_sectors_pipe_lsu_mem_global_op_ld.sum",\
"smsp__inst_executed_op_shared_ld_pred_on_any.sum"
"","","","","","","","sector","inst"
"0","4711","rows","(32, 1, 1)","(1, 1, 1)","9.0","32","1,024","4"
"1","4711","(anonymous namespace)::columns(const float *, float *)","(16, 4, 1)","(2, 1, 1)","9.0",\
"32","12.000000","n/a"
"""

NCU_LONG = """\
"ID","Kernel Name","Block Size","Grid Size","Metric Name","Metric Unit","Metric Value"
"0","void course::rows<4>(float *)","(32, 1, 1)","(1, 1, 1)","smsp__inst_executed.sum","inst","7"
"0","void course::rows<4>(float *)","(32, 1, 1)","(1, 1, 1)","l1tex__x.ratio","","1.5"
"""


def test_ncu_raw_page_has_a_row_per_launch(calibrate):
    assert calibrate.parse_ncu_csv(NCU_WIDE) == [
        {
            "kernel": "rows",
            "grid": "(1, 1, 1)",
            "block": "(32, 1, 1)",
            "metrics": {
                "l1tex__t_sectors_pipe_lsu_mem_global_op_ld.sum": 1024,
                "smsp__inst_executed_op_shared_ld_pred_on_any.sum": 4,
            },
        },
        {
            "kernel": "columns",
            "grid": "(2, 1, 1)",
            "block": "(16, 4, 1)",
            "metrics": {
                "l1tex__t_sectors_pipe_lsu_mem_global_op_ld.sum": 12,
                "smsp__inst_executed_op_shared_ld_pred_on_any.sum": None,
            },
        },
    ]


def test_ncu_details_page_has_a_row_per_metric(calibrate):
    (launch,) = calibrate.parse_ncu_csv(NCU_LONG)
    assert launch["kernel"] == "rows"
    assert launch["metrics"] == {"smsp__inst_executed.sum": 7, "l1tex__x.ratio": 1.5}


def test_ncu_without_results(calibrate):
    assert calibrate.parse_ncu_csv("==ERROR== ERR_NVGPUCTRPERM - no permission\n") == []


MEMCHECK = """\
========= COMPUTE-SANITIZER
========= Invalid __global__ read of size 4 bytes
=========     at row_sum(const float *, int)+0x490 in /home/me/sums.cuh:9
=========     by thread (1,0,0) in block (0,0,0)
=========     Access at 0x7f71b9e01360 is out of bounds
=========     and is 1 bytes after the nearest allocation at 0x7f71b9e00a00 of size 2,400 bytes
=========         Device Frame: kernel(float *)+0x40 in sums.cu:22
=========     Saved host backtrace up to driver entry point at kernel launch time
=========         Host Frame: main in main.cpp:70 [0x1754] in sums
=========\x20
the program's own line
========= Invalid __global__ read of size 4 bytes
=========     at row_sum(const float *, int)+0x490 in /home/me/sums.cuh:9
=========     by thread (2,0,0) in block (0,0,0)
=========     Access at 0x7f71b9e01364 is out of bounds
=========         Device Frame: kernel(float *)+0x40 in sums.cu:22
=========
========= Invalid __shared__ write of size 16 bytes
=========     at 0x60 in /home/me/sums.cu:31:kernel(float *)
=========     by thread (0,0,0) in block (0,0,0)
=========     Address 0x8 is misaligned
=========
========= Program hit cudaErrorLaunchFailure (error 719) due to "unspecified launch failure" on \
CUDA API call to cudaDeviceSynchronize.
=========
========= Leaked 1,024 bytes at 0x7f5e00000000
=========     Saved host backtrace up to driver entry point at allocation time
=========
========= LEAK SUMMARY: 1024 bytes leaked in 1 allocations
========= ERROR SUMMARY: 1,005 errors
========= ERROR SUMMARY: 1000 errors were not printed. Use --print-limit option to adjust the number
"""


def test_memcheck(calibrate):
    found = calibrate.parse_sanitizer(MEMCHECK)
    assert found["errors"] == 1005
    assert [note[:13] for note in found["notes"]] == ["ERROR SUMMARY"]
    assert found["reports"] == [
        {
            "severity": "error",
            "class": "Invalid __global__ read, out of bounds",
            "places": ["sums.cuh:9"],
            "count": 2,
            "frames": ["sums.cu:22"],
        },
        {
            "severity": "error",
            "class": "Invalid __shared__ write, misaligned",
            "places": ["sums.cu:31"],
            "count": 1,
        },
        {"severity": "error", "class": "Leak", "places": [], "count": 1},
        {
            "severity": "error",
            "class": "cudaDeviceSynchronize returned cudaErrorLaunchFailure",
            "places": [],
            "count": 1,
        },
    ]


RACECHECK = """\
========= COMPUTE-SANITIZER
========= Error: Race reported between Write access at tile(float const*, int)+0xd790 in a.cu:324
=========     and Read access at tile(float const*, int)+0xd5c0 in a.cu:312 [16 hazards]
=========     and Write access at 0x26d0 in /home/me/b.cu:68:tile(float const*, int) [1,064 hazards]
=========
========= Warning: Race reported between Read access at tile(float *)+0x260
=========     and Write access at tile(float *)+0x200 [5 hazards]
=========
========= WARN:(Warp Level Programming) Potential RAW hazard detected at __shared__ 0xf4 in \
block (0, 0, 0) :
=========     Write Thread (24, 0, 0) at 0x00001ab0 in /home/me/scan.cuh:146:scan
=========     Read Thread (23, 0, 0) at 0x00001ab8 in /home/me/scan.cuh:151:scan
=========     Current Value : 0
=========
========= RACECHECK SUMMARY: 3 hazards displayed (1 error, 2 warnings)
"""


HAZARD = "(Warp Level Programming) Potential RAW hazard detected"


def test_racecheck(calibrate):
    found = calibrate.parse_sanitizer(RACECHECK)
    assert found["errors"] == 3
    races = [(r["severity"], r["class"], r["places"], r["count"]) for r in found["reports"]]
    assert races == [
        ("error", "Race between Write and Read", ["a.cu:324", "a.cu:312"], 16),
        ("error", "Race between Write and Write", ["a.cu:324", "b.cu:68"], 1064),
        (
            "warning",
            f"{HAZARD} at __shared__ ADDRESS in block (0, 0, 0)",
            ["scan.cuh:146", "scan.cuh:151"],
            1,
        ),
        ("warning", "Race between Read and Write", [], 5),
    ]


INITCHECK = """\
========= COMPUTE-SANITIZER
========= Uninitialized __global__ memory read of size 4 bytes
=========     at 0xa0a50 in /home/me/load.cuh:272:load<LOAD_CG,const unsigned int *>
=========     by thread (30,0,0) in block (1,0,0)
=========     Address 0x7f65e5204710
=========
========= ERROR SUMMARY: 1 error
"""

SYNCCHECK = """\
========= COMPUTE-SANITIZER
========= Barrier error detected. Divergent thread(s) in warp.
=========     at exchange(int *)+0xa0 in sync.cu:61
=========     by thread (19,0,0) in block (0,0,0)
=========
========= Target application returned an error
========= ERROR SUMMARY: 1 error
"""


def test_initcheck_and_synccheck(calibrate):
    (read,) = calibrate.parse_sanitizer(INITCHECK)["reports"]
    assert (read["class"], read["places"]) == (
        "Uninitialized __global__ memory read",
        ["load.cuh:272"],
    )
    found = calibrate.parse_sanitizer(SYNCCHECK)
    (barrier,) = found["reports"]
    assert barrier["class"] == "Barrier error detected. Divergent thread(s) in warp"
    assert barrier["places"] == ["sync.cu:61"]
    assert found["notes"] == []


def test_a_tool_that_did_not_come_up_has_no_number_of_errors(calibrate):
    text = "========= COMPUTE-SANITIZER\n========= Error: No attachable process found.\n"
    assert calibrate.parse_sanitizer(text)["errors"] is None


def test_name_of_the_fixture(calibrate):
    assert calibrate.fixture_name("NVIDIA H200") == "h200"
    assert calibrate.fixture_name("NVIDIA GeForce RTX 4090") == "geforce_rtx_4090"


# ---- The command. ----


def run(*arguments, path=None):
    environment = dict(os.environ, **({"PATH": path} if path else {}))
    command = [sys.executable, str(SCRIPT), *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, env=environment, check=False
    )


@pytest.mark.parametrize(
    "arguments", [["--only", "both"], ["--time-limit", "0"], ["--jobs", "0"], ["--parse", "/none"]]
)
def test_wrong_usage_is_one_line(arguments):
    done = run(*arguments)
    assert done.returncode == 2
    assert done.stderr.startswith("scripts/calibrate: ")
    assert done.stderr.count("\n") == 1


def test_without_a_gpu(tmp_path):
    done = run(path=str(tmp_path))
    assert (done.returncode, done.stdout) == (3, "")
    assert "no NVIDIA GPU" in done.stderr
    assert done.stderr.count("\n") == 1


METRIC_OF_A_LOAD = "l1tex__t_sectors_pipe_lsu_mem_global_op_ld.sum"


def ncu_log(calibrate, kernels):
    """CSV in which every metric that is asked for is 0, except for those given."""
    metrics = [metric for members in calibrate.METRICS.values() for metric in members.values()]
    rows = [["ID", "Kernel Name", "Block Size", "Grid Size", *metrics]]
    for i, (name, counted) in enumerate(kernels.items()):
        values = [str(counted.get(metric, 0)) for metric in metrics]
        rows.append([str(i), name, "(16, 4, 1)", "(2, 1, 1)", *values])
    return "".join(",".join(f'"{cell}"' for cell in row) + "\n" for row in rows)


TOOLS = ("memcheck", "racecheck", "initcheck", "synccheck")


def raw_logs(folder, ncu, kernels, tools=TOOLS):
    """calibration_logs.tar.gz of a run with the given CSV, and one program under these tools."""
    raw = folder / "raw"
    raw.mkdir()
    (raw / "ncu.csv").write_text(ncu)
    (raw / "micro_kernels.txt").write_text("\n".join(kernels))
    (raw / "faulty.sums.memcheck.txt").write_text(MEMCHECK)
    clean = "========= COMPUTE-SANITIZER\n========= ERROR SUMMARY: 0 errors\n"
    for tool in TOOLS[1:]:
        (raw / f"faulty.sums.{tool}.txt").write_text(clean)
    conditions = {
        **dict.fromkeys(("compute_capability", "driver", "cuda", "ncu", "compute_sanitizer"), "1"),
        "gpu": "NVIDIA H200",
        "date": "2024-02-29",
        "counters_command": "ncu",
        "sanitizer_commands": {},
        "runs": {"faulty/sums": {tool: {"status": "finished", "exit": 0} for tool in tools}},
        "not_compiled": {},
    }
    (raw / "conditions.json").write_text(json.dumps(conditions))
    archive = folder / "calibration_logs.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(raw, arcname="raw")
    return archive


def test_results_from_kept_logs(calibrate, tmp_path):
    ncu = ncu_log(calibrate, {"rows": {METRIC_OF_A_LOAD: 12}, "columns": {}})
    done = run("--parse", raw_logs(tmp_path, ncu, ["rows", "columns"]), "--output", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    text = (tmp_path / "h200.json").read_text()
    counters = json.loads(text)
    size = {"grid": [2, 1, 1], "block": [16, 4, 1]}
    assert counters["kernels"] == {
        "rows": {**size, "global_load": {"sectors": 12}},
        "columns": size,
    }
    assert counters["metrics"]["global_load"]["sectors"] == METRIC_OF_A_LOAD
    assert sum('"rows": {"grid"' in line for line in text.splitlines()) == 1  # a line per kernel
    checks = json.loads((tmp_path / "compute_sanitizer.json").read_text())
    assert list(checks["programs"]["faulty/sums"]) == ["memcheck"]  # the others found nothing
    assert checks["programs"]["faulty/sums"]["memcheck"]["errors"] == 1005


def test_what_is_missing_is_said(calibrate, tmp_path):
    ncu = ncu_log(calibrate, {"rows": {}, "columns": {METRIC_OF_A_LOAD: "n/a"}})
    logs = raw_logs(tmp_path, ncu, ["rows", "columns", "diagonals"])
    done = run("--parse", logs, "--output", tmp_path / "out")
    assert done.returncode == 1
    assert "no counters of diagonals" in done.stderr
    assert f"{METRIC_OF_A_LOAD} has no value for 1 kernels" in done.stderr


def test_a_tool_that_did_not_run_is_said(calibrate, tmp_path):
    logs = raw_logs(tmp_path, ncu_log(calibrate, {"rows": {}}), ["rows"], TOOLS[:3])
    done = run("--parse", logs, "--output", tmp_path / "out")
    assert done.returncode == 1
    assert "synccheck, not run: faulty/sums" in done.stderr
    checks = json.loads((tmp_path / "out" / "compute_sanitizer.json").read_text())
    assert checks["programs"]["faulty/sums"]["synccheck"] == {"status": "not run"}
