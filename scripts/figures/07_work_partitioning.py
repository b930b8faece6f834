"""Draws the three figures of lesson 07.

Usage: python scripts/figures/07_work_partitioning.py [--out DIR]   (needs matplotlib)
"""

from __future__ import annotations

import argparse
import heapq
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

FIGURES = ROOT / "lessons" / "07_work_partitioning" / "figures"
WARPS = [SKY, ORANGE, GREEN, BLUE]
PLACES = 4  # for blocks that run at the same time
TILES = 16  # of queries, in the figure of the causal mask


def rectangle(
    axes: Axes, x: float, y: float, width: float, height: float, color: str, line: float = 1.2
) -> None:
    axes.add_patch(
        Rectangle((x, y), width, height, facecolor=color, edgecolor="white", linewidth=line)
    )


def draw_rectangles(path: Path) -> None:
    """What a thread loads for 64 products of S: as a row, as a rectangle."""
    figure = card(8, 4.2)
    axes = drawing(figure, 800, 420)
    axes.text(24, 384, "64 products: what one thread loads for them", size=13.5, weight="bold")

    def tile(
        left: float, top: float, cell: float, rows: int, columns: int, q_is_loaded: bool
    ) -> int:
        """S below K and right of Q; returns how many floats come from shared memory."""
        filled = {(r, c): SKY for r in range(rows) for c in range(columns)}
        grid(axes, left, top, rows, columns, cell, filled)
        grid(axes, left, top + cell + 8, 1, columns, cell, {(0, c): ORANGE for c in range(columns)})
        q_color = ORANGE if q_is_loaded else PALE
        grid(axes, left - cell - 8, top, rows, 1, cell, {(r, 0): q_color for r in range(rows)})
        return columns + (rows if q_is_loaded else 0)

    axes.text(24, 350, "lesson 05: 1 query, 64 keys", size=11.5, weight="bold")
    loaded = tile(60, 306, 11, 1, 64, False)
    axes.text(60, 272, f"{loaded} floats for 64 products:", size=11)
    axes.text(262, 272, f"{4 * loaded / 64:g} bytes per multiply-add", size=11, weight="bold")

    axes.text(24, 232, "lesson 07: 8 queries, 8 keys", size=11.5, weight="bold")
    loaded = tile(60, 188, 16, 8, 8, True)
    axes.text(60, 34, f"{loaded} floats for 64 products:", size=11)
    axes.text(262, 34, f"{4 * loaded / 64:g} byte per multiply-add", size=11, weight="bold")
    legend = [
        (ORANGE, "loaded from shared memory, for one k"),
        (SKY, "a product q k, added to s in a register"),
        (PALE, "q in a register already"),
    ]
    for n, (color, text) in enumerate(legend):
        y = 172 - 27 * n
        rectangle(axes, 340, y, 16, 16, color)
        axes.text(370, y + 4, text, size=10.5)
    save(figure, path)


def draw_split(path: Path) -> None:
    """One tile of S, divided among four warps in two ways."""
    figure = card(8, 4.3)
    axes = drawing(figure, 800, 430)
    axes.text(24, 394, "One tile of S, four warps", size=13.5, weight="bold")
    side, bottom = 184, 118

    def tile(left: float, title: str, by_rows: bool) -> None:
        axes.text(left, bottom + side + 40, title, size=12, weight="bold")
        axes.text(left + side / 2, bottom + side + 10, "keys", size=10.5, ha="center", color=GREY)
        axes.text(left - 10, bottom + side / 2, "queries", size=10.5, ha="right", color=GREY)
        part = side / len(WARPS)
        for warp, color in enumerate(WARPS):
            if by_rows:
                x, y, width, height = left, bottom + side - (warp + 1) * part, side, part
            else:
                x, y, width, height = left + warp * part, bottom, part, side
            rectangle(axes, x, y, width, height, color, 2)
            middle = (x + width / 2, y + height / 2)
            axes.text(
                *middle,
                f"warp {warp}",
                size=10,
                ha="center",
                va="center",
                color=INK if color != BLUE else "white",
                rotation=0 if by_rows else 90,
            )
        # One row of the tile.
        y = bottom + side - 0.82 * part
        axes.plot([left, left + side], [y, y], color=VERMILION, linewidth=2)
        arrow(axes, (left + side, y), (left + side + 26, y), VERMILION)

    tile(92, "split-K", False)
    axes.text(308, 266, "a row meets", size=10.5)
    axes.text(308, 250, "four warps", size=10.5, weight="bold")
    tile(480, "split-Q", True)
    axes.text(696, 266, "a row meets", size=10.5)
    axes.text(696, 250, "one warp", size=10.5, weight="bold")
    axes.text(92, 88, "m: largest of four, through shared memory", size=10.5)
    axes.text(92, 70, "l, O: sums of four, through shared memory", size=10.5)
    axes.text(92, 52, "two more barriers, for every tile", size=10.5)
    axes.text(480, 88, "m: largest of 8 lanes, by shuffles", size=10.5)
    axes.text(480, 70, "l: sum of 8 lanes, once, at the end", size=10.5)
    axes.text(480, 52, "O: nothing to add", size=10.5)
    save(figure, path)


def schedule(costs: list[int]) -> list[tuple[int, int, int]]:
    """Where each block runs: place, start, duration. The next block goes where one ends first."""
    free = [(0, place) for place in range(PLACES)]
    runs = []
    for cost in costs:
        start, place = heapq.heappop(free)
        runs.append((place, start, cost))
        heapq.heappush(free, (start + cost, place))
    return runs


def draw_balance(path: Path) -> None:
    """16 causal tiles on 4 places, in both orders."""
    figure = card(8, 3.9)
    axes = drawing(figure, 800, 390)
    axes.text(
        24,
        354,
        f"{TILES} causal tiles of queries, {PLACES} run at a time",
        size=13.5,
        weight="bold",
    )
    left, scale, height = 60, 15.2, 24
    ends = []
    light = list(range(1, TILES + 1))  # tile t has t + 1 parts of the keys
    for title, costs, top in (
        ("first tile first", light, 300),
        ("last tile first", light[::-1], 160),
    ):
        axes.text(24, top + 8, title, size=11.5, weight="bold")
        runs = schedule(costs)
        for place, start, cost in runs:
            y = top - (place + 1) * height
            color = ORANGE if cost == TILES else SKY
            rectangle(axes, left + start * scale, y, cost * scale, height, color, 1.6)
            axes.text(left + (start + cost / 2) * scale, y + 8, str(cost), size=9.5, ha="center")
        end = max(start + cost for _, start, cost in runs)
        ends.append(end)
        x = left + end * scale
        axes.plot([x, x], [top - PLACES * height - 4, top + 4], color=VERMILION, linewidth=2)
        axes.text(x + 8, top - 2 * height - 4, f"done at {end}", size=11, weight="bold")
    axes.text(
        24,
        28,
        f"Numbers: how many sixteenths of the keys a tile sees. In all {sum(light)}, for each place "
        f"{sum(light) / PLACES:g}.",
        size=10.5,
    )
    save(figure, path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, help="draw into this folder instead")
    out = parser.parse_args().out or FIGURES
    draw_rectangles(out / "rectangles.svg")
    draw_split(out / "split.svg")
    draw_balance(out / "balance.svg")


if __name__ == "__main__":
    main()
