"""Arrays on an NVIDIA GPU: PyTorch's, CuPy's, JAX's, and the caller's streams.

tests/on_a_gpu.sh builds and installs the package on a machine with a GPU, nvcc and PyTorch, and runs
these tests. CuPy and JAX are used where they are.
"""

import types
from collections.abc import Callable

import numpy
import pytest
from reference import Reference, assert_gradient, assert_within, draw
from torch_shapes import shapes

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
if not torch.cuda.is_available():
    pytest.skip("no GPU answers", allow_module_level=True)

torch.backends.cuda.matmul.allow_tf32 = False  # PyTorch multiplies in float32
GPU = "cuda:0"
SHAPES = list(shapes(longest=2048))
LESSONS = ("01", "02", "03", "04", "05", "07")


@pytest.fixture
def flt() -> types.ModuleType:
    import flash_lessons.torch

    return flash_lessons.torch


def on_gpu(*arrays: numpy.ndarray) -> list:
    return [torch.from_numpy(array).to(GPU) for array in arrays]


def test_there_are_enough_shapes() -> None:
    assert len(SHAPES) >= 60


# ---- attention() and backward(). ----


@pytest.mark.parametrize("lesson", LESSONS)
def test_values(fl: types.ModuleType, lesson: str) -> None:
    q, k, v = draw(2, 3, 130, 40)
    expected = Reference(q, k, v)
    o = fl.attention(*on_gpu(q, k, v), lesson=lesson)
    assert o.device == torch.device(GPU)
    assert_within(o.cpu(), expected.o, expected.o_bound)
    report = fl.report()
    assert (report.device, report.launches) == ("cuda:0", 1)
    scratch = 4 * 2 * 3 * 130 * 130 if lesson in ("01", "02") else 0
    assert report.memory.scratch_bytes == scratch
    assert report.memory.held_bytes == 0


def test_gradients(fl: types.ModuleType) -> None:
    q, k, v, do = draw(2, 2, 90, 64, count=4)
    expected = Reference(q, k, v, causal=True, do=do)
    inputs = on_gpu(q, k, v)
    o, lse = fl.attention(*inputs, lesson="05", causal=True, return_lse=True)
    assert_within(lse.cpu(), expected.lse, expected.lse_bound)
    gradients = fl.backward(*inputs, o, lse, *on_gpu(do), causal=True)
    for name, gradient in zip(("dq", "dk", "dv"), gradients, strict=True):
        assert_gradient(gradient.cpu(), getattr(expected, name))
    assert fl.report().memory.scratch_bytes == 4 * 2 * 2 * 90


def test_nothing_is_copied(fl: types.ModuleType) -> None:
    q, k, v = on_gpu(*draw(1, 8, 4096, 64))
    fl.attention(q, k, v, lesson="07")
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    o = fl.attention(q, k, v, lesson="07")
    assert torch.cuda.max_memory_allocated() - before == o.numel() * 4


def test_no_memory_is_kept(fl: types.ModuleType) -> None:
    q, k, v = on_gpu(*draw(1, 2, 1024, 64))
    for lesson in ("01", "03"):
        for _ in range(3):
            fl.attention(q, k, v, lesson=lesson, return_lse=lesson == "03")
    torch.cuda.synchronize()
    before = torch.cuda.mem_get_info()[0]
    for _ in range(200):
        fl.attention(q, k, v, lesson="01")
        fl.attention(q, k, v, lesson="03", return_lse=True)
    torch.cuda.synchronize()
    assert before - torch.cuda.mem_get_info()[0] < 64 << 20


def test_too_little_memory(fl: types.ModuleType) -> None:
    q, k, v = (torch.ones(1, 64, 1 << 17, 1, device=GPU) for _ in range(3))
    with pytest.raises(MemoryError, match="4,398,046,511,104 bytes were refused"):
        fl.attention(q, k, v, lesson="01")
    q, k, v = draw(1, 1, 20, 8)
    expected = Reference(q, k, v)
    assert_within(fl.attention(*on_gpu(q, k, v)).cpu(), expected.o, expected.o_bound)


