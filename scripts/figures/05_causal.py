"""Draws the two figures of lesson 05.

Usage: python scripts/figures/05_causal.py [--out DIR]   (needs matplotlib)
"""

from __future__ import annotations

import argparse
from pathlib import Path

from card import GREY, INK, ORANGE, PALE, ROOT, SKY, VERMILION, card, drawing, save
from matplotlib.axes import Axes
from matplotlib.patches import Polygon, Rectangle

FIGURES = ROOT / "lessons" / "05_causal" / "figures"
BR, BC = 64, 32  # queries and keys of a tile
WHOLE, SKIPPED = SKY, PALE


def visible_keys(query: int, n_q: int, n_k: int) -> int:
    """How many keys a query sees; below 1: none."""
    return query + 1 + n_k - n_q


def rectangle(axes: Axes, x: float, y: float, width: float, height: float, color: str) -> None:
    axes.add_patch(
        Rectangle((x, y), width, height, facecolor=color, edgecolor="white", linewidth=1.6)
    )


def draw_tiles(path: Path) -> None:
    """Which tiles of S the blocks of one head work on, N = 256."""
    figure = card(8, 4.7)
    axes = drawing(figure, 800, 470)
    axes.text(24, 434, "A block's loop ends at the diagonal: N = 256", size=13.5, weight="bold")
    n, scale = 256, 1.15  # points for a query or key
    left, top = 132, 376
    loaded = whole = 0
    for block in range(n // BR):
        last = visible_keys((block + 1) * BR - 1, n, n)
        y = top - (block + 1) * BR * scale
        for j in range(n // BC):
            first = visible_keys(block * BR, n, n)
            is_loaded, is_whole = j * BC < last, (j + 1) * BC <= first
            loaded, whole = loaded + is_loaded, whole + is_whole
            color = WHOLE if is_whole else ORANGE if is_loaded else SKIPPED
            rectangle(axes, left + j * BC * scale, y, BC * scale, BR * scale, color)
        axes.text(
            left - 10, y + BR * scale / 2 - 4, f"block {block}", size=11, ha="right", weight="bold"
        )
        tiles = -(-last // BC)
        axes.text(
            left + n * scale + 12, y + BR * scale / 2 - 4, f"{tiles} of {n // BC} tiles", size=11
        )
    # What the mask hides in the tiles at the diagonal.
    for block in range(n // BR):
        begin, end = block * BR * scale, (block + 1) * BR * scale
        axes.add_patch(
            Polygon(
                [(left + begin, top - begin), (left + end, top - begin), (left + end, top - end)],
                closed=True,
                facecolor="white",
                alpha=0.62,
                edgecolor="none",
            )
        )
    axes.plot([left, left + n * scale], [top, top - n * scale], color=VERMILION, linewidth=2.2)
    axes.text(
        left + n * scale / 2, top + 12, "keys, in tiles of 32", size=10.5, ha="center", color=GREY
    )
    axes.text(24, top + 12, "queries, 64 each", size=10.5, color=GREY)

    total = (n // BR) * (n // BC)
    legend = [
        (WHOLE, f"{whole} tiles: seen by all 64", "no mask needed"),
        (ORANGE, f"{loaded - whole} tiles: on the diagonal", "the pale part becomes -inf"),
        (SKIPPED, f"{total - loaded} tiles: seen by nobody", "not loaded, not computed"),
    ]
    x = 536
    for n_line, (color, first_line, second_line) in enumerate(legend):
        y = 328 - 62 * n_line
        axes.add_patch(
            Rectangle((x, y - 2), 22, 30, facecolor=color, edgecolor=GREY, linewidth=0.8)
        )
        axes.text(x + 34, y + 16, first_line, size=10.5, weight="bold")
        axes.text(x + 34, y, second_line, size=10, color=GREY)
    axes.text(x, 150, f"loaded: {loaded} of {total} tiles,", size=11, color=INK)
    axes.text(x, 132, f"{100 * loaded / total:g} % of K and V", size=11, weight="bold", color=INK)
    axes.text(
        24,
        36,
        "Red: the diagonal. A query sees the keys left of it, and the one on it.",
        size=10.5,
    )
    save(figure, path)


def draw_alignment(path: Path) -> None:
    """The mask for equal and unequal numbers of queries and keys."""
    figure = card(8, 3.6)
    axes = drawing(figure, 800, 360)
    axes.text(24, 324, "The last query sees every key", size=13.5, weight="bold")
    cell, bottom = 38, 96

    def mask(left: float, n_q: int, n_k: int, note: str) -> None:
        top = bottom + n_q * cell
        for query in range(n_q):
            seen = visible_keys(query, n_q, n_k)
            y = top - (query + 1) * cell
            for key in range(n_k):
                rectangle(axes, left + key * cell, y, cell, cell, WHOLE if key < seen else PALE)
            axes.text(left - 9, y + cell / 2 - 4, f"q {query}", size=10.5, ha="right")
            if seen < 1:
                axes.text(
                    left + n_k * cell + 8,
                    y + cell / 2 - 4,
                    "O = 0",
                    size=10.5,
                    weight="bold",
                    color=VERMILION,
                )
        for key in range(n_k):
            axes.text(left + (key + 0.5) * cell, top + 7, f"k {key}", size=10.5, ha="center")
        middle = left + n_k * cell / 2
        axes.text(
            middle, bottom - 26, f"N_q = {n_q}, N_k = {n_k}", size=11.5, weight="bold", ha="center"
        )
        axes.text(middle, bottom - 44, note, size=10, ha="center", color=GREY)

    mask(76, 4, 4, "j <= i")
    mask(332, 2, 4, "j <= i + 2")
    mask(616, 4, 2, "j <= i - 2")
    axes.text(
        24, 20, "Blue: query q sees key k. All three are one rule, j <= i + N_k - N_q.", size=10.5
    )
    save(figure, path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, help="draw into this folder instead")
    out = parser.parse_args().out or FIGURES
    draw_tiles(out / "tiles.svg")
    draw_alignment(out / "alignment.svg")


if __name__ == "__main__":
    main()
