"""What is refused, with which words; and then nothing has been computed."""

import os
import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path

import numpy
import pytest
from reference import draw

GOOD = (1, 2, 8, 4)


def zeros(*shape: int) -> numpy.ndarray:
    return numpy.zeros(shape, numpy.float32)


def transposed() -> numpy.ndarray:
    return zeros(1, 8, 2, 4).swapaxes(1, 2)


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        # What is no array of float32.
        (
            {"q": [[1.0]]},
            TypeError,
            "q has to be an array of NumPy, PyTorch, CuPy or JAX, not list",
        ),
        ({"v": None}, TypeError, "v has to be an array .* not NoneType"),
        ({"q": zeros(*GOOD).astype("float64")}, TypeError, "q is float64; float32 is needed"),
        ({"k": zeros(*GOOD).astype("float16")}, TypeError, "k is float16"),
        ({"k": zeros(*GOOD).astype("int32")}, TypeError, "k is int32"),
        ({"k": zeros(*GOOD).astype("bool")}, TypeError, "k is bool"),
        ({"k": zeros(*GOOD).astype("complex64")}, TypeError, "k is complex64"),
        ({"k": zeros(*GOOD).astype(">f4")}, TypeError, "not ndarray of >f4"),
        ({"k": zeros(*GOOD).astype(object)}, TypeError, "not ndarray of object"),
        (
            {"q": numpy.ma.masked_less(zeros(*GOOD), 1)},
            TypeError,
            r"q is a masked array.*pass q\.filled",
        ),
        # Rank.
        ({"q": zeros(2, 8, 4)}, ValueError, r"q has 3 dimensions, shape \(2, 8, 4\)"),
        ({"v": zeros(1, 1, 2, 8, 4)}, ValueError, "v has 5 dimensions"),
        ({"q": zeros()}, ValueError, "q has 0 dimensions"),
        # Order in memory.
        ({"q": transposed()}, ValueError, "q is not contiguous.*ascontiguousarray"),
        ({"k": zeros(1, 2, 16, 4)[:, :, ::2]}, ValueError, "k is not contiguous"),
        ({"v": zeros(*GOOD)[:, :, ::-1]}, ValueError, "v is not contiguous"),
        ({"v": numpy.asfortranarray(zeros(*GOOD))}, ValueError, "v is not contiguous"),
        ({"v": numpy.broadcast_to(zeros(1, 1, 8, 4), GOOD)}, ValueError, "v is not contiguous"),
        # Sizes that do not fit together.
        ({"k": zeros(2, 2, 8, 4)}, ValueError, "k has shape .* batch and head_dim"),
        ({"k": zeros(1, 2, 8, 5)}, ValueError, "k has shape .* batch and head_dim"),
        ({"v": zeros(1, 2, 7, 4)}, ValueError, r"v has shape \(1, 2, 7, 4\).*\(1, 2, 8, 4\)"),
        ({"v": zeros(1, 2, 8, 3)}, ValueError, "v has shape"),
        ({"v": zeros(1, 1, 8, 4)}, ValueError, "v has shape"),
        ({"q": zeros(1, 3, 8, 4)}, ValueError, "k has 2 heads; the 3 heads of q"),
        ({"q": zeros(1, 0, 8, 4)}, ValueError, "q has no heads"),
        ({"q": zeros(0, 2, 8, 4)}, ValueError, r"q has an empty batch: .*\(0, 2, 8, 4\)"),
        ({name: zeros(1, 2, 8, 0) for name in "qkv"}, ValueError, "head_dim 0; 1 to 128"),
        ({name: zeros(1, 2, 8, 129) for name in "qkv"}, ValueError, "head_dim 129; 1 to 128"),
        # Other arguments.
        ({"softmax_scale": float("nan")}, ValueError, "softmax_scale has to be a finite"),
        ({"softmax_scale": 1e39}, ValueError, "softmax_scale"),
        ({"softmax_scale": 10**400}, ValueError, "softmax_scale has to be a finite"),
        ({"softmax_scale": "1"}, TypeError, "softmax_scale has to be a number or None, not '1'"),
        ({"softmax_scale": True}, TypeError, "softmax_scale has to be .* not True of type bool"),
        ({"softmax_scale": 1j}, TypeError, "softmax_scale has to be a number or None"),
        ({"softmax_scale": numpy.ones(2)}, TypeError, "softmax_scale has to be a number or None"),
        ({"causal": 1}, TypeError, "causal has to be True or False, not 1 of type int"),
        ({"causal": "no"}, TypeError, "causal has to be True or False, not 'no' of type str"),
        ({"return_lse": None}, TypeError, "return_lse has to be True or False, not None"),
        ({"lesson": "08"}, ValueError, 'no lesson "08"; there are 01, 02'),
        ({"lesson": 3}, TypeError, 'lesson has to be a string such as "03", not int'),
        # What a lesson does not have.
        ({"lesson": "06"}, NotImplementedError, "06_backward has no function attention_forward"),
        ({"lesson": "02", "return_lse": True}, NotImplementedError, "LSE.* lesson 03"),
    ],
)
def test_attention_refuses(
    fl: types.ModuleType, changes: dict, error: type[Exception], words: str
) -> None:
    fl.attention(*draw(*GOOD))
    before = fl.report()
    with pytest.raises(error, match=words):
        fl.attention(**{name: zeros(*GOOD) for name in "qkv"} | changes)
    assert fl.report() is before, "something was called"


