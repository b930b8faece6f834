"""Notebook 03: bytes of global memory, counted by the CPU device access by access."""

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import flash_lessons
from card import BLUE, GREEN, GREY, INK, ORANGE, VERMILION, card
from course_tools import claims, paths
from course_tools.tables import KIB, MIB, size_text
from course_tools.text import clean_line
from flash_lessons import Counters, Finding
from matplotlib.figure import Figure

from plots.common import (
    YOURS,
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

LENGTHS = [64, 128, 256, 512]
HEAD_DIM = 64
TILES = (16, 64, 128)  # queries in a block of the variants of lesson 03
VARIES = {"by_tile": "Br", "by_head_dim": "d", "by_seq_len": "N"}  # in the record's groups
ASKED = "bytes that the threads ask for; caches answer a part of them"


@dataclass(frozen=True)
class Count:
    """What one call asks of K and V."""

    seq_len: int
    head_dim: int
    kv_bytes: int
    tile: int = 0  # queries in a block, where that is known

    @property
    def on_chip(self) -> int:
        """M: floats of a tile of queries, [tile, d]."""
        return self.tile * self.head_dim


def count(kernels: Kernels, seq_len: int, head_dim: int, *, causal: bool = False) -> Counters:
    """The counts of one call, one head."""
    with flash_lessons.counting(), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of NaN, which is not what is counted
        kernels.attention(*draw(1, 1, seq_len, head_dim), causal=causal)
    return kernels.report().counters


def kv_bytes(counters: Counters) -> int:
    """Loads of K and V."""
    return sum(counters.tensors[name].load.bytes for name in "kv")


def by_length(
    kernels: Mapping[str, Kernels],
    seq_lens: Sequence[int] = LENGTHS,
    head_dim: int = HEAD_DIM,
    *,
    say: Say = print,
) -> dict[str, list[Count]]:
    """The loads of K and V at each length. `say` is that of common.each, and gets findings, too."""
    found = {}
    for label, one in kernels.items():
        counts = each({label: one}, lambda one: _by_length(one, seq_lens, head_dim), say)
        for label, (points, findings) in counts.items():
            found[label] = points
            if findings and label.startswith(YOURS):
                first = clean_line(str(findings[0]))
                many = "1 finding" if len(findings) == 1 else f"{len(findings)} findings, the first"
                say(f"{label} is drawn, but the checked build has {many}: {first}")
    return found


def _by_length(
    kernels: Kernels, seq_lens: Sequence[int], head_dim: int
) -> tuple[list[Count], list[Finding]]:
    """And what the checked build found at the first length at which it found something."""
    counts, findings = [], []
    for n in seq_lens:
        counts.append(Count(n, head_dim, kv_bytes(count(kernels, n, head_dim))))
        findings = findings or [one for one in kernels.report().findings if one.severity != "note"]
    return counts, findings


def with_tile(queries: int, folder: Path) -> Kernels:
    """Lesson 03 with so many queries in a block, compiled."""
    solution = paths.SOLUTIONS / "03_online_softmax.cu"
    path = folder / f"03_with_{queries}_queries.cu"
    path.write_text(claims.with_tile(solution.read_text(encoding="utf-8"), queries), "utf-8")
    return flash_lessons.load(path)


def by_tile(
    folder: Path, seq_len: int = 256, head_dim: int = 32, tiles: Iterable[int] = TILES
) -> list[Count]:
    """Variants of lesson 03, compiled in the folder and counted here."""
    return [
        Count(seq_len, head_dim, kv_bytes(count(with_tile(n, folder), seq_len, head_dim)), n)
        for n in tiles
    ]


def recorded(claims_cpu: dict) -> dict[str, list[Count]]:
    """The variants that notebooks/data/claims_cpu.json has, by what changes."""
    return {name: [Count(**point) for point in claims_cpu["tiles"][name]] for name in VARIES}


def variants(folder: Path, claims_cpu: dict) -> dict[str, list[Count]]:
    """Variants of lesson 03 counted here, then those that were recorded, by a name for a legend."""
    found = {"counted here": by_tile(folder)}
    for name, counts in recorded(claims_cpu).items():
        found[f"recorded, {VARIES[name]} varies"] = counts
    return found


def growth(counted: Mapping[str, Sequence[Count]]) -> Figure:
    """Bytes of K and V against N, over the lines 8 N^2 d / Br."""
    figure = card(9, 5.2)
    heading(figure, "Loads of K and V, one head")
    axes = panel(figure, (0.12, 0.175, 0.85, 0.71), "")
    every = [one for counts in counted.values() for one in counts]
    seq_lens = sorted({one.seq_len for one in every})
    head_dim = every[0].head_dim
    at = max(0, len(seq_lens) - 2)
    for queries in (1, 64, 128):
        theory = [8 * n * n * head_dim / queries for n in seq_lens]
        axes.plot(seq_lens, theory, color="#d0d7de", linewidth=8, zorder=1)
        text = "8 N\u00b2 d bytes" + (f" / {queries}" if queries > 1 else "")
        axes.annotate(
            text,
            (seq_lens[at], theory[at]),
            (-8, 10) if queries < 128 else (8, -16),
            textcoords="offset points",
            ha="right" if queries < 128 else "left",
            color=GREY,
            weight="bold",
        )
    for labels, counts in together(counted):
        axes.plot(
            [one.seq_len for one in counts],
            [one.kv_bytes for one in counts],
            label=", ".join(labels),
            **style(labels[0]),
        )
    axes.set_yscale("log", base=2)
    ticks = [4**e * KIB for e in range(1, 9)]
    axes.set_yticks(ticks, [size_text(tick) for tick in ticks])
    axes.set_ylabel("asked for by the threads")
    lengths(axes, seq_lens, f"sequence length N (B = 1, H = 1, d = {head_dim})")
    axes.legend(frameon=False, title="lesson", loc="lower right", ncols=3)
    conditions(figure, f"CPU device, checked build: {ASKED}. Full attention, forward pass.")
    return figure


def law(variants: Mapping[str, Sequence[Count]]) -> Figure:
    """All variants on one line: bytes over N^2 d^2 go as 8 / M."""
    figure = card(9, 5.2)
    heading(figure, "Loads of K and V by lesson 03, against what its tile of queries holds")
    axes = panel(figure, (0.12, 0.175, 0.85, 0.71), "")
    every = [one for counts in variants.values() for one in counts]
    sizes = sorted({one.on_chip for one in every})
    ends = [sizes[0] / 1.5, sizes[-1] * 1.5]
    axes.plot(
        ends, [8 / size for size in ends], color="#d0d7de", linewidth=8, zorder=1, label="_theory"
    )
    axes.annotate(
        "8 N\u00b2 d\u00b2 / M bytes",
        (ends[0] * 1.7, 8 / (ends[0] * 1.7)),
        (16, 6),
        textcoords="offset points",
        color=GREY,
        size=11,
        weight="bold",
    )
    looks = zip("osD^", (BLUE, ORANGE, GREEN, VERMILION), (19, 14, 11, 5), strict=True)
    for (name, counts), (marker, color, size) in zip(variants.items(), looks, strict=False):
        axes.plot(
            [one.on_chip for one in counts],
            [one.kv_bytes / (one.seq_len * one.head_dim) ** 2 for one in counts],
            linestyle="",
            marker=marker,
            color=color,
            markersize=size,
            markerfacecolor="none",
            markeredgewidth=2,
            label=f"{name}: {_shapes(counts)}",
        )
    axes.set_yscale("log", base=2)
    lengths(axes, sizes, "M = Br d, floats of a tile of queries")
    axes.set_ylabel("bytes of K and V, over N\u00b2 d\u00b2")
    low, high = 8 / ends[1], 8 / ends[0]
    ticks = [2.0**e for e in range(-14, 0) if low / 2 <= 2.0**e <= high * 2]
    axes.set_yticks(ticks, [f"1/{round(1 / tick)}" for tick in ticks])
    axes.set_ylim(low / 1.6, high * 1.6)
    axes.legend(frameon=False, fontsize=9, loc="upper right", markerscale=0.6)
    conditions(figure, f"CPU device, checked build: {ASKED}. B = 1, H = 1, full attention.")
    return figure


def _shapes(counts: Sequence[Count]) -> str:
    """The shapes of some counts in words: a value where it is the same for all, else its range."""
    parts = []
    for name, values in (
        ("Br", [one.tile for one in counts]),
        ("N", [one.seq_len for one in counts]),
        ("d", [one.head_dim for one in counts]),
    ):
        low, high = min(values), max(values)
        parts.append(f"{name} = {low}" if low == high else f"{name} = {low} to {high}")
    return ", ".join(parts)


def ladder(ladder_cpu: dict) -> Figure:
    """Recorded bytes of each lesson: those asked of K and V beside all of global memory."""
    figure = card(9, 4.6)
    heading(figure, "Global memory asked for, lesson by lesson")
    axes = panel(figure, (0.1, 0.27, 0.87, 0.6), "")
    names = list(ladder_cpu["lessons"])
    for place, (key, color, marker, label) in enumerate(
        (("kv_bytes", BLUE, "o", "loads of K and V"), ("global_bytes", ORANGE, "s", "all"))
    ):
        values = [ladder_cpu["lessons"][name]["full"][key] for name in names]
        at = [n + (place - 0.5) * 0.3 for n in range(len(names))]
        axes.plot(at, values, marker, color=color, markersize=9, label=label)
        for x, value in zip(at, values, strict=True):
            over = {"xytext": (0, 8), "textcoords": "offset points", "ha": "center", "size": 8}
            axes.annotate(f"{value / MIB:.3g}", (x, value), **over)
    axes.set_yscale("log", base=2)
    ticks = [2**e * KIB for e in range(9, 21, 2)]
    axes.set_yticks(ticks, [size_text(tick) for tick in ticks])
    axes.set_ylim(512 * KIB, 2**10 * MIB)
    axes.set_xticks(
        range(len(names)), [name.replace("_", "\n") for name in names], size=9, color=INK
    )
    axes.legend(frameon=False, ncols=2, loc="upper right")
    conditions(
        figure,
        f"{ladder_cpu['device']}, {ladder_cpu['compiler']}; B = {ladder_cpu['batch']}, "
        f"H = {ladder_cpu['num_heads']}, N = {ladder_cpu['seq_len']}, d = {ladder_cpu['head_dim']}, "
        "full; numbers in MiB. 06 is the backward pass.",
    )
    return figure
