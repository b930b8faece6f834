"""Counts what the solutions do on the CPU device, and fills the tables of counts in the texts.

Usage: .venv/bin/python scripts/figures/counted_tables.py [LESSON ...]   (scripts/grade makes .venv)

A table is a function that returns Markdown, entered in TABLES under its text and its name; it stands
between `<!-- table: NAME -->` and `<!-- end: NAME -->`. Numbers come from count(lesson, Shape(...)).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from course_tools import paths
from course_tools.counting import Counts, Shape, count
from course_tools.tables import fill, markdown, size_text

# A variant of lesson 07 whose warps divide the keys of a tile.
SPLIT_K = paths.ROOT / "tests" / "corpus" / "mutants" / "07_work_partitioning" / "split_k.cu"

Rows = list[tuple[str, Callable[[Counts], str]]]


def compare(title: str, shape: Shape, lessons: list[str], rows: Rows) -> str:
    """A row for each quantity, a column for each lesson."""
    return beside(title, {f"lesson {lesson[:2]}": count(lesson, shape) for lesson in lessons}, rows)


def beside(title: str, counted: dict[str, Counts], rows: Rows) -> str:
    """A row for each quantity, a column for each of the counts."""
    cells = ([name, *map(value, counted.values())] for name, value in rows)
    return markdown([title, *counted], cells, left=1)


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
    return compare(
        "one head, N = 512, d = 64",
        Shape(512, 512, 64),
        ["02_tiled", "03_online_softmax"],
        [
            (
                "S, bytes asked for and stored",
                lambda c: size_text(c.global_accesses("scratch").bytes),
            ),
            ("S, bytes in sectors", lambda c: size_text(c.global_accesses("scratch").moved)),
            ("K and V, bytes in sectors", lambda c: size_text(c.global_accesses("K", "V").moved)),
            ("Q and O, bytes in sectors", lambda c: size_text(c.global_accesses("Q", "O").moved)),
            ("LSE, bytes in sectors", lambda c: size_text(c.global_accesses("LSE").moved)),
            ("load instructions, shared", lambda c: f"{c.shared_loads.requests:,}"),
            ("barriers per block", lambda c: f"{c.barriers // c.blocks}"),
            ("exponentials", lambda c: f"{c.exp_calls:,}"),
            ("shared memory per block", lambda c: size_text(c.shared_bytes)),
        ],
    )


def extra_memory() -> str:
    """Lesson 03: extra memory at several N; it does not depend on d, and d = 1 counts quickly."""
    rows = []
    for n in (256, 512, 1024, 2048):
        shape = Shape(n, n, 1)
        before, after = (count(name, shape) for name in ("02_tiled", "03_online_softmax"))
        lse = after.global_stores("LSE").bytes
        rows.append(
            [f"{n:,}", size_text(before.extra_bytes), size_text(after.extra_bytes), size_text(lse)]
        )
    return markdown(["N", "extra, lesson 02", "extra, lesson 03", "LSE, an output"], rows)


def vectorized() -> str:
    """Lesson 04: fewer instructions for the same bytes, and what the scalar path costs."""
    shape = Shape(512, 512, 64)
    counted = {
        "lesson 03": count("03_online_softmax", shape),
        "lesson 04": count("04_vectorized_io", shape),
        "lesson 04, tensors one float off": count("04_vectorized_io", replace(shape, offset=1)),
    }

    def wide(counts: Counts) -> str:
        return f"{100 * counts.global_accesses('Q', 'K', 'V', 'O').share_16:g} %"

    return beside(
        "one head, N = 512, d = 64",
        counted,
        [
            ("bytes of Q, K, V, O in 16-byte accesses", wide),
            ("load instructions, global", lambda c: f"{c.global_loads().requests:,}"),
            ("store instructions, global", lambda c: f"{c.global_stores().requests:,}"),
            ("load instructions, shared", lambda c: f"{c.shared_loads.requests:,}"),
            ("load wavefronts, shared", lambda c: f"{c.shared_loads.wavefronts:,}"),
            ("store instructions, shared", lambda c: f"{c.shared_stores.requests:,}"),
            ("store wavefronts, shared", lambda c: f"{c.shared_stores.wavefronts:,}"),
            ("K and V, bytes asked for", lambda c: size_text(c.global_loads("K", "V").bytes)),
            ("K and V, bytes in sectors", lambda c: size_text(c.global_loads("K", "V").moved)),
            ("Q and O, bytes asked for", lambda c: size_text(c.global_accesses("Q", "O").bytes)),
            ("Q and O, bytes in sectors", lambda c: size_text(c.global_accesses("Q", "O").moved)),
            ("barriers per block", lambda c: f"{c.barriers // c.blocks}"),
        ],
    )


def causal() -> str:
    """Lesson 05: what the mask saves when tiles are skipped."""
    shape = Shape(512, 512, 64)
    counted = {
        "lesson 04, full": count("04_vectorized_io", shape),
        "lesson 05, full": count("05_causal", shape),
        "lesson 05, causal": count("05_causal", replace(shape, causal=True)),
    }
    return beside(
        "one head, N = 512, d = 64",
        counted,
        [
            ("passes over K", lambda c: f"{passes(c, 'K', shape):g}"),
            ("passes over V", lambda c: f"{passes(c, 'V', shape):g}"),
            ("K and V, bytes asked for", lambda c: size_text(c.global_loads("K", "V").bytes)),
            ("load instructions, shared", lambda c: f"{c.shared_loads.requests:,}"),
            ("exponentials", lambda c: f"{c.exp_calls:,}"),
            ("barriers, all blocks", lambda c: f"{c.barriers:,}"),
        ],
    )


def skipped() -> str:
    """Lesson 05: the share of K and V that is loaded, against the share of pairs that is seen."""
    rows = []
    for n in (64, 128, 256, 512, 1024, 2048):
        shape = Shape(n, n, 8)
        full, half = (
            count("05_causal", replace(shape, causal=masked)).global_loads("K", "V").bytes
            for masked in (False, True)
        )
        rows.append([f"{n:,}", f"{half / full:.4f}", f"{(n + 1) / (2 * n):.4f}"])
    return markdown(["N", "K and V loaded, causal / full", "pairs seen, causal / full"], rows)


def backward() -> str:
    """Lesson 06: what seven products and two passes cost."""
    shape = Shape(512, 512, 64)
    counted = {
        "lesson 05, forward": count("05_causal", shape),
        "lesson 06, backward": count("06_backward", shape),
        "lesson 06, causal": count("06_backward", replace(shape, causal=True)),
    }
    return beside(
        "one head, N = 512, d = 64",
        counted,
        [
            ("K and V, bytes asked for", lambda c: size_text(c.global_loads("K", "V").bytes)),
            ("Q and dO, bytes asked for", lambda c: size_text(c.global_loads("Q", "dO").bytes)),
            ("O, bytes asked for", lambda c: size_text(c.global_loads("O").bytes)),
            (
                "LSE and D, bytes asked for",
                lambda c: size_text(c.global_loads("LSE", "scratch").bytes),
            ),
            ("bytes stored", lambda c: size_text(c.global_stores().bytes)),
            ("load instructions, shared", lambda c: f"{c.shared_loads.requests:,}"),
            ("exponentials", lambda c: f"{c.exp_calls:,}"),
            ("barriers, all blocks", lambda c: f"{c.barriers:,}"),
            ("atomic operations", lambda c: f"{sum(a.requests for a in c.atomics.values()):,}"),
        ],
    )


def backward_memory() -> str:
    """Lesson 06: extra memory at several N, beside two matrices of floats that are not stored."""
    rows = []
    for n in (256, 512, 1024, 2048):
        extra = count("06_backward", Shape(n, n, 1)).extra_bytes
        rows.append([f"{n:,}", size_text(extra), size_text(2 * 4 * n * n)])
    return markdown(["N", "extra, lesson 06: D", "P and dS would take"], rows)


def multiply_adds(shape: Shape) -> int:
    """Of all threads, without a mask: S and O take d each for a score."""
    return 2 * scores(shape) * shape.head_dim


def scores(shape: Shape) -> int:
    return shape.batch * shape.num_heads * shape.seq_len_q * shape.seq_len_k


def loaded_per_multiply_add(counts: Counts, shape: Shape) -> str:
    return f"{counts.shared_loads.bytes / multiply_adds(shape):.4g}"


def passes_per_cycle(counts: Counts, shape: Shape) -> str:
    """A multiprocessor begins four multiply-adds of a warp per cycle, and one pass."""
    return f"{4 * 32 * counts.shared_loads.wavefronts / multiply_adds(shape):.4g}"


def partitioned() -> str:
    """Lesson 07: a thread per query, keys divided among the warps, queries divided among them."""
    shape = Shape(512, 512, 64)
    counted = {
        "lesson 05": count("05_causal", shape),
        "split-K": count(SPLIT_K, shape),
        "split-Q, lesson 07": count("07_work_partitioning", shape),
    }
    return beside(
        "one head, N = 512, d = 64",
        counted,
        [
            (
                "shared memory, bytes loaded per multiply-add",
                lambda c: loaded_per_multiply_add(c, shape),
            ),
            ("passes for these loads", lambda c: f"{c.shared_loads.wavefronts:,}"),
            ("passes per cycle of arithmetic", lambda c: passes_per_cycle(c, shape)),
            (
                "shared memory, bytes stored per score",
                lambda c: f"{c.shared_stores.bytes / scores(shape):.4g}",
            ),
            ("passes for these stores", lambda c: f"{c.shared_stores.wavefronts:,}"),
            ("barriers, all blocks", lambda c: f"{c.barriers:,}"),
            ("blocks", lambda c: f"{c.blocks}"),
            ("passes over K and V", lambda c: f"{passes(c, 'K', shape):g}"),
            ("exponentials per score", lambda c: f"{c.exp_calls / scores(shape):.3f}"),
            (
                "shuffles of a warp, per 32 scores",
                lambda c: f"{32 * c.shuffles / scores(shape):.2f}",
            ),
            ("shared memory per block, bytes", lambda c: f"{c.shared_bytes:,}"),
        ],
    )


def owned_by_a_thread(counts: Counts, shape: Shape) -> tuple[int, int, int]:
    """Rows, columns of S and columns of O of a thread of lesson 07: those whose loads were counted."""
    warp_rows = shape.seq_len_q // counts.blocks // 4
    for height in (4, 8):
        lanes = 32 * height // warp_rows  # that share a row
        widths = (64 // lanes, shape.head_dim // lanes)
        if (
            loaded_per_multiply_add(counts, shape)
            == f"{sum(2 / height + 2 / w for w in widths):.4g}"
        ):
            return height, *widths
    raise ValueError(f"d = {shape.head_dim}: no rectangles load what was counted")


def rectangles() -> str:
    """Lesson 07: what the head dimension makes of the rectangles."""
    rows = []
    for d in (32, 64, 96, 128):
        shape = Shape(256, 256, d)
        counts = count("07_work_partitioning", shape)
        height, of_s, of_o = owned_by_a_thread(counts, shape)
        rows.append(
            [
                f"{d}",
                f"{height} x {of_s}",
                f"{height} x {of_o}",
                loaded_per_multiply_add(counts, shape),
                passes_per_cycle(counts, shape),
                f"{counts.shared_stores.bytes / scores(shape):.3g}",
                f"{counts.shared_bytes:,}",
            ]
        )
    titles = ["d", "of S", "of O", "bytes loaded per multiply-add", "passes per cycle"]
    return markdown([*titles, "bytes stored per score", "shared bytes"], rows)


TABLES: list[tuple[str, str, Callable[[], str]]] = [
    ("02_tiled", "counted", tiled),
    ("03_online_softmax", "extra-memory", extra_memory),
    ("03_online_softmax", "counted", online),
    ("04_vectorized_io", "counted", vectorized),
    ("05_causal", "counted", causal),
    ("05_causal", "skipped", skipped),
    ("06_backward", "counted", backward),
    ("06_backward", "extra-memory", backward_memory),
    ("07_work_partitioning", "counted", partitioned),
    ("07_work_partitioning", "rectangles", rectangles),
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("lessons", nargs="*", help="02_tiled, ...; default: all that have a table")
    lessons = parser.parse_args().lessons
    for lesson, name, table in TABLES:
        if not lessons or lesson in lessons:
            fill(paths.LESSONS / lesson / "README.md", name, table())
            print(f"lessons/{lesson}/README.md: {name}")


if __name__ == "__main__":
    main()
