"""Counts what the solutions do on the CPU device, and fills the tables of counts in the texts.

Usage: .venv/bin/python scripts/figures/counted_tables.py [LESSON ...]   (scripts/grade makes .venv)

A table is a function that returns Markdown, entered in TABLES under its text and its name; it stands
between `<!-- table: NAME -->` and `<!-- end: NAME -->`. Numbers come from count(lesson, Shape(...)).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

from tables import ROOT, fill, markdown, size_text

sys.path.insert(0, str(ROOT / "scripts"))

from course_tools.counting import Counts, Shape, count

Rows = list[tuple[str, Callable[[Counts], str]]]


def compare(title: str, shape: Shape, lessons: list[str], rows: Rows) -> str:
    """A row for each quantity, a column for each lesson."""
    counted = [count(lesson, shape) for lesson in lessons]
    head = [title, *(f"lesson {lesson[:2]}" for lesson in lessons)]
    return markdown(head, ([name, *map(value, counted)] for name, value in rows), left=1)


def passes(counts: Counts, tensor: str, shape: Shape) -> float:
    """How often the whole tensor, K or V, is loaded."""
    rows = shape.batch * shape.num_heads * shape.seq_len_k
    return counts.loads[tensor].bytes / (4 * rows * shape.head_dim)


def tiled() -> str:
    """Lesson 02: what moves from global to shared memory, and what stays."""
    shape = Shape(512, 512, 64)
    return compare(
        "one head, N = 512, d = 64",
        shape,
        ["01_naive", "02_tiled"],
        [
            ("passes over K", lambda c: f"{passes(c, 'K', shape):g}"),
            ("passes over V", lambda c: f"{passes(c, 'V', shape):g}"),
            ("K and V, bytes asked for", lambda c: size_text(c.global_loads("K", "V").bytes)),
            ("K and V, bytes in sectors", lambda c: size_text(c.global_loads("K", "V").moved)),
            (
                "Q and S, bytes in sectors",
                lambda c: size_text(c.global_accesses("Q", "scratch").moved),
            ),
            ("everything, bytes in sectors", lambda c: size_text(c.global_accesses().moved)),
            ("load instructions, global", lambda c: f"{c.global_loads().requests:,}"),
            ("load instructions, shared", lambda c: f"{c.shared_loads.requests:,}"),
            ("barriers per block", lambda c: f"{c.barriers // c.blocks}"),
            ("extra memory", lambda c: size_text(c.extra_bytes)),
        ],
    )


def online() -> str:
    """Lesson 03: what goes with S, and what the rescaling costs."""
    shape = Shape(512, 512, 64)
    return compare(
        "one head, N = 512, d = 64",
        shape,
        ["02_tiled", "03_online_softmax"],
        [
            ("extra memory", lambda c: size_text(c.extra_bytes)),
            (
                "S, bytes asked for and stored",
                lambda c: size_text(c.global_accesses("scratch").bytes),
            ),
            ("S, bytes in sectors", lambda c: size_text(c.global_accesses("scratch").moved)),
            ("K and V, bytes asked for", lambda c: size_text(c.global_loads("K", "V").bytes)),
            ("everything, bytes in sectors", lambda c: size_text(c.global_accesses().moved)),
            ("load instructions, shared", lambda c: f"{c.shared_loads.requests:,}"),
            ("barriers per block", lambda c: f"{c.barriers // c.blocks}"),
            ("exponentials", lambda c: f"{c.exp_calls:,}"),
            ("shared memory per block", lambda c: size_text(c.shared_bytes)),
        ],
    )


TABLES: list[tuple[str, str, Callable[[], str]]] = [
    ("02_tiled", "counted", tiled),
    ("03_online_softmax", "counted", online),
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("lessons", nargs="*", help="02_tiled, ...; default: all that have a table")
    lessons = parser.parse_args().lessons
    for lesson, name, table in TABLES:
        if not lessons or lesson in lessons:
            fill(ROOT / "lessons" / lesson / "README.md", name, table())
            print(f"lessons/{lesson}/README.md: {name}")


if __name__ == "__main__":
    main()
