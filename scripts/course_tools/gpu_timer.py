"""Times calls on the GPU: a warm-up, then runs whose median counts, with the clock beside them."""

import ctypes
import statistics
from collections.abc import Callable, Sequence
from ctypes import byref, c_void_p

from course_tools.gpu import Gpu

RUNS = 20
LEAST_RUNS = 3
WARM_UP_MS = 50.0
WARM_UP_RUNS = 10


class Timer:
    """`seconds` is what the runs of one measurement may take, if at least LEAST_RUNS fit."""

    def __init__(self, gpu: Gpu, seconds: float) -> None:
        self.gpu, self.seconds = gpu, seconds
        self.clock = Clock(gpu.pci_bus_id)
        self._seen: list[int] = []
        self.on_tick: Callable[[], None] = lambda: None
        gpu.on_tick = self._tick

    def _tick(self) -> None:
        if (mhz := self.clock.mhz()) is not None:
            self._seen.append(mhz)
        self.on_tick()

    def clock_seen(self) -> dict:
        """The median clock since the last call of this, for an entry of the record."""
        seen, self._seen = self._seen, []
        return {"sm_clock_mhz": statistics.median(seen)} if seen else {}

    def time(self, work: Callable[[int], object], first: Sequence[float] = ()) -> dict:
        """The times of `work(run)`. `first` are those of calls that have warmed up already."""

        def call(run: int) -> None:
            work(run)

        warm_up = list(first)
        while sum(warm_up) < WARM_UP_MS and len(warm_up) < WARM_UP_RUNS:
            warm_up += self.gpu.time(1, call)
        fitting = int(1000 * self.seconds / max(warm_up[-1], 1e-6))
        times = self.gpu.time(max(LEAST_RUNS, min(RUNS, fitting)), call)
        return {
            "n": len(times),
            "median_ms": statistics.median(times),
            "min_ms": min(times),
            "max_ms": max(times),
            "ms": [round(one, 6) for one in times],
        }


class Clock:
    """The clock of the multiprocessors in MHz, from NVML; None where it cannot be had."""

    _SM = 1  # NVML_CLOCK_SM

    def __init__(self, pci_bus_id: str) -> None:
        self._device = None
        try:
            self._library = ctypes.CDLL("libnvidia-ml.so.1")
            if self._library.nvmlInit_v2() == 0:
                self._device = self._find(pci_bus_id)
        except (OSError, AttributeError):
            pass

    def _find(self, pci_bus_id: str) -> c_void_p | None:
        """The device, which inside a container may be the only one and have another address."""
        found, count = c_void_p(), ctypes.c_uint()
        library = self._library
        if library.nvmlDeviceGetHandleByPciBusId_v2(pci_bus_id.encode(), byref(found)) == 0:
            return found
        if library.nvmlDeviceGetCount_v2(byref(count)) != 0 or count.value != 1:
            return None
        return found if library.nvmlDeviceGetHandleByIndex_v2(0, byref(found)) == 0 else None

    def mhz(self) -> int | None:
        if self._device is None:
            return None
        found = ctypes.c_uint()
        status = self._library.nvmlDeviceGetClockInfo(self._device, self._SM, byref(found))
        return found.value if status == 0 else None

    def driver(self) -> str | None:
        if self._device is None:
            return None
        text = ctypes.create_string_buffer(80)
        status = self._library.nvmlSystemGetDriverVersion(text, len(text))
        return text.value.decode() if status == 0 else None
