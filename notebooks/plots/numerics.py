"""Notebook 06: errors against their bound, and what breaks where a step is left out."""

import warnings
from collections.abc import Mapping, Sequence

import numpy
from card import BLUE, GREEN, GREY, INK, ORANGE, VERMILION, card
from matplotlib.figure import Figure

from plots import reference
from plots.common import (
    Kernels,
    Say,
    conditions,
    draw,
    each,
    heading,
    lengths,
    panel,
    style,
    together,
)

LENGTHS = [16, 64, 256, 1024]
MAGNITUDES = [2.0**e for e in range(-2, 10)]
SUMS = [2**e for e in range(4, 21, 2)]
BROKEN = 1e40  # where what is not finite is drawn


def errors(
    kernels: Mapping[str, Kernels],
    seq_lens: Sequence[int] = LENGTHS,
    head_dim: int = 32,
    *,
    say: Say = print,
) -> dict[str, list[tuple[float, float]]]:
    """The largest error of O, and the largest share of its own bound that an error takes.

    Both are infinite where a value of O is not finite. `say` is that of common.each.
    """
    inputs = [draw(1, 1, n, head_dim) for n in seq_lens]
    expected = [reference.attention(*one) for one in inputs]

    def worst(one: Kernels) -> list[tuple[float, float]]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # of NaN, which the figure shows
            results = [one.attention(*qkv) for qkv in inputs]
        return [reference.error_of(o, right) for o, right in zip(results, expected, strict=True)]

    return each(kernels, worst, say)


def bound(
    found: Mapping[str, Sequence[tuple[float, float]]],
    seq_lens: Sequence[int] = LENGTHS,
    head_dim: int = 32,
) -> Figure:
    """The error over its bound, against N: what is above 1 would be wrong."""
    figure = card(9, 4.6)
    heading(figure, "Errors of O, as a share of the rounding bound")
    axes = panel(figure, (0.1, 0.19, 0.87, 0.68), "")
    axes.axhline(1, color=INK, linewidth=1.3, linestyle=(0, (5, 3)))
    text = "the bound: what is above it is wrong, not rounded"
    axes.text(seq_lens[-1], 1.6, text, ha="right", size=10)
    shares = {label: [share for _, share in values] for label, values in found.items()}
    finite = [one for values in shares.values() for one in values if numpy.isfinite(one)]
    lost = max([*finite, 1.0]) * 10  # where what is not finite is drawn
    for labels, values in together(shares):
        seen = [value if numpy.isfinite(value) else numpy.nan for value in values]
        look = style(labels[0])
        axes.plot(seq_lens, seen, label=", ".join(labels), **look)
        gone = [n for n, value in zip(seq_lens, values, strict=True) if not numpy.isfinite(value)]
        if gone:
            name = f"{', '.join(labels)}: not finite"
            cross = {"marker": "X", "markersize": 11, "mec": INK, "linestyle": ""}
            axes.plot(gone, [lost] * len(gone), color=look["color"], label=name, **cross)
    axes.set_yscale("log")
    axes.set_ylim(1e-6, lost * 10)
    axes.set_ylabel("largest error / bound")
    lengths(axes, list(seq_lens), f"sequence length N (B = 1, H = 1, d = {head_dim})")
    axes.legend(frameon=False, title="lesson", ncols=4, loc="lower left", fontsize=9)
    conditions(
        figure,
        "CPU device, against float64; normally distributed Q, K and V. The bound adds up 2^-24 for "
        "each operation, element by element.",
    )
    return figure


def online(
    s: numpy.ndarray, v: numpy.ndarray, *, maximum: bool = True, rule: str = "multiply"
) -> numpy.ndarray:
    """Attention of scores s [N_q, N_k] over values v [N_k, d], key by key in float32.

    Without maximum, exp(s) is summed as it is. rule is what happens to l and o when the maximum
    rises: "multiply", "none", or "divide" for o alone, as online_softmax.fold has it.
    """
    m = numpy.full(s.shape[0], -numpy.inf if maximum else 0.0, numpy.float32)
    l = numpy.zeros(s.shape[0], numpy.float32)
    o = numpy.zeros((s.shape[0], v.shape[1]), numpy.float32)
    for j in range(s.shape[1]):
        m_new = numpy.maximum(m, s[:, j]) if maximum else m
        rescale = numpy.ones_like(m) if rule == "none" else numpy.exp(m - m_new)
        factor = rescale  # of o
        if rule == "divide":
            factor = numpy.where(rescale == 0, 0, 1 / rescale)
        p = numpy.exp(s[:, j] - m_new)
        l = l * rescale + p
        o = o * factor[:, None] + p[:, None] * v[j]
        m = m_new
    return o / l[:, None]


def breaking(
    magnitudes: Sequence[float] = MAGNITUDES, n_q: int = 32, n_k: int = 128, d: int = 8
) -> dict[str, list[float]]:
    """The largest error of O for each way, as scores grow; inf where O is not finite."""
    ways = {
        "with m, multiplied": {},
        "without m": {"maximum": False},
        "with m, nothing done": {"rule": "none"},
        "with m, o divided": {"rule": "divide"},
    }
    generator = numpy.random.default_rng(5)
    unit = generator.standard_normal((n_q, n_k))
    v = generator.standard_normal((n_k, d)).astype(numpy.float32)
    found: dict[str, list[float]] = {way: [] for way in ways}
    for magnitude in magnitudes:
        s = (magnitude * unit).astype(numpy.float32)
        p = numpy.exp(s.astype(numpy.float64) - s.max(1, keepdims=True))
        expected = p / p.sum(1, keepdims=True) @ v.astype(numpy.float64)
        for way, options in ways.items():
            with numpy.errstate(all="ignore"):
                o = online(s, v, **options)
                error = abs(o - expected).max()
            found[way].append(float(error) if numpy.isfinite(o).all() else numpy.inf)
    return found


