"""What several notebooks need: kernels by label, records, and how a figure is labelled and shown."""

import hashlib
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import card
import flash_lessons
import ladder_cuda
import matplotlib.pyplot as plt
import numpy
from course_tools import course, paths, records
from course_tools.tables import KIB
from matplotlib.axes import Axes
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from IPython.display import Image

T = TypeVar("T")
Kernels = flash_lessons.Kernels
YOURS = "yours, "  # begins the label of a learner's kernels
DATA = paths.ROOT / "notebooks" / "data"


def solutions(*numbers: str) -> dict[str, Kernels]:
    """The reference kernels of these lessons, by number."""
    return {number: flash_lessons.lesson(number) for number in numbers}


def begun(*numbers: str, folder: Path = paths.KERNELS) -> dict[str, Kernels]:
    """The learner's kernels of these lessons, compiled, but for stubs that are still untouched."""
    found = {}
    for lesson in course.load():
        path = folder / f"{lesson.name}.cu"
        if lesson.number in numbers and path.is_file():
            untouched = hashlib.sha256(path.read_bytes()).hexdigest() == lesson.stub_sha256
            if not untouched:
                found[YOURS + lesson.number] = flash_lessons.load(path)
    return found


def record(name: str) -> dict:
    """A recorded measurement: ladder_cpu, claims_cpu or ladder_cuda."""
    return records.read(DATA / f"{name}.json")


def draw(*shape: int, seed: int = 0, count: int = 3) -> list[numpy.ndarray]:
    """Normally distributed float32 arrays of one shape."""
    generator = numpy.random.default_rng([seed, *shape])
    return [generator.standard_normal(shape, numpy.float32) for _ in range(count)]


def style(label: str) -> dict:
    """Colour, marker and line of a lesson; a learner's kernels have a hollow, larger marker."""
    number = label.removeprefix(YOURS)
    color, marker, line = ladder_cuda.style(number)
    mine = label != number
    return {
        "color": color,
        "marker": marker,
        "linestyle": ":" if mine else line,
        "markersize": 12 if mine else 6,
        "markerfacecolor": "none" if mine else color,
    }


def together(found: Mapping[str, Sequence[T]]) -> list[tuple[list[str], Sequence[T]]]:
    """Solutions whose points are the same share a line; a learner's kernels have their own."""
    groups: dict[tuple, list[str]] = {}
    for label, points in found.items():
        own = label if label.startswith(YOURS) else ""
        groups.setdefault((own, *points), []).append(label)
    return [(sorted(labels), found[labels[0]]) for labels in groups.values()]


def panel(figure: Figure, place: tuple[float, float, float, float], title: str) -> Axes:
    return ladder_cuda.panel(figure, place, title)


def lengths(axes: Axes, ticks: list[int], label: str = "sequence length N") -> None:
    """N along x, doubling from tick to tick."""
    axes.set_xscale("log", base=2)
    axes.set_xticks(ticks, [short(n) for n in ticks])
    axes.minorticks_off()
    axes.set_xlabel(label)


def short(n: int) -> str:
    if n % KIB**2 == 0:
        return f"{n // KIB**2}M"
    return f"{n // KIB}k" if n % KIB == 0 else str(n)


def heading(figure: Figure, text: str) -> None:
    ladder_cuda.heading(figure, text)


def conditions(figure: Figure, text: str) -> None:
    """Under what the numbers were taken, at the foot of the figure."""
    card.foot(figure, text)


def show(figure: Figure) -> "Image":
    """The figure as Jupyter displays it."""
    from IPython.display import Image

    file = io.BytesIO()
    card.write_png(figure, file)
    plt.close(figure)
    return Image(file.getvalue(), width=round(100 * figure.get_size_inches()[0]))
