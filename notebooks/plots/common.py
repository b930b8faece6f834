"""What several notebooks need: kernels by label, records, and how a figure is labelled and shown."""

import hashlib
import io
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import card
import flash_lessons
import ladder_cuda
import matplotlib.pyplot as plt
import numpy
from course_tools import course, paths, records
from course_tools.tables import KIB
from course_tools.text import clean_line
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from plots import reference

if TYPE_CHECKING:
    from IPython.display import Image

T = TypeVar("T")
K = TypeVar("K")
Kernels = flash_lessons.Kernels
Say = Callable[[str], object]  # takes a line for the reader
FAILURES = (flash_lessons.FlashLessonsError, NotImplementedError, ValueError, MemoryError)
GRADIENT_ERROR = 1e-4  # of the largest gradient; right kernels stay below 1e-6
YOURS = "yours, "  # begins the label of a learner's kernels
DATA = paths.ROOT / "notebooks" / "data"


def solutions(*numbers: str) -> dict[str, Kernels]:
    """The reference kernels of these lessons, by number."""
    return {number: flash_lessons.lesson(number) for number in numbers}


def begun(*numbers: str, folder: Path = paths.KERNELS, say: Say = print) -> dict[str, Kernels]:
    """The learner's kernels of these lessons, compiled, but for stubs that are still untouched.

    `say` gets a line for each that does not compile, which is left out, and for each that is wrong.
    """
    found = {}
    for lesson in course.load():
        path = folder / f"{lesson.name}.cu"
        if lesson.number in numbers and path.is_file():
            untouched = hashlib.sha256(path.read_bytes()).hexdigest() == lesson.stub_sha256
            if not untouched:
                label = YOURS + lesson.number
                found |= each({label: path}, flash_lessons.load, say)
                if label in found and (trouble := wrong(found[label])):
                    say(f"{label} is wrong: {trouble} (scripts/grade {lesson.number} tells more)")
    return found


def each(kernels: Mapping[str, K], measure: Callable[[K], T], say: Say) -> dict[str, T]:
    """What is measured of each; a learner's kernels that fail are left out, and `say` gets a line."""
    found = {}
    for label, one in kernels.items():
        try:
            found[label] = measure(one)
        except FAILURES as error:
            if not label.startswith(YOURS):
                raise
            say(f"{label} is not drawn: {in_a_line(error)}")
    return found


def wrong(kernels: Kernels, seq_len: int = 65, head_dim: int = 32) -> str:
    """In words, how the result of a small call is wrong; nothing where it is right."""
    q, k, v, do = draw(1, 2, seq_len, head_dim, count=4)
    expected = reference.attention(q, k, v, do=do)
    where = f"at N = {seq_len}, d = {head_dim}"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # of NaN, which is found below
            if kernels.source.name.startswith("06"):
                return _wrong_gradients(kernels, (q, k, v), expected, do, where)
            o = kernels.attention(q, k, v)
    except FAILURES as error:
        return in_a_line(error)
    share = reference.error_of(o, expected)[1]
    if share <= 1:
        return ""
    if not numpy.isfinite(share):
        return f"{where} a value of O is not finite"
    return f"{where} the largest error of O is {share:,.0f} times the rounding bound"


def _wrong_gradients(
    kernels: Kernels,
    inputs: Sequence[numpy.ndarray],
    expected: reference.Reference,
    do: numpy.ndarray,
    where: str,
) -> str:
    results = (one.astype(numpy.float32) for one in (expected.o, expected.lse))
    found = kernels.backward(*inputs, *results, do)
    for name, gradient in zip(("dq", "dk", "dv"), found, strict=True):
        right = expected.gradients[name]
        error = abs(gradient - right).max() / abs(right).max()
        if not error <= GRADIENT_ERROR:
            return f"{where} {name} is off by {error:.1g} of its largest value"
    return ""


def in_a_line(error: Exception) -> str:
    """An error's first line; that of a compiler has its first error in it."""
    first, *more = str(error).splitlines() or [type(error).__name__]
    if isinstance(error, flash_lessons.CompileError):
        first = f"{first.rstrip(':')}: " + next((line for line in more if "error" in line), "")
    return clean_line(first)


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
