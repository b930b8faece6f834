"""What kernels are measured beside: PyTorch, here a stand-in for it, and cuBLAS."""

import math
import struct
import sys
from collections.abc import Callable, Iterator
from typing import ClassVar

import pytest
from course_tools import gpu_cublas, gpu_ladder, gpu_pytorch
from course_tools.gpu_kernels import Kernel
from course_tools.gpu_problem import BACKWARD, FORWARD
from fake_torch import Torch
from gpu_stand_in import MASKED, all_solutions, make_bench, measure, splitmix, the_gpu


@pytest.fixture
def solutions() -> dict[str, Kernel]:
    return all_solutions()


@pytest.fixture
def torch(solutions: dict[str, Kernel], monkeypatch: pytest.MonkeyPatch) -> Iterator[Torch]:
    fake = Torch(
        the_gpu(), solutions["07_work_partitioning"].launchers, solutions["06_backward"].launchers
    )
    for name, module in fake.modules().items():
        monkeypatch.setitem(sys.modules, name, module)
    yield fake
    fake.free()


def beside_torch(torch: Torch, solutions: dict[str, Kernel]) -> dict[tuple[str, str], dict]:
    bench = make_bench()
    bench.torch, why = gpu_pytorch.PyTorch.load(bench.gpu)
    assert bench.torch is not None, why
    assert not torch.backends.cuda.matmul.allow_tf32
    found = measure(bench, MASKED, solutions["07_work_partitioning"])
    assert set(found) == {(b, d) for b in gpu_pytorch.BACKENDS for d in (FORWARD, BACKWARD)}
    assert not bench.failed
    return found


def test_pytorch_is_compared_and_timed(torch: Torch, solutions: dict[str, Kernel]) -> None:
    for (_, direction), entry in beside_torch(torch, solutions).items():
        assert entry["outcome"] == "timed", entry
        assert set(entry["worst"]) == ({"O"} if direction == FORWARD else {"dQ", "dK", "dV"})
        assert entry["extra_bytes"] == (3 if direction == FORWARD else 5) * 2**10


def test_what_pytorch_cannot_do_is_a_row(torch: Torch, solutions: dict[str, Kernel]) -> None:
    torch.troubles = {
        ("MATH", FORWARD): torch.OutOfMemoryError(
            "CUDA out of memory. Tried to allocate 2.50 GiB. GPU"
        ),
        ("EFFICIENT_ATTENTION", FORWARD): RuntimeError("No available kernel.\nAborting execution."),
        ("EFFICIENT_ATTENTION", BACKWARD): RuntimeError("never reached"),
    }
    found = beside_torch(torch, solutions)
    for direction in (FORWARD, BACKWARD):
        entry = found["pytorch_math", direction]
        assert (entry["outcome"], entry["asked_bytes"]) == ("out of memory", 5 * 2**29)
        assert entry["held_bytes"] == 7 * 2**10
        assert "asks for 2.50 GiB beside 7 KiB of 16 GiB" in gpu_ladder.outcome(entry)
        entry = found["pytorch_efficient", direction]
        assert (entry["outcome"], entry["reason"]) == ("refused", "No available kernel.")


def test_pytorch_may_be_wrong_too(torch: Torch, solutions: dict[str, Kernel]) -> None:
    torch.troubles = {("MATH", FORWARD): "wrong", ("EFFICIENT_ATTENTION", BACKWARD): "wrong"}
    found = beside_torch(torch, solutions)
    for key in (("pytorch_math", FORWARD), ("pytorch_efficient", BACKWARD)):
        assert found[key]["outcome"] == "wrong"
        assert "ms" not in found[key]


def test_without_pytorch_a_line_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    found, why = gpu_pytorch.PyTorch.load(the_gpu())
    assert found is None
    assert why.startswith("PyTorch is not here")


def to_float32(value: float) -> float:
    return struct.unpack("f", struct.pack("f", value))[0]


def to_tf32(value: float) -> float:
    (bits,) = struct.unpack("I", struct.pack("f", value))
    return struct.unpack("f", struct.pack("I", (bits + 0x1000) & ~0x1FFF))[0]


class FakeCuBlas(gpu_cublas.CuBlas):
    """Its matrices are lists in host memory."""

    SIZE = 256
    matrices: ClassVar[dict[int, list[float]]] = {}

    def __init__(self, product: Callable[[float, float], float]) -> None:
        words = splitmix(1)
        size = self.SIZE
        A, B = ([(next(words) >> 40) / 2**24 - 0.5 for _ in range(size**2)] for _ in range(2))
        C = [0.0] * size**2
        for i in range(size):
            for j in range(0, size, 16):  # only columns that are sampled
                C[i + j * size] = to_float32(
                    sum(product(x, y) for x, y in zip(A[i::size], B[j * size :], strict=False))
                )
        self.matrices = {1: A, 2: B, 3: C}
        self._gpu = self

    def read_floats(self, pointer: int, count: int) -> list[float]:
        return self.matrices[pointer][:count]


class OneInSixteen:
    """A random generator whose columns are multiples of 16."""

    def __init__(self, seed: int) -> None:
        self.words, self.n = splitmix(seed), 0

    def randrange(self, size: int) -> int:
        self.n += 1
        return (
            next(self.words)
            % size
            // (16 if self.n % 2 == 0 else 1)
            * (16 if self.n % 2 == 0 else 1)
        )


def test_a_matmul_in_float32_is_told_from_one_in_tf32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu_cublas.random, "Random", OneInSixteen)
    exact = FakeCuBlas(lambda x, y: to_float32(x * y))
    assert exact.worst_error(1, 2, 3, seed=1) < 0.5
    assert FakeCuBlas(lambda x, y: to_tf32(x) * to_tf32(y)).worst_error(1, 2, 3, seed=1) > 1
    exact.matrices[3] = [math.nan if n % 3 == 0 else x for n, x in enumerate(exact.matrices[3])]
    assert not exact.worst_error(1, 2, 3, seed=1) <= 1
    exact.matrices[3] = [0.0] * exact.SIZE**2
    assert exact.worst_error(1, 2, 3, seed=1) > 1
