"""Every figure of the notebooks by name: measured and drawn, as the notebooks do it."""

import tempfile
from collections.abc import Callable
from pathlib import Path

from matplotlib.figure import Figure

from plots import causal, ladder, memory, numerics, online_softmax, traffic
from plots.common import Say, begun, record, solutions

FORWARD = ("01", "02", "03", "04", "05", "07")
HEADS = (1, 16)
GRADIENT_LENGTHS = [64, 128, 256, 512]


def memory_growth(kernels: Path | None = None, say: Say = print) -> Figure:
    """kernels: a folder whose kernels, where they are begun, are drawn beside the solutions'.

    say: gets a line for each of them that fails, is wrong, or has findings.
    """
    yours = begun(*FORWARD, "06", folder=kernels, say=say) if kernels else {}
    return memory.growth(memory.measure({**solutions(*FORWARD, "06"), **yours}, say=say))


def memory_limits() -> Figure:
    chosen = solutions("01", "03", "06", "07")
    return memory.limits(
        {h: {name: memory.longest(one, heads=h) for name, one in chosen.items()} for h in HEADS}
    )


def traffic_growth(kernels: Path | None = None, say: Say = print) -> Figure:
    """As memory_growth."""
    yours = begun(*FORWARD, folder=kernels, say=say) if kernels else {}
    return traffic.growth(traffic.by_length({**solutions(*FORWARD), **yours}, say=say))


def traffic_law() -> Figure:
    with tempfile.TemporaryDirectory(prefix="flash-lessons-") as folder:
        return traffic.law(traffic.variants(Path(folder), record("claims_cpu")))


def skipped_tiles() -> Figure:
    return causal.skipped(causal.shares(solutions("05", "07")))


def gradients() -> Figure:
    forward, backward = solutions("05", "06").values()
    errors = causal.gradient_errors(forward, backward, GRADIENT_LENGTHS)
    return causal.gradients(errors, GRADIENT_LENGTHS)


FIGURES: dict[str, Callable[..., Figure]] = {
    "01_memory": memory_growth,
    "01_limits": memory_limits,
    "01_memory_gpu": lambda: ladder.memory(record("ladder_cuda")["memory"]),
    "02_running": online_softmax.running,
    "02_rules": online_softmax.rules,
    "03_traffic": traffic_growth,
    "03_law": traffic_law,
    "03_lessons": lambda: traffic.ladder(record("ladder_cpu")),
    "04_speed": lambda: ladder.speed(record("ladder_cuda")["memory"]),
    "04_ladder": lambda: ladder.steps(record("ladder_cuda")["speed"]),
    "04_roofline": lambda: ladder.roofline(record("ladder_cuda")["speed"], record("ladder_cpu")),
    "05_mask": lambda: causal.mask(*solutions("05").values()),
    "05_skipped": skipped_tiles,
    "05_gradients": gradients,
    "06_bound": lambda: numerics.bound(numerics.errors(solutions(*FORWARD))),
    "06_breaks": lambda: numerics.broken(numerics.breaking()),
    "06_order": lambda: numerics.order(numerics.sums()),
}
OF_KERNELS = ("01_memory", "03_traffic")  # those that can show a learner's kernels
