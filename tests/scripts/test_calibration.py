"""The CPU device against an NVIDIA H200: what both count for the micro-kernels, and what compute-sanitizer finds in the
programs of tests/cpu_device/checks.

The GPU's side was measured by scripts/calibrate. A difference passes only if it is listed here, with its reason; one
that is listed and no longer there fails too. `pytest -s` prints what is compared.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from conftest import ROOT, run
from course_tools import build, display

COUNTERS = ROOT / "tests" / "cpu_device" / "counters"
CHECKS = ROOT / "tests" / "cpu_device" / "checks"

# ---- Counters ----

# Micro-kernels that h200.json does not have yet: to be emptied when scripts/calibrate has run again.
NOT_MEASURED: set[str] = set()

ADDED_UP = "nvcc adds up the warp's values in registers, and one lane adds the sum"
SWAP_LOOP = "a GPU loads, adds, and compares and swaps until it succeeds; here it is one operation"
# (kernel, counter): the CPU device's number, the H200's, the reason.
DIFFERENCES = {
    ("global_atomic_uniform", "global_atomic.sectors"): (32, 1, ADDED_UP),
    ("shared_atomic_float", "shared_load.requests"): (1, 2, SWAP_LOOP),
    ("shared_atomic_float", "shared_load.wavefronts"): (1, 2, SWAP_LOOP),
    ("shared_atomic_float", "shared_atomic.wavefronts"): (1, 2, SWAP_LOOP),
}

KINDS = (
    "global_load",
    "global_store",
    "global_atomic",
    "shared_load",
    "shared_store",
    "shared_atomic",
)
WITHIN = {"requests": 0.0, "sectors": 0.0, "wavefronts": 0.02, "conflicts": 0.02}

Numbers = dict[str, int]  # by counter, such as shared_load.wavefronts


def counters_of(kinds: dict[str, Numbers]) -> Numbers:
    """One flat table, with 0 for what is not there."""
    return {
        f"{kind}.{name}": kinds.get(kind, {}).get(name, 0)
        for kind in KINDS
        for name in WITHIN
        if (name == "sectors") <= kind.startswith("global")
        if (name in ("wavefronts", "conflicts")) <= kind.startswith("shared")
    }


def gpu_counters(kernel: dict) -> Numbers:
    """What h200.json says of a kernel. The CPU device makes no difference between ncu's two kinds of atomics."""
    numbers = counters_of(kernel)
    for name, value in kernel.get("global_reduction", {}).items():
        numbers[f"global_atomic.{name}"] += value
    return numbers


def own_counters(launch: dict) -> Numbers:
    counted = {kind: dict(launch["counters"][kind]) for kind in KINDS}
    for members in counted.values():
        members["conflicts"] = members["wavefronts"] - members["ideal_wavefronts"]
    return counters_of(counted)


def differences(ours: Numbers, gpu: Numbers) -> Iterator[tuple[str, int, int]]:
    for counter, value in gpu.items():
        if abs(ours[counter] - value) > WITHIN[counter.split(".")[1]] * value:
            yield counter, ours[counter], value


def bare_name(kernel: str) -> str:
    return re.sub(r"\(.*", "", kernel.replace("(anonymous namespace)::", ""))


@pytest.fixture(scope="module")
def launches(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, dict]]:
    """By compiler and kernel, what the checked mode counted; the programs are built first."""
    folder = build.build(display.make_console(), "cpu", ["micro_kernels"])
    folder = folder / "tests" / "cpu_device" / "counters"
    result = {}
    for compiler in (folder / "compilers.txt").read_text().split():
        report = tmp_path_factory.mktemp("counters") / "counters.json"
        environment = os.environ | {"CPU_DEVICE_COUNTERS": str(report)}
        done = run([folder / f"micro_kernels_{compiler}"], env=environment)
        assert done.returncode == 0, done.stdout + done.stderr
        counted = json.loads(report.read_text())["launches"]
        result[compiler] = {bare_name(launch["kernel"]): launch for launch in counted}
        assert len(result[compiler]) == len(counted), "a kernel was launched twice"
    assert result
    return result


@pytest.fixture(scope="module")
def measured() -> dict[str, dict]:
    return json.loads((COUNTERS / "h200.json").read_text())["kernels"]


def test_every_kernel_was_measured(launches: dict, measured: dict) -> None:
    for compiler, kernels in launches.items():
        assert set(measured) - set(kernels) == set(), f"{compiler}: no longer among the kernels"
        assert set(kernels) - set(measured) == NOT_MEASURED, "not as NOT_MEASURED says"


