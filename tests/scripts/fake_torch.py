"""As much of PyTorch as scripts/bench uses, computed by a solution on the benchmark's own device."""

import contextlib
import types
from collections.abc import Iterator
from typing import Any

from course_tools.gpu import Gpu, Launchers, Pointers, Shape

KIB = 2**10


class Tensor:
    def __init__(self, pointer: int, shape: Shape) -> None:
        self.pointer, self.shape_ = pointer, shape

    def detach(self) -> "Tensor":
        return self

    contiguous = requires_grad_ = detach

    def data_ptr(self) -> int:
        return self.pointer

    def untyped_storage(self) -> types.SimpleNamespace:
        return types.SimpleNamespace(nbytes=lambda: 4 * self.shape_.floats("O"))


class Torch(types.ModuleType):
    """`troubles` maps (backend, direction) to what happens instead: an exception, or "wrong"."""

    def __init__(self, gpu: Gpu, forward: Launchers, backward: Launchers) -> None:
        super().__init__("torch")
        self.gpu, self.kernels = gpu, (forward, backward)
        self.__version__ = "2.0+fake"
        self.troubles: dict[tuple[str, str], object] = {}
        self.chosen, self.allocated, self.peak, self.calls = "", 0, 0, 0
        self.OutOfMemoryError = type("OutOfMemoryError", (RuntimeError,), {})
        matmul = types.SimpleNamespace(allow_tf32=True)
        self.backends = types.SimpleNamespace(
            cuda=types.SimpleNamespace(matmul=matmul), cudnn=types.SimpleNamespace(allow_tf32=True)
        )
        self.cuda = types.SimpleNamespace(
            is_available=lambda: True,
            ExternalStream=lambda stream: stream,
            stream=lambda stream: contextlib.nullcontext(),
            synchronize=gpu.synchronize,
            reset_peak_memory_stats=lambda: setattr(self, "peak", self.allocated),
            memory_allocated=lambda: self.allocated,
            max_memory_allocated=lambda: self.peak,
            empty_cache=lambda: None,
        )
        self.no_grad = self.enable_grad = contextlib.nullcontext
        self.autograd = types.SimpleNamespace(grad=self.grad)
        functional = types.SimpleNamespace(scaled_dot_product_attention=self.attention)
        self.nn = types.SimpleNamespace(functional=functional)
        self.held: list[int] = []

    def modules(self) -> dict[str, Any]:
        attention = types.ModuleType("torch.nn.attention")
        attention.SDPBackend = types.SimpleNamespace(
            MATH="MATH", EFFICIENT_ATTENTION="EFFICIENT_ATTENTION"
        )
        attention.sdpa_kernel = self.sdpa_kernel
        nn = types.ModuleType("torch.nn")
        return {"torch": self, "torch.nn": nn, "torch.nn.attention": attention}

    @contextlib.contextmanager
    def sdpa_kernel(self, backends: list[str]) -> Iterator[None]:
        (self.chosen,) = backends
        yield

    def as_tensor(self, memory: Any, device: str) -> Tensor:
        assert device == "cuda"
        about = memory.__cuda_array_interface__
        self.sizes = about["shape"]
        return Tensor(about["data"][0], Shape(*self.sizes))

    def allocate(self, floats: int, extra: int = 0) -> int:
        self.allocated += 4 * floats
        self.peak = max(self.peak, self.allocated + extra)
        self.held.append(self.gpu.allocate(4 * floats))
        return self.held[-1]

    def free(self) -> None:
        for pointer in self.held:
            self.gpu.free(pointer)
        self.held, self.allocated = [], 0

    def trouble(self, direction: str) -> bool:
        """Raises it, or says whether the result has to be wrong."""
        found = self.troubles.get((self.chosen, direction))
        if isinstance(found, Exception):
            self.peak = self.allocated + 7 * KIB
            raise found
        return found == "wrong"

    def attention(self, q: Tensor, k: Tensor, v: Tensor, is_causal: bool, scale: float) -> Tensor:
        wrong = self.trouble("forward")
        self.calls += 1
        shape = Shape(*self.sizes, is_causal)
        assert scale == self.gpu.softmax_scale(shape.head_dim)
        at: Pointers = {"Q": q.pointer, "K": k.pointer, "V": q.pointer if wrong else v.pointer}
        output = Tensor(self.allocate(shape.floats("O"), extra=3 * KIB), shape)
        self.lse = self.gpu.allocate(4 * shape.floats("LSE"))
        self.held.append(self.lse)
        self.kernels[0].forward(shape, at | {"O": output.pointer, "LSE": self.lse})
        return output

    def grad(
        self, output: Tensor, inputs: list[Tensor], upstream: Tensor, retain_graph: bool
    ) -> list[Tensor]:
        assert retain_graph
        wrong = self.trouble("backward")
        shape = output.shape_
        names = ("dQ", "dK", "dV")
        floats = shape.floats("O")
        made = [Tensor(self.allocate(floats, extra=5 * KIB), shape) for _ in names]
        at = dict(zip(("Q", "K", "V"), (one.pointer for one in inputs), strict=True))
        at |= {"O": output.pointer, "LSE": self.lse, "dO": upstream.pointer}
        at |= {name: one.pointer for name, one in zip(names, made, strict=True)}
        self.kernels[1].backward(shape, at)
        return made[::-1] if wrong else made
