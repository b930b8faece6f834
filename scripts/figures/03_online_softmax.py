"""Draws the two figures of lesson 03; the numbers of the first are computed from its scores.

Usage: python scripts/figures/03_online_softmax.py [--out DIR]   (needs matplotlib)
"""

from __future__ import annotations

import argparse
from math import exp
from pathlib import Path

from card import (
    BLUE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    PALE,
    ROOT,
    SKY,
    VERMILION,
    arrow,
    card,
    drawing,
    grid,
    save,
)
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

FIGURES = ROOT / "lessons" / "03_online_softmax" / "figures"
SCORES, VALUES, TILE = [98, 97, 100, 100], [10, 20, 30, 40], 2  # query 1 of the text
BASE, UNIT, BAR, PITCH = 128, 120, 40, 47  # of the bars: floor, height of weight 1, width, distance


def bars(axes: Axes, x: float, weights: list[float], faded: list[float]) -> None:
    """A bar for each key that was seen; dashed, what its weight was before."""
    for key in range(len(SCORES)):
        left = x + key * PITCH
        if key < len(weights):
            color = BLUE if key < TILE else ORANGE
            axes.add_patch(
                Rectangle((left, BASE), BAR, UNIT * weights[key], facecolor=color, edgecolor="none")
            )
            top = BASE + UNIT * weights[key]
            axes.text(left + BAR / 2, top + 5, f"{weights[key]:.3f}", size=9, ha="center")
        if key < len(faded):
            axes.add_patch(
                Rectangle(
                    (left, BASE),
                    BAR,
                    UNIT * faded[key],
                    facecolor="none",
                    edgecolor=BLUE,
                    linewidth=1,
                    linestyle=(0, (3, 3)),
                )
            )
        axes.text(left + BAR / 2, BASE - 17, str(SCORES[key]), size=9.5, ha="center", color=GREY)
    axes.text(x - 6, BASE - 17, "s =", size=9.5, ha="right", color=GREY)
    axes.plot([x - 6, x + 4 * PITCH - 8], [BASE, BASE], color=INK, linewidth=1)


def draw_rescale(path: Path) -> None:
    """The weights of one query in three steps: tile 0, the new maximum, tile 1."""
    figure = card(8, 3.9)
    axes = drawing(figure, 800, 390)
    axes.text(
        24, 354, "A larger maximum makes every earlier weight smaller", size=13.5, weight="bold"
    )
    m_old, m_new = max(SCORES[:TILE]), max(SCORES)
    rescale = exp(m_old - m_new)
    before = [exp(s - m_old) for s in SCORES[:TILE]]
    after = [rescale * p for p in before]
    all_weights = after + [exp(s - m_new) for s in SCORES[TILE:]]
    steps = [
        (f"tile 0: m = {m_old}", "weights exp(s - m)", before, []),
        (
            f"tile 1 raises m to {m_new}",
            f"rescale = exp({m_old} - {m_new}) = {rescale:.3f}",
            after,
            before,
        ),
        ("tile 1 is added", f"weights exp(s - {m_new})", all_weights, []),
    ]
    for n, (title, subtitle, weights, faded) in enumerate(steps):
        x = 56 + n * 252
        axes.text(x - 6, 310, title, size=11.5, weight="bold")
        axes.text(x - 6, 292, subtitle, size=10, color=GREY)
        bars(axes, x, weights, faded)
        l, o = sum(weights), sum(p * v for p, v in zip(weights, VALUES, strict=False))
        axes.text(x - 6, 76, f"l = {l:.3f}", size=11)
        axes.text(x - 6, 54, f"o = {o:.3f}", size=11)
        if n < 2:
            arrow(axes, (x + 192, BASE + 60), (x + 224, BASE + 60), GREY)
        else:
            axes.text(x - 6, 28, f"O = o / l = {o / l:.2f}", size=11, weight="bold", color=GREEN)
    axes.text(50, 28, "values v = 10, 20, 30, 40", size=10, color=GREY)
    save(figure, path)


