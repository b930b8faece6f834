"""Notebook 05: which keys a query sees, which tiles are skipped, and how right the gradients are."""

from collections.abc import Mapping, Sequence

import numpy
from card import BLUE, GREEN, GREY, INK, ORANGE, card
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from plots import reference
from plots.common import Kernels, conditions, draw, heading, lengths, panel, style
from plots.traffic import count, kv_bytes

SHAPES = ((16, 16), (12, 20), (20, 12))  # N_q, N_k
LENGTHS = [64, 128, 256, 512]
GRADIENTS = {"dq": (BLUE, "o"), "dk": (ORANGE, "s"), "dv": (GREEN, "^")}


def weights(kernels: Kernels, n_q: int, n_k: int, *, causal: bool = True) -> numpy.ndarray:
    """P, [N_q, N_k], out of the kernel: with V the unit matrix, O is P."""
    q, k = draw(1, 1, n_q, n_k, count=1)[0], draw(1, 1, n_k, n_k, seed=1, count=1)[0]
    unit = numpy.eye(n_k, dtype=numpy.float32)[None, None]
    return kernels.attention(q, k, unit, causal=causal)[0, 0]


def mask(kernels: Kernels, shapes: Sequence[tuple[int, int]] = SHAPES) -> Figure:
    """Which weights the kernel leaves at zero, at equal and at unequal lengths."""
    width, height = 9, 4.5
    cell = (width - 0.8 - 0.7 * (len(shapes) - 1)) / sum(n_k for _, n_k in shapes)  # inches
    figure = card(width, height)
    heading(figure, "What each query sees: the weights P, computed by lesson 05")
    left = 0.6
    for n, (n_q, n_k) in enumerate(shapes):
        p = weights(kernels, n_q, n_k)
        bottom = height - 0.85 - n_q * cell
        place = (left / width, bottom / height, n_k * cell / width, n_q * cell / height)
        axes = figure.add_axes(place)
        left += n_k * cell + 0.7
        axes.imshow(p > 0, cmap=ListedColormap(["#e4e7eb", BLUE]), vmin=0, vmax=1)
        axes.set_title(f"N_q = {n_q}, N_k = {n_k}", size=11, loc="left", weight="bold")
        axes.set_xticks(numpy.arange(-0.5, n_k), minor=True)
        axes.set_yticks(numpy.arange(-0.5, n_q), minor=True)
        axes.grid(which="minor", color="white", linewidth=1)
        axes.tick_params(which="both", length=0)
        axes.set_xticks(range(0, n_k, 4))
        axes.set_yticks(range(0, n_q, 4))
        axes.set_xlabel("key j")
        if n == 0:
            axes.set_ylabel("query i")
        empty = int((p == 0).all(1).sum())
        if empty:
            axes.text(
                n_k / 2 - 0.5, empty / 2 - 0.5, "no key: O = 0", ha="center", va="center", size=10
            )
    conditions(
        figure,
        "CPU device; V is the unit matrix, so O is P. Blue: above 0. Query i sees key j if "
        "j <= i + N_k - N_q.",
    )
    return figure


def shares(
    kernels: Mapping[str, Kernels], seq_lens: Sequence[int] = LENGTHS, head_dim: int = 32
) -> dict[str, list[float]]:
    """Bytes of K and V with the mask over those without it."""
    return {
        label: [
            kv_bytes(count(one, n, head_dim, causal=True)) / kv_bytes(count(one, n, head_dim))
            for n in seq_lens
        ]
        for label, one in kernels.items()
    }


def skipped(
    measured: Mapping[str, Sequence[float]],
    seq_lens: Sequence[int] = LENGTHS,
    head_dim: int = 32,
) -> Figure:
    """The share of K and V that is still asked for, falling towards one half."""
    figure = card(9, 4.4)
    heading(figure, "Loads of K and V that the causal mask leaves")
    axes = panel(figure, (0.09, 0.2, 0.88, 0.66), "")
    axes.axhline(50, color=INK, linewidth=1.3, linestyle=(0, (5, 3)))
    axes.text(seq_lens[0], 50.8, "one half", size=10)
    for queries, place in ((64, 0), (128, 1)):
        at = [n for n in seq_lens if n >= queries]
        theory = [50 * (1 + queries / n) for n in at]
        axes.plot(at, theory, color="#d0d7de", linewidth=8, zorder=1)
        axes.annotate(
            f"(T + 1) / 2T, T = N / {queries}",
            (at[1], theory[1]),
            (-10, -18) if place == 0 else (12, 6),
            textcoords="offset points",
            ha="right" if place == 0 else "left",
            color=GREY,
            weight="bold",
        )
    for label, values in measured.items():
        axes.plot(seq_lens, [100 * value for value in values], label=label, **style(label))
    axes.set_ylim(45, 107)
    axes.set_ylabel("% of those without the mask")
    lengths(axes, list(seq_lens), f"sequence length N (B = 1, H = 1, d = {head_dim})")
    axes.legend(frameon=False, title="lesson", loc="upper right")
    conditions(
        figure, "CPU device, checked build: bytes that the threads ask for. T: tiles of queries."
    )
    return figure


def gradient_errors(
    forward: Kernels, backward: Kernels, seq_lens: Sequence[int], head_dim: int = 32
) -> dict[str, list[float]]:
    """The largest error of dQ, dK and dV over the largest gradient, against float64."""
    found: dict[str, list[float]] = {name: [] for name in GRADIENTS}
    for n in seq_lens:
        q, k, v, do = draw(1, 1, n, head_dim, count=4)
        o, lse = forward.attention(q, k, v, causal=True, return_lse=True)
        ours = backward.backward(q, k, v, o, lse, do, causal=True)
        expected = reference.attention(q, k, v, causal=True, do=do).gradients
        for name, gradient in zip(GRADIENTS, ours, strict=True):
            error = abs(gradient - expected[name]).max()
            found[name].append(float(error / abs(expected[name]).max()))
    return found


def gradients(
    errors: Mapping[str, Sequence[float]], seq_lens: Sequence[int], head_dim: int = 32
) -> Figure:
    """Those errors against N, beside the unit of rounding."""
    figure = card(9, 4.4)
    heading(figure, "Lesson 06's gradients against float64")
    axes = panel(figure, (0.1, 0.2, 0.87, 0.66), "")
    for name, values in errors.items():
        color, marker = GRADIENTS[name]
        axes.plot(seq_lens, values, color=color, marker=marker, label=f"d{name[1].upper()}")
    axes.axhline(reference.UNIT, color=INK, linewidth=1.3, linestyle=(0, (5, 3)))
    axes.text(
        seq_lens[-1], reference.UNIT * 1.12, "one rounding of float32, 2^-24", ha="right", size=10
    )
    axes.set_yscale("log")
    low, high = reference.UNIT, max(max(values) for values in errors.values())
    axes.set_ylim(low / 2, high * 4)
    axes.set_ylabel("largest error / largest gradient")
    lengths(axes, list(seq_lens), f"sequence length N (B = 1, H = 1, d = {head_dim}, causal)")
    axes.legend(frameon=False, ncols=3, loc="upper left")
    conditions(
        figure, "CPU device; normally distributed Q, K, V and dO; forward pass by lesson 05."
    )
    return figure
