"""Shapes for comparing with PyTorch's scaled_dot_product_attention: (query's, key's, is_causal)."""

from collections.abc import Iterator

Shape = tuple[int, ...]


def shapes(longest: int) -> Iterator[tuple[Shape, Shape, bool]]:
    """At least 60 of them where `longest`, the longest sequence, is 128 or more."""
    lengths = [n for n in (1, 17, 64, 100, 128, 333, 512, 1024, 2048) if n <= longest]
    for n in lengths:  # square and ragged
        for d in (32, 64, 128):
            for causal in (False, True):
                yield (2, 3, n, d), (2, 3, n, d), causal
    for d in (1, 3, 20, 80, 100, 127):  # odd head dimensions
        for causal in (False, True):
            yield (1, 2, 65, d), (1, 2, 65, d), causal
    crossed = [(1, 64), (64, 1), (33, 100), (100, 33), (128, 127), (127, 128)]
    crossed += [(longest, 70), (70, longest)]
    for n_q, n_k in crossed:  # cross attention
        for causal in (False, True):
            yield (2, 2, n_q, 64), (2, 2, n_k, 64), causal
    for batch in range(1, 9):
        for causal in (False, True):
            yield (batch, 4, 70, 64), (batch, 4, 70, 64), causal
    for causal in (False, True):  # other ranks, and sizes that are broadcast
        yield (40, 64), (30, 64), causal
        yield (3, 40, 64), (3, 40, 64), causal
        yield (2, 1, 3, 40, 64), (2, 3, 50, 64), causal
