"""Values of attention() and backward() on NumPy arrays, beside double precision."""

import concurrent.futures
import types

import numpy
import pytest
from reference import Reference, assert_gradient, assert_within, draw

LESSONS = ("01", "02", "03", "04", "05", "07")
WITH_LSE = LESSONS[2:]
WITH_CAUSAL = ("05", "07")
# batch, heads, heads_kv, seq_len_q, seq_len_k, head_dim
SHAPES = [
    (1, 1, 1, 1, 1, 1),
    (2, 3, 3, 64, 64, 32),
    (1, 2, 2, 33, 70, 64),
    (1, 2, 2, 70, 33, 20),
    (1, 1, 1, 100, 100, 127),
]


def inputs(shape: tuple[int, ...]) -> list[numpy.ndarray]:
    batch, heads, heads_kv, n_q, n_k, d = shape
    (q,) = draw(batch, heads, n_q, d, count=1)
    return [q, *draw(batch, heads_kv, n_k, d, seed=1, count=2)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("lesson", LESSONS)
def test_values(fl: types.ModuleType, lesson: str, shape: tuple[int, ...]) -> None:
    q, k, v = inputs(shape)
    before = [one.copy() for one in (q, k, v)]
    expected = Reference(q, k, v)
    assert_within(fl.attention(q, k, v, lesson=lesson), expected.o, expected.o_bound)
    for one, copy in zip((q, k, v), before, strict=True):
        numpy.testing.assert_array_equal(one, copy)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("lesson", WITH_CAUSAL)
def test_causal(fl: types.ModuleType, lesson: str, shape: tuple[int, ...]) -> None:
    q, k, v = inputs(shape)
    o, lse = fl.attention(q, k, v, lesson=lesson, causal=True, return_lse=True)
    expected = Reference(q, k, v, causal=True)
    assert_within(o, expected.o, expected.o_bound)
    assert_within(lse, expected.lse, expected.lse_bound)


@pytest.mark.parametrize("lesson", WITH_LSE)
def test_lse(fl: types.ModuleType, lesson: str) -> None:
    q, k, v = inputs((1, 2, 2, 40, 50, 16))
    o, lse = fl.attention(q, k, v, lesson=lesson, return_lse=True)
    expected = Reference(q, k, v)
    assert_within(lse, expected.lse, expected.lse_bound)
    numpy.testing.assert_array_equal(o, fl.attention(q, k, v, lesson=lesson))


def test_the_default_is_lesson_03(fl: types.ModuleType) -> None:
    fl.attention(*inputs(SHAPES[0]))
    assert fl.report().kernels == "03_online_softmax"
    fl.attention(*inputs(SHAPES[0]), lesson="04_vectorized_io")
    assert fl.report().kernels == "04_vectorized_io"


@pytest.mark.parametrize("scale", [0.0, -0.5, 2.0])
def test_the_scale(fl: types.ModuleType, scale: float) -> None:
    q, k, v = inputs((1, 1, 1, 20, 30, 16))
    expected = Reference(q, k, v, softmax_scale=scale)
    assert_within(fl.attention(q, k, v, softmax_scale=scale), expected.o, expected.o_bound)


def test_flags_and_numbers_of_numpy(fl: types.ModuleType) -> None:
    q, k, v = inputs((1, 1, 1, 20, 30, 16))
    o, lse = fl.attention(
        q,
        k,
        v,
        lesson="05",
        causal=numpy.bool_(True),
        softmax_scale=numpy.float32(0.5),
        return_lse=numpy.bool_(True),
    )
    expected = Reference(q, k, v, causal=True, softmax_scale=0.5)
    assert_within(o, expected.o, expected.o_bound)
    assert_within(lse, expected.lse, expected.lse_bound)
    for scale in (2, numpy.int64(2), numpy.array(2.0)):
        expected = Reference(q, k, v, softmax_scale=2)
        assert_within(fl.attention(q, k, v, softmax_scale=scale), expected.o, expected.o_bound)


def test_grouped_heads(fl: types.ModuleType) -> None:
    q, k, v = inputs((2, 6, 2, 40, 50, 32))
    expected = Reference(q, k, v)
    assert_within(fl.attention(q, k, v, lesson="07"), expected.o, expected.o_bound)


def test_without_queries_and_without_keys(fl: types.ModuleType) -> None:
    q, k, v = inputs((1, 2, 2, 0, 5, 8))
    o, lse = fl.attention(q, k, v, return_lse=True)
    assert (o.shape, lse.shape) == ((1, 2, 0, 8), (1, 2, 0))
    q, k, v = inputs((1, 2, 2, 5, 0, 8))
    o, lse = fl.attention(q, k, v, return_lse=True)
    assert (o == 0).all()
    assert (lse == -numpy.inf).all()


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_gradients(fl: types.ModuleType, shape: tuple[int, ...], causal: bool) -> None:
    q, k, v = inputs(shape)
    (do,) = draw(*q.shape, seed=2, count=1)
    expected = Reference(q, k, v, causal=causal, do=do)
    o, lse = fl.attention(q, k, v, lesson="05", causal=causal, return_lse=True)
    gradients = fl.backward(q, k, v, o, lse, do, causal=causal)
    for name, gradient in zip(("dq", "dk", "dv"), gradients, strict=True):
        assert_gradient(gradient, getattr(expected, name))


def test_arrays_that_may_not_be_written_to(fl: types.ModuleType) -> None:
    q, k, v = inputs(SHAPES[1])
    o = fl.attention(q, k, v)
    for one in (q, k, v):
        one.flags.writeable = False
    numpy.testing.assert_array_equal(fl.attention(q, k, v), o)


def test_a_size_of_one_has_any_stride(fl: types.ModuleType) -> None:
    q, k, v = (one[:, :1] for one in draw(1, 3, 20, 8))
    expected = Reference(q, k, v)
    assert_within(fl.attention(q, k, v), expected.o, expected.o_bound)


def test_results_are_the_callers(fl: types.ModuleType) -> None:
    q, k, v = inputs(SHAPES[1])
    o = fl.attention(q, k, v)
    copy = o.copy()
    assert o.flags.writeable
    fl.attention(k, q, v)
    numpy.testing.assert_array_equal(o, copy)


def test_several_threads(fl: types.ModuleType) -> None:
    q, k, v = inputs((1, 2, 2, 128, 128, 64))
    expected = {lesson: fl.attention(q, k, v, lesson=lesson) for lesson in LESSONS}
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        results = pool.map(lambda lesson: fl.attention(q, k, v, lesson=lesson), LESSONS * 10)
    for lesson, o in zip(LESSONS * 10, results, strict=True):
        numpy.testing.assert_array_equal(o, expected[lesson])


def test_jax_in_host_memory(fl: types.ModuleType) -> None:
    jax = pytest.importorskip("jax", reason="JAX is not installed")
    q, k, v = inputs(SHAPES[1])
    expected = Reference(q, k, v)
    arrays = [jax.device_put(one, jax.devices("cpu")[0]) for one in (q, k, v)]
    o, lse = fl.attention(*arrays, return_lse=True)
    assert isinstance(o, jax.Array)
    assert isinstance(lse, jax.Array)
    assert_within(o, expected.o, expected.o_bound)
    with fl.counting():
        numpy.testing.assert_array_equal(fl.attention(*arrays), o)
    with pytest.raises(TypeError, match="v is an array of numpy, q of jax"):
        fl.attention(*arrays[:2], v)


def test_a_tracer_of_jax(fl: types.ModuleType) -> None:
    jax = pytest.importorskip("jax", reason="JAX is not installed")
    q = jax.numpy.asarray(inputs(SHAPES[1])[0])
    for traced in (jax.jit, jax.vmap):
        with pytest.raises(TypeError, match="^q is a tracer of JAX.*jax.jit"):
            traced(lambda a: fl.attention(a, a, a))(q)
