"""Notebook 02: softmax in one pass, a row by hand."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy
from card import BLUE, GREEN, GREY, INK, VERMILION, card
from matplotlib.figure import Figure

from plots.common import conditions, heading, panel

KEYS = 24
RULES = ("multiply", "none", "divide")  # what is done to l and o when the maximum rises; see fold


@dataclass(frozen=True)
class Pass:
    """One row of scores, folded in key by key: what is known after each key."""

    scores: numpy.ndarray  # [N]
    m: numpy.ndarray  # [N], the running maximum
    l: numpy.ndarray  # [N], the running sum
    o: numpy.ndarray  # [N], the running output / l, for values of one column


def fold(scores: Sequence[float], values: Sequence[float], rule: str = "multiply") -> Pass:
    """Folds the keys in one by one, in float32.

    rule: "multiply" l and o by exp(m_old - m_new) is right; "none" forgets both; "divide" divides o,
    and o alone: the stray inverse in line 10 of the FlashAttention-2 preprint, whose line 9, for l, is
    right.
    """
    m, l, o = numpy.float32(-numpy.inf), numpy.float32(0), numpy.float32(0)
    rows = []
    for s, v in zip(numpy.float32(scores), numpy.float32(values), strict=True):
        m_new = max(m, s)
        rescale = numpy.float32(1) if rule == "none" else numpy.exp(m - m_new)
        factor = 1 / rescale if rule == "divide" and rescale > 0 else rescale  # of o
        p = numpy.exp(s - m_new)
        l = l * rescale + p
        o = o * factor + p * v
        m = m_new
        rows.append((m, l, o / l))
    return Pass(numpy.float32(scores), *(numpy.array(column) for column in zip(*rows, strict=True)))


def row(order: str = "random", keys: int = KEYS, seed: int = 9) -> tuple[numpy.ndarray, ...]:
    """Scores and values of one row; order is "random", "rising" or "falling"."""
    generator = numpy.random.default_rng(seed)
    scores = 1.5 * generator.standard_normal(keys)
    if order != "random":
        scores = numpy.sort(scores)[:: 1 if order == "rising" else -1]
    return scores, generator.standard_normal(keys)


def exact(scores: numpy.ndarray, values: numpy.ndarray) -> float:
    """The output of the whole row, in float64."""
    p = numpy.exp(scores - scores.max())
    return float(p @ values / p.sum())


def running(order: str = "random") -> Figure:
    """The scores with the running maximum, and the running sum beside what it should be."""
    scores, values = row(order)
    one = fold(scores, values)
    keys = numpy.arange(1, len(scores) + 1)
    figure = card(9, 5.2)
    heading(figure, "One row, folded in key by key")
    upper = panel(figure, (0.09, 0.535, 0.88, 0.31), "scores and the running maximum m")
    upper.vlines(keys, 0, scores, color=GREY, linewidth=1.2)
    upper.plot(keys, scores, "o", color=BLUE, label="score s")
    upper.step(keys, one.m, where="mid", color=VERMILION, linewidth=2.2, label="m")
    upper.set_ylim(-5, 5)
    beside_the_title = {"frameon": False, "ncols": 2, "fontsize": 9, "loc": "lower right"}
    upper.legend(**beside_the_title, bbox_to_anchor=(1, 0.97))
    lower = panel(figure, (0.09, 0.15, 0.88, 0.28), "the running sum l = sum of exp(s - m)")
    lower.step(keys, one.l, where="mid", color=VERMILION, linewidth=2.2, label="l")
    final = numpy.cumsum(numpy.exp(scores - scores.max()))
    lower.plot(keys, final, "s", ms=4, color=INK, label="the same with the final maximum")
    lower.legend(**beside_the_title, bbox_to_anchor=(1, 0.97))
    for n, (old, new) in enumerate(zip(one.m[:-1], one.m[1:], strict=True), start=2):
        if new > old:
            for axes in (upper, lower):
                axes.axvline(n, color=GREY, linewidth=0.9, linestyle=":")
    for axes in (upper, lower):
        axes.set_xlim(0.4, len(scores) + 0.6)
    lower.set_ylim(bottom=-0.15)
    lower.set_xlabel("keys folded in")
    conditions(
        figure,
        f"{len(scores)} normally distributed scores (deviation 1.5), {order} order; NumPy, float32. "
        "Dotted: m rises; l is multiplied by exp(m_old - m_new), then 1 is added.",
    )
    return figure


def rules(orders: Sequence[str] = ("random", "rising", "falling")) -> Figure:
    """The running output under the right rule and two wrong ones, by order of the scores."""
    figure = card(9.6, 4.2)
    heading(figure, "The output while keys are folded in: three rules for a risen maximum")
    looks = {
        "multiply": ("multiply by exp(m_old - m_new)", GREEN, "-", "o"),
        "none": ("do nothing", VERMILION, "--", "s"),
        "divide": ("divide o: the preprint's slip", INK, ":", "^"),
    }
    width = 0.87 / len(orders)
    for n, order in enumerate(orders):
        scores, values = row(order)
        axes = panel(
            figure, (0.095 + n * (width + 0.02), 0.29, width - 0.055, 0.5), f"{order} scores"
        )
        keys = numpy.arange(1, len(scores) + 1)
        axes.axhline(exact(scores, values), color="#d0d7de", linewidth=8, zorder=1)
        for rule in RULES:
            label, color, line, marker = looks[rule]
            found = fold(scores, values, rule).o
            axes.plot(
                keys, found, color=color, linestyle=line, marker=marker, ms=4, lw=1.7, label=label
            )
        axes.set_yscale("symlog", linthresh=1, linscale=1.5)
        axes.set_ylim(-300, 1.5)
        ticks = (-100, -10, -1, -0.5, 0, 0.5, 1)
        axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.minorticks_off()
        axes.set_xlabel("keys folded in")
        if n == 0:
            axes.set_ylabel("output so far")
            figure.legend(
                *axes.get_legend_handles_labels(),
                frameon=False,
                ncols=3,
                loc="lower center",
                bbox_to_anchor=(0.5, 0.065),
            )
    conditions(
        figure,
        f"{KEYS} keys, values of one column, normally distributed; NumPy, float32. Pale: the whole row in "
        "float64. The scale is linear from -1 to 1, logarithmic below.",
    )
    return figure
