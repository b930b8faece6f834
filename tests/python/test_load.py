"""load(): a student's own file, its stub, and what can be wrong with it."""

import contextlib
import re
import shutil
import types
import warnings
from pathlib import Path

import numpy
import pytest
from reference import Reference, assert_within, draw


@pytest.fixture
def arrays() -> list[numpy.ndarray]:
    return draw(1, 2, 70, 16)


@pytest.fixture
def source(tmp_path: Path, root: Path) -> Path:
    """A file of the student's: the solution of lesson 03, to be changed by the test."""
    path = tmp_path / "03_mine.cu"
    path.write_text((root / "solutions/03_online_softmax.cu").read_text(encoding="ascii"))
    return path


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="ascii")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), encoding="ascii")


def libraries(fl: types.ModuleType) -> set[Path]:
    from flash_lessons import _build

    return set(_build.cache_folder().glob("*.so"))


def test_a_file_serves_like_a_lesson(fl: types.ModuleType, source: Path, arrays: list) -> None:
    mine = fl.load(source)
    o, lse = mine.attention(*arrays, return_lse=True)
    expected = Reference(*arrays)
    assert_within(o, expected.o, expected.o_bound)
    assert_within(lse, expected.lse, expected.lse_bound)
    assert mine.report().kernels == str(source)
    assert mine.report().memory.extra_bytes == lse.nbytes
    assert mine.allocate_only(seq_len_q=8192).memory.extra_bytes == 4 * 8192
    fl.attention(*arrays, lesson="01")
    assert mine.report().kernels == str(source)
    assert fl.report().kernels == "01_naive"


def test_a_backward_pass(fl: types.ModuleType, root: Path, arrays: list) -> None:
    mine = fl.load(root / "solutions/06_backward.cu")
    o, lse = fl.attention(*arrays, return_lse=True)
    do = numpy.ones_like(o)
    for one, other in zip(
        mine.backward(*arrays, o, lse, do), fl.backward(*arrays, o, lse, do), strict=True
    ):
        numpy.testing.assert_array_equal(one, other)
    with pytest.raises(NotImplementedError, match=r"06_backward\.cu has no .* attention_forward"):
        mine.attention(*arrays)


def test_an_untouched_stub(fl: types.ModuleType, root: Path, arrays: list) -> None:
    stub = fl.load(root / "kernels/03_online_softmax.cu")
    with pytest.warns(RuntimeWarning, match="did not write 2,240 of the 2,240 values of o") as told:
        o = stub.attention(*arrays)
    assert numpy.isnan(o).all()
    assert told[0].filename == __file__


@pytest.mark.parametrize("lesson", ["01", "02"])
def test_a_file_without_lse(
    fl: types.ModuleType, root: Path, arrays: list, tmp_path: Path, lesson: str
) -> None:
    """Whether it has one is seen, whatever its name is."""
    (solution,) = (root / "solutions").glob(f"{lesson}_*.cu")
    mine = fl.load(shutil.copyfile(solution, tmp_path / "mine.cu"))
    with pytest.raises(NotImplementedError, match=r"mine\.cu does not write LSE.* lesson 03"):
        mine.attention(*arrays, return_lse=True)
    with pytest.raises(NotImplementedError, match=r"mine\.cu does not write LSE"):
        mine.allocate_only(seq_len_q=64, lse=True)
    assert mine.allocate_only(seq_len_q=64).memory.lse_bytes == 0
    expected = Reference(*arrays)
    assert_within(mine.attention(*arrays), expected.o, expected.o_bound)


def test_lse_in_a_file_named_after_an_early_lesson(
    fl: types.ModuleType, source: Path, arrays: list
) -> None:
    mine = fl.load(source.rename(source.with_name("02_mine.cu")))
    expected = Reference(*arrays)
    _, lse = mine.attention(*arrays, return_lse=True)
    assert_within(lse, expected.lse, expected.lse_bound)
    assert mine.allocate_only(seq_len_q=64).memory.lse_bytes == 4 * 64


@pytest.mark.parametrize(("name", "has_lse"), [("02_tiled", False), ("03_online_softmax", True)])
def test_lse_of_a_stub_goes_by_its_name(
    fl: types.ModuleType, root: Path, name: str, has_lse: bool
) -> None:
    assert fl.load(root / f"kernels/{name}.cu").has_lse is has_lse


