"""What is refused, with which words; and then nothing has been computed."""

import types
from collections.abc import Callable

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
        ({"q": zeros(0, 2, 8, 4)}, ValueError, "q has no heads"),
        ({name: zeros(1, 2, 8, 0) for name in "qkv"}, ValueError, "head_dim 0; 1 to 128"),
        ({name: zeros(1, 2, 8, 129) for name in "qkv"}, ValueError, "head_dim 129; 1 to 128"),
        # Other arguments.
        ({"softmax_scale": float("nan")}, ValueError, "softmax_scale has to be a finite"),
        ({"softmax_scale": 1e39}, ValueError, "softmax_scale"),
        ({"softmax_scale": "1"}, TypeError, "softmax_scale"),
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
