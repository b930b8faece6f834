"""The kernels as PyTorch operators, with gradients.

    from flash_lessons.torch import scaled_dot_product_attention
    o = scaled_dot_product_attention(q, k, v, is_causal=True)    # tensors of float32
    o.sum().backward()                                           # by lesson 06

It stands where torch.nn.functional.scaled_dot_product_attention stands. Tensors on an NVIDIA GPU are
computed there, on PyTorch's current stream, those in host memory on the CPU device. The operators
flash_lessons::attention_forward and flash_lessons::attention_backward are registered with
torch.library, so torch.compile takes them.
"""

import math

from flash_lessons import _kernels
from flash_lessons._kernels import Kernels
from flash_lessons.errors import SetupError

try:
    import torch
except ModuleNotFoundError as error:
    raise SetupError(
        "flash_lessons.torch needs PyTorch, which is not installed: pip install torch"
    ) from error

__all__ = ["scaled_dot_product_attention"]


def scaled_dot_product_attention(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attn_mask: torch.Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
    *,
    forward: str | Kernels = "07",
    backward: str | Kernels = "06",
) -> torch.Tensor:
    """torch.nn.functional.scaled_dot_product_attention, by kernels of the course.

    query: (..., heads, L, E), key and value: (..., heads_kv, S, E), float32, on one device, E from 1
    to 128. Sizes in front of the last two are broadcast. Tensors that are not contiguous are
    copied. The result has the shape of query, as broadcast, and is contiguous.

    is_causal: query i sees key j if and only if j <= i, as PyTorch has it (the kernels themselves are
        aligned bottom-right).
    scale: None for 1 / sqrt(E).
    enable_gqa: heads_kv divides heads, and each head of key and value serves heads / heads_kv
        consecutive ones of query.
    forward, backward: whose kernels: a lesson ("03", "05", "07"; "06"), or what load() returned.
        A gradient needs LSE, which the lessons compute from 03 on. is_causal needs 05.

    Raises NotImplementedError for attn_mask, dropout_p and a value whose last size is not E;
    TypeError for another dtype; ValueError for sizes or devices that do not fit together.
    """
    if attn_mask is not None:
        raise NotImplementedError("attn_mask is not supported: only is_causal=True masks")
    if dropout_p != 0.0:
        raise NotImplementedError(f"dropout_p={dropout_p} is not supported: it has to be 0")
    tensors = {"query": query, "key": key, "value": value}
    _check(tensors)
    if enable_gqa:
        key, value = (_repeat_heads(query, tensor) for tensor in (key, value))
    try:
        front = torch.broadcast_shapes(query.shape[:-2], key.shape[:-2], value.shape[:-2])
    except RuntimeError as error:
        shapes = ", ".join(f"{name} {tuple(one.shape)}" for name, one in tensors.items())
        raise ValueError(f"these shapes do not fit together: {shapes}") from error
    forward, backward = _find(forward), _find(backward)
    keys = forward.key, backward.key
    q, k, v = (_as_4d(tensor, front) for tensor in (query, key, value))
    scale = 1.0 / math.sqrt(q.shape[-1]) if scale is None else float(scale)
    if is_causal:
        o = _top_left_causal(q, k, v, scale, *keys)
    else:
        o = _attention(q, k, v, False, scale, *keys)
    return o.reshape(*front, *o.shape[-2:])


def _check(tensors: dict[str, torch.Tensor]) -> None:
    for name, tensor in tensors.items():
        if not isinstance(tensor, torch.Tensor):
            raise TypeError(f"{name} has to be a tensor, not {type(tensor).__name__}")
        if tensor.dtype != torch.float32:
            raise TypeError(f"{name} is {tensor.dtype}; torch.float32 is needed")
        if tensor.dim() < 2:
            raise ValueError(f"{name} has to have at least two sizes, not {tuple(tensor.shape)}")
    query, key, value = tensors.values()
    for name, tensor in tensors.items():
        if tensor.device != query.device:
            raise ValueError(f"{name} lies on {tensor.device}, query on {query.device}")
    if key.shape[-1] != query.shape[-1] or key.shape[-2] != value.shape[-2]:
        raise ValueError(
            f"query {tuple(query.shape)}, key {tuple(key.shape)} and value {tuple(value.shape)} do "
            "not fit together"
        )
    if value.shape[-1] != query.shape[-1]:
        raise NotImplementedError(
            f"the last size of value is {value.shape[-1]}, of query {query.shape[-1]}: different "
            "ones are not supported"
        )


