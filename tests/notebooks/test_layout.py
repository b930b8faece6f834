"""No text of a figure leaves its card, and none lies on another."""

import itertools

import matplotlib.pyplot as plt
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox
from plots import catalogue

MEASURED = (
    "03_law",
    "01_limits",
    "05_skipped",
    "06_bound",
)  # these compile, search or count longer
NAMES = [name for name in catalogue.FIGURES if name not in MEASURED]
EDGE = 5  # pixels of the card's border


def texts(figure: Figure) -> list[tuple[str, Bbox]]:
    """Every text that is drawn, and where."""
    figure.canvas.draw()
    hidden = [label for axes in figure.axes for label in labels_beyond(axes)]
    return [
        (one.get_text(), one.get_window_extent())
        for one in figure.findobj(Text)
        if one.get_visible() and one.get_text().strip() and one not in hidden
    ]


def labels_beyond(axes: Axes) -> list[Text]:
    """Labels of ticks beyond the limits exist, but are not drawn."""
    found = []
    for axis in (axes.xaxis, axes.yaxis):
        low, high = sorted(axis.get_view_interval())
        for tick in (*axis.majorTicks, *axis.minorTicks):
            if not low <= tick.get_loc() <= high:
                found += [tick.label1, tick.label2]
    return found


@pytest.mark.parametrize("name", NAMES)
def test_texts_stay_on_the_card_and_apart(name: str) -> None:
    figure = catalogue.FIGURES[name]()
    found = texts(figure)
    for text, box in found:
        assert box.x0 > EDGE and box.x1 < figure.bbox.x1 - EDGE, f"{text!r} leaves the card"
        assert box.y0 > EDGE and box.y1 < figure.bbox.y1 - EDGE, f"{text!r} leaves the card"
    for (one, here), (other, there) in itertools.combinations(found, 2):
        assert not here.overlaps(there), f"{one!r} lies on {other!r}"
    plt.close(figure)
