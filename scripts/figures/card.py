"""The look that all figures share: a white card, one palette, and SVG that never changes by itself.

The colours are the Okabe-Ito palette, which colour-blind readers can tell apart. Text is drawn as
outlines, so a page needs no font. Equal input gives equal bytes: ids are salted with a constant and
no date is written, so a test can compare a fresh figure with the committed one.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO

import matplotlib

matplotlib.use("svg")

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Rectangle

ROOT = Path(__file__).resolve().parents[2]

INK = "#1b1f24"
GREY = "#6e7781"
PALE = "#eef1f4"
BLUE = "#0072b2"
SKY = "#56b4e9"
ORANGE = "#e69f00"
VERMILION = "#d55e00"
GREEN = "#009e73"

plt.rcParams.update(
    {
        "svg.hashsalt": "flash-attention-course",
        "svg.fonttype": "path",
        "font.family": "DejaVu Sans",
        "font.size": 11,
        "text.color": INK,
        "axes.edgecolor": GREY,
        "axes.labelcolor": INK,
        "xtick.color": INK,
        "ytick.color": INK,
        "axes.spines.top": False,
        "axes.spines.right": False,
    }
)


def card(width: float, height: float) -> Figure:
    """A white card of width x height inches with a thin rounded border, 100 pixels to the inch."""
    figure = plt.figure(figsize=(width, height), facecolor="none")
    border = FancyBboxPatch(
        (0.004, 0.004 * width / height),
        0.992,
        1 - 0.008 * width / height,
        boxstyle="round,pad=0,rounding_size=0.012",
        mutation_aspect=width / height,
        transform=figure.transFigure,
        facecolor="white",
        edgecolor="#d0d7de",
        linewidth=1,
        zorder=-10,
    )
    figure.add_artist(border)
    return figure


def drawing(figure: Figure, width: float, height: float) -> Axes:
    """Axes without axes, which fill the card and count in units of width x height."""
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, width)
    axes.set_ylim(0, height)
    axes.set_axis_off()
    axes.patch.set_alpha(0)
    return axes


def foot(figure: Figure, text: str, size: float = 8) -> None:
    """A text at the foot of the card, its lines broken where the card ends."""
    width, height = figure.get_size_inches()
    box = figure.text(0.02, 0.1 / height, "", size=size, color=GREY, va="bottom")
    lines: list[str] = []
    for paragraph in text.split("\n"):
        line = ""
        for word in paragraph.split():
            longer = f"{line} {word}" if line else word
            box.set_text(longer)
            if line and box.get_window_extent().width > 0.96 * width * figure.dpi:
                lines.append(line)
                longer = word
            line = longer
        lines.append(line)
    box.set_text("\n".join(lines))


def arrow(
    axes: Axes,
    start: tuple[float, float],
    end: tuple[float, float],
    color: str = INK,
    bend: float = 0.0,
) -> None:
    """An arrow from start to end; bend curves it."""
    axes.add_patch(
        FancyArrowPatch(
            start,
            end,
            arrowstyle="-|>",
            mutation_scale=13,
            linewidth=1.6,
            color=color,
            connectionstyle=f"arc3,rad={bend}",
            shrinkA=0,
            shrinkB=0,
        )
    )


def grid(
    axes: Axes,
    x: float,
    y: float,
    rows: int,
    columns: int,
    cell: float,
    fills: dict[tuple[int, int], str],
) -> None:
    """A matrix with its top left corner at (x, y); fills maps (row, column) to a colour."""
    for r in range(rows):
        for c in range(columns):
            axes.add_patch(
                Rectangle(
                    (x + c * cell, y - (r + 1) * cell),
                    cell,
                    cell,
                    facecolor=fills.get((r, c), PALE),
                    edgecolor="white",
                    linewidth=1.5,
                )
            )


def save(figure: Figure, path: Path) -> None:
    """Writes the figure as SVG, and as PNG beside it where $COURSE_FIGURES_PNG is set."""
    write(figure, path, png=bool(os.environ.get("COURSE_FIGURES_PNG")))
    print(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path)


def write(figure: Figure, path: Path, *, png: bool = False) -> None:
    """Writes the SVG whole or not at all, and closes the figure."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if png:
        write_png(figure, path.with_suffix(".png"))
    partial = path.with_suffix(".partial")
    figure.savefig(partial, format="svg", metadata={"Date": None, "Creator": None})
    text = partial.read_text(encoding="utf-8")
    partial.write_text("\n".join(line.rstrip() for line in text.splitlines()) + "\n", "utf-8")
    partial.replace(path)
    plt.close(figure)


def write_png(figure: Figure, file: Path | IO[bytes]) -> None:
    """150 pixels to the inch, on white."""
    figure.savefig(file, format="png", dpi=150, facecolor="white", metadata={"Software": None})