def test_kernels_are_launched_alike(launches: dict, measured: dict) -> None:
    for kernels in launches.values():
        for name, gpu in measured.items():
            launch = kernels[name]
            assert (launch["grid"], launch["block"]) == (gpu["grid"], gpu["block"]), name


def test_counters_are_the_gpus(launches: dict, measured: dict) -> None:
    listed = {key: (ours, gpu) for key, (ours, gpu, _) in DIFFERENCES.items()}
    for compiler, kernels in launches.items():
        found = {}
        print(f"\n{compiler}: the CPU device's count / the H200's, where one is not 0")
        for name, gpu in measured.items():
            ours, theirs = own_counters(kernels[name]), gpu_counters(gpu)
            pairs = [f"{c} {ours[c]}/{theirs[c]}" for c in ours if ours[c] or theirs[c]]
            print(f"{name}: {', '.join(pairs)}")
            found |= {(name, counter): values for counter, *values in differences(ours, theirs)}
        found = {key: tuple(values) for key, values in found.items()}
        assert found == listed, f"{compiler}: not as DIFFERENCES says"


def test_the_page_lists_the_differences() -> None:
    text = (COUNTERS / "README.md").read_text()
    rows = [line for line in text.splitlines() if line.startswith("|")]
    for (kernel, counter), (ours, gpu, _) in DIFFERENCES.items():
        start = f"| `{kernel}` | {counter} | {ours} | {gpu} |"
        assert any(row.startswith(start) for row in rows), start


def test_what_counts_as_a_difference() -> None:
    gpu = gpu_counters(
        {
            "global_load": {"requests": 4, "sectors": 100},
            "global_reduction": {"sectors": 2},
            "global_atomic": {"sectors": 1},
            "shared_load": {"wavefronts": 1000},
        }
    )
    assert gpu["global_atomic.sectors"] == 3
    assert list(differences(gpu, gpu)) == []
    assert list(differences(gpu | {"shared_load.wavefronts": 1020}, gpu)) == []
    for counter, value in (
        ("global_load.requests", 5),
        ("global_load.sectors", 101),
        ("shared_load.wavefronts", 1021),
        ("shared_load.wavefronts", 979),
        ("shared_store.conflicts", 1),
        ("global_atomic.sectors", 0),
    ):
        assert list(differences(gpu | {counter: value}, gpu)) == [(counter, value, gpu[counter])]


# ---- compute-sanitizer ----

# Programs that compute_sanitizer.json does not have yet.
PROGRAMS_NOT_MEASURED: set[str] = set()

# What a report of the tools is called here.
CLASSES = {
    r"Invalid __global__ \w+, out of bounds": {
        "global-out-of-bounds",
        "host-pointer",
        "null-pointer",
        "use-after-free",
    },
    r"Invalid __shared__ \w+, out of bounds": {"shared-out-of-bounds"},
    r"Invalid __\w+__ \w+, misaligned": {"misaligned"},
    r"Uninitialized __global__ memory read": {"uninitialised-global"},
    r"Race between \w+ and \w+": {"shared-race"},
    r"Barrier error detected. Divergent thread\(s\) in (warp|block)": {"divergent-barrier"},
    r"Barrier error detected. Invalid arguments": {"warp-mask"},
    r"Illegal instruction": {"divergent-barrier", "warp-mask"},
    r"Leak": {"leak"},
    r"cudaFree(Async)? returned \w+": {"invalid-free"},
    r"cudaLaunchKernel returned \w+": {"launch-error"},
    r"cudaGetLastError returned \w+": {"invalid-free", "launch-error"},
    r"time-out": {"missing-lanes", "warp-mask"},
    r"exit 11": {"device-pointer-in-host"},  # a segmentation fault
}
FAULT = re.compile(
    r"Invalid |Illegal "
)  # ends the context: later calls fail, and nothing can be freed
AFTER_FAULT = re.compile(r"Leak|cuda\w+ returned \w+")

# Reports for faulty programs that the CPU device does not make.
ONLY_THEIRS = {
    (
        "faulty/host_pointer_to_stack",
        "synccheck",
        "time-out",
    ): "the other tools end; synccheck hangs",
    (
        "faulty/uninitialised_global_pitch_padding",
        "initcheck",
        "time-out",
    ): "hangs after 1,000 reports",
}

