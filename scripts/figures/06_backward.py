"""Draws the two figures of lesson 06, and prints the numbers of its example.

Usage: python scripts/figures/06_backward.py [--out DIR]   (needs matplotlib)
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from card import (
    BLUE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    PALE,
    ROOT,
    VERMILION,
    arrow,
    card,
    drawing,
    save,
)
from matplotlib.patches import Polygon, Rectangle

FIGURES = ROOT / "lessons" / "06_backward" / "figures"
THREADS, TILE = 64, 32  # rows of a block, and of a tile of the other kind

# The example on paper: two queries, two keys, d = 2. Exponentials come out as 1 and 3.
SCALE = 0.5
Q = np.array([[0.0, 2 * np.log(3.0)], [0.0, 0.0]])
K = np.array([[1.0, 0.0], [0.0, 1.0]])
V = np.array([[4.0, 0.0], [0.0, 4.0]])
DO = np.array([[1.0, 0.0], [0.0, 1.0]])


def forward(q: np.ndarray, k: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, ...]:
    """S, LSE, P and O."""
    s = SCALE * q @ k.T
    lse = np.log(np.exp(s).sum(axis=1, keepdims=True))
    p = np.exp(s - lse)
    return s, lse, p, p @ v


def example() -> dict[str, np.ndarray]:
    """Every matrix of the example; the gradients are compared with finite differences."""
    s, lse, p, o = forward(Q, K, V)
    delta = (DO * o).sum(axis=1, keepdims=True)
    dp = DO @ V.T
    ds = p * (dp - delta)
    found = {"S": s, "LSE": lse, "P": p, "O": o, "D": delta, "dP": dp, "dS": ds}
    found |= {"dV": p.T @ DO, "dQ": SCALE * ds @ K, "dK": SCALE * ds.T @ Q}
    assert np.allclose((p * dp).sum(axis=1, keepdims=True), delta)
    assert np.allclose(ds.sum(axis=1), 0)
    for n, name in enumerate(("dQ", "dK", "dV")):
        for place in np.ndindex(2, 2):
            losses = []
            for step in (1e-5, -1e-5):
                moved = [Q.copy(), K.copy(), V.copy()]
                moved[n][place] += step
                losses.append((DO * forward(*moved)[3]).sum())
            assert abs((losses[0] - losses[1]) / 2e-5 - found[name][place]) < 1e-8
    return found | {"Q": Q, "K": K, "V": V, "dO": DO}


def number(value: float) -> str:
    return f"{value:.3f}".rstrip("0").rstrip(".").replace("-", "\u2212")


def draw_example(path: Path) -> None:
    """The matrices of the example, stage by stage."""
    values = example()
    figure = card(8, 5.1)
    axes = drawing(figure, 800, 510)
    axes.text(24, 474, "Two queries, two keys, d = 2: every number", size=13.5, weight="bold")
    width, height = 52, 25

    def matrix(x: float, y: float, name: str, color: str, transposed: bool = False) -> float:
        """Draws the matrix centred on height y from x on; returns the x behind it."""
        cells = values[name].T if transposed else values[name]
        rows, columns = cells.shape
        top = y + rows * height / 2
        for r in range(rows):
            for c in range(columns):
                left, bottom = x + c * width, top - (r + 1) * height
                axes.add_patch(
                    Rectangle(
                        (left, bottom), width, height, facecolor=color, edgecolor="white", lw=1.6
                    )
                )
                axes.text(left + width / 2, bottom + 8, number(cells[r, c]), size=9.5, ha="center")
        title = name + ("\u1d40" if transposed else "")
        axes.text(x + columns * width / 2, top + 6, title, size=10.5, weight="bold", ha="center")
        return x + columns * width

    def sign(x: float, y: float, text: str) -> float:
        axes.text(x + 6, y - 5, text, size=12)
        return x + 12 + 8 * len(text)

    def stage(y: float, title: str, color: str) -> None:
        axes.add_patch(Rectangle((24, y - 42), 5, 92, facecolor=color, edgecolor="none"))
        axes.text(38, y + 37, title, size=11, weight="bold", color=color)

    light = {"given": PALE, 1: "#dcefe8", 2: "#fdeccb", 3: "#fbdccb"}

    first, second = 222, 418  # where the matrices of a stage begin

    y = 400
    stage(y, "forward pass", GREY)
    axes.text(38, y - 2, "it kept LSE and O", size=10.5)
    x = matrix(first, y - 8, "LSE", light["given"])
    matrix(x + 24, y - 8, "O", light["given"])
    axes.text(second, y - 2, "S = 0.5 Q K\u1d40 is computed again:", size=10.5)
    axes.text(second, y - 24, "row 0 is (0, ln 3), row 1 is (0, 0)", size=10.5, color=GREY)

    y = 288
    stage(y, "stage 1", GREEN)
    axes.text(38, y - 2, "P = exp(S \u2212 LSE)", size=10.5)
    axes.text(38, y - 22, "D = rowsum(dO \u2218 O)", size=10.5)
    x = matrix(first, y - 8, "P", light[1])
    matrix(x + 16, y - 8, "D", light[1])
    x = sign(matrix(second, y - 8, "P", light[1], True), y - 8, "\u00b7")
    x = sign(matrix(x, y - 8, "dO", light["given"]), y - 8, "=")
    matrix(x, y - 8, "dV", light[1])

    y = 176
    stage(y, "stage 2", ORANGE)
    axes.text(38, y - 2, "dP = dO V\u1d40", size=10.5)
    axes.text(38, y - 22, "dS = P \u2218 (dP \u2212 D)", size=10.5)
    matrix(first, y - 8, "dP", light[2])
    matrix(second, y - 8, "dS", light[2])
    axes.text(538, y - 2, "row 0:  0.25 (4 \u2212 1),  0.75 (0 \u2212 1)", size=10.5, color=GREY)
    axes.text(538, y - 24, "each row of dS sums to 0", size=10.5, color=GREY)

    y = 64
    stage(y, "stage 3", VERMILION)
    axes.text(38, y - 2, "dQ = 0.5 dS K", size=10.5)
    axes.text(38, y - 22, "dK = 0.5 dS\u1d40 Q", size=10.5)
    matrix(first, y - 8, "dQ", light[3])
    sign(second - 48, y - 8, "0.5 \u00b7")
    x = sign(matrix(second, y - 8, "dS", light[2], True), y - 8, "\u00b7")
    x = sign(matrix(x, y - 8, "Q", light["given"]), y - 8, "=")
    matrix(x, y - 8, "dK", light[3])
    save(figure, path)


def draw_passes(path: Path) -> None:
    """Which tiles the two passes go over, N = 256, causal."""
    figure = card(8, 4.8)
    axes = drawing(figure, 800, 480)
    axes.text(24, 444, "Two passes, and no two threads add to one place", size=13.5, weight="bold")
    n, scale, top = 256, 1.0, 372
    size = n * scale

    def plan(left: float, title: str, block: int, by_keys: bool, color: str) -> None:
        axes.text(left, top + 34, title, size=11.5, weight="bold", color=color)
        axes.text(left + size / 2, top + 8, "keys", size=10, ha="center", color=GREY)
        axes.text(left - 8, top - size / 2, "queries", size=10, ha="right", color=GREY)
        axes.add_patch(Rectangle((left, top - size), size, size, facecolor=PALE, edgecolor="none"))
        begin, end = block * THREADS, (block + 1) * THREADS
        tiles = range(begin, n, TILE) if by_keys else range(0, end, TILE)
        for start in tiles:
            x, y = (begin, start) if by_keys else (start, begin)
            wide, high = (THREADS, TILE) if by_keys else (TILE, THREADS)
            axes.add_patch(
                Rectangle(
                    (left + x * scale, top - (y + high) * scale),
                    wide * scale,
                    high * scale,
                    facecolor=color,
                    alpha=0.45,
                    edgecolor="white",
                    linewidth=1.6,
                )
            )
        axes.add_patch(  # what the mask hides
            Polygon(
                [(left, top), (left + size, top), (left + size, top - size)],
                closed=True,
                facecolor="white",
                alpha=0.6,
                edgecolor="none",
            )
        )
        axes.plot([left, left + size], [top, top - size], color=INK, linewidth=1.4)
        place = begin + 20  # one thread's row or column
        if by_keys:
            x, y = left + place * scale, top - place * scale
            arrow(axes, (x, y), (x, top - size - 6), color=color)
        else:
            x, y = left + place * scale, top - place * scale
            arrow(axes, (left, y), (x + 6, y), color=color)
        name, other = ("keys", "queries") if by_keys else ("queries", "keys")
        count = len(tiles)
        axes.text(
            left,
            top - size - 24,
            f"block {block}: {name} {begin} to {end - 1}",
            size=10.5,
        )
        axes.text(left, top - size - 41, f"{count} tiles of {TILE} {other}", size=10.5)

    plan(104, "by keys: dK and dV", 1, True, BLUE)
    plan(486, "by queries: dQ", 2, False, VERMILION)
    axes.text(
        24,
        32,
        "An arrow is one thread. It owns a key, and adds up p dO and ds q down its column;",
        size=10.5,
    )
    axes.text(24, 14, "or it owns a query, and adds up ds k along its row.", size=10.5)
    save(figure, path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, help="draw into this folder instead")
    out = parser.parse_args().out or FIGURES
    draw_example(out / "example.svg")
    draw_passes(out / "passes.svg")
    for name, value in example().items():
        print(f"{name:>4}", *(str(row.round(4).tolist()) for row in value))


if __name__ == "__main__":
    main()