def test_what_is_refused(fl: types.ModuleType) -> None:
    q, k, v = on_gpu(*draw(1, 2, 20, 8))
    for arrays, error, words in [
        ((q, k.cpu(), v), ValueError, "k lies on the CPU, but q on GPU 0"),
        ((q, k, v.transpose(2, 3).contiguous().transpose(2, 3)), ValueError, "v is not contiguous"),
        ((q.half(), k, v), TypeError, "q is float16"),
        ((q, k, v.bfloat16()), TypeError, "v is bfloat16"),
        ((q, k, v.double()), TypeError, "v is float64"),
        ((q[0], k, v), ValueError, "q has 3 dimensions"),
        ((q, k[..., :4].contiguous(), v), ValueError, "k has shape"),
        ((q, k, v.clone().requires_grad_()), ValueError, "v requires a gradient"),
    ]:
        with pytest.raises(error, match=words):
            fl.attention(*arrays)
    with pytest.raises(NotImplementedError, match="lesson 05"):
        fl.attention(q, k, v, causal=True)


def test_without_a_cpu_device(fl: types.ModuleType) -> None:
    from flash_lessons import _build

    if _build.has_cpu_device():
        pytest.skip("this build has the CPU device")
    with pytest.raises(fl.SetupError, match="no CPU device"):
        fl.attention(*draw(1, 1, 4, 4))


def test_loaded_files(fl: types.ModuleType, root) -> None:
    q, k, v = draw(1, 2, 70, 32)
    expected = Reference(q, k, v)
    mine = fl.load(root / "solutions/03_online_softmax.cu", device="cuda")
    assert_within(mine.attention(*on_gpu(q, k, v)).cpu(), expected.o, expected.o_bound)
    stub = fl.load(root / "kernels/03_online_softmax.cu", device="cuda")
    assert torch.isnan(stub.attention(*on_gpu(q, k, v))).all()


def test_a_file_that_does_not_compile(fl: types.ModuleType, tmp_path) -> None:
    broken = tmp_path / "broken.cu"
    broken.write_text('#include "attention.h"\nint f() { return wrong; }\n', encoding="ascii")
    with pytest.raises(fl.CompileError, match=r"broken\.cu\(2\): error"):
        fl.load(broken, device="cuda")


# ---- Streams. ----


def late(copy: Callable[[], None]) -> None:
    """Lets what follows on the current stream wait: only work on that stream sees the copy."""
    torch.cuda._sleep(200_000_000)
    copy()


def test_the_current_stream_of_pytorch(fl: types.ModuleType) -> None:
    values = draw(1, 4, 300, 64)
    expected = Reference(*values)
    sources = on_gpu(*values)
    fl.attention(*sources, lesson="07")  # compiles
    inputs = [torch.full_like(one, float("nan")) for one in sources]
    torch.cuda.synchronize()
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        late(lambda: [one.copy_(source) for one, source in zip(inputs, sources, strict=True)])
        o = fl.attention(*inputs, lesson="07")
        assert not stream.query(), "the call waited for its stream"
        o = o.to("cpu", non_blocking=False)
    assert_within(o, expected.o, expected.o_bound)


def test_the_stream_of_cupy(fl: types.ModuleType) -> None:
    cupy = pytest.importorskip("cupy")
    values = draw(1, 4, 300, 64)
    expected = Reference(*values)
    sources = [cupy.asarray(one) for one in values]
    fl.attention(*sources, lesson="05", return_lse=True)  # compiles
    inputs = [cupy.full_like(one, cupy.nan) for one in sources]
    cupy.cuda.Device().synchronize()
    stream = torch.cuda.Stream()  # whose late() is at hand
    with torch.cuda.stream(stream), cupy.cuda.ExternalStream(stream.cuda_stream):
        late(lambda: [cupy.copyto(one, s) for one, s in zip(inputs, sources, strict=True)])
        o, lse = fl.attention(*inputs, lesson="05", return_lse=True)
        assert isinstance(o, cupy.ndarray)
        o, lse = o.get(), lse.get()
    assert_within(o, expected.o, expected.o_bound)
    assert_within(lse, expected.lse, expected.lse_bound)


