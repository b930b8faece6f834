"""The libraries whose arrays are understood, and how a result becomes an array of the same one.

Inputs are handed to the extension as they are, or on a GPU as DLPack capsules; nothing is copied.
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy

from flash_lessons import _core


class Array(Protocol):
    """What the functions take: a numpy.ndarray, torch.Tensor, cupy.ndarray or jax.Array of float32.

    A name for type checkers. The arrays of one call are of one library, and so are its results.
    """

    @property
    def shape(self) -> Any: ...

    @property
    def dtype(self) -> Any: ...


ArrayT = TypeVar("ArrayT", bound=Array)
"""The caller's own kind of array."""


@dataclass(frozen=True)
class Space:
    """Where the arrays of a call lie, and the work's place there."""

    gpu: int  # -1: host memory
    stream: int  # a cudaStream_t as a number; 0 is the default stream
    export: Callable[[Any], Any]  # what the extension takes
    allocate: Callable[[Sequence[int]], Any]  # given a shape
    finish: Callable[[Any], Any]  # a result, as the caller gets it
    waits: bool = False  # the stream is waited for before the results are given out

    @property
    def device(self) -> str:
        return "cpu" if self.gpu < 0 else f"cuda:{self.gpu}"


def space_of(library_for_gpu: Callable[[], _core.Library], **arrays: Any) -> Space:
    """The space of the arrays of a call; a TypeError where they do not belong together."""
    (first_name, first), *others = arrays.items()
    module = _module(first_name, first)
    for name, array in others:
        if _module(name, array) != module:
            raise TypeError(
                f"{name} is an array of {_module(name, array)}, {first_name} of {module}"
            )
    if module == "torch":
        return _torch_space(arrays)
    if module == "cupy":
        return _cupy_space(first)
    if module == "jax":
        return _jax_space(first, library_for_gpu)
    return Space(-1, 0, _same, _numpy_empty, _same)


def _module(name: str, array: Any) -> str:
    module = type(array).__module__.partition(".")[0]
    module = "jax" if module in ("jax", "jaxlib") else module
    if isinstance(array, numpy.ma.MaskedArray):
        raise TypeError(
            f"{name} is a masked array, and kernels know no masks: pass {name}.filled(value)"
        )
    if isinstance(array, numpy.ndarray):
        return "numpy"
    if module == "jax" and isinstance(array, sys.modules["jax"].core.Tracer):
        raise TypeError(
            f"{name} is a tracer of JAX, where values are needed: this function does not work within "
            "jax.jit, jax.grad and jax.vmap"
        )
    if module in ("torch", "cupy", "jax") and hasattr(array, "__dlpack__"):
        return module
    raise TypeError(
        f"{name} has to be an array of NumPy, PyTorch, CuPy or JAX, not {type(array).__name__}"
    )


def _same(array: Any) -> Any:
    return array


def _numpy_empty(shape: Sequence[int]) -> numpy.ndarray:
    return numpy.empty(shape, numpy.float32)


def _torch_space(arrays: dict[str, Any]) -> Space:
    import torch

    for name, array in arrays.items():
        if array.requires_grad and torch.is_grad_enabled():
            raise ValueError(
                f"{name} requires a gradient, which this function does not record: use "
                "flash_lessons.torch.scaled_dot_product_attention, or pass "
                f"{name}.detach()"
            )
    device = next(iter(arrays.values())).device

    def allocate(shape: Sequence[int]) -> Any:
        return torch.empty(tuple(shape), dtype=torch.float32, device=device)

    if device.type != "cuda":
        return Space(-1, 0, _detached, allocate, _same)
    stream = torch.cuda.current_stream(device).cuda_stream
    return Space(device.index, stream, lambda a: _capsule(a.detach(), stream), allocate, _same)


def _detached(array: Any) -> Any:
    return array.detach()


def _capsule(array: Any, stream: int) -> Any:
    """DLPack's capsule of an array on a GPU; the stream waits for whatever computes it."""
    if array.__dlpack_device__()[0] != 2:  # not CUDA's: the extension says so
        return array
    return array.__dlpack__(stream=stream or 1)  # 1 is DLPack's name for the default stream


def _cupy_space(first: Any) -> Space:
    import cupy

    gpu = first.device.id
    with cupy.cuda.Device(gpu):
        stream = cupy.cuda.get_current_stream().ptr

    def allocate(shape: Sequence[int]) -> Any:
        with cupy.cuda.Device(gpu):
            return cupy.empty(tuple(shape), cupy.float32)

    return Space(gpu, stream, lambda a: _capsule(a, stream), allocate, _same)


def _jax_space(first: Any, library_for_gpu: Callable[[], _core.Library]) -> Space:
    import jax

    kind, gpu = first.__dlpack_device__()
    if kind != 2:
        return Space(-1, 0, _same, _numpy_empty, lambda result: jax.numpy.asarray(result))
    # JAX tells nobody its streams, and its arrays are not for others to write to: so the work goes
    # to the default stream, into memory of our own, and is waited for.
    return Space(
        gpu,
        0,
        lambda a: _capsule(a, 0),
        lambda shape: _core.gpu_array(library_for_gpu(), list(shape), gpu),
        jax.dlpack.from_dlpack,
        waits=True,
    )
