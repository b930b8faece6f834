"""Draws the ladder of lessons: what each one adds, and the extra memory that its kernel needs.

Usage: python scripts/figures/ladder.py [--out DIR]   (needs matplotlib)
"""

from __future__ import annotations

import argparse
from pathlib import Path

from card import BLUE, GREY, INK, PALE, ROOT, VERMILION, card, drawing, save
from matplotlib.patches import FancyBboxPatch

# Number, name, idea, extra memory of the kernel.
STEPS = [
    ("01", "naive", "one thread per query, scores in a workspace", "N\u00b2"),
    ("02", "tiled", "K and V tiles shared by a block's queries", "N\u00b2"),
    ("03", "online softmax", "running max and sum; S is never stored", "N"),
    ("04", "vectorized I/O", "float4 loads and stores, scalar fallback", "N"),
    ("05", "causal", "mask the diagonal tile, skip the tiles beyond", "N"),
    ("06", "backward", "recompute P from the log-sum-exp", "N"),
    ("07", "work partitioning", "FlashAttention-2: warps split Q, not K", "N"),
]


def draw(path: Path) -> None:
    figure = card(8, 4.1)
    axes = drawing(figure, 800, 410)
    axes.text(24, 374, "Seven kernels, one idea each", size=13.5, weight="bold")

    width, height, pitch, indent = 606, 40, 46, 25
    for n, (number, name, idea, memory) in enumerate(STEPS):
        x, y = 24 + n * indent, 20 + n * pitch
        color = VERMILION if memory == "N\u00b2" else BLUE
        axes.add_patch(
            FancyBboxPatch(
                (x, y),
                width,
                height,
                boxstyle="round,pad=0,rounding_size=6",
                facecolor=PALE,
                edgecolor=color,
                linewidth=2.2,
            )
        )
        text_y = y + height / 2 - 4.5
        axes.text(x + 12, text_y, number, size=11, weight="bold", color=color)
        axes.text(x + 40, text_y, name, size=11, weight="bold", color=INK)
        axes.text(x + 208, text_y, idea, size=10.5, color=INK)
        axes.text(
            x + width - 14, text_y, f"O({memory})", size=11, weight="bold", color=color, ha="right"
        )
    axes.text(24 + width + 14, 20 + height / 2 - 4.5, "begin here", size=11, weight="bold")
    axes.annotate(
        "extra memory: scratch, and LSE where it is a result",
        (24 + 6 * indent + width - 36, 20 + 6 * pitch + height + 3),
        xytext=(24 + 6 * indent + width, 374),
        size=10,
        color=GREY,
        ha="right",
        arrowprops={"arrowstyle": "-", "color": GREY, "shrinkA": 2, "shrinkB": 0},
    )
    save(figure, path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, help="draw into this folder instead")
    out = parser.parse_args().out
    draw((out if out else ROOT / "lessons" / "figures") / "ladder.svg")


if __name__ == "__main__":
    main()