def test_a_result_that_is_read_is_not_called_unwritten(
    fl: types.ModuleType, source: Path, arrays: list
) -> None:
    change(source, "o_row[k] = inv_l * o_reg[k]", "o_row[k] += inv_l * o_reg[k]")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert numpy.isnan(fl.load(source).attention(*arrays)).all()


@pytest.mark.parametrize("name", ["01_naive", "02_tiled", "04_vectorized_io", "05_causal"])
@pytest.mark.filterwarnings("ignore:.*did not write")
def test_every_stub_can_be_called(
    fl: types.ModuleType, root: Path, arrays: list, name: str
) -> None:
    """It computes what it says it does not yet; it does not take the process with it."""
    o = fl.load(root / f"kernels/{name}.cu").attention(*arrays)
    expected = Reference(*arrays)
    with pytest.raises(AssertionError, match="values are wrong"):
        assert_within(o, expected.o, expected.o_bound)


def test_a_file_that_does_not_compile(
    fl: types.ModuleType, source: Path, capfd: pytest.CaptureFixture
) -> None:
    change(source, "m = m_new;", "m = m_old;")
    before = libraries(fl)
    with pytest.raises(fl.CompileError) as error:
        fl.load(source)
    line = source.read_text(encoding="ascii").split("\n").index("    m = m_old;") + 1
    assert re.search(rf"03_mine\.cu:{line}:\d+: error: .*m_old", str(error.value))
    assert capfd.readouterr() == ("", "")
    assert libraries(fl) == before


def test_a_faulting_kernel(fl: types.ModuleType, source: Path, arrays: list) -> None:
    change(source, "o_row[k] = inv_l", "o_row[k + 100000000] = inv_l")
    mine = fl.load(source)
    place = r"03_mine\.cu:91"
    with pytest.raises(fl.DeviceError, match=rf"cudaErrorIllegalAddress(.|\n)*{place}(.|\n)*block"):
        mine.attention(*arrays)
    with fl.counting(), pytest.raises(fl.DeviceError, match=place):
        mine.attention(*arrays)
    assert [one.kind for one in mine.report().findings] == ["global-out-of-bounds"]
    # The device works again.
    expected = Reference(*arrays)
    assert_within(fl.attention(*arrays), expected.o, expected.o_bound)


def test_what_the_checks_find(fl: types.ModuleType, source: Path, arrays: list) -> None:
    barrier = "    __syncthreads();  // the tiles are complete before any thread reads them\n"
    change(source, barrier, "\n")
    mine = fl.load(source)
    with fl.counting(), warnings.catch_warnings():
        warnings.simplefilter("error")  # what is computed from no value was written all the same
        mine.attention(*arrays)
    kinds = {one.kind for one in mine.report().findings}
    assert "shared-race" in kinds
    assert "shared-race at" in str(mine.report())
    assert all("03_mine.cu:" in one.place for one in mine.report().findings)


def test_a_leak(fl: types.ModuleType, root: Path, arrays: list) -> None:
    mine = fl.load(root / "tests/corpus/mutants/01_naive/leaks_workspace.cu")
    mine.attention(*arrays)
    assert mine.report().memory.held_bytes == 4 * 2 * 70 * 70
    assert "39,200 bytes are still held" in str(mine.report())
    mine.attention(*arrays)
    assert mine.report().memory.held_bytes == 2 * 4 * 2 * 70 * 70


def test_a_process_that_ends(fl: types.ModuleType, source: Path, arrays: list) -> None:
    change(source, "  if (N_q == 0) return cudaSuccess;", "  _Exit(7);\n")
    change(source, "#include <cmath>", "#include <cmath>\n#include <cstdlib>")
    with (
        fl.counting(),
        pytest.raises(fl.DeviceError, match=r"ended with status 7, in the .*host code"),
    ):
        fl.load(source).attention(*arrays)


@pytest.mark.parametrize("counting", [False, True])
def test_an_exception_of_the_launcher(
    fl: types.ModuleType, source: Path, arrays: list, counting: bool, capfd: pytest.CaptureFixture
) -> None:
    change(
        source,
        "  if (N_q == 0) return",
        '  throw std::runtime_error("of mine");\n  if (N_q == 0) return',
    )
    change(source, "#include <cmath>", "#include <cmath>\n#include <stdexcept>")
    mine = fl.load(source)
    counted = fl.counting() if counting else contextlib.nullcontext()
    with counted, pytest.raises(RuntimeError, match="^of mine$"):
        mine.attention(*arrays)
    assert capfd.readouterr().err == ""


