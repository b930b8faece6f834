"""The course's FlashAttention kernels for NumPy, PyTorch, CuPy and JAX.

    import flash_lessons, numpy
    q, k, v = numpy.random.randn(3, 1, 8, 512, 64).astype("float32")
    o = flash_lessons.attention(q, k, v)
    print(flash_lessons.report())

NumPy arrays, and those of other libraries in host memory, are computed by the *CPU device*, which
runs the same .cu files without a GPU. Arrays on an NVIDIA GPU are computed there, where they lie, on
the caller's stream; nvcc compiles the kernels when they are first used.
"""

import importlib.util
import os
from typing import Any, Literal, overload

if importlib.util.find_spec("flash_lessons._core") is None:
    raise ModuleNotFoundError(
        f"{os.path.dirname(__file__)} holds the sources of flash_lessons, which are not compiled: run "
        "pip install . in the repository, and import from another folder than this one's parent"
    )

from flash_lessons._arrays import Array, ArrayT
from flash_lessons._kernels import Kernels, counting, last_report, lesson
from flash_lessons._kernels import load as _load
from flash_lessons._report import Accesses, Counters, Finding, Memory, Report, Traffic
from flash_lessons.errors import CompileError, DeviceError, FlashLessonsError, SetupError

__version__ = "0.1.0"
__all__ = [
    "Accesses",
    "Array",
    "CompileError",
    "Counters",
    "DeviceError",
    "Finding",
    "FlashLessonsError",
    "Kernels",
    "Memory",
    "Report",
    "SetupError",
    "Traffic",
    "allocate_only",
    "attention",
    "backward",
    "counting",
    "lesson",
    "load",
    "report",
]


@overload
def attention(
    q: ArrayT,
    k: ArrayT,
    v: ArrayT,
    *,
    lesson: str = ...,
    causal: bool = ...,
    softmax_scale: float | None = ...,
    return_lse: Literal[False] = ...,
) -> ArrayT: ...


@overload
def attention(
    q: ArrayT,
    k: ArrayT,
    v: ArrayT,
    *,
    lesson: str = ...,
    causal: bool = ...,
    softmax_scale: float | None = ...,
    return_lse: Literal[True],
) -> tuple[ArrayT, Any]: ...


@overload
def attention(
    q: ArrayT,
    k: ArrayT,
    v: ArrayT,
    *,
    lesson: str = ...,
    causal: bool = ...,
    softmax_scale: float | None = ...,
    return_lse: bool,
) -> Any: ...


def attention(
    q: Array,
    k: Array,
    v: Array,
    *,
    lesson: str = "03",
    causal: bool = False,
    softmax_scale: float | None = None,
    return_lse: bool = False,
) -> Any:
    """softmax(softmax_scale * q k^T) v, for each batch and head, by the kernels of one lesson.

    Arrays are float32, contiguous, row-major, in the order of PyTorch's
    scaled_dot_product_attention (FlashAttention's own API swaps the middle two sizes):

        q, o    (batch, heads, seq_len_q, head_dim)
        k, v    (batch, heads_kv, seq_len_k, head_dim)
        lse     (batch, heads, seq_len_q)

    They are all of one library and on one device, and so are the results. On a GPU the work is put
    on the caller's current stream, and nobody waits for it (with JAX, which tells nobody its
    streams, the call returns when the work is done).

    lesson: "01" to "05" or "07" ("06" is a backward pass). heads_kv has to equal heads before lesson
        07, and to divide it from then on. head_dim is 1 to 128; a seq_len may be 0.
    causal: query i sees key j if and only if j <= i + seq_len_k - seq_len_q (aligned bottom-right;
        PyTorch's is_causal is aligned top-left). A row that sees no key gives o = 0, lse = -inf.
    softmax_scale: None for 1 / sqrt(head_dim).
    return_lse: also returns the natural logarithm of sum_j exp(softmax_scale * q_i k_j); from lesson
        03 on.

    Returns o, or (o, lse). Values that a kernel leaves out are NaN, and on the CPU device a
    RuntimeWarning says so.

    Raises, before anything is computed: TypeError for what is no array (a tracer of JAX holds no
    values, and the mask of a masked array would be lost), or not float32; ValueError for
    a wrong rank or shape, an array that is not contiguous, arrays on different devices, a PyTorch
    tensor that requires a gradient (see flash_lessons.torch); NotImplementedError for what the
    lesson does not have yet; SetupError for a missing compiler. MemoryError where the launcher is
    refused memory, DeviceError where a kernel fails.
    """
    return _lesson(lesson).attention(
        q, k, v, causal=causal, softmax_scale=softmax_scale, return_lse=return_lse
    )