def test_cupy_gradients(fl: types.ModuleType) -> None:
    cupy = pytest.importorskip("cupy")
    q, k, v, do = draw(1, 2, 65, 32, count=4)
    expected = Reference(q, k, v, do=do)
    inputs = [cupy.asarray(one) for one in (q, k, v)]
    o, lse = fl.attention(*inputs, return_lse=True)
    gradients = fl.backward(*inputs, o, lse, cupy.asarray(do))
    for name, gradient in zip(("dq", "dk", "dv"), gradients, strict=True):
        assert isinstance(gradient, cupy.ndarray)
        assert_gradient(gradient.get(), getattr(expected, name))


def test_jax(fl: types.ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # PyTorch is here too
    jax = pytest.importorskip("jax")
    gpu = jax.devices("gpu")[0]
    q, k, v, do = draw(1, 2, 65, 32, count=4)
    expected = Reference(q, k, v, do=do)
    inputs = [jax.device_put(one, gpu) for one in (q, k, v)]
    o, lse = fl.attention(*inputs, return_lse=True)
    assert isinstance(o, jax.Array)
    assert o.devices() == {gpu}
    assert_within(o, expected.o, expected.o_bound)
    gradients = fl.backward(*inputs, o, lse, jax.device_put(do, gpu))
    for name, gradient in zip(("dq", "dk", "dv"), gradients, strict=True):
        assert_gradient(gradient, getattr(expected, name))
    # What JAX has not computed yet is waited for, and a result outlives its call.
    later = jax.numpy.tanh(inputs[0] @ jax.numpy.ones((32, 32)))
    expected = Reference(numpy.asarray(later), k, v)
    results = [fl.attention(later, *inputs[1:]) for _ in range(20)]
    for result in results:
        assert_within(result, expected.o, expected.o_bound)


# ---- flash_lessons.torch. ----


def both(flt: types.ModuleType, tensors: list, **options: object) -> None:
    """Values and gradients beside PyTorch's own, in float32; the yardstick is float64."""
    theirs = torch.nn.functional.scaled_dot_product_attention
    results = []
    weights = None
    for function, dtype in [
        (flt.scaled_dot_product_attention, torch.float32),
        (theirs, torch.float32),
        (theirs, torch.float64),
    ]:
        inputs = [one.detach().to(dtype).requires_grad_() for one in tensors]
        with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
            o = function(*inputs, **options)
            if weights is None:
                weights = torch.randn_like(o)
            results.append([o, *torch.autograd.grad(o, inputs, weights.to(dtype))])
    for name, ours, other, exact in zip(("o", "dq", "dk", "dv"), *results, strict=True):
        assert ours.shape == other.shape
        size = max(float(exact.detach().abs().amax()) if exact.numel() else 0.0, 1.0)
        error = float((ours - exact).detach().abs().amax()) if exact.numel() else 0.0
        bound = 1e-5 * size
        assert error <= bound, f"{name} errs by {error}, at most {bound} is right"
        torch.testing.assert_close(ours, other, rtol=0, atol=2 * bound)


@pytest.mark.parametrize(("query", "key", "causal"), SHAPES)
def test_like_pytorch(flt: types.ModuleType, query: tuple, key: tuple, causal: bool) -> None:
    torch.manual_seed(0)
    tensors = [torch.randn(shape, device=GPU) for shape in (query, key, key)]
    both(flt, tensors, is_causal=causal)


def test_scale_and_grouped_heads(flt: types.ModuleType) -> None:
    torch.manual_seed(0)
    shapes = ((2, 8, 70, 64), (2, 2, 90, 64), (2, 2, 90, 64))
    both(flt, [torch.randn(one, device=GPU) for one in shapes], enable_gqa=True, scale=0.3)


def test_a_tensor_that_is_not_contiguous(flt: types.ModuleType) -> None:
    torch.manual_seed(0)
    tensors = [torch.randn(2, 70, 3, 64, device=GPU).transpose(1, 2) for _ in range(3)]
    assert not tensors[0].is_contiguous()
    both(flt, [tensors[0], tensors[1].contiguous(), tensors[2]])
    expanded = torch.randn(1, 1, 70, 64, device=GPU).expand(2, 3, 70, 64)
    both(flt, [tensors[0], expanded, expanded])


def test_a_tensor_without_a_gradient(flt: types.ModuleType) -> None:
    q, k, v = (torch.randn(1, 2, 70, 64, device=GPU) for _ in range(3))
    assert not flt.scaled_dot_product_attention(q, k, v).requires_grad
    v.requires_grad_()
    with torch.no_grad():
        assert not flt.scaled_dot_product_attention(q, k, v).requires_grad
    flt.scaled_dot_product_attention(q, k, v).sum().backward()
    assert q.grad is None
    assert v.grad is not None


def test_on_another_stream(flt: types.ModuleType) -> None:
    torch.manual_seed(0)
    sources = [torch.randn(1, 4, 300, 64, device=GPU) for _ in range(3)]
    inputs = [torch.full_like(one, float("nan")).requires_grad_() for one in sources]
    exact = [one.double().requires_grad_() for one in sources]
    o64 = torch.nn.functional.scaled_dot_product_attention(*exact)
    expected = [o64, *torch.autograd.grad(o64.sum(), exact)]
    flt.scaled_dot_product_attention(*inputs).sum().backward()  # compiles
    torch.cuda.synchronize()
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        with torch.no_grad():
            late(lambda: [one.copy_(s) for one, s in zip(inputs, sources, strict=True)])
        o = flt.scaled_dot_product_attention(*inputs)
        found = [o, *torch.autograd.grad(o.sum(), inputs)]
        assert not stream.query(), "the calls waited for their stream"
    torch.cuda.current_stream().wait_stream(stream)
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours.double(), theirs, rtol=0, atol=1e-5)


