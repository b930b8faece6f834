"""Notebook 01: device memory against sequence length, measured by the CPU device's allocator."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from card import BLUE, GREY, INK, ORANGE, VERMILION, card
from course_tools.tables import GIB, KIB, MIB, size_text
from matplotlib.figure import Figure

from plots.common import (
    Kernels,
    Say,
    conditions,
    each,
    heading,
    lengths,
    panel,
    short,
    style,
    together,
)

LENGTHS = [2**e for e in range(9, 18)]  # 512 to 131,072
CARD = 16 * GIB  # of the CPU device's default profile
STEP = 64  # to which the longest sequence is found
_REFUSED = re.compile(r"([\d,]+) bytes were refused")


@dataclass(frozen=True)
class Point:
    seq_len: int
    extra_bytes: int  # what the call takes besides the tensors; where refused, what was asked for
    refused: bool


def measure(
    kernels: Mapping[str, Kernels],
    seq_lens: Sequence[int] = LENGTHS,
    *,
    batch: int = 1,
    heads: int = 1,
    head_dim: int = 64,
    say: Say = print,
) -> dict[str, list[Point]]:
    """The extra memory of a call at each length: the launcher runs, its kernels do not.

    It is scratch and, from lesson 03 on, LSE. Lesson 06's is that of the backward pass. `say` is that
    of common.each.
    """
    shape = {"batch": batch, "heads": heads, "head_dim": head_dim}
    return each(kernels, lambda one: [_point(one, **shape, seq_len_q=n) for n in seq_lens], say)


def _point(kernels: Kernels, **shape: int) -> Point:
    try:
        found = kernels.allocate_only(**shape, function=_function(kernels))
    except MemoryError as error:
        asked = int(_REFUSED.search(str(error))[1].replace(",", ""))
        return Point(shape["seq_len_q"], asked, refused=True)
    return Point(shape["seq_len_q"], found.memory.extra_bytes, refused=False)


def _function(kernels: Kernels) -> str:
    return "backward" if kernels.source.name.startswith("06") else "attention"


def growth(
    measured: Mapping[str, Sequence[Point]], *, batch: int = 1, heads: int = 1, head_dim: int = 64
) -> Figure:
    """Extra bytes against N on log axes, over the lines of theory."""
    figure = card(9, 5.6)
    heading(figure, "Extra device memory of one call")
    axes = panel(figure, (0.125, 0.165, 0.845, 0.73), "")
    seq_lens = sorted({point.seq_len for points in measured.values() for point in points})
    matrices = batch * heads
    for power, name in ((2, "4 B H N\u00b2 bytes"), (1, "4 B H N bytes")):
        theory = [4 * matrices * n**power for n in seq_lens]
        axes.plot(seq_lens, theory, color="#d0d7de", linewidth=8, zorder=1, label=f"_{name}")
        at = max(0, len(seq_lens) - 3)
        axes.annotate(
            name,
            (seq_lens[at], theory[at]),
            (12, -16),
            textcoords="offset points",
            color=GREY,
            size=11,
            weight="bold",
        )
    for labels, points in together(measured):
        fits = [point for point in points if not point.refused]
        axes.plot(
            [point.seq_len for point in fits],
            [point.extra_bytes for point in fits],
            label=", ".join(labels),
            **style(labels[0]),
        )
        for point in points:
            if point.refused:
                color = style(labels[0])["color"]
                axes.plot(point.seq_len, point.extra_bytes, "X", color=color, ms=12, mec=INK)
    axes.axhline(CARD, color=INK, linewidth=1.3, linestyle=(0, (5, 3)))
    axes.text(seq_lens[0], CARD * 1.4, "a card of 16 GiB", size=10)
    axes.set_yscale("log", base=2)
    bottom, top = 4 * matrices * seq_lens[0], 4 * matrices * seq_lens[-1] ** 2
    axes.set_ylim(bottom / 3, max(top, CARD) * 4)
    ticks = [2 * KIB, 32 * KIB, 512 * KIB, 8 * MIB, 128 * MIB, 2 * GIB, 32 * GIB]
    axes.set_yticks(ticks, [size_text(tick) for tick in ticks])
    axes.set_ylabel("scratch and LSE")
    lengths(axes, seq_lens, f"sequence length N (B = {batch}, H = {heads}, d = {head_dim})")
    columns = 1 if len(measured) <= len(LENGTHS) else 2
    place = {"loc": "upper left", "bbox_to_anchor": (0, 0.84), "ncols": columns}
    axes.legend(frameon=False, title="lesson", fontsize=9, **place)
    conditions(
        figure,
        "Extra: the launcher's scratch, at peak, and LSE where it is a result. CPU device, profile of 16 "
        "GiB; bytes asked for at the allocator. 06 is the backward pass. Large X: refused, at the size "
        "asked for.",
    )
    return figure


def longest(kernels: Kernels, *, batch: int = 1, heads: int = 1, head_dim: int = 64) -> int:
    """The longest sequence, of equal queries and keys, that fits on the card; in steps of 64."""

    def fits(steps: int) -> bool:
        shape = {"batch": batch, "heads": heads, "head_dim": head_dim}
        return not _point(kernels, seq_len_q=steps * STEP, **shape).refused

    low, high = 0, 1
    while fits(high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low * STEP


def limits(found: Mapping[int, Mapping[str, int]], *, batch: int = 1, head_dim: int = 64) -> Figure:
    """The longest sequence of each lesson as bars; `found` has them by number of heads."""
    figure = card(9, 5)
    heading(figure, "The longest sequence on a card of 16 GiB")
    axes = panel(figure, (0.07, 0.165, 0.9, 0.71), "")
    labels = list(next(iter(found.values())))
    height = 0.8 / len(found)
    looks = zip((BLUE, ORANGE, VERMILION), ("", "//", ".."), found.items(), strict=False)
    for place, (color, hatch, (heads, longest_of)) in enumerate(looks):
        at = [n + (place - (len(found) - 1) / 2) * height for n in range(len(labels))]
        values = [longest_of[label] for label in labels]
        name = f"H = {heads}"
        bars = axes.barh(
            at, values, 0.92 * height, color=color, hatch=hatch, edgecolor="white", label=name
        )
        axes.bar_label(bars, [f"{value:,}" for value in values], size=9, padding=3)
    axes.set_xscale("log", base=2)
    axes.set_xlim(2**11, 2**26.5)
    ticks = [2**e for e in range(12, 27, 2)]
    axes.set_xticks(ticks, [short(tick) for tick in ticks])
    axes.set_yticks(range(len(labels)), labels)
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    axes.set_ylabel("lesson")
    axes.set_xlabel(f"N, equal for queries and keys (B = {batch}, d = {head_dim}, float32)")
    axes.legend(frameon=False, loc="upper right")
    conditions(
        figure,
        f"CPU device, profile of 16 GiB, which Q, K, V and O share with the rest; in steps of {STEP}. "
        "06 is the backward pass, with dO, dQ, dK and dV.",
    )
    return figure