def backward(
    q: ArrayT,
    k: ArrayT,
    v: ArrayT,
    o: ArrayT,
    lse: Array,
    do: ArrayT,
    *,
    lesson: str = "06",
    causal: bool = False,
    softmax_scale: float | None = None,
) -> tuple[ArrayT, ArrayT, ArrayT]:
    """The gradients of a loss with respect to q, k and v, given do, its gradient with respect to o.

    o and lse are what attention(..., return_lse=True) returned for the same q, k, v, causal and
    softmax_scale. Arrays and errors are as in attention:

        q, o, do, dq    (batch, heads, seq_len_q, head_dim)
        k, v, dk, dv    (batch, heads, seq_len_k, head_dim)
        lse             (batch, heads, seq_len_q)

    Returns (dq, dk, dv).
    """
    return _lesson(lesson).backward(q, k, v, o, lse, do, causal=causal, softmax_scale=softmax_scale)


def allocate_only(
    *,
    lesson: str = "03",
    batch: int = 1,
    heads: int = 1,
    heads_kv: int | None = None,
    seq_len_q: int,
    seq_len_k: int | None = None,
    head_dim: int = 64,
    causal: bool = False,
    lse: bool | None = None,
    function: str = "attention",
) -> Report:
    """What a call would take of device memory, measured: the launcher runs, its kernels do not.

    On the CPU device, whose memory costs nothing until it is touched, so long sequences take no time:
    its profiles stand for cards of 16 GiB and, with CPU_DEVICE_PROFILE=h200 in the environment, of
    139.8 GiB, as an H200 of 141 GB reports it. Sizes are as in attention, and default to equal ones:
    seq_len_k to seq_len_q, heads_kv to heads.

    lse: whether LSE is a result of attention; None for yes, where the lesson has it.
    function: "attention" or "backward".

    Returns the report. Raises TypeError and ValueError for sizes that are none, NotImplementedError for
    what the lesson does not have, MemoryError where the device has less.
    """
    return _lesson(lesson).allocate_only(
        batch=batch,
        heads=heads,
        heads_kv=heads_kv,
        seq_len_q=seq_len_q,
        seq_len_k=seq_len_k,
        head_dim=head_dim,
        causal=causal,
        lse=lse,
        function=function,
    )


def report() -> Report:
    """What the last call of this process did: launches, device memory in bytes, and, if it was made
    within counting(), accesses of every kind and what the checks found.

    Raises RuntimeError if there was no call yet.
    """
    return last_report()


def load(path: str | os.PathLike[str], *, device: str | None = None) -> Kernels:
    """Compiles a kernel file, such as your kernels/03_online_softmax.cu, and returns its functions.

        mine = flash_lessons.load("kernels/03_online_softmax.cu")
        o = mine.attention(q, k, v)

    The result has attention, backward, allocate_only and report, as this module has them, without
    lesson. Compiled libraries are kept in $FLASH_LESSONS_CACHE (default: ~/.cache/flash_lessons) and
    used again while the file, what it includes, the compiler and its options are the same; after an
    edit, load again.

    device: what is compiled at once, "cpu" (by the CPU device's compiler, which needs g++) or "cuda"
        (by nvcc); None for the CPU device, if this build has it. The other one is compiled when it is
        first needed.

    A kernel that goes wrong on the CPU device is a DeviceError, and Ctrl-C gives one up that takes too
    long. The launcher is host code of this process, as any extension's: one that calls exit() or writes
    to a null pointer ends Python with it. Within counting(), calls have a process of their own.

    Raises FileNotFoundError, CompileError with the compiler's messages, SetupError for a missing
    compiler.
    """
    return _load(path, device=device)


_lesson = lesson
