"""Draws what scripts/bench --device cuda has recorded: memory, speed, and the ladder.

Usage: python scripts/figures/ladder_cuda.py [--record FILE] [--out DIR]   (needs matplotlib)
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from card import BLUE, GREEN, GREY, INK, ORANGE, ROOT, SKY, VERMILION, card, foot, save
from matplotlib.axes import Axes
from matplotlib.figure import Figure

sys.path.insert(0, str(ROOT / "scripts"))

from course_tools import cli, gpu_ladder, paths, records
from course_tools.errors import EXIT_OK, UsageError
from course_tools.gpu_pytorch import TITLES
from course_tools.tables import KIB, size_text

# Colour, marker and line of a kernel; the marker tells apart what the colour does not.
STYLES = {
    "01": (VERMILION, "o", "-"),
    "02": (ORANGE, "s", "-"),
    "03": (SKY, "^", "-"),
    "04": (BLUE, "v", "-"),
    "05": (GREEN, "D", "-"),
    "06": (BLUE, "P", "-"),
    "07": (INK, "*", "-"),
    "pytorch_math": (GREY, "x", "--"),
    "pytorch_efficient": (GREY, "+", ":"),
}
FAST = (VERMILION, "h", "-")  # a second file of a lesson
SMALLEST = 2**7  # bytes; where 0 is drawn on an axis that has none

Entries = list[dict]


def name_of(kernel: str) -> str:
    return TITLES.get(kernel, kernel.replace("_", " "))


def style(kernel: str) -> tuple[str, str, str]:
    if kernel in STYLES:
        return STYLES[kernel]
    return FAST if kernel.endswith("_fast") else STYLES.get(kernel[:2], (INK, ".", "-"))


def chosen(section: dict, direction: str, **values: object) -> dict[str, Entries]:
    """The entries of each kernel, in the order of the record."""
    found: dict[str, Entries] = {}
    for one in section["entries"]:
        if one["direction"] == direction and all(one[key] == values[key] for key in values):
            found.setdefault(one["kernel"], []).append(one)
    return found


def panel(figure: Figure, place: tuple[float, float, float, float], title: str) -> Axes:
    axes = figure.add_axes(place)
    axes.patch.set_alpha(0)
    axes.set_title(title, size=11, loc="left", weight="bold")
    axes.grid(visible=True, color="#e4e7eb", linewidth=0.8)
    axes.set_axisbelow(True)
    return axes


def heading(figure: Figure, text: str) -> None:
    height = figure.get_size_inches()[1]
    figure.text(0.02, 1 - 0.34 / height, text, size=12.5, weight="bold", color=INK)


def lengths(axes: Axes, entries: Entries) -> None:
    """N along x, doubling from tick to tick; panels with one scale give the same entries."""
    axes.set_xscale("log", base=2)
    ticks = sorted({one["seq_len"] for one in entries})
    axes.set_xticks(ticks, [f"{n // KIB}k" if n >= KIB else str(n) for n in ticks], size=8.5)
    axes.set_xlim(ticks[0] / 1.4, ticks[-1] * 1.4)
    axes.set_xlabel("sequence length N (one head, d = 128)", size=10)


def footnote(figure: Figure, section: dict, text: str = "") -> None:
    foot(figure, "\n".join(filter(None, [text, gpu_ladder.conditions(section)])), size=7.5)


def look(kernel: str, hidden: bool = False) -> dict:
    """How a kernel's line is drawn; one that others would hide has a ring around their marker."""
    color, marker, line = style(kernel)
    found = {"color": color, "marker": marker, "linestyle": line, "markersize": 6}
    if hidden:
        found |= {"markersize": 12, "markerfacecolor": "none", "linewidth": 4}
    return found


def is_hidden(values: list[float], later: list[list[float]]) -> bool:
    """Whether a line that is drawn later goes through the same points, by 5 %."""
    return any(
        len(other) == len(values)
        and all(abs(a / b - 1) < 0.05 for a, b in zip(values, other, strict=True))
        for other in later
    )