def broken(
    found: Mapping[str, Sequence[float]], magnitudes: Sequence[float] = MAGNITUDES
) -> Figure:
    """Those errors against the size of the scores."""
    figure = card(9, 4.8)
    heading(figure, "What breaks without the maximum, and without its rescale")
    axes = panel(figure, (0.1, 0.2, 0.87, 0.67), "")
    looks = zip(
        ((GREEN, "o", "-"), (BLUE, "D", "-"), (VERMILION, "s", "--"), (INK, "^", ":")),
        found.items(),
        strict=True,
    )
    for n, ((color, marker, line), (way, values)) in enumerate(looks):
        height = BROKEN * 100**n
        finite = [value if numpy.isfinite(value) else numpy.nan for value in values]
        axes.plot(
            magnitudes,
            finite,
            color=color,
            marker=marker,
            linestyle=line,
            label=way,
            markersize=6 if n else 12,  # around those of "without m", on the same line
            markerfacecolor=color if n else "none",
        )
        lost = [x for x, value in zip(magnitudes, values, strict=True) if not numpy.isfinite(value)]
        axes.plot(lost, [height] * len(lost), "X", color=color, markersize=11, mec="white")
    axes.axhline(reference.UNIT, color=GREY, linewidth=1, linestyle=(0, (5, 3)))
    axes.text(
        magnitudes[-1], reference.UNIT / 100, "2^-24", size=9, color=GREY, ha="right", va="top"
    )
    axes.set_yscale("log")
    axes.set_ylim(1e-13, 1e49)
    axes.set_yticks([10.0**e for e in range(-8, 41, 8)])
    axes.set_xscale("log", base=2)
    axes.set_xticks(magnitudes, [f"{one:g}" for one in magnitudes])
    axes.minorticks_off()
    axes.set_xlabel("standard deviation of the scores")
    axes.set_ylabel("largest error of O")
    axes.legend(frameon=False, loc="upper left")
    conditions(
        figure,
        "NumPy, float32 against float64; 32 queries, 128 keys, 8 columns, values of about 1. Large X: "
        "O is not finite (drawn at the top).",
    )
    return figure


def sums(sizes: Sequence[int] = SUMS, tile: int = 64, seed: int = 0) -> dict[str, list[float]]:
    """Relative errors of a float32 sum of numbers in (0, 1), by order of summation."""
    found: dict[str, list[float]] = {
        "one after the other": [],
        f"tiles of {tile}": [],
        "pairwise": [],
    }
    for n in sizes:
        numbers = numpy.random.default_rng([seed, n]).random(n, numpy.float32)
        exact = numbers.astype(numpy.float64).sum()
        tiles = numpy.array(
            [numpy.add.accumulate(part)[-1] for part in numpy.split(numbers, range(tile, n, tile))]
        )
        totals = (
            numpy.add.accumulate(numbers)[-1],
            numpy.add.accumulate(tiles)[-1],
            _pairwise(numbers),
        )
        for name, total in zip(found, totals, strict=True):
            found[name].append(float(abs(total - exact) / exact))
    return found


def _pairwise(numbers: numpy.ndarray) -> numpy.float32:
    """Halves are added element by element; the length is a power of 2."""
    while len(numbers) > 1:
        numbers = numbers[: len(numbers) // 2] + numbers[len(numbers) // 2 :]
    return numbers[0]


def order(found: Mapping[str, Sequence[float]], sizes: Sequence[int] = SUMS) -> Figure:
    """Those errors against the number of summands, with the bounds of two orders."""
    figure = card(9, 4.6)
    heading(figure, "The same numbers, summed in three orders")
    axes = panel(figure, (0.1, 0.19, 0.87, 0.68), "")
    for color, label, values in (
        ("#d0d7de", "bound: (n - 1) 2^-24", [(n - 1) * reference.UNIT for n in sizes]),
        ("#bfe0f2", "bound: log2(n) 2^-24", [numpy.log2(n) * reference.UNIT for n in sizes]),
    ):
        axes.plot(sizes, values, color=color, linewidth=8, zorder=1, label=label)
    for (color, marker), (name, values) in zip(
        ((VERMILION, "s"), (ORANGE, "^"), (BLUE, "o")), found.items(), strict=True
    ):
        shown = [max(value, 1e-9) for value in values]
        axes.plot(sizes, shown, color=color, marker=marker, label=name)
    axes.set_yscale("log")
    axes.set_ylim(5e-10, 0.5)
    axes.set_ylabel("relative error")
    lengths(axes, list(sizes), "summands")
    axes.legend(frameon=False, loc="upper left", fontsize=9)
    conditions(
        figure,
        "NumPy, float32 against float64; uniform in (0, 1), one draw per size. Errors below 1e-9 are "
        "drawn at 1e-9.",
    )
    return figure
