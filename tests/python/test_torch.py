"""flash_lessons.torch in host memory, on the CPU device: test_gpu.py has the same for a GPU."""

import types

import numpy
import pytest
from reference import Reference, assert_within
from torch_shapes import shapes

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

SHAPES = list(shapes(longest=128))


@pytest.fixture
def flt() -> types.ModuleType:
    import flash_lessons.torch

    return flash_lessons.torch


def draw(*shapes: tuple[int, ...], seed: int = 0) -> list:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, generator=generator) for shape in shapes]


def assert_like_pytorch(flt: types.ModuleType, tensors: list, **options: object) -> None:
    """Values and gradients of both functions."""
    tensors = [tensor.requires_grad_() for tensor in tensors]
    ours = flt.scaled_dot_product_attention(*tensors, **options)
    theirs = torch.nn.functional.scaled_dot_product_attention(*tensors, **options)
    assert ours.shape == theirs.shape
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)
    (weights,) = draw(theirs.shape, seed=1)
    for mine, other in zip(
        torch.autograd.grad(ours, tensors, weights),
        torch.autograd.grad(theirs, tensors, weights),
        strict=True,
    ):
        torch.testing.assert_close(mine, other, rtol=1e-5, atol=2e-5)


def test_there_are_enough_shapes() -> None:
    assert len(SHAPES) >= 60


@pytest.mark.parametrize(("query", "key", "causal"), SHAPES)
def test_values_and_gradients(
    flt: types.ModuleType, query: tuple, key: tuple, causal: bool
) -> None:
    assert_like_pytorch(flt, draw(query, key, key), is_causal=causal)


def test_scale_and_grouped_heads(flt: types.ModuleType) -> None:
    assert_like_pytorch(flt, draw((2, 4, 33, 16), (2, 2, 20, 16), (2, 2, 20, 16)), enable_gqa=True)
    assert_like_pytorch(flt, draw(*[(1, 2, 33, 16)] * 3), scale=-0.3)


def test_without_queries_or_batches(flt: types.ModuleType) -> None:
    for query, key in [((1, 2, 0, 8), (1, 2, 5, 8)), ((0, 2, 4, 8), (0, 2, 4, 8))]:
        tensors = draw(query, key, key)
        assert flt.scaled_dot_product_attention(*tensors).shape == query


@pytest.mark.parametrize("lesson", ["03", "05", "07"])
def test_the_lesson_can_be_chosen(flt: types.ModuleType, lesson: str) -> None:
    q, k, v = draw(*[(1, 2, 40, 32)] * 3)
    o = flt.scaled_dot_product_attention(q, k, v, forward=lesson)
    expected = Reference(q, k, v)
    assert_within(o, expected.o, expected.o_bound)
    import flash_lessons

    assert flash_lessons.report().kernels.startswith(lesson)


def test_loaded_kernels_serve(flt: types.ModuleType, root) -> None:
    import flash_lessons

    forward = flash_lessons.load(root / "solutions/05_causal.cu")
    backward = flash_lessons.load(root / "solutions/06_backward.cu")
    options = {"is_causal": True, "forward": forward, "backward": backward}
    (q, k, v), calls = draw(*[(1, 2, 40, 32)] * 3), []
    q.requires_grad_()
    flt.scaled_dot_product_attention(q, k, v, **options).sum().backward()
    calls = [forward.report().function, backward.report().function]
    assert calls == ["attention", "backward"]
    ours, q.grad = q.grad, None
    torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True).sum().backward()
    torch.testing.assert_close(ours, q.grad, rtol=1e-5, atol=1e-5)


def test_a_tensor_that_is_not_contiguous(flt: types.ModuleType) -> None:
    q, k, v = (one.transpose(1, 2) for one in draw(*[(2, 40, 3, 32)] * 3))
    assert not q.is_contiguous()
    assert_like_pytorch(flt, [q, k.contiguous(), v])


def test_gradients_only_where_asked_for(flt: types.ModuleType) -> None:
    q, k, v = draw(*[(1, 1, 20, 8)] * 3)
    assert not flt.scaled_dot_product_attention(q, k, v).requires_grad
    k.requires_grad_()
    with torch.no_grad():
        assert not flt.scaled_dot_product_attention(q, k, v).requires_grad
    flt.scaled_dot_product_attention(q, k, v).sum().backward()
    assert q.grad is None
    assert k.grad.shape == k.shape


