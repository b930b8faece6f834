"""Draws the two figures of lesson 01, and fills the table of workspace sizes in its text.

Usage: python scripts/figures/01_naive.py [--out DIR]   (needs matplotlib; DIR: draw there only)
"""

from __future__ import annotations

import argparse
import sys
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
from matplotlib.patches import Circle, Rectangle

sys.path.insert(0, str(ROOT / "scripts"))

from course_tools.tables import GIB, KIB, MIB, fill, markdown, size_text

LESSON = ROOT / "lessons" / "01_naive"
HEAD_DIM = 64
SIZES = [2**e for e in range(10, 17)]  # 1k to 64k


def score_bytes(n: int) -> int:
    """Bytes of S for one head: one float per (query, key) pair."""
    return 4 * n * n


def tensor_bytes(n: int) -> int:
    """Bytes of Q, K, V and O together for one head."""
    return 4 * 4 * n * HEAD_DIM


def thousands(n: int) -> str:
    return f"{n // KIB}k"


def draw_memory(path: Path) -> None:
    """Bytes against N: the score matrix reaches 16 GiB while the tensors stay small."""
    figure = card(8, 4.6)
    axes = figure.add_axes((0.105, 0.145, 0.86, 0.70))
    axes.patch.set_alpha(0)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log", base=2)
    sizes = [2**9, *SIZES, 2**17]
    axes.plot(sizes, [score_bytes(n) for n in sizes], color=VERMILION, linewidth=2.6)
    axes.plot(SIZES, [score_bytes(n) for n in SIZES], "o", color=VERMILION, markersize=7)
    axes.plot(sizes, [tensor_bytes(n) for n in sizes], color=BLUE, linewidth=2.6)
    axes.plot(SIZES, [tensor_bytes(n) for n in SIZES], "s", color=BLUE, markersize=6)
    axes.axhline(16 * GIB, color=INK, linewidth=1.4, linestyle=(0, (5, 3)))
    axes.text(2**9.6, 16 * GIB * 1.25, "a GPU with 16 GiB", color=INK)

    axes.set_xlim(2**9.5, 2**16.9)
    axes.set_ylim(2**17.3, 2**36.4)
    axes.set_xticks(SIZES, [thousands(n) for n in SIZES])
    ticks = [MIB, 16 * MIB, 256 * MIB, 4 * GIB, 64 * GIB]
    axes.set_yticks(ticks, [size_text(t) for t in ticks])
    axes.minorticks_off()
    axes.grid(color="#dfe3e8", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.set_xlabel("N, queries and keys of one head")
    axes.text(
        2**13.05,
        2**28.6,
        "score matrix S: 4 N\u00b2 bytes",
        color=VERMILION,
        weight="bold",
        ha="right",
    )
    axes.text(
        2**12.9, 2**20.4, f"Q, K, V and O: 16 N d bytes, d = {HEAD_DIM}", color=BLUE, weight="bold"
    )
    for n, offset in ((SIZES[0], (10, -14)), (2**13, (10, -14)), (SIZES[-1], (-12, 5))):
        axes.annotate(
            size_text(score_bytes(n)),
            (n, score_bytes(n)),
            xytext=offset,
            textcoords="offset points",
            ha="left" if offset[0] > 0 else "right",
            color=INK,
        )
    axes.annotate(
        size_text(tensor_bytes(SIZES[-1])),
        (SIZES[-1], tensor_bytes(SIZES[-1])),
        xytext=(-4, 11),
        textcoords="offset points",
        ha="right",
        color=INK,
    )
    figure.text(
        0.03, 0.925, "Double N, and S takes four times the memory", size=13.5, weight="bold"
    )
    save(figure, path)


def draw_ownership(path: Path) -> None:
    """One thread: which rows of Q, K, V, S and O it reads and writes."""
    figure = card(8, 4.7)
    axes = drawing(figure, 800, 470)
    cell, mine = 20, 2
    n_q, n_k, d = 6, 8, 4

    def label(x: float, y: float, name: str, shape: str, color: str = INK) -> None:
        axes.text(x, y, name, size=13, weight="bold", ha="center", color=color)
        axes.text(x, y - 17, shape, size=10, ha="center", color=GREY)

    axes.text(
        24,
        436,
        "Thread i owns row i of Q, S and O, and reads all of K and V",
        size=13.5,
        weight="bold",
    )

    # Threads, one per row of Q.
    top = 330
    label(60, 376, "threads", "one block")
    for r in range(n_q):
        chosen = r == mine
        y = top - (r + 0.5) * cell
        axes.add_patch(
            Rectangle(
                (28, y - 8),
                64,
                16,
                facecolor=ORANGE if chosen else PALE,
                edgecolor=INK if chosen else "#c4cbd2",
                linewidth=1.2 if chosen else 0.8,
            )
        )
        axes.text(60, y - 4, "i" if chosen else "", size=10, ha="center", weight="bold")
    row_y = top - (mine + 0.5) * cell

    def row_fill(columns: int, color: str) -> dict[tuple[int, int], str]:
        return {(mine, c): color for c in range(columns)}

    def all_fill(rows: int, columns: int, color: str) -> dict[tuple[int, int], str]:
        return {(r, c): color for r in range(rows) for c in range(columns)}

    q_x, s_x, o_x = 150, 350, 640
    label(q_x + d * cell / 2, 376, "Q", "[N_q, d]")
    grid(axes, q_x, top, n_q, d, cell, row_fill(d, SKY))
    label(s_x + n_k * cell / 2, 376, "S", "[N_q, N_k], scratch")
    grid(axes, s_x, top, n_q, n_k, cell, row_fill(n_k, VERMILION))
    label(o_x + d * cell / 2, 376, "O", "[N_q, d]")
    grid(axes, o_x, top, n_q, d, cell, row_fill(d, GREEN))

    # K lies under S with a column per key, so that the dot product lines up; V has a row per key.
    k_top = 135
    grid(axes, s_x, k_top, d, n_k, cell, all_fill(d, n_k, SKY))
    axes.text(s_x - 12, k_top - 36, "K", size=13, weight="bold", ha="right")
    axes.text(s_x - 12, k_top - 53, "[N_k, d]", size=10, ha="right", color=GREY)
    axes.text(
        s_x + n_k * cell / 2,
        k_top - d * cell - 20,
        "drawn with a column per key",
        size=10,
        ha="center",
        color=GREY,
    )
    v_cell = 14
    grid(axes, o_x + 12, 156, n_k, d, v_cell, all_fill(n_k, d, SKY))
    axes.text(o_x + 2, k_top - 36, "V", size=13, weight="bold", ha="right")
    axes.text(o_x + 2, k_top - 53, "[N_k, d]", size=10, ha="right", color=GREY)

    arrow(axes, (94, row_y), (q_x - 3, row_y), ORANGE)
    arrow(axes, (q_x + d * cell + 4, row_y), (s_x - 4, row_y), INK)
    arrow(axes, (s_x + n_k * cell + 4, row_y), (o_x - 4, row_y), INK)
    arrow(
        axes, (s_x + n_k * cell / 2, k_top + 4), (s_x + n_k * cell / 2, top - n_q * cell - 4), INK
    )
    arrow(axes, (o_x + d * cell / 2, 160), (o_x + d * cell / 2, top - n_q * cell - 4), INK)

    def badge(x: float, y: float, number: int) -> None:
        axes.add_patch(Circle((x, y), 10, facecolor="white", edgecolor=INK, zorder=4))
        axes.text(x, y - 4.5, str(number), size=10.5, weight="bold", ha="center", zorder=5)

    badge((q_x + d * cell + s_x) / 2, row_y, 1)
    badge(s_x + n_k * cell / 2, row_y, 2)
    badge((s_x + n_k * cell + o_x) / 2, row_y, 3)
    steps = (
        "s = scale * q k, m = max of s",
        "p = exp(s - m), l = sum of p",
        "o = (sum of p v) / l",
    )
    for number, step in enumerate(steps, start=1):
        badge(38, 132 - 30 * (number - 1), number)
        axes.text(58, 132 - 30 * (number - 1) - 4, step, size=10.5)
    save(figure, path)


def table() -> str:
    """The table of workspace sizes as Markdown."""
    head = ["N", "Q, K, V, O", "S, one head", "S, 16 heads", "S / tensors"]
    rows = []
    for n in SIZES:
        one, tensors = score_bytes(n), tensor_bytes(n)
        sizes = [size_text(tensors), size_text(one), size_text(16 * one)]
        rows.append([f"{n:,}", *sizes, f"{one // tensors}"])
    return markdown(head, rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, help="draw into this folder, leave the text alone")
    out = parser.parse_args().out
    figures = out if out else LESSON / "figures"
    draw_memory(figures / "memory.svg")
    draw_ownership(figures / "ownership.svg")
    if not out:
        fill(LESSON / "README.md", "workspace", table())


if __name__ == "__main__":
    main()
