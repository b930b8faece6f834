"""The tables of counts in the texts are what the CPU device counts, and the counts are right."""

import re
import sys
from collections.abc import Callable

import pytest
from course_tools import counting, gpu_ladder, paths, tables
from course_tools.errors import InternalError

sys.path.insert(0, str(paths.ROOT / "scripts" / "figures"))

from counted_tables import TABLES


@pytest.mark.parametrize(
    ("lesson", "name", "table"), [pytest.param(*one, id=f"{one[0]}-{one[1]}") for one in TABLES]
)
def test_the_text_shows_what_is_counted(lesson: str, name: str, table: Callable[[], str]) -> None:
    readme = paths.LESSONS / lesson / "README.md"
    assert tables.table_in(readme, name) == table(), (
        "python scripts/figures/counted_tables.py fills the tables again"
    )


def test_every_table_between_markers_is_written_by_a_script() -> None:
    written = {(lesson, name) for lesson, name, _ in TABLES} | {("01_naive", "workspace")}
    written |= set(gpu_ladder.lesson_tables())
    marked = {
        (readme.parent.name, name)
        for readme in paths.LESSONS.glob("*/README.md")
        for name in re.findall(r"<!-- table: (\S+) -->", readme.read_text(encoding="utf-8"))
    }
    assert marked == written


def test_the_naive_kernel_loads_what_its_loops_say() -> None:
    n_q, n_k, d, heads = 33, 20, 5, 6
    shape = counting.Shape(n_q, n_k, d, batch=2, num_heads=3, offset=1)
    counts = counting.count("01_naive", shape)
    products = heads * n_q * n_k * d
    for tensor in ("Q", "K", "V"):
        assert counts.global_loads(tensor).bytes == 4 * products
        assert counts.global_stores(tensor).bytes == 0
    assert counts.global_stores("O").bytes == 4 * heads * n_q * d
    # A score is stored, loaded, stored as a weight, and loaded for each column of V.
    assert counts.global_stores("scratch").bytes == 4 * 2 * heads * n_q * n_k
    assert counts.global_loads("scratch").bytes == 4 * (d + 1) * heads * n_q * n_k
    assert counts.exp_calls == heads * n_q * n_k
    assert counts.barriers == counts.shared_loads.bytes == counts.global_loads().bytes_16 == 0
    assert (counts.blocks, counts.shared_bytes) == (heads, 0)
    # What is allocated counts in steps of 256 bytes.
    assert 0 <= counts.extra_bytes - 4 * heads * n_q * n_k < 256


def test_a_shape_that_the_kernel_refuses_is_an_error() -> None:
    with pytest.raises(InternalError) as raised:
        counting.count("01_naive", counting.Shape(4, 4, 4, causal=True))
    assert "count_accesses: operation not supported" in raised.value.details