def matrix(axes: Axes, x: float, top: float, fills: list[str], cell: float, rows: int) -> None:
    """Rows alike, with a colour for each column."""
    cells = {(r, c): fill for r in range(rows) for c, fill in enumerate(fills)}
    grid(axes, x, top, rows, len(fills), cell, cells)


def draw_sweep(path: Path) -> None:
    """What is alive of S while a block works: all of it, or one tile."""
    figure = card(8, 4.3)
    axes = drawing(figure, 800, 430)
    axes.text(24, 394, "What exists of S while a block works", size=13.5, weight="bold")
    cell, rows, columns, top = 18, 6, 12, 300
    height = rows * cell

    def heading(x: float, name: str, text: str, color: str) -> None:
        axes.text(x, 352, name, size=11.5, weight="bold", color=color)
        axes.text(x, 333, text, size=10.5)

    # Left: S lies in global memory and is gone through twice.
    x = 40
    heading(x, "lesson 02", "all of it, in global memory", VERMILION)
    matrix(axes, x, top, [VERMILION] * columns, cell, rows)
    for n, text in enumerate(
        ("K tile by tile: store s, find m", "V tile by tile: load s, add up l and o")
    ):
        y = top - height - 16 - 38 * n
        arrow(axes, (x, y), (x + columns * cell, y), INK)
        axes.text(x, y - 17, text, size=10)
    axes.plot([352, 352], [56, 364], color="#d0d7de", linewidth=1)

    # Right: one tile, and three quantities per row that go along.
    x = 396
    heading(x, "lesson 03", "one tile of 32 keys, in registers", BLUE)
    done, here = 5, 2
    fills = [PALE] * done + [ORANGE] * here + [PALE] * (columns - done - here)
    matrix(axes, x, top, fills, cell, rows)
    y = top - height - 16
    arrow(axes, (x, y), (x + columns * cell, y), INK)
    axes.text(x, y - 17, "K and V tile by tile: s, m, l, o", size=10)
    axes.text(x + done * cell / 2, top + 7, "gone", size=9.5, ha="center", color=GREY)
    axes.text(x + (done + here / 2) * cell, top + 7, "now", size=9.5, ha="center", weight="bold")
    axes.text(
        x + (done + here + (columns - done - here) / 2) * cell,
        top + 7,
        "not yet",
        size=9.5,
        ha="center",
        color=GREY,
    )
    state_x = x + columns * cell + 44
    arrow(axes, (x + columns * cell + 6, top - height / 2), (state_x - 6, top - height / 2), INK)
    for n, (word, wide) in enumerate((("m", 1), ("l", 1), ("o", 4))):
        left = state_x + (0, 24, 48)[n]
        matrix(axes, left, top, [(SKY, SKY, GREEN)[n]] * wide, cell, rows)
        axes.text(left + wide * cell / 2, top + 7, word, size=10.5, weight="bold", ha="center")
    axes.text(state_x, y - 17, "kept per query", size=10)

    axes.text(
        40, 84, "extra memory: 4 N\u00b2 bytes per head", size=11, weight="bold", color=VERMILION
    )
    axes.text(40, 64, "64 KiB at N = 128, 16 GiB at N = 65,536", size=10.5)
    axes.text(396, 84, "extra memory: 4 N bytes per head", size=11, weight="bold", color=BLUE)
    axes.text(396, 64, "LSE, one number per query; no scratch", size=10.5)
    axes.text(
        400,
        24,
        "A row of squares is one query of the block. Extra memory: scratch, and LSE where it is a result.",
        size=10,
        ha="center",
        color=GREY,
    )
    save(figure, path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, help="draw into this folder instead")
    out = parser.parse_args().out or FIGURES
    draw_rescale(out / "rescale.svg")
    draw_sweep(out / "sweep.svg")


if __name__ == "__main__":
    main()
