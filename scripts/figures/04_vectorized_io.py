"""Draws the two figures of lesson 04.

Usage: python scripts/figures/04_vectorized_io.py [--out DIR]   (needs matplotlib)
"""

from __future__ import annotations

import argparse
from pathlib import Path

from card import BLUE, GREEN, GREY, INK, ORANGE, PALE, ROOT, SKY, VERMILION, card, drawing, save
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

FIGURES = ROOT / "lessons" / "04_vectorized_io" / "figures"
FLOAT = 4  # bytes
VEC = 16


def block(axes: Axes, x: float, y: float, width: float, height: float, color: str) -> None:
    axes.add_patch(
        Rectangle((x, y), width, height, facecolor=color, edgecolor="white", linewidth=1.2)
    )


def draw_lanes(path: Path) -> None:
    """512 bytes of a tile, copied by a warp with floats and with float4s."""
    figure = card(8, 4.1)
    axes = drawing(figure, 800, 410)
    axes.text(24, 374, "512 bytes of a tile: four instructions, or one", size=13.5, weight="bold")
    left, width, lanes = 136, 640, 32
    requests = 4

    def strip(y: float, count: int, colors: list[str]) -> None:
        """512 bytes as `count` accesses; colors go by instruction."""
        pitch = width / count
        for n in range(count):
            block(axes, left + n * pitch, y, pitch, 34, colors[n * len(colors) // count])

    axes.text(left - 12, 291, "float", size=12, weight="bold", ha="right")
    axes.text(left - 12, 275, "4 bytes a lane", size=9.5, color=GREY, ha="right")
    strip(274, requests * lanes, [SKY, ORANGE, SKY, ORANGE])
    for n in range(requests):
        middle = left + (n + 0.5) * width / requests
        axes.text(middle, 329, f"instruction {n + 1}", size=10.5, weight="bold", ha="center")
        axes.text(middle, 314, "lanes 0 to 31", size=9.5, ha="center", color=GREY)
        axes.text(middle, 256, "128 bytes, 4 sectors", size=10, ha="center")

    axes.text(left - 12, 165, "float4", size=12, weight="bold", ha="right")
    axes.text(left - 12, 149, "16 bytes a lane", size=9.5, color=GREY, ha="right")
    strip(148, lanes, [SKY])
    for lane in range(lanes):
        x = left + (lane + 0.5) * width / lanes
        axes.text(x, 161, str(lane), size=8.5, ha="center")
    axes.text(left + width / 2, 203, "instruction 1", size=10.5, weight="bold", ha="center")
    axes.text(left + width / 2, 188, "lanes 0 to 31", size=9.5, ha="center", color=GREY)
    axes.text(left + width / 2, 130, "512 bytes, 16 sectors", size=10, ha="center")

    # Sectors, the unit in which global memory answers.
    for n in range(16):
        x = left + n * width / 16
        axes.add_patch(
            Rectangle((x, 78), width / 16, 16, facecolor=PALE, edgecolor=GREY, linewidth=0.9)
        )
    axes.text(left - 12, 82, "sectors", size=10, ha="right", color=GREY)
    axes.text(
        left + width / 2,
        60,
        "32 bytes each, as global memory hands them out",
        size=10,
        ha="center",
        color=GREY,
    )
    axes.text(
        24,
        24,
        "The bytes and the sectors are the same; a quarter of the instructions is left.",
        size=11,
    )
    save(figure, path)


def draw_alignment(path: Path) -> None:
    """Where the rows of a tensor begin, against the places at which a float4 may lie."""
    figure = card(8, 4.2)
    axes = drawing(figure, 800, 420)
    axes.text(24, 384, "A float4 lies at a multiple of 16 bytes", size=13.5, weight="bold")
    left, cell, floats = 196, 22, 26

    def x_of(byte: int) -> float:
        return left + byte / FLOAT * cell

    def tensor(y: float, title: str, d: int, offset: int) -> None:
        """Rows of d floats from `offset` floats behind the boundary on."""
        axes.text(24, y + 14, title, size=11, weight="bold")
        rows = (floats - offset) // d
        good = all((offset + r * d) * FLOAT % VEC == 0 for r in range(rows))
        verdict, color = ("float4", GREEN) if good else ("float, one by one", VERMILION)
        axes.text(24, y - 3, verdict, size=10.5, color=color, weight="bold")
        for n in range(offset, offset + rows * d):
            row = (n - offset) // d
            block(axes, x_of(n * FLOAT), y, cell, 24, SKY if row % 2 == 0 else BLUE)
        for r in range(rows):
            byte = (offset + r * d) * FLOAT
            color = GREEN if byte % VEC == 0 else VERMILION
            axes.plot([x_of(byte), x_of(byte)], [y - 7, y + 33], color=color, linewidth=3)
            axes.text(
                x_of(byte),
                y + 38,
                str(byte),
                size=10.5,
                color=color,
                weight="bold",
                ha="center",
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.2},
            )

    top, bottom = 346, 78
    for byte in range(0, floats * FLOAT + 1, VEC):
        axes.plot(
            [x_of(byte)] * 2,
            [bottom, top + 8],
            color=GREY,
            linewidth=1,
            linestyle=(0, (2, 3)),
            zorder=0,
        )
        axes.text(x_of(byte), bottom - 15, str(byte), size=9.5, ha="center", color=GREY)
    axes.text(24, bottom - 15, "bytes from a boundary", size=9.5, color=GREY)
    tensor(286, "d = 8", 8, 0)
    tensor(200, "d = 6", 6, 0)
    tensor(114, "d = 8, one float off", 8, 1)
    axes.text(
        24,
        26,
        "Colored numbers: the byte at which a row begins. Green: a float4 may lie there.",
        size=10.5,
        color=INK,
    )
    save(figure, path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, help="draw into this folder instead")
    out = parser.parse_args().out or FIGURES
    draw_lanes(out / "lanes.svg")
    draw_alignment(out / "alignment.svg")


if __name__ == "__main__":
    main()
