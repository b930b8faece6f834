"""The tensors of one shape on the GPU, and what a measurement of them may come to."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from course_tools.gpu import TENSORS, CudaError, Gpu, Outcome, Pointers, Reference, Shape

FORWARD, BACKWARD = "forward", "backward"
INPUTS = ("Q", "K", "V", "dO")
OUTPUTS = {FORWARD: ("O", "LSE"), BACKWARD: ("dQ", "dK", "dV")}

# Outcomes of an entry of the record.
TIMED, WRONG, FAILED = "timed", "wrong", "failed"
OUT_OF_MEMORY, NOT_RUN, REFUSED = "out of memory", "not run", "refused"


@dataclass
class Problem:
    """Several sets of inputs, and one of outputs."""

    gpu: Gpu
    shape: Shape
    sets: list[Pointers]  # O and LSE too, for the backward pass
    outputs: Pointers
    reference: Reference
    has_forward: bool = False  # O and LSE of a right forward pass are in every set

    def at(self, run: int, direction: str) -> Pointers:
        """What call number `run` gets; outputs take the place of inputs of the same name."""
        inputs = self.sets[run % len(self.sets)]
        return {**inputs, **{name: self.outputs[name] for name in OUTPUTS[direction]}}

    def fill_outputs(self, direction: str) -> None:
        """With NaN, so that what is not written cannot be right."""
        for name in OUTPUTS[direction]:
            self.gpu.fill_nan(self.outputs[name], 4 * self.shape.floats(name))


@contextmanager
def buffers(gpu: Gpu, sizes: dict[str, int]) -> Iterator[Pointers | None]:
    """Device memory by name, or None if there is not enough."""
    at: Pointers = {}
    try:
        for name, size in sizes.items():
            pointer = gpu.allocate(size)
            if pointer is None:
                break
            at[name] = pointer
        yield at if len(at) == len(sizes) else None
    finally:
        for pointer in at.values():
            with suppress(CudaError):  # a device that is lost gives nothing back
                gpu.free(pointer)


@contextmanager
def problem(gpu: Gpu, shape: Shape, seed: int) -> Iterator[Problem | None]:
    """A shape with its inputs and the right answers; None if its tensors do not fit."""
    gpu.trim()
    inputs = (*INPUTS, "O", "LSE")
    outputs = (*OUTPUTS[FORWARD], *OUTPUTS[BACKWARD])
    bytes_of = {name: 4 * shape.floats(name) for name in TENSORS}
    count = _sets(sum(bytes_of[name] for name in inputs), gpu.l2_bytes)
    sizes = {f"{name} {n}": bytes_of[name] for n in range(count) for name in inputs}
    sizes |= {name: bytes_of[name] for name in outputs}
    with buffers(gpu, sizes) as at:
        if at is None:
            yield None
            return
        sets = [{name: at[f"{name} {n}"] for name in inputs} for n in range(count)]
        for n, one in enumerate(sets):
            for m, name in enumerate(INPUTS):
                gpu.fill_normal(one[name], shape.floats(name), seed + 16 * n + m)
        gpu.synchronize()
        reference = gpu.reference(shape, seed, sets[0])
        try:
            yield Problem(gpu, shape, sets, {name: at[name] for name in outputs}, reference)
        finally:
            reference.free()


def _sets(set_bytes: int, l2_bytes: int) -> int:
    """Two that take turns, or as many as it takes to pass the L2 cache, up to four."""
    return max(2, min(4, -(-2 * l2_bytes // set_bytes)))


def comparison(compared: list[Outcome]) -> dict:
    """How outputs were compared, as the record keeps it."""
    return {
        "worst": {one.tensor: one.worst for one in compared},
        "compared_elements": {one.tensor: one.elements for one in compared},
    }