@pytest.mark.parametrize("gradient", [False, True])
def test_opcheck(flt: types.ModuleType, gradient: bool) -> None:
    tensors = [one.requires_grad_(gradient) for one in draw(*[(1, 2, 20, 16)] * 3)]
    names = ("07_work_partitioning", "06_backward")
    torch.library.opcheck(flt.attention_forward, (*tensors, True, 0.25, *names))
    if not gradient:
        o, lse = flt.attention_forward(*tensors, True, 0.25, *names)
        arguments = (*tensors, o, lse, torch.ones_like(o), True, 0.25, names[1])
        torch.library.opcheck(flt.attention_backward, arguments)


def test_compile(flt: types.ModuleType) -> None:
    def step(attention, q, k, v):
        return torch.tanh(attention(torch.sin(q), k, v, is_causal=True))

    q, k, v = (one.requires_grad_() for one in draw(*[(1, 2, 20, 16)] * 3))
    compiled = torch.compile(step, fullgraph=True, backend="aot_eager")
    ours = compiled(flt.scaled_dot_product_attention, q, k, v)
    theirs = step(torch.nn.functional.scaled_dot_product_attention, q, k, v)
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)
    ones = torch.ones_like(ours)
    for mine, other in zip(
        torch.autograd.grad(ours, (q, k, v), ones),
        torch.autograd.grad(theirs, (q, k, v), ones),
        strict=True,
    ):
        torch.testing.assert_close(mine, other, rtol=1e-5, atol=1e-5)


GOOD = (1, 2, 8, 4)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"attn_mask": torch.ones(8, 8)}, NotImplementedError, "attn_mask"),
        ({"dropout_p": 0.1}, NotImplementedError, "dropout_p=0.1"),
        ({"query": torch.ones(GOOD).double()}, TypeError, "query is torch.float64"),
        ({"value": torch.ones(GOOD).half()}, TypeError, "value is torch.float16"),
        ({"key": torch.ones(1, 2, 7, 4)}, ValueError, "do not fit together"),
        ({"key": torch.ones(1, 2, 8, 5)}, ValueError, "do not fit together"),
        ({"value": torch.ones(1, 2, 8, 5)}, NotImplementedError, "last size of value is 5"),
        ({"query": torch.ones(1, 3, 8, 4)}, ValueError, "do not fit together"),
        ({"query": torch.ones(1, 3, 8, 4), "enable_gqa": True}, ValueError, "enable_gqa"),
        ({"query": torch.ones(4)}, ValueError, "at least two"),
        ({"query": numpy.ones(GOOD)}, TypeError, "has to be a tensor, not ndarray"),
        (
            {"query": torch.ones(GOOD, requires_grad=True), "forward": "01"},
            NotImplementedError,
            "01",
        ),
        ({"is_causal": True, "forward": "03"}, NotImplementedError, "lesson 05"),
        ({"forward": "06"}, NotImplementedError, "attention_forward"),
        ({"forward": "09"}, ValueError, 'no lesson "09"'),
        ({"forward": 7}, TypeError, "not int"),
        ({"value": torch.ones(GOOD, device="meta")}, ValueError, "value lies on meta"),
    ],
)
def test_what_is_refused(
    flt: types.ModuleType, options: dict, error: type[Exception], words: str
) -> None:
    tensors = {name: torch.ones(GOOD) for name in ("query", "key", "value")}
    with pytest.raises(error, match=words):
        flt.scaled_dot_product_attention(**tensors | options)


def test_attention_takes_tensors_without_a_gradient(fl: types.ModuleType) -> None:
    q, k, v = draw(*[(1, 2, 20, 16)] * 3)
    o, lse = fl.attention(q, k, v, return_lse=True)
    assert isinstance(o, torch.Tensor)
    expected = Reference(q, k, v)
    assert_within(o, expected.o, expected.o_bound)
    assert_within(lse, expected.lse, expected.lse_bound)
    gradients = fl.backward(q, k, v, o, lse, torch.ones_like(o))
    assert all(isinstance(one, torch.Tensor) for one in gradients)
    with fl.counting():
        torch.testing.assert_close(fl.attention(q, k, v), o, rtol=0, atol=0)
    with pytest.raises(ValueError, match="v requires a gradient"):
        fl.attention(q, k, v.requires_grad_())
    with torch.no_grad():
        fl.attention(q, k, v)
    with pytest.raises(TypeError, match="k is an array of numpy, q of torch"):
        fl.attention(q, k.numpy(), v)
