"""report(): device memory to the byte, and counts of accesses."""

import concurrent.futures
import types

import numpy
import pytest
from reference import draw

SIZES = [(1, 1, 64), (2, 3, 100), (1, 2, 33)]  # batch, heads, N


@pytest.mark.parametrize(("batch", "heads", "n"), SIZES)
def test_memory_of_lessons_01_and_03(fl: types.ModuleType, batch: int, heads: int, n: int) -> None:
    q, k, v = draw(batch, heads, n, 16)
    fl.attention(q, k, v, lesson="01")
    memory = fl.report().memory
    assert memory.extra_bytes == memory.scratch_bytes == 4 * batch * heads * n * n
    assert memory.tensors == dict.fromkeys("qkvo", q.nbytes) | dict.fromkeys(
        ("lse", "do", "dq", "dk", "dv"), 0
    )
    fl.attention(q, k, v, lesson="03", return_lse=True)
    memory = fl.report().memory
    assert memory.extra_bytes == memory.lse_bytes == 4 * batch * heads * n
    assert memory.scratch_bytes == memory.held_bytes == memory.static_bytes == 0
    fl.attention(q, k, v, lesson="03")
    assert fl.report().memory.extra_bytes == 0


def test_memory_of_the_backward_pass(fl: types.ModuleType) -> None:
    q, k, v, do = draw(2, 3, 50, 16, count=4)
    o, lse = fl.attention(q, k, v, return_lse=True)
    fl.backward(q, k, v, o, lse, do)
    report = fl.report()
    assert (report.function, report.kernels, report.launches) == ("backward", "06_backward", 3)
    assert report.memory.extra_bytes == 4 * 2 * 3 * 50


@pytest.mark.parametrize("n", [4096, 16384, 32768])
def test_long_sequences_are_measured_without_computing(fl: types.ModuleType, n: int) -> None:
    assert fl.allocate_only(lesson="01", seq_len_q=n).memory.extra_bytes == 4 * n * n
    report = fl.allocate_only(lesson="03", seq_len_q=n, batch=2, heads=3)
    assert report.memory.extra_bytes == 4 * 2 * 3 * n
    assert report.shape == (2, 3, 3, n, n, 64)
    assert report.launches == 1
    backward = fl.allocate_only(lesson="06", seq_len_q=n, function="backward")
    assert backward.memory.extra_bytes == 4 * n


def test_a_card_of_16_gib_has_an_end(fl: types.ModuleType) -> None:
    with pytest.raises(MemoryError, match="01_naive .* 17,179,869,184 bytes were refused"):
        fl.allocate_only(lesson="01", seq_len_q=65536)
    assert fl.allocate_only(lesson="03", seq_len_q=65536).memory.extra_bytes == 4 * 65536
    q, k, v = draw(1, 1, 20, 8)
    assert not numpy.isnan(fl.attention(q, k, v)).any()


def test_sizes_of_allocate_only(fl: types.ModuleType) -> None:
    report = fl.allocate_only(
        lesson="07", heads=8, heads_kv=2, seq_len_q=100, seq_len_k=50, head_dim=32, causal=True
    )
    assert report.shape == (1, 8, 2, 100, 50, 32)
    assert report.causal


def test_numbers_of_numpy(fl: types.ModuleType) -> None:
    report = fl.allocate_only(
        seq_len_q=numpy.int64(100), heads=numpy.uint8(3), lesson="05", causal=numpy.bool_(True)
    )
    assert report.shape == (1, 3, 3, 100, 100, 64)
    assert report.causal is True
    without = fl.allocate_only(seq_len_q=numpy.int64(100), lse=numpy.bool_(False))
    assert without.memory.lse_bytes == 0


def test_nothing_is_counted_unless_asked(fl: types.ModuleType) -> None:
    fl.attention(*draw(1, 1, 20, 8))
    assert fl.report().counters is None
    assert "counting()" in str(fl.report())


def test_counts(fl: types.ModuleType) -> None:
    n, d = 128, 64
    q, k, v = draw(1, 1, n, d)
    o = fl.attention(q, k, v)
    with fl.counting():
        counted, lse = fl.attention(q, k, v, return_lse=True)
    numpy.testing.assert_array_equal(counted, o)
    counters = fl.report().counters
    blocks = n // 64  # each reads all of K and V
    assert (
        counters.tensors["k"].load.bytes == counters.tensors["v"].load.bytes == 4 * blocks * n * d
    )
    assert counters.tensors["q"].load.bytes == 4 * n * d
    assert counters.tensors["o"].store.bytes == 4 * n * d
    assert counters.tensors["lse"].store.bytes == lse.nbytes
    assert counters.tensors["k"].store.bytes == 0
    assert counters.global_bytes == 4 * (2 * blocks * n * d + 2 * n * d + n)
    assert counters.barriers == blocks * 2 * (n // 32)
    assert counters.exp_calls == n * (n + n // 32)
    assert fl.report().findings == ()
    assert fl.report().memory.lse_bytes == 4 * n
    assert "loads" in str(fl.report())


def test_wide_accesses_are_told_apart(fl: types.ModuleType) -> None:
    q, k, v = draw(1, 1, 64, 32)
    with fl.counting():
        fl.attention(q, k, v, lesson="03")
        narrow = fl.report().counters
        fl.attention(q, k, v, lesson="04")
        wide = fl.report().counters
    assert narrow.global_load.bytes_16 == 0
    assert wide.global_load.bytes_16 == wide.global_load.bytes == narrow.global_load.bytes
    assert wide.global_load.requests * 4 == narrow.global_load.requests


def test_the_threads_of_a_pool_are_not_counted(fl: types.ModuleType) -> None:
    """counting() says so; each thread can enter it."""
    q, k, v = draw(1, 1, 20, 8)

    def own() -> None:
        with fl.counting():
            fl.attention(q, k, v)

    with fl.counting(), concurrent.futures.ThreadPoolExecutor(1) as pool:
        pool.submit(fl.attention, q, k, v).result()
        assert fl.report().counters is None
        pool.submit(own).result()
        assert fl.report().counters is not None


def test_the_backward_pass_is_counted(fl: types.ModuleType) -> None:
    q, k, v, do = draw(1, 1, 64, 16, count=4)
    o, lse = fl.attention(q, k, v, return_lse=True)
    plain = fl.backward(q, k, v, o, lse, do)
    with fl.counting():
        counted = fl.backward(q, k, v, o, lse, do)
    for one, other in zip(counted, plain, strict=True):
        numpy.testing.assert_array_equal(one, other)
    tensors = fl.report().counters.tensors
    for name in ("dq", "dk", "dv"):
        assert tensors[name].store.bytes == 4 * 64 * 16
