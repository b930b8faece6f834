"""Flags and numbers that a caller gives: what is understood, and one line about what is not.

The arrays are looked at in the extension (arrays.cpp).
"""

import math
import numbers
import operator
from typing import Any

import numpy

_MAX_INT = 2**31 - 1  # what a kernel can be told


def flag(name: str, value: Any) -> bool:
    """A boolean of Python or of NumPy."""
    if isinstance(value, bool | numpy.bool_):
        return bool(value)
    raise TypeError(f"{name} has to be True or False, not {_shown(value)}")


def size(name: str, value: Any, least: int, most: int = _MAX_INT) -> int:
    """An integer of Python or of NumPy, in a range."""
    try:
        if isinstance(value, bool):
            raise TypeError
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} has to be an integer, not {_shown(value)}") from None
    if not least <= number <= most:
        raise ValueError(f"{name} is {number}; it has to be {least} to {most}")
    return number


def scale(name: str, value: Any) -> float | None:
    """A number of Python or of NumPy, or a tensor with one and no dimensions; or None."""
    if value is None:
        return None
    is_number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    try:
        if is_number or getattr(value, "shape", None) == () and not isinstance(value, numpy.bool_):
            return float(value)
    except OverflowError:
        return math.inf  # which the extension refuses
    except TypeError:
        pass
    raise TypeError(f"{name} has to be a number or None, not {_shown(value)}")


def _shown(value: Any) -> str:
    text = repr(value)
    if "\n" in text or len(text) > 40:
        return f"an object of type {type(value).__name__}"
    return f"{text} of type {type(value).__name__}"