@pytest.mark.parametrize("lesson", ["01", "02", "03", "04"])
def test_features_of_later_lessons(fl: types.ModuleType, lesson: str) -> None:
    q, k, v = draw(*GOOD)
    with pytest.raises(NotImplementedError, match="causal=True comes with lesson 05"):
        fl.attention(q, k, v, lesson=lesson, causal=True)
    assert fl.report().launches == 0
    with pytest.raises(NotImplementedError, match="2 heads of q over 1 of k come with lesson 07"):
        fl.attention(q, k[:, :1], v[:, :1], lesson=lesson)
    assert fl.report().launches == 0


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"o": zeros(1, 2, 7, 4)}, ValueError, "o has shape .* the shape of q"),
        ({"do": zeros(1, 2, 8, 5)}, ValueError, "do has shape .* the shape of q"),
        ({"lse": zeros(1, 2, 7)}, ValueError, r"lse has shape .*\(1, 2, 8\) is needed"),
        ({"lse": zeros(1, 2, 8, 1)}, ValueError, "lse has 4 dimensions"),
        ({"lse": zeros(1, 2, 8).astype("float64")}, TypeError, "lse is float64"),
        ({"do": transposed()}, ValueError, "do is not contiguous"),
        ({"do": None}, TypeError, "do has to be an array"),
        ({"causal": 0}, TypeError, "causal has to be True or False"),
        ({"softmax_scale": "1"}, TypeError, "softmax_scale has to be a number"),
        ({"lesson": "05"}, NotImplementedError, "05_causal has no function attention_backward"),
    ],
)
def test_backward_refuses(
    fl: types.ModuleType, changes: dict, error: type[Exception], words: str
) -> None:
    fl.attention(*draw(*GOOD))
    before = fl.report()
    good = {name: zeros(*GOOD) for name in ("q", "k", "v", "o", "do")} | {"lse": zeros(*GOOD[:3])}
    with pytest.raises(error, match=words):
        fl.backward(**good | changes)
    assert fl.report() is before, "something was called"