def _repeat_heads(query: torch.Tensor, tensor: torch.Tensor) -> torch.Tensor:
    if query.dim() < 3 or tensor.dim() < 3 or query.shape[-3] % tensor.shape[-3] != 0:
        raise ValueError(
            f"enable_gqa=True: the heads of query {tuple(query.shape)} have to be a multiple of "
            f"those of key and value {tuple(tensor.shape)}"
        )
    return tensor.repeat_interleave(query.shape[-3] // tensor.shape[-3], -3)


def _as_4d(tensor: torch.Tensor, front: torch.Size) -> torch.Tensor:
    """(batch, heads, length, E), contiguous, where front is any number of sizes."""
    tensor = tensor.expand(*front, *tensor.shape[-2:])
    heads = front[-1] if front else 1
    return tensor.reshape(math.prod(front[:-1]), heads, *tensor.shape[-2:]).contiguous()


def _needs_gradient(*tensors: torch.Tensor) -> bool:
    return torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)


def _top_left_causal(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, scale: float, forward: str, backward: str
) -> torch.Tensor:
    """Query i sees key j if j <= i. Where the lengths are equal, that is the kernels' own mask."""
    length, keys = q.shape[-2], k.shape[-2]
    if keys > length:  # nobody sees the keys behind the last query
        k, v = k[..., :length, :].contiguous(), v[..., :length, :].contiguous()
    if keys >= length:
        return _attention(q, k, v, True, scale, forward, backward)
    # The queries behind the last key see all keys.
    square = _attention(q[..., :keys, :].contiguous(), k, v, True, scale, forward, backward)
    rest = _attention(q[..., keys:, :].contiguous(), k, v, False, scale, forward, backward)
    return torch.cat([square, rest], -2)


# ---- The operators. Their arguments are tensors and plain values, so kernels go by their keys. ----


def _find(kernels: str | Kernels) -> Kernels:
    if isinstance(kernels, Kernels):
        return kernels
    return _kernels.lesson(kernels)


def _attention(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    causal: bool,
    scale: float,
    forward: str,
    backward: str,
) -> torch.Tensor:
    if q.shape[0] == 0 or q.shape[1] == 0:
        return torch.zeros_like(q)  # a launcher takes no empty batch
    o, lse = attention_forward(q, k, v, causal, scale, forward, backward)
    # Asked of the result, since torch.compile cannot look into has_lse, which may have to call a kernel.
    if lse.dim() != 3 and _needs_gradient(q, k, v):
        raise NotImplementedError(
            f"{_kernels.registry[forward].name} has no LSE, which the backward pass needs: take lesson "
            "03 or a later one"
        )
    return o


@torch.library.custom_op("flash_lessons::attention_forward", mutates_args=())
def attention_forward(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    causal: bool,
    scale: float,
    forward: str,
    backward: str,
) -> tuple[torch.Tensor, torch.Tensor]:
    """O and LSE of contiguous tensors (batch, heads, length, head_dim). LSE is empty for kernels
    without one. `backward` is for the gradient."""
    kernels = _kernels.registry[forward]
    q, k, v = (tensor.detach() for tensor in (q, k, v))
    if not kernels.has_lse:
        return kernels.attention(q, k, v, causal=causal, softmax_scale=scale), q.new_empty(0)
    return kernels.attention(q, k, v, causal=causal, softmax_scale=scale, return_lse=True)


@attention_forward.register_fake
def _(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    causal: bool,
    scale: float,
    forward: str,
    backward: str,
) -> tuple[torch.Tensor, torch.Tensor]:
    has_lse = _kernels.registry[forward].has_lse
    return torch.empty_like(q), q.new_empty(q.shape[:-1] if has_lse else 0)


@torch.library.custom_op("flash_lessons::attention_backward", mutates_args=())
def attention_backward(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    o: torch.Tensor,
    lse: torch.Tensor,
    do: torch.Tensor,
    causal: bool,
    scale: float,
    backward: str,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """dQ, dK and dV."""
    tensors = (tensor.detach() for tensor in (q, k, v, o, lse, do))
    return _kernels.registry[backward].backward(*tensors, causal=causal, softmax_scale=scale)


@attention_backward.register_fake
def _(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    o: torch.Tensor,
    lse: torch.Tensor,
    do: torch.Tensor,
    causal: bool,
    scale: float,
    backward: str,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    return torch.empty_like(q), torch.empty_like(k), torch.empty_like(v)


def _save(ctx: torch.autograd.function.FunctionCtx, inputs: tuple, output: tuple) -> None:
    q, k, v, ctx.causal, ctx.scale, _, ctx.kernels = inputs
    o, lse = output
    ctx.mark_non_differentiable(lse)
    ctx.save_for_backward(q, k, v, o, lse)


def _differentiate(
    ctx: torch.autograd.function.FunctionCtx, do: torch.Tensor, _: torch.Tensor | None
) -> tuple[torch.Tensor | None, ...]:
    gradients = attention_backward(
        *ctx.saved_tensors, do.contiguous(), ctx.causal, ctx.scale, ctx.kernels
    )
    return *gradients, None, None, None, None


attention_forward.register_autograd(_differentiate, setup_context=_save)
