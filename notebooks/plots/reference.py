"""Attention in double precision, in numbered passes, and a bound on the error of float32."""

from dataclasses import dataclass

import numpy

UNIT = 2.0**-24  # of float32's rounding: the largest relative error of one operation


@dataclass(frozen=True)
class Reference:
    """Arrays (batch, heads, length, d) in float64; the gradients where dO was given."""

    o: numpy.ndarray
    lse: numpy.ndarray  # (batch, heads, seq_len_q)
    o_bound: numpy.ndarray
    gradients: dict[str, numpy.ndarray]  # dq, dk, dv


def attention(
    q: numpy.ndarray,
    k: numpy.ndarray,
    v: numpy.ndarray,
    *,
    causal: bool = False,
    do: numpy.ndarray | None = None,
) -> Reference:
    q, k, v = (one.astype(numpy.float64) for one in (q, k, v))
    n_q, n_k, d = q.shape[-2], k.shape[-2], q.shape[-1]
    scale = d**-0.5
    # 1. S = scale Q K^T; a hidden key is at -inf.
    s = scale * q @ k.swapaxes(-1, -2)
    seen = numpy.arange(n_k) <= numpy.arange(n_q)[:, None] + n_k - n_q
    if causal:
        s = numpy.where(seen, s, -numpy.inf)
    # 2. P = softmax(S); a row that sees no key is 0.
    m = s.max(-1, keepdims=True)
    p = numpy.exp(s - numpy.where(numpy.isfinite(m), m, 0.0))
    l = p.sum(-1, keepdims=True)
    with numpy.errstate(divide="ignore"):
        lse = (m + numpy.log(l))[..., 0]
    p /= numpy.where(l == 0, 1.0, l)
    # 3. O = P V.
    o = p @ v
    # 4. A score errs by s_error, so a weight by the factor exp(2 s_error); then come the two sums.
    s_error = (d + 4) * UNIT * scale * (abs(q) @ abs(k).swapaxes(-1, -2))
    relative = 2 * s_error.max(-1, keepdims=True) + (2 * n_k + 16) * UNIT
    o_bound = relative * (p @ abs(v)) + 1e-37
    if do is None:
        return Reference(o, lse, o_bound, {})
    # 5. dV = P^T dO, dP = dO V^T, dS = P (dP - D), dQ = scale dS K, dK = scale dS^T Q.
    do = do.astype(numpy.float64)
    delta = (do * o).sum(-1, keepdims=True)
    ds = p * (do @ v.swapaxes(-1, -2) - delta)
    gradients = {
        "dq": scale * ds @ k,
        "dk": scale * ds.swapaxes(-1, -2) @ q,
        "dv": p.swapaxes(-1, -2) @ do,
    }
    return Reference(o, lse, o_bound, gradients)


def error_of(o: numpy.ndarray, expected: Reference) -> tuple[float, float]:
    """The largest error, and the largest share of its own bound; infinite where o is not finite."""
    if not numpy.isfinite(o).all():
        return numpy.inf, numpy.inf
    error = abs(o - expected.o)
    return float(error.max()), float((error / expected.o_bound).max())