def test_grouped_heads_in_the_backward_pass(fl: types.ModuleType) -> None:
    q, kv, lse = zeros(1, 4, 8, 4), zeros(1, 2, 8, 4), zeros(1, 4, 8)
    with pytest.raises(NotImplementedError, match="4 heads of q over 2 of k, where") as error:
        fl.backward(q, kv, kv, q, lse, q)
    assert "lesson 07" not in str(error.value)


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"seq_len_q": -1}, ValueError, "seq_len_q is -1; it has to be 0 to 2147483647"),
        ({"seq_len_q": 2**70}, ValueError, "seq_len_q is 1180591620717411303424"),
        ({"seq_len_q": 1e3}, TypeError, "seq_len_q has to be an integer, not 1000.0 of type float"),
        ({"seq_len_q": True}, TypeError, "seq_len_q has to be an integer, not True"),
        ({"seq_len_k": -5}, ValueError, "seq_len_k is -5"),
        ({"batch": 0}, ValueError, "batch is 0; it has to be 1 to"),
        ({"heads": -1}, ValueError, "heads is -1"),
        ({"heads_kv": 0}, ValueError, "heads_kv is 0"),
        ({"heads": 4, "heads_kv": 3}, ValueError, "heads_kv is 3; it has to divide heads.* 4"),
        ({"head_dim": "64"}, TypeError, "head_dim has to be an integer, not '64' of type str"),
        ({"head_dim": 129}, ValueError, "head_dim is 129; it has to be 1 to 128"),
        ({"causal": "no"}, TypeError, "causal has to be True or False"),
        ({"lse": 1}, TypeError, "lse has to be True or False"),
        ({"lesson": "01", "lse": True}, NotImplementedError, "01_naive has no LSE"),
        ({"function": "forward"}, ValueError, 'function is "forward"'),
    ],
)
def test_allocate_only_refuses(
    fl: types.ModuleType, changes: dict, error: type[Exception], words: str
) -> None:
    fl.attention(*draw(*GOOD))
    before = fl.report()
    with pytest.raises(error, match=words) as told:
        fl.allocate_only(**{"seq_len_q": 8} | changes)
    assert "\n" not in str(told.value)
    assert fl.report() is before, "something was called"


def test_an_unknown_profile(fl: types.ModuleType) -> None:
    code = (
        "import flash_lessons, numpy\n"
        "q = numpy.zeros((1, 1, 8, 4), 'float32')\n"
        "def counted():\n"
        "    with flash_lessons.counting(): flash_lessons.attention(q, q, q)\n"
        "for call in (lambda: flash_lessons.allocate_only(seq_len_q=64), counted):\n"
        "    try: call()\n"
        "    except flash_lessons.SetupError as error: print(error)\n"
    )
    words = "CPU device: CPU_DEVICE_PROFILE=bogus is unknown; known: default h200\n"
    assert run_python(fl, code, CPU_DEVICE_PROFILE="bogus") == 2 * words


def test_a_card_of_141_gb(fl: types.ModuleType) -> None:
    """The profile h200 has what an H200 reports: 150,109,880,320 bytes."""
    code = (
        "import flash_lessons\n"
        "print(flash_lessons.allocate_only(lesson='01', seq_len_q=193000).memory.extra_bytes)\n"
        "try: flash_lessons.allocate_only(lesson='01', seq_len_q=194000)\n"
        "except MemoryError as error: print(error)\n"
    )
    fits, refused = run_python(fl, code, CPU_DEVICE_PROFILE="h200").splitlines()
    assert fits == str(4 * 193000**2)
    assert "150,544,000,000 bytes were refused" in refused


def test_sources_that_are_not_compiled(root: Path) -> None:
    finished = subprocess.run(
        [sys.executable, "-c", "import flash_lessons"],
        cwd=root / "python",
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 1
    assert "not compiled: run pip install ." in finished.stderr.splitlines()[-1]


def run_python(fl: types.ModuleType, code: str, **environment: str) -> str:
    path = str(Path(fl.__file__).parents[1])
    finished = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": path} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


@pytest.mark.parametrize(
    "call",
    [
        lambda fl: fl.attention(zeros(*GOOD), zeros(*GOOD), zeros(1, 2, 7, 4)),
        lambda fl: fl.attention(zeros(*GOOD), zeros(*GOOD), zeros(*GOOD).astype("float64")),
    ],
)
def test_a_counted_call_refuses_the_same(
    fl: types.ModuleType, call: Callable[[types.ModuleType], object]
) -> None:
    with pytest.raises((TypeError, ValueError)) as plain:
        call(fl)
    with fl.counting(), pytest.raises(plain.type) as counted:
        call(fl)
    assert str(counted.value) == str(plain.value)


def test_a_report_needs_a_call(fl: types.ModuleType, tmp_path) -> None:
    with pytest.raises(RuntimeError, match="07_work_partitioning#new has not been called"):
        fl.Kernels("07_work_partitioning#new", tmp_path / "x.cu", is_lesson=False).report()
