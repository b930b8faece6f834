"""What the notebooks and scripts/plot measure and draw: a module for each notebook.

Functions that measure return numbers, functions that draw take them and return a figure. The look
(card.py) and the figures of GPU records (ladder_cuda.py) are those of scripts/figures.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
for _folder in ("scripts", "scripts/figures"):
    if str(ROOT / _folder) not in sys.path:
        sys.path.append(str(ROOT / _folder))

from plots import causal, ladder, memory, numerics, online_softmax, traffic
from plots.common import begun, draw, record, show, solutions

__all__ = [
    "begun",
    "causal",
    "draw",
    "ladder",
    "memory",
    "numerics",
    "online_softmax",
    "record",
    "show",
    "solutions",
    "traffic",
]
