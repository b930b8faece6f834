"""Draws the two figures of lesson 02.

Usage: python scripts/figures/02_tiled.py [--out DIR]   (needs matplotlib)
"""

from __future__ import annotations

import argparse
from pathlib import Path

from card import (
    BLUE,
    GREY,
    INK,
    ORANGE,
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
from matplotlib.patches import FancyBboxPatch, Rectangle

FIGURES = ROOT / "lessons" / "02_tiled" / "figures"
CELL = 17
KEYS, COLUMNS, TILE = 8, 4, 2  # rows of K as drawn, numbers in a row, rows of a tile
THREADS = 4


def rows(axes: Axes, x: float, top: float, count: int, colored: range) -> None:
    """Rows of K with the top left corner at (x, top); the colored ones stand out."""
    fills = {(r, c): SKY for r in colored for c in range(COLUMNS)}
    grid(axes, x, top, count, COLUMNS, CELL, fills)


def box(axes: Axes, x: float, y: float, width: float, height: float, color: str) -> None:
    axes.add_patch(
        FancyBboxPatch(
            (x, y),
            width,
            height,
            boxstyle="round,pad=0,rounding_size=6",
            facecolor="none",
            edgecolor=color,
            linewidth=1.4,
            linestyle=(0, (4, 3)),
        )
    )


def threads(axes: Axes, x: float, top: float) -> list[tuple[float, float]]:
    """The threads of a block below each other; returns where arrows to them end."""
    ends = []
    for t in range(THREADS):
        y = top - 28 * t - (14 if t == THREADS - 1 else 0)
        axes.add_patch(Rectangle((x, y - 10), 68, 20, facecolor=ORANGE, edgecolor=INK, linewidth=1))
        name = f"query {t}" if t < THREADS - 1 else "query 63"
        axes.text(x + 34, y - 4, name, size=10, ha="center")
        ends.append((x - 3, y))
    axes.text(x + 34, top - 28 * (THREADS - 1.5) - 9, "...", size=11, ha="center")
    return ends


def draw_reuse(path: Path) -> None:
    """Who loads a tile of K from global memory: every thread, or the block once."""
    figure = card(8, 4.2)
    axes = drawing(figure, 800, 420)
    axes.text(
        24, 384, "A row of K crosses from global memory once per block", size=13.5, weight="bold"
    )
    top, middle = 296, 296 - KEYS * CELL / 2
    tile = range(2, 2 + TILE)
    tile_y = top - (tile.start + TILE / 2) * CELL

    def name(x: float, word: str, kind: str) -> None:
        axes.text(x, 334, word, size=12, weight="bold", ha="center")
        axes.text(x, 317, kind, size=10, ha="center", color=GREY)

    # Left: each thread loads the row itself.
    name(40 + COLUMNS * CELL / 2, "K", "global")
    rows(axes, 40, top, KEYS, tile)
    for end in threads(axes, 246, middle + 49):
        arrow(axes, (40 + COLUMNS * CELL + 4, tile_y), end, VERMILION)
    name(280, "threads", "one block")
    axes.text(175, 104, "lesson 01", size=11.5, weight="bold", ha="center", color=VERMILION)
    axes.text(175, 84, "64 loads of each row of K per block", size=10.5, ha="center")
    axes.text(175, 66, "0.5 FLOP per byte of K", size=10.5, ha="center")

    axes.plot([352, 352], [56, 344], color="#d0d7de", linewidth=1)

    # Right: the block copies the tile, its threads read the copy.
    name(396 + COLUMNS * CELL / 2, "K", "global")
    rows(axes, 396, top, KEYS, tile)
    shared_x = 552
    rows(axes, shared_x, tile_y + TILE * CELL / 2, TILE, range(TILE))
    box(
        axes,
        shared_x - 10,
        tile_y - TILE * CELL / 2 - 8,
        COLUMNS * CELL + 20,
        TILE * CELL + 16,
        BLUE,
    )
    name(shared_x + COLUMNS * CELL / 2, "tile_smem", "shared")
    arrow(axes, (396 + COLUMNS * CELL + 4, tile_y), (shared_x - 12, tile_y), BLUE)
    for end in threads(axes, 706, middle + 49):
        arrow(axes, (shared_x + COLUMNS * CELL + 12, tile_y), end, GREY)
    name(740, "threads", "one block")
    axes.text(583, 104, "lesson 02", size=11.5, weight="bold", ha="center", color=BLUE)
    axes.text(
        583, 84, "1 load of each row of K per block, 64 reads of the copy", size=10.5, ha="center"
    )
    axes.text(583, 66, "32 FLOP per byte of K", size=10.5, ha="center")
    axes.text(
        400, 26, "Drawn with tiles of 2 keys; the kernel has 32.", size=10, ha="center", color=GREY
    )
    save(figure, path)


def draw_barriers(path: Path) -> None:
    """Two warps through two tiles: what each barrier keeps apart."""
    figure = card(8, 3.7)
    axes = drawing(figure, 800, 370)
    axes.text(24, 334, "Two barriers per tile, two hazards", size=13.5, weight="bold")
    lanes = {"warp 0": 250, "warp 1": 196}
    copy, read = SKY, ORANGE
    # Per warp: where each step begins and ends; a barrier lets both go on at once.
    steps = {
        "warp 0": [(110, 180), (236, 344), (400, 478), (516, 614)],
        "warp 1": [(110, 220), (236, 386), (400, 500), (516, 640)],
    }
    names = ["copy tile j", "read tile j", "copy j + 1", "read j + 1"]
    for lane, y in lanes.items():
        axes.text(92, y + 11, lane, size=11, ha="right", weight="bold")
        for n, (begin, end) in enumerate(steps[lane]):
            axes.add_patch(
                Rectangle(
                    (begin, y), end - begin, 32, facecolor=(copy, read)[n % 2], edgecolor="none"
                )
            )
            axes.text((begin + end) / 2, y + 11.5, names[n], size=9.5, ha="center")
            wall = [228, 393, 508, 651][n]
            axes.plot([end, wall], [y + 16, y + 16], color=GREY, linewidth=1.2, linestyle=":")
    for n, wall in enumerate((228, 393, 508, 651)):
        color = BLUE if n % 2 == 0 else VERMILION
        axes.plot([wall, wall], [186, 292], color=color, linewidth=2.6)
        axes.text(wall, 298, "AB"[n % 2], size=11, weight="bold", ha="center", color=color)
    axes.text(668, 222, "time", size=10, color=GREY)
    arrow(axes, (708, 225.5), (776, 225.5), GREY)

    axes.text(110, 152, "A", size=11, weight="bold", color=BLUE)
    axes.text(134, 152, "The tile is complete before any thread reads it.", size=10.5)
    axes.text(
        134,
        134,
        "Without it warp 0 reads floats that warp 1 has not copied yet.",
        size=10.5,
        color=GREY,
    )
    axes.text(110, 98, "B", size=11, weight="bold", color=VERMILION)
    axes.text(
        134, 98, "Every thread is done with the tile before the next one overwrites it.", size=10.5
    )
    axes.text(
        134,
        80,
        "Without it warp 0 copies tile j + 1 over the tile j that warp 1 still reads.",
        size=10.5,
        color=GREY,
    )
    axes.text(110, 40, "Dotted: a warp that waits.", size=10, color=GREY)
    save(figure, path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, help="draw into this folder instead")
    out = parser.parse_args().out or FIGURES
    draw_reuse(out / "reuse.svg")
    draw_barriers(out / "barriers.svg")


if __name__ == "__main__":
    main()
