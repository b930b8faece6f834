"""cpu_device/bin/cucheck: its report, its table of counters, and its exit statuses."""

import json
import re
import subprocess
from pathlib import Path

import pytest
from course_tools import paths

CUCHECK = paths.ROOT / "cpu_device" / "bin" / "cucheck"

SCALE = """\
#include <cuda_runtime.h>
#include <cstdio>
__global__ void scale(const float* in, float* out, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) out[i] = 2.0f * in[i];
}
int main(int argc, char** argv) {
  float *in, *out;
  cudaMalloc(&in, 64 * sizeof(float));
  cudaMalloc(&out, 64 * sizeof(float));
  cudaMemset(in, 0, 64 * sizeof(float));
  scale<<<2, 64>>>(in, out, argc > 1 ? 65 : 64);
  cudaDeviceSynchronize();
  cudaFree(in);
  cudaFree(out);
  std::printf("done\\n");
  return argc > 2 ? 7 : 0;
}
"""

# Every thread of a million reads past the end, at each of 40 lines.
MANY = """\
#include <cuda_runtime.h>
__global__ void overrun(const int* values) {
  int sum = 0;
  const volatile int* const end = values + 16;
READS
  if (sum == 1) __trap();
}
int main() {
  int* values;
  cudaMalloc(&values, 64);
  overrun<<<dim3(5, 5), dim3(32, 32)>>>(values);
  cudaDeviceSynchronize();
  cudaFree(values);
}
""".replace("READS", "\n".join(f"  sum += end[{n}];" for n in range(40)))


def cucheck(*arguments: str | Path) -> subprocess.CompletedProcess:
    return subprocess.run(
        [CUCHECK, *arguments], capture_output=True, text=True, timeout=300, check=False
    )


@pytest.fixture(name="scale", scope="module")
def _scale(tmp_path_factory: pytest.TempPathFactory) -> Path:
    source = tmp_path_factory.mktemp("cucheck") / "scale.cu"
    source.write_text(SCALE, encoding="utf-8")
    return source


def test_a_clean_program(scale: Path) -> None:
    result = cucheck(scale)
    assert (result.returncode, result.stdout, result.stderr) == (0, "done\n", "")


def test_a_faulty_run_names_line_thread_and_block(scale: Path) -> None:
    result = cucheck(scale, "--", "more")
    assert result.returncode == 1
    assert "scale.cu:5" in result.stderr
    assert (
        "thread (0,0,0) of block (1,0,0), kernel scale(float const*, float*, int)" in result.stderr
    )


def test_the_table_has_totals_and_source_lines(scale: Path) -> None:
    result = cucheck("--count", scale)
    assert result.returncode == 0
    assert "grid (2,1,1), block (64,1,1), shared memory 0 bytes static, 0 dynamic" in result.stderr
    assert re.search(r"global load: +2 requests, 256 bytes, 8 sectors", result.stderr)
    assert "scale.cu:5   if (i < n) out[i] = 2.0f * in[i];" in result.stderr
    assert "device memory: 512 bytes at peak, 0 in use at the end" in result.stderr


def test_the_counters_as_a_file(scale: Path, tmp_path: Path) -> None:
    result = cucheck("--counters", tmp_path / "counters.json", scale)
    assert (result.returncode, result.stderr) == (0, "")
    found = json.loads((tmp_path / "counters.json").read_text(encoding="utf-8"))
    assert found["compiler"].startswith("g++ ")
    assert found["launches"][0]["counters"]["global_store"]["sectors"] == 8


def test_the_programs_own_failure_is_told(scale: Path) -> None:
    result = cucheck(scale, "--", "more", "still more")
    assert result.returncode == 1
    assert "cucheck: the program ended with exit status 7" in result.stderr


def test_a_million_findings_are_few_lines(tmp_path: Path) -> None:
    source = tmp_path / "many.cu"
    source.write_text(MANY, encoding="utf-8")
    result = cucheck(source)
    assert result.returncode == 1
    lines = (result.stdout + result.stderr).splitlines()
    assert len(lines) < 100
    assert sum("25600 times" in line for line in lines) >= 10
    assert "and 20 more" in result.stderr
    assert "40 errors" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "usage: cucheck"),
        (["--findings"], "--findings needs a file"),
        (["--counters"], "--counters needs a file"),
        (["not_here.cu"], "not_here.cu: no such file"),
        (["--no-such-option"], "no input file"),
    ],
)
def test_wrong_usage(arguments: list[str], words: str) -> None:
    result = cucheck(*arguments)
    assert result.returncode == 2
    assert words in result.stderr


def test_a_program_that_does_not_compile(tmp_path: Path) -> None:
    source = tmp_path / "broken.cu"
    source.write_text("int main() { return x; }\n", encoding="utf-8")
    result = cucheck(source)
    assert result.returncode == 2
    assert "broken.cu:1" in result.stderr


def test_a_program_that_cannot_report(tmp_path: Path) -> None:
    source = tmp_path / "aborts.cu"
    source.write_text("#include <cstdlib>\nint main() { abort(); }\n", encoding="utf-8")
    result = cucheck(source)
    assert result.returncode == 3
    assert "signal 6" in result.stderr
