"""Notebook 04: the recorded GPU run, and its kernels under the roofs of the GPU."""

import ladder_cuda
from card import GREY, INK, card
from course_tools.gpu_pytorch import TITLES
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from plots.common import heading, panel

# Bytes per second of NVIDIA's data sheets: no call asks a GPU for it. On another GPU the roofs of the
# figure are left out, but for what cuBLAS was measured to do.
BANDWIDTHS = {"NVIDIA H200": 4.8e12, "NVIDIA H100 80GB HBM3": 3.35e12}
LANES = 128  # float32 multiply-adds of a multiprocessor of these in a cycle

memory = ladder_cuda.memory
speed = ladder_cuda.speed
steps = ladder_cuda.ladder


def peak(section: dict) -> float:
    """FLOP/s of float32 that the multiprocessors could do at the clock that was seen."""
    conditions = section["conditions"]
    clock = conditions["sm_clock_mhz"]["after"] * 1e6
    return 2 * LANES * conditions["multiprocessors"] * clock


def intensity(ladder_cpu: dict, lesson: str) -> float:
    """FLOP per byte of global memory that the forward pass asks for."""
    n, d = ladder_cpu["seq_len"], ladder_cpu["head_dim"]
    return 4 * n * n * d / ladder_cpu["lessons"][lesson]["full"]["global_bytes"]


def roofline(section: dict, ladder_cpu: dict) -> Figure:
    """TFLOP/s against FLOP per byte asked for, under the roofs of memory and arithmetic."""
    figure = card(9.6, 5.4)
    d = ladder_cpu["head_dim"]
    heading(figure, f"Under two roofs: forward pass, B = 4, H = 16, N = 4,096, d = {d}")
    axes = panel(figure, (0.09, 0.2, 0.62, 0.69), "")
    ends = (0.1, 300.0)
    known = section["conditions"]["gpu"] in BANDWIDTHS
    if known:
        _roofs(axes, section, ends)
    measured = section["cublas"]["tflops"]
    axes.axhline(measured, color=GREY, linewidth=1.2, linestyle=(0, (6, 3)))
    axes.text(0.105, measured * 0.93, f"cuBLAS SGEMM: {measured:.1f}", va="top", size=9, color=GREY)
    found = {
        kernel: entry["tflops"]
        for kernel, (entry, *_) in ladder_cuda.chosen(
            section, "forward", causal=False, head_dim=d
        ).items()
        if entry["outcome"] == "timed"
    }
    places = {
        kernel: (intensity(ladder_cpu, kernel), tflops)
        for kernel, tflops in found.items()
        if kernel in ladder_cpu["lessons"]
    }
    for n, (kernel, (across, tflops)) in enumerate(places.items()):
        color, marker, _line = ladder_cuda.style(kernel)
        hidden = ladder_cuda.is_hidden([across, tflops], list(places.values())[n + 1 :])
        axes.plot(
            across,
            tflops,
            marker=marker,
            color=color,
            markersize=14 if hidden else 7,
            markerfacecolor="none" if hidden else color,
            markeredgewidth=1.5 if hidden else 0,
            linestyle="",
            label=f"{kernel.replace('_', ' ')}: {tflops:.3g}",
        )
    for kernel in TITLES:
        if kernel in found:
            color, _marker, line = ladder_cuda.style(kernel)
            label = f"{TITLES[kernel]}: {found[kernel]:.3g}"
            axes.axhline(found[kernel], color=color, linestyle=line, label=label, zorder=1)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(*ends)
    axes.set_ylim(0.3, 100)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set_xlabel("FLOP per byte of global memory that the threads ask for")
    axes.set_ylabel("TFLOP/s")
    figure.legend(
        *axes.get_legend_handles_labels(),
        frameon=False,
        fontsize=9,
        loc="upper left",
        bbox_to_anchor=(0.725, 0.9),
        title="TFLOP/s",
        alignment="left",
    )
    text = f"Across: counted on the CPU device at N = {ladder_cpu['seq_len']}, one head; PyTorch's are "
    text += "lines, as its bytes are not counted." + (_sources(section) if known else "")
    ladder_cuda.footnote(figure, section, text)
    return figure


def _roofs(axes: Axes, section: dict, ends: tuple[float, float]) -> None:
    top = peak(section) / 1e12
    bandwidth = BANDWIDTHS[section["conditions"]["gpu"]] / 1e12
    bend = top / bandwidth
    axes.plot([ends[0], bend, ends[1]], [ends[0] * bandwidth, top, top], color=INK, linewidth=2)
    slope = {"rotation": 41, "rotation_mode": "anchor", "size": 10}
    axes.text(0.2, 0.2 * bandwidth * 1.2, f"memory: {bandwidth:g} TB/s", **slope)
    axes.text(ends[1] * 0.95, top * 1.08, f"arithmetic: {top:.1f} TFLOP/s", ha="right", size=10)


def _sources(section: dict) -> str:
    return (
        f" Memory: data sheet. Arithmetic: {section['conditions']['multiprocessors']} "
        f"multiprocessors x {LANES} multiply-adds at the clock seen."
    )
