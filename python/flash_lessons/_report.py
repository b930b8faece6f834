"""What the last call did, as report() returns it."""

from dataclasses import dataclass, fields
from typing import Any, Self

TENSORS = ("q", "k", "v", "o", "lse", "do", "dq", "dk", "dv")


@dataclass(frozen=True)
class Accesses:
    """Accesses of one kind, by Nsight Compute's definitions.

    A request is one instruction of one warp; bytes are what its threads ask for; a sector is 32
    bytes of global memory; wavefronts are passes through shared memory, and those above
    ideal_wavefronts are bank conflicts.
    """

    requests: int
    accesses: int  # by single threads
    bytes: int
    bytes_16: int  # of these, in accesses of 16 bytes
    sectors: int  # global memory only
    wavefronts: int  # shared memory only
    ideal_wavefronts: int

    def __add__(self, other: "Accesses") -> "Accesses":
        return Accesses(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))


@dataclass(frozen=True)
class Traffic:
    """What kernels did to one tensor in global memory."""

    load: Accesses
    store: Accesses
    atomic: Accesses


@dataclass(frozen=True)
class Counters:
    """Counts over all launches of one call, on the CPU device."""

    global_load: Accesses
    global_store: Accesses
    global_atomic: Accesses
    shared_load: Accesses
    shared_store: Accesses
    shared_atomic: Accesses
    barriers: int  # passed by a block
    warp_syncs: int  # __syncwarp, one per warp
    shuffles: int  # __shfl_*_sync, one per warp
    votes: int  # other warp functions, one per warp
    exp_calls: int  # exp and its siblings, one per thread
    tensors: dict[str, Traffic]  # by name: q k v o lse do dq dk dv

    @property
    def global_bytes(self) -> int:
        """Bytes of global memory that the threads ask for; an atomic counts once."""
        return self.global_load.bytes + self.global_store.bytes + self.global_atomic.bytes

    @classmethod
    def read(cls, found: dict[str, Any]) -> Self:
        values = dict(found)
        for name, value in found.items():
            if isinstance(value, dict) and name != "tensors":
                values[name] = Accesses(**value)
        values["tensors"] = {
            name: Traffic(**{kind: Accesses(**counts) for kind, counts in traffic.items()})
            for name, traffic in found["tensors"].items()
        }
        return cls(**values)


@dataclass(frozen=True)
class Finding:
    """Something that the checked build saw: a race, an access out of bounds, ...

    The kinds are listed in cpu_device/README.md. place and other_place are "file.cu:12".
    """

    severity: str  # error, warning or note
    kind: str
    place: str
    other_place: str  # of the earlier access of a race
    kernel: str
    thread: str
    block: str
    message: str
    count: int

    def __str__(self) -> str:
        return f"{self.severity}: {self.kind} at {self.place}: {self.message} ({self.count} times)"


@dataclass(frozen=True)
class Memory:
    """Device memory of one call in bytes, as it was asked for at the allocator.

    On a GPU the tensors were there before the call, so `tensors` holds zeros.
    """

    scratch_bytes: int  # the most that the launcher held at once, beside the tensors
    held_bytes: int  # what it still held afterwards: 0, unless it leaks
    static_bytes: int  # __device__ and __constant__ variables of the kernel file
    tensors: dict[str, int]  # by name: q k v o lse do dq dk dv

    @property
    def lse_bytes(self) -> int:
        """4 * batch * heads * seq_len_q where LSE is a result of the call, else 0."""
        return 0 if self.tensors["do"] else self.tensors["lse"]

    @property
    def extra_bytes(self) -> int:
        """What attention needs beyond Q, K, V and O: scratch, variables, and LSE as a result."""
        return self.scratch_bytes + self.static_bytes + self.lse_bytes


@dataclass(frozen=True)
class Report:
    """One call of attention, backward or allocate_only, as the device saw it."""

    kernels: str  # "03_online_softmax", or the file that load() was given
    function: str  # "attention" or "backward"
    device: str  # "cpu" or "cuda:0"
    shape: tuple[int, int, int, int, int, int]
    """batch, num_heads, num_heads_kv, seq_len_q, seq_len_k, head_dim"""
    causal: bool
    softmax_scale: float
    launches: int  # kernels launched; by allocate_only: skipped
    allocations: int
    memory: Memory
    counters: Counters | None  # None, unless the call was made under counting()
    findings: tuple[Finding, ...]  # empty, unless the call was made under counting()

    def __str__(self) -> str:
        batch, heads, heads_kv, seq_len_q, seq_len_k, head_dim = self.shape
        memory = self.memory
        lines = [
            f"{self.function} of {self.kernels} on {self.device}",
            (
                f"  shape      batch={batch} heads={heads} heads_kv={heads_kv} seq_len_q={seq_len_q} "
                f"seq_len_k={seq_len_k} head_dim={head_dim} causal={self.causal}"
            ),
            f"  launches   {self.launches}",
            (
                f"  memory     {memory.extra_bytes:,} bytes extra: {memory.scratch_bytes:,} scratch, "
                f"{memory.lse_bytes:,} LSE, {memory.static_bytes:,} variables"
            ),
        ]
        if memory.held_bytes:
            lines.append(f"  leak       {memory.held_bytes:,} bytes are still held")
        if self.counters is None:
            lines.append("  counters   none: counted are calls under flash_lessons.counting()")
        else:
            load, store = self.counters.global_load, self.counters.global_store
            lines += [
                f"  loads      {load.bytes:,} bytes of global memory in {load.requests:,} requests",
                f"  stores     {store.bytes:,} bytes in {store.requests:,} requests",
                f"  exp        {self.counters.exp_calls:,} calls",
            ]
        return "\n".join([*lines, *(f"  {finding}" for finding in self.findings)])


def read_report(
    found: dict[str, Any], kernels: str, function: str, device: str, causal: bool
) -> Report:
    """A report from what _core returned."""
    return Report(
        kernels=kernels,
        function=function,
        device=device,
        shape=tuple(found["shape"]),
        causal=causal,
        softmax_scale=found["softmax_scale"],
        launches=found["launches"],
        allocations=found["allocations"],
        memory=Memory(
            found["peak_bytes"], found["held_bytes"], found["static_bytes"], found["tensor_bytes"]
        ),
        counters=Counters.read(found["counters"]) if "counters" in found else None,
        findings=tuple(Finding(**finding) for finding in found.get("findings", ())),
    )
