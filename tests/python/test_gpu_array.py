"""The memory in which results for JAX are made, with a library that only pretends to have a GPU."""

import gc
import shutil
import subprocess
import types
from pathlib import Path

import pytest

STAND_IN = """
#include <cstdlib>
#include "call.h"
static int arrays = 0;
extern "C" {
int flash_lessons_call_version() { return flash_lessons::kCallVersion; }
int flash_lessons_is_gpu() { return 1; }
int flash_lessons_functions() { return arrays; }  // which the extension asks for when it loads
std::uint64_t flash_lessons_static_bytes() { return 0; }
void* flash_lessons_allocate(int, std::size_t bytes) { ++arrays; return std::malloc(bytes); }
void flash_lessons_free(int, void* pointer) { --arrays; std::free(pointer); }
}
"""
CUDA = 2  # DLPack's number


@pytest.fixture
def library(fl: types.ModuleType, tmp_path: Path) -> Path:
    if shutil.which("g++") is None:
        pytest.skip("there is no g++")
    source = tmp_path / "stand_in.cpp"
    source.write_text(STAND_IN, encoding="ascii")
    include = Path(fl.__file__).parent / "include"
    path = tmp_path / "stand_in.so"
    subprocess.run(["g++", "-shared", "-fPIC", "-I", include, source, "-o", path], check=True)
    return path


def test_a_gpu_array_is_given_out_again_and_again(fl: types.ModuleType, library: Path) -> None:
    array = fl._core.gpu_array(fl._core.Library(str(library)), [2, 3], 1)
    assert array.__dlpack_device__() == (CUDA, 1)
    # Once to the extension, which writes to it, and once to JAX, which keeps it.
    capsules = [array.__dlpack__(stream=1) for _ in range(2)]
    assert all("dltensor" in repr(capsule) for capsule in capsules)


def test_a_gpu_array_is_freed_with_its_last_user(fl: types.ModuleType, library: Path) -> None:
    def arrays() -> int:
        again = fl._core.Library(str(library))
        return 2 * again.has_backward + again.has_forward

    array = fl._core.gpu_array(fl._core.Library(str(library)), [4], 0)
    capsule = array.__dlpack__()
    del array
    gc.collect()
    assert arrays() == 1
    del capsule
    gc.collect()
    assert arrays() == 0
