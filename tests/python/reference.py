"""Attention and its gradients in double precision, in numbered passes, and bounds on rounding."""

import numpy

UNIT = 2.0**-24  # of float32's rounding


class Reference:
    """O, LSE and, given dO, the gradients, of float32 inputs (batch, heads, length, d)."""

    def __init__(self, q, k, v, *, causal=False, softmax_scale=None, do=None) -> None:
        group = q.shape[1] // k.shape[1]
        q, k, v = (numpy.asarray(one, numpy.float64) for one in (q, k, v))
        k, v = (numpy.repeat(one, group, axis=1) for one in (k, v))
        n_q, n_k, d = q.shape[2], k.shape[2], q.shape[3]
        scale = d**-0.5 if softmax_scale is None else softmax_scale
        # 1. S = scale Q K^T, hidden keys at -inf.
        s = scale * q @ k.swapaxes(-1, -2)
        seen = numpy.ones((n_q, n_k), bool)
        if causal:
            seen = numpy.arange(n_k) <= numpy.arange(n_q)[:, None] + n_k - n_q
        s = numpy.where(seen, s, -numpy.inf)
        # 2. P = softmax(S); a row that sees no key is 0.
        m = s.max(-1, keepdims=True, initial=-numpy.inf)
        p = numpy.exp(s - numpy.where(numpy.isfinite(m), m, 0.0))
        row_sum = p.sum(-1, keepdims=True)
        with numpy.errstate(divide="ignore"):
            self.lse = (m + numpy.log(row_sum))[..., 0]
        p = p / numpy.where(row_sum == 0, 1.0, row_sum)
        # 3. O = P V.
        self.o = p @ v
        # A score errs by at most `s_error`, so a p by the factor exp(2 s_error) and the sums' own errors.
        s_error = (d + 4) * UNIT * abs(scale) * (abs(q) @ abs(k).swapaxes(-1, -2))
        row_error = numpy.where(seen, s_error, 0.0).max(-1, keepdims=True, initial=0.0)
        relative = 2 * row_error + (2 * n_k + 16) * UNIT
        self.o_bound = relative * (p @ abs(v)) + 1e-37
        self.lse_bound = row_error[..., 0] + (n_k + 16) * UNIT * (1 + abs(self.lse))
        if do is None:
            return
        # 4. dV = P^T dO, dP = dO V^T, dS = P (dP - D), dQ = scale dS K, dK = scale dS^T Q.
        do = numpy.asarray(do, numpy.float64)
        dp = do @ v.swapaxes(-1, -2)
        delta = (do * self.o).sum(-1, keepdims=True)
        ds = p * (dp - delta)
        self.dq = scale * ds @ k
        self.dk = _summed(scale * ds.swapaxes(-1, -2) @ q, group)
        self.dv = _summed(p.swapaxes(-1, -2) @ do, group)


def _summed(gradient: numpy.ndarray, group: int) -> numpy.ndarray:
    batch, heads, *rest = gradient.shape
    return gradient.reshape(batch, heads // group, group, *rest).sum(2)


def assert_within(result: object, expected: numpy.ndarray, bound: numpy.ndarray | float) -> None:
    """Every value of a result lies within the bound; NaN never does, and infinities have to be equal."""
    result = numpy.asarray(result)
    assert result.dtype == numpy.float32
    assert result.shape == expected.shape
    equal = result == expected
    with numpy.errstate(invalid="ignore"):
        wrong = ~(equal | (abs(result.astype(numpy.float64) - expected) <= bound))
    assert not wrong.any(), (
        f"{wrong.sum()} of {wrong.size} values are wrong, the first at {numpy.argwhere(wrong)[0]}: "
        f"{result[wrong][0]}, expected {expected[wrong][0]}"
    )


def assert_gradient(result: object, expected: numpy.ndarray) -> None:
    """Gradients are sums of products of sums: here their error is compared with their size."""
    assert_within(result, expected, 2e-5 * max(abs(expected).max(initial=0.0), 1.0))


def draw(*shape: int, seed: int = 0, count: int = 3) -> list[numpy.ndarray]:
    """Normally distributed arrays of one shape."""
    generator = numpy.random.default_rng([seed, *shape])
    return [generator.standard_normal(shape, numpy.float32) for _ in range(count)]