# Errors of faulty programs that no tool reports: classes, and single programs.
ONLY_OURS = {
    "constant-out-of-bounds": "memcheck does not look at constant memory",
    "global-race": "racecheck looks at shared memory only",
    "local-out-of-bounds": "the array is in registers, or the access stays inside the thread's stack",
    "read-only-write": "a GPU has no read-only marks",
    "uninitialised-shared": "initcheck looks at global memory only",
    "faulty/global_one_divergent_lane": "hits the next allocation, which memcheck cannot tell",
    "faulty/misaligned_float4": "nvcc loaded the two floats that were used, with 4 bytes each; all four are used "
    "since: the next recording removes this line",
    "faulty/shared_before_the_start": "the first 1,024 bytes are the system's: nothing is noticed",
    "faulty/shared_column_overflow_2d": "stays in the block's shared memory",
    "faulty/shared_into_next_array": "stays in the block's shared memory",
    "faulty/shared_struct_member": "stays in the block's shared memory",
    "faulty/shared_race_reset_and_atomics": "racecheck does not hold atomics against plain accesses",
    "faulty/shared_race_scan_in_place": "not known: both accesses are between two barriers in the SASS",
    "faulty/use_after_free_replaced": "the new allocation has the freed one's address",
    "faulty/warp_mask_shifted_vote": "synccheck does not look whether the mask names the caller",
    "faulty/warp_mask_without_caller": "synccheck does not look whether the mask names the caller",
}

# What the tools say of correct programs.
FALSE_ALARMS = {
    ("device_reset_frees_everything", "memcheck"): "what cudaDeviceReset frees counts as leaked",
    ("download_of_partly_written_memory", "initcheck"): "a copy to the host counts as a use",
    ("flags_between_warps", "racecheck"): "flags and fences do not count, only barriers",
    (
        "launch_error_looked_at",
        "memcheck",
    ): "a failed call counts also where the program expects it",
    ("lock_in_shared_memory", "racecheck"): "locks and fences do not count, only barriers",
    ("managed_memory_between_kernels", "memcheck"): "a __managed__ variable counts as leaked",
    ("struct_copy_with_padding", "initcheck"): "a copy to the host counts as a use, of padding too",
    (
        "struct_padding_never_read",
        "initcheck",
    ): "a copy to the host counts as a use, of padding too",
}
# Correct programs that do not end with 0 on the H200.
FAILING = {
    "launch_error_looked_at": "CUDA 13.0 says cudaErrorInvalidValue, which the program accepts since: "
    "the next recording removes this line",
}


@dataclass(frozen=True)
class Expectation:
    """A line `// expect: error shared-race [A] [B]` of a program, or `// allow: ...`."""

    required: bool
    severity: str
    kind: str
    places: tuple[str, ...]


def tags(source: Path) -> dict[str, str]:
    """`[A]` to file:line, for the lines of a program and of the headers beside it that end in `// [A]`."""
    result = {}
    for number, line in enumerate(source.read_text().splitlines(), start=1):
        include = re.match(r'\s*#include "([^/"]+)"', line)
        tag = re.search(r"// (\[[A-Z]\])\s*$", line)
        if include is not None:
            result |= tags(source.parent / include[1])
        elif tag is not None and not line.startswith("//"):
            result[tag[1]] = f"{source.name}:{number}"
    return result


def expectations(program: str) -> list[Expectation]:
    source = CHECKS / f"{program}.cu"
    places, result = tags(source), []
    for line in source.read_text().splitlines():
        if rule := re.match(r"// (expect|allow): (\w+) (\S+)(.*)$", line):
            at = tuple(places[tag] for tag in rule[4].split())
            result.append(Expectation(rule[1] == "expect", rule[2], rule[3], at))
    return result


@dataclass(frozen=True)
class Report:
    """What one tool said of one program; a class can also be how the program ended."""

    program: str
    tool: str
    kind: str
    places: tuple[str, ...] = ()
    callers: tuple[str, ...] = ()

    def matches(self, expected: Expectation) -> bool:
        known = [ours for kind, ours in CLASSES.items() if re.fullmatch(kind, self.kind)]
        if expected.kind not in set().union(*known):
            return False
        if expected.kind == "shared-race":
            return sorted(expected.places) == sorted(self.places)
        return not self.places or not {*self.places, *self.callers}.isdisjoint(expected.places)

    def __str__(self) -> str:
        return f"{self.program}, {self.tool}: {self.kind} at {self.places + self.callers}"


def reports(program: str, tools: dict[str, dict]) -> Iterator[Report]:
    """Without what only follows from a fault in the same run."""
    for tool, record in tools.items():
        found = record.get("reports", [])
        fault = any(FAULT.match(report["class"]) for report in found)
        for report in found:
            if not fault or not AFTER_FAULT.fullmatch(report["class"]):
                where = (
                    tuple(report[key]) if key in report else () for key in ("places", "frames")
                )
                yield Report(program, tool, report["class"], *where)
        if record.get("status", "finished") != "finished":
            yield Report(program, tool, record["status"])
        elif record.get("exit", 0) != 0:
            yield Report(program, tool, f"exit {record['exit']}")