# ---- What is compiled when. ----


def test_nothing_is_compiled_twice(fl: types.ModuleType, source: Path, arrays: list) -> None:
    fl.load(source)
    built = libraries(fl)
    times = {path: path.stat().st_mtime_ns for path in built}
    fl.load(source)
    fl.load(str(source))
    assert {path: path.stat().st_mtime_ns for path in libraries(fl)} == times


def test_an_edit_is_seen(fl: types.ModuleType, source: Path, arrays: list) -> None:
    before = fl.load(source)
    o = before.attention(*arrays)
    change(source, "o_row[k] = inv_l * o_reg[k]", "o_row[k] = 2.0f * (inv_l * o_reg[k])")
    after = fl.load(source)
    numpy.testing.assert_array_equal(after.attention(*arrays), 2 * o)
    numpy.testing.assert_array_equal(before.attention(*arrays), o)


def test_an_edit_of_an_included_file_is_seen(
    fl: types.ModuleType, source: Path, arrays: list
) -> None:
    factor = source.with_name("factor.h")
    factor.write_text("#define FACTOR 1.0f\n", encoding="ascii")
    change(source, "#include <cmath>", '#include <cmath>\n#include "factor.h"')
    change(source, "o_row[k] = inv_l * o_reg[k]", "o_row[k] = FACTOR * (inv_l * o_reg[k])")
    o = fl.load(source).attention(*arrays)
    factor.write_text("#define FACTOR 4.0f\n", encoding="ascii")
    numpy.testing.assert_array_equal(fl.load(source).attention(*arrays), 4 * o)


# ---- What is no kernel file. ----


def test_what_is_no_file(fl: types.ModuleType, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"nothing\.cu does not exist"):
        fl.load("nothing.cu")
    with pytest.raises(FileNotFoundError, match="is a folder"):
        fl.load(tmp_path)
    text = tmp_path / "notes.txt"
    text.write_text("", encoding="ascii")
    with pytest.raises(ValueError, match=r"has to end with \.cu"):
        fl.load(text)
    with pytest.raises(ValueError, match='device is "gpu"'):
        fl.load("nothing.cu", device="gpu")


def test_a_file_without_functions(fl: types.ModuleType, tmp_path: Path, arrays: list) -> None:
    empty = tmp_path / "empty.cu"
    empty.write_text("// nothing yet\n", encoding="ascii")
    with pytest.raises(NotImplementedError, match=r"empty\.cu has no function attention_forward"):
        fl.load(empty).attention(*arrays)


def test_a_function_without_a_definition(fl: types.ModuleType, source: Path) -> None:
    change(source, "  if (N_q == 0) return cudaSuccess;", "  missing();\n")
    change(source, "namespace {\n\nconstexpr", "void missing();\nnamespace {\n\nconstexpr")
    with pytest.raises(fl.SetupError, match="undefined symbol: .*missing"):
        fl.load(source)


def test_without_a_compiler(
    fl: types.ModuleType, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("CUDA_HOME", str(tmp_path))
    with pytest.raises(fl.SetupError, match=r"g\+\+ is missing.*apt-get install g\+\+"):
        fl.load(source)
    with pytest.raises(fl.SetupError, match="nvcc is missing"):
        fl.load(source, device="cuda")


@pytest.mark.skipif(shutil.which("nvcc") is None, reason="there is no nvcc here")
def test_nvcc_compiles_it_too(fl: types.ModuleType, source: Path, arrays: list) -> None:
    """Also where no GPU answers; arrays in host memory are for the CPU device all the same."""
    mine = fl.load(source, device="cuda")
    assert [path.name for path in libraries(fl) if ".cuda." in path.name]
    expected = Reference(*arrays)
    assert_within(mine.attention(*arrays), expected.o, expected.o_bound)
    change(source, "m = m_new;", "m = m_old;")
    with pytest.raises(fl.CompileError, match=r"03_mine\.cu\(\d+\): error: .*m_old"):
        fl.load(source, device="cuda")


def test_a_cache_that_cannot_be_written(
    fl: types.ModuleType, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("", encoding="ascii")
    monkeypatch.setenv("FLASH_LESSONS_CACHE", str(tmp_path / "file"))
    with pytest.raises(fl.SetupError, match="cannot write to .*FLASH_LESSONS_CACHE"):
        fl.load(source)