def memory(section: dict) -> Figure:
    """Extra memory against N, and where it is refused."""
    figure = card(9.6, 5.2)
    heading(figure, "Extra device memory of one call, recorded on a GPU")
    for n, direction in enumerate(("forward", "backward")):
        axes = panel(figure, (0.085 + 0.485 * n, 0.215, 0.4, 0.62), f"{direction} pass")
        found = chosen(section, direction)
        same: dict[tuple, list[str]] = {}
        for kernel, entries in found.items():
            points = tuple(
                (one["seq_len"], one["extra_bytes"]) for one in entries if one["outcome"] == "timed"
            )
            same.setdefault(points, []).append(kernel)
        for points, kernels in same.items():
            if points:
                axes.plot(
                    [n for n, _ in points],
                    [max(size, SMALLEST) for _, size in points],
                    label=together(kernels),
                    **look(kernels[0]),
                )
            for one in (one for kernel in kernels for one in found[kernel]):
                if size := refused_bytes(one):
                    color = style(kernels[0])[0]
                    axes.plot(one["seq_len"], size, "X", color=color, markersize=11, mec=INK)
        lengths(axes, section["entries"])
        bytes_axis(axes, section["entries"])
    footnote(
        figure,
        section,
        "Extra: the launcher's scratch and, where it is a result, LSE. PyTorch: its peak, without what "
        "it returns. Large X: refused, at the size that it would have had.",
    )
    return figure


def refused_bytes(entry: dict) -> int:
    """The size that memory would have had where it was refused; 0 where it was not, or nobody knows."""
    if entry["outcome"] != "out of memory" or not entry["asked_bytes"]:
        return 0
    return entry["asked_bytes"] + entry.get("held_bytes", 0)


def together(kernels: list[str]) -> str:
    """One label for kernels whose points are the same."""
    numbers = [kernel[:2] if kernel[:2].isdigit() else name_of(kernel) for kernel in kernels]
    unique = len(kernels) > 1 and len(set(numbers)) == len(numbers)
    return ", ".join(numbers if unique else map(name_of, kernels))


def bytes_axis(axes: Axes, entries: Entries) -> None:
    axes.set_yscale("log", base=2)
    sizes = [one.get("extra_bytes", refused_bytes(one)) for one in entries]
    top = max([*sizes, KIB]).bit_length()
    ticks = [2**e for e in range(10, top + 1, 5)]
    labels = [size_text(tick) for tick in ticks]
    axes.set_ylim(SMALLEST / 2, 2 ** (top + 1))
    if 0 in sizes:
        ticks, labels = [SMALLEST, *ticks], ["0 B", *labels]
        # The axis is broken between 0 and the smallest size.
        axes.axhline(2 * SMALLEST, color="white", linewidth=5, zorder=2)
        axes.plot(
            [0, 0],
            [1.75 * SMALLEST, 2.3 * SMALLEST],
            transform=axes.get_yaxis_transform(),
            marker=[(-1, -0.5), (1, 0.5)],
            markersize=9,
            color=GREY,
            linestyle="",
            clip_on=False,
        )
    axes.set_yticks(ticks, labels)
    axes.legend(fontsize=8, frameon=False, loc="upper left")


def speed(section: dict) -> Figure:
    """TFLOP/s against N beside the rate of cuBLAS; both panels have one scale."""
    figure = card(9.6, 5.2)
    heading(figure, "Speed of one head against N, recorded on a GPU: TFLOP/s")
    ceiling = section["cublas"].get("tflops")
    every = [one for one in section["entries"] if one["outcome"] == "timed"]
    panels = []
    for n, direction in enumerate(("forward", "backward")):
        axes = panel(figure, (0.075 + 0.485 * n, 0.215, 0.41, 0.62), f"{direction} pass")
        panels.append(axes)
        lines: dict[str, tuple[list[int], list[float]]] = {}
        for kernel, entries in chosen(section, direction).items():
            timed = [one for one in entries if one["outcome"] == "timed"]
            if timed:
                lines[kernel] = [one["seq_len"] for one in timed], [one["tflops"] for one in timed]
        rates = [values for _, values in lines.values()]
        for place, (kernel, (seq_lens, values)) in enumerate(lines.items()):
            hidden = is_hidden(values, rates[place + 1 :])
            axes.plot(seq_lens, values, label=name_of(kernel), **look(kernel, hidden))
        axes.set_yscale("log")
        lengths(axes, every)
        if ceiling:
            axes.axhline(ceiling, color=INK, linewidth=1, linestyle=(0, (6, 3)))
            axes.text(
                0.99,
                ceiling * 1.1,
                f"cuBLAS SGEMM {ceiling:.1f}",
                size=8,
                ha="right",
                transform=axes.get_yaxis_transform(),
            )
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    low, high = (pick(axes.get_ylim()[n] for axes in panels) for n, pick in enumerate((min, max)))
    for axes in panels:
        # Room for the legend below, and for the name of the ceiling above.
        axes.set_ylim(low / 5, max(high, 1.7 * (ceiling or 0)))
        axes.legend(fontsize=7.5, frameon=False, loc="lower right", ncols=2)
    footnote(figure, section, "Hollow markers: another line lies on this one.")
    return figure