@pytest.mark.parametrize("gradient", [False, True])
@pytest.mark.parametrize("causal", [False, True])
def test_opcheck(flt: types.ModuleType, gradient: bool, causal: bool) -> None:
    tensors = [torch.randn(1, 2, 70, 64, device=GPU) for _ in range(3)]
    tensors = [one.requires_grad_(gradient) for one in tensors]
    names = ("07_work_partitioning", "06_backward")
    torch.library.opcheck(flt.attention_forward, (*tensors, causal, 0.25, *names))
    if not gradient:
        o, lse = flt.attention_forward(*tensors, causal, 0.25, *names)
        arguments = (*tensors, o, lse, torch.ones_like(o), causal, 0.25, names[1])
        torch.library.opcheck(flt.attention_backward, arguments)


def test_compile(flt: types.ModuleType) -> None:
    def step(attention, q, k, v):
        return torch.tanh(attention(torch.sin(q), k, v, is_causal=True))

    q, k, v = (torch.randn(1, 2, 70, 64, device=GPU, requires_grad=True) for _ in range(3))
    compiled = torch.compile(step, fullgraph=True)
    ours = compiled(flt.scaled_dot_product_attention, q, k, v)
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        theirs = step(torch.nn.functional.scaled_dot_product_attention, q, k, v)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=2e-5)
    weights = torch.randn_like(ours)
    for mine, other in zip(
        torch.autograd.grad(ours, (q, k, v), weights),
        torch.autograd.grad(theirs, (q, k, v), weights),
        strict=True,
    ):
        torch.testing.assert_close(mine, other, rtol=0, atol=5e-5)


def test_directional_derivatives(flt: types.ModuleType) -> None:
    """As gradcheck does, in float64: the analytic gradient against differences of PyTorch's values."""
    torch.manual_seed(0)
    tensors = [torch.randn(1, 2, 33, 16, device=GPU) for _ in range(3)]
    inputs = [one.clone().requires_grad_() for one in tensors]
    weights = torch.randn(1, 2, 33, 16, device=GPU).double()
    o = flt.scaled_dot_product_attention(*inputs, is_causal=True)
    gradients = torch.autograd.grad(o, inputs, weights.float())

    def loss(values: list) -> float:
        attention = torch.nn.functional.scaled_dot_product_attention
        return float((attention(*values, is_causal=True) * weights).sum())

    step = 1e-4
    for n, gradient in enumerate(gradients):
        direction = torch.randn_like(tensors[n]).double()
        values = [one.double() for one in tensors]
        plus = [one + step * direction * (m == n) for m, one in enumerate(values)]
        minus = [one - step * direction * (m == n) for m, one in enumerate(values)]
        numeric = (loss(plus) - loss(minus)) / (2 * step)
        analytic = float((gradient.double() * direction).sum())
        assert abs(numeric - analytic) <= 1e-4 * max(1.0, abs(numeric))