@pytest.fixture(scope="module")
def checked() -> dict[str, dict]:
    return json.loads((CHECKS / "compute_sanitizer.json").read_text())["programs"]


def programs_of(checked: dict[str, dict], kind: str) -> dict[str, list[Report]]:
    return {
        program: list(reports(program, tools))
        for program, tools in checked.items()
        if program.startswith(f"{kind}/")
    }


def test_every_program_was_measured(checked: dict) -> None:
    sources = [path for kind in ("faulty", "correct") for path in (CHECKS / kind).glob("*.cu")]
    programs = {f"{path.parent.name}/{path.stem}" for path in sources}
    assert set(checked) - programs == {"micro_kernels"}
    assert programs - set(checked) == PROGRAMS_NOT_MEASURED, "not as PROGRAMS_NOT_MEASURED says"


def test_what_the_tools_find_is_found(checked: dict) -> None:
    missed, count = [], 0
    for program, found in programs_of(checked, "faulty").items():
        ours = expectations(program)
        assert ours, f"{program} expects nothing"
        count += len(found)
        missed += [r for r in found if not any(r.matches(expected) for expected in ours)]
    print(f"\n{count} reports of compute-sanitizer for faulty programs, {len(missed)} not ours:")
    for report in missed:
        print(f"{report}: {ONLY_THEIRS.get((report.program, report.tool, report.kind))}")
    assert {(r.program, r.tool, r.kind) for r in missed} == set(ONLY_THEIRS)


def test_what_only_the_cpu_device_finds_has_a_reason(checked: dict) -> None:
    used, unexplained = set(), []
    print()
    for program, found in programs_of(checked, "faulty").items():
        for expected in expectations(program):
            wanted = expected.required and expected.severity == "error"
            if not wanted or any(report.matches(expected) for report in found):
                continue
            key = program if program in ONLY_OURS else expected.kind
            print(f"{program}: {expected.kind}: {ONLY_OURS.get(key, 'no reason is known')}")
            used.add(key)
            if key not in ONLY_OURS:
                unexplained.append(f"{program}: {expected.kind}")
    assert unexplained == []
    assert used == set(ONLY_OURS), "an entry of ONLY_OURS that is no longer true"


def test_what_the_tools_say_of_correct_programs_is_known(checked: dict) -> None:
    alarms, failing = {}, set()
    for program, found in programs_of(checked, "correct").items():
        name = program.removeprefix("correct/")
        for report in found:
            if report.kind.startswith("exit "):
                failing.add(name)
            else:
                alarms[name, report.tool] = str(report)
    for key, report in alarms.items():
        print(f"\n{report}: {FALSE_ALARMS.get(key)}", end="")
    assert set(alarms) == set(FALSE_ALARMS)
    assert failing == set(FAILING)


def test_the_tools_are_content_with_the_micro_kernels(checked: dict) -> None:
    assert checked["micro_kernels"] == {}


RACE = Report("p", "racecheck", "Race between Read and Write", ("a.cu:5", "a.cu:7"))


def test_a_report_matches_at_its_line_only() -> None:
    assert RACE.matches(Expectation(True, "error", "shared-race", ("a.cu:7", "a.cu:5")))
    assert not RACE.matches(Expectation(True, "error", "shared-race", ("a.cu:7", "a.cu:6")))
    assert not RACE.matches(Expectation(True, "error", "global-race", ("a.cu:7", "a.cu:5")))
    atomic = Report(
        "p", "memcheck", "Invalid __global__ atomic, misaligned", ("x.hpp:1",), ("a.cu:3",)
    )
    assert atomic.matches(Expectation(True, "error", "misaligned", ("a.cu:3",)))
    assert not atomic.matches(Expectation(True, "error", "misaligned", ("a.cu:4",)))
    assert not atomic.matches(Expectation(True, "error", "global-out-of-bounds", ("a.cu:3",)))


def test_what_follows_from_a_fault_is_no_report() -> None:
    leak = {"severity": "error", "class": "Leak", "places": [], "count": 1}
    fault = {"severity": "error", "class": "Illegal instruction", "places": ["a.cu:1"], "count": 1}
    assert [r.kind for r in reports("p", {"memcheck": {"reports": [leak]}})] == ["Leak"]
    assert [r.kind for r in reports("p", {"memcheck": {"reports": [leak, fault]}})] == [
        "Illegal instruction"
    ]