def ladder(section: dict) -> Figure:
    """The steps at B4 H16 N4096, full attention, in % of cuBLAS, PyTorch's as lines."""
    figure = card(9.6, 5.2)
    heading(figure, "B = 4, H = 16, N = 4,096, full: % of cuBLAS float32")
    panels: dict[Axes, float] = {}  # and what is highest in it
    widths = {"forward": (0.075, 0.55), "backward": (0.7, 0.28)}
    for direction, (left, width) in widths.items():
        axes = panel(figure, (left, 0.24, width, 0.61), f"{direction} pass")
        found = chosen(section, direction, causal=False)
        steps = [kernel for kernel in found if kernel not in TITLES]
        highest = 0.0
        for n, (d, color, hatch) in enumerate(((64, BLUE, ""), (128, ORANGE, "//"))):
            shares = [share(found[kernel], d) for kernel in steps]
            places = [step + (n - 0.5) * 0.4 for step in range(len(steps))]
            bars = axes.bar(
                places, shares, 0.38, color=color, hatch=hatch, edgecolor="white", label=f"d = {d}"
            )
            texts = [f"{value:.3g}" if value else "-" for value in shares]
            white = {"facecolor": "white", "edgecolor": "none", "pad": 0.6}  # over a line behind it
            axes.bar_label(bars, texts, size=7.5, padding=2, bbox=white)
            highest = max([highest, *shares])
            for kernel, line in (("pytorch_math", "--"), ("pytorch_efficient", ":")):
                value = share(found.get(kernel, []), d)
                if value:
                    label = f"{TITLES[kernel]}, d = {d}"
                    axes.axhline(value, color=color, linestyle=line, linewidth=1.7, label=label)
                    highest = max(highest, value)
        axes.axhline(100, color=INK, linewidth=1, linestyle=(0, (6, 3)), label="cuBLAS SGEMM")
        axes.set_xticks(range(len(steps)), [label_of(kernel) for kernel in steps], size=8.5)
        panels[axes] = highest
        if direction == "forward":
            axes.set_ylabel("% of cuBLAS")
            axes.legend(fontsize=7.5, frameon=False, loc="upper left", ncols=2)
    for axes in panels:
        axes.set_ylim(0, 1.35 * max(*panels.values(), 100.0))
    footnote(figure, section)
    return figure


def label_of(kernel: str) -> str:
    """The number above the words, a word a line."""
    return kernel.replace("_", "\n")


def share(entries: Entries, d: int) -> float:
    """% of cuBLAS, 0 for what has not been timed."""
    values = [100 * one.get("share_of_cublas", 0) for one in entries if one["head_dim"] == d]
    return values[0] if values else 0.0


FIGURES = (
    ("memory", "gpu_memory.svg", memory),
    ("memory", "gpu_speed.svg", speed),
    ("speed", "gpu_ladder.svg", ladder),
)


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--record", type=Path, help="another record")
    parser.add_argument("--out", type=Path, help="draw into this folder instead")
    options = parser.parse_args(arguments)
    record = records.read_named(options.record) if options.record else gpu_ladder.read()
    folder = options.out or ROOT / "lessons" / "figures"
    try:
        parts = [
            (draw, record[section], name) for section, name, draw in FIGURES if section in record
        ]
        if options.record and not parts:
            raise KeyError(FIGURES[0][0])
        for draw, part, name in parts:
            save(draw(part), folder / name)
    except (AttributeError, KeyError, TypeError) as error:
        if not options.record:
            raise
        what = "is not a record of scripts/bench --device cuda"
        raise UsageError(f"{paths.shown(options.record)} {what}") from error
    return EXIT_OK


if __name__ == "__main__":
    sys.exit(cli.run_tool("figures/ladder_cuda.py", lambda: main, sys.argv[1:]))
