"""Kernel files as Python objects: the course's own lessons, and what load() compiles."""

import contextlib
import contextvars
import functools
import os
import sys
import threading
import types
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import numpy

from flash_lessons import _arrays, _build, _core, _counted
from flash_lessons._arrays import Array, Space
from flash_lessons._report import Report, read_report
from flash_lessons.errors import DeviceError, SetupError

_SUCCESS = 0
_MEMORY_ALLOCATION = 2
_INVALID_VALUE = 1
_INITIALIZATION_ERROR = 3
_NOT_SUPPORTED = 801

_counting = contextvars.ContextVar("flash_lessons_counting", default=False)
_lock = threading.Lock()
_last: Report | None = None

registry: dict[str, "Kernels"] = {}
"""All kernels, by key: a name for where only a string can go."""


@contextlib.contextmanager
def counting() -> Iterator[None]:
    """Within it, calls on the CPU device are counted and checked: report() says what they did.

    Every access of every thread is looked at, one block after the other, in a process of its own:
    that took 33 to 86 times as long at lengths of 256 to 1,024 on two cores. Calls on a GPU are not
    counted; Nsight Compute does that.
    """
    token = _counting.set(True)
    try:
        yield
    finally:
        _counting.reset(token)


def last_report() -> Report:
    if _last is None:
        raise RuntimeError("nothing has been called yet, so there is nothing to report")
    return _last


class Kernels:
    """The functions of one kernel file. lesson() and load() make these."""

    def __init__(self, name: str, source: Path, *, is_lesson: bool) -> None:
        self.name = name
        self.source = source
        # Whether attention() can return LSE: lessons 01 and 02 do not compute it.
        self.has_lse = not source.name.startswith(("01", "02"))
        self.key = name if is_lesson else f"{name}#{len(registry)}"
        registry[self.key] = self
        self._is_lesson = is_lesson
        self._libraries: dict[str, _core.Library] = {}
        self._last: Report | None = None

    def __repr__(self) -> str:
        return f"<flash_lessons.Kernels {self.name}>"

    def attention(
        self,
        q: Array,
        k: Array,
        v: Array,
        *,
        causal: bool = False,
        softmax_scale: float | None = None,
        return_lse: bool = False,
    ) -> Array | tuple[Array, Array]:
        """flash_lessons.attention, by these kernels."""
        if return_lse and not self.has_lse:
            raise NotImplementedError(f"{self.name} has no LSE: it comes with lesson 03")
        space = _arrays.space_of(self._gpu_library, q=q, k=k, v=v)
        if _counting.get() and space.gpu < 0:
            inputs = [_on_host(array) for array in (q, k, v)]
            o, lse, found = self._run_counted(
                "attention", inputs, causal=causal, softmax_scale=softmax_scale, lse=return_lse
            )
            o, lse = _like(space, o), _like(space, lse)
        else:
            o, lse, found = _core.attention(
                self._library(space, "attention"),
                *map(space.export, (q, k, v)),
                causal=causal,
                softmax_scale=softmax_scale,
                return_lse=return_lse,
                stream=space.stream,
                count=False,
                allocate=space.allocate,
                export_array=space.export,
            )
        self._conclude(found, "attention", space, causal)
        results = [o, lse] if return_lse else [o]
        results = self._finish(space, results, ("o", "lse"))
        return tuple(results) if return_lse else results[0]

    def backward(
        self,
        q: Array,
        k: Array,
        v: Array,
        o: Array,
        lse: Array,
        do: Array,
        *,
        causal: bool = False,
        softmax_scale: float | None = None,
    ) -> tuple[Array, Array, Array]:
        """flash_lessons.backward, by these kernels."""
        space = _arrays.space_of(self._gpu_library, q=q, k=k, v=v, o=o, lse=lse, do=do)
        inputs = (q, k, v, o, lse, do)
        if _counting.get() and space.gpu < 0:
            *gradients, found = self._run_counted(
                "backward", map(_on_host, inputs), causal=causal, softmax_scale=softmax_scale
            )
            gradients = [_like(space, gradient) for gradient in gradients]
        else:
            *gradients, found = _core.backward(
                self._library(space, "backward"),
                *map(space.export, inputs),
                causal=causal,
                softmax_scale=softmax_scale,
                stream=space.stream,
                count=False,
                allocate=space.allocate,
                export_array=space.export,
            )
        self._conclude(found, "backward", space, causal)
        return tuple(self._finish(space, gradients, ("dq", "dk", "dv")))

    def allocate_only(
        self,
        *,
        batch: int = 1,
        heads: int = 1,
        heads_kv: int | None = None,
        seq_len_q: int,
        seq_len_k: int | None = None,
        head_dim: int = 64,
        causal: bool = False,
        lse: bool | None = None,
        function: str = "attention",
    ) -> Report:
        """flash_lessons.allocate_only, by these kernels."""
        if function not in ("attention", "backward"):
            raise ValueError(f'function is "{function}"; it has to be "attention" or "backward"')
        shape = [
            *(batch, heads, heads_kv or heads),
            *(seq_len_q, seq_len_q if seq_len_k is None else seq_len_k, head_dim),
        ]
        space = Space(-1, 0, _nothing, _nothing, _nothing)
        found = _core.allocate_only(
            self._library(space, function),
            shape,
            backward=function == "backward",
            causal=causal,
            lse=self.has_lse if lse is None else lse,
        )
        self._conclude(found, function, space, causal)
        return self.report()

    def report(self) -> Report:
        """What the last call of these kernels did."""
        if self._last is None:
            raise RuntimeError(f"{self.name} has not been called yet")
        return self._last

    def prepare(self, build: str) -> Self:
        """Compiles and loads a build, where that has not been done."""
        if build not in self._libraries:
            path = _prebuilt(self.name, build) if self._is_lesson else None
            self._libraries[build] = _load(path or _build.library(self.source, build))
        return self

    def _gpu_library(self) -> _core.Library:
        return self.prepare("cuda")._libraries["cuda"]

    def _library(self, space: Space, function: str) -> _core.Library:
        if space.gpu < 0:
            _build.require_cpu_device()
        build = "fast" if space.gpu < 0 else "cuda"
        library = self.prepare(build)._libraries[build]
        has_it = library.has_forward if function == "attention" else library.has_backward
        if not has_it:
            name = "attention_forward" if function == "attention" else "attention_backward"
            raise NotImplementedError(f"{self.name} has no function {name}")
        return library

    def _run_counted(self, function: str, inputs: Any, **options: Any) -> list[Any]:
        """A call by the counted build, which goes to a process of its own: see _counted."""
        _build.require_cpu_device()
        path = _prebuilt(self.name, "counted") if self._is_lesson else None
        path = path or _build.library(self.source, "counted")
        return _counted.call(path, function, list(inputs), options)

    def _conclude(self, found: dict[str, Any], function: str, space: Space, causal: bool) -> None:
        """Keeps the report, then raises what the launcher or a kernel has come to."""
        global _last  # the last call of the process is what report() is about
        report = read_report(found, self.name, function, space.device, causal)
        with _lock:
            self._last = _last = report
        error, name = found["error"], found["error_name"]
        if error == _SUCCESS:
            return
        if error == _NOT_SUPPORTED:
            raise NotImplementedError(
                f"{self.name} does not support this call: {_features(report)}"
            )
        if error == _INVALID_VALUE and not found["launches"]:
            raise ValueError(f"{self.name} refuses the shape {report.shape}: {name}")
        if error == _MEMORY_ALLOCATION:
            raise MemoryError(
                f"{self.name} needs more device memory than there is: {found['failed_bytes']:,} "
                f"bytes were refused"
            )
        if error == _INITIALIZATION_ERROR:
            raise DeviceError(
                f"{self.name}: {name}: a process that was forked from one that has used the device "
                'cannot use it; start it otherwise: multiprocessing.get_context("spawn")'
            )
        text = f"{self.name}: {name}: {found['error_text']}"
        raise DeviceError("\n".join(filter(None, [text, found["fault"].strip()])))

    def _finish(self, space: Space, results: Sequence[Array], names: Sequence[str]) -> list[Array]:
        if space.waits:
            _core.wait(self._gpu_library(), space.gpu, space.stream)
        if space.gpu < 0:
            for name, result in zip(names, results, strict=False):
                self._warn_of_gaps(name, result)
        return [space.finish(result) for result in results]

    def _warn_of_gaps(self, name: str, result: Array) -> None:
        values = numpy.asarray(result).reshape(-1).view(numpy.uint32)
        count = int(numpy.count_nonzero(values == _core.NEVER_WRITTEN))
        if count > 0:
            warnings.warn(
                f"{self.name} did not write {count:,} of the {values.size:,} values of {name}: "
                "they are NaN",
                RuntimeWarning,
                stacklevel=_frames_of_this_package() + 1,
            )


def _frames_of_this_package() -> int:
    """How many callers, from the caller of this function on, are functions of this package."""
    count = 0
    frame: types.FrameType | None = sys._getframe(1)
    while frame is not None and Path(frame.f_code.co_filename).parent == _build.PACKAGE:
        count, frame = count + 1, frame.f_back
    return count


def _nothing(*_: Any) -> None:
    raise AssertionError("there are no arrays")


def _on_host(array: Array) -> Array:
    """The array for another process, as NumPy has it; what is wrong with it is found there."""
    if isinstance(array, numpy.ndarray):
        return array
    return numpy.from_dlpack(array.detach() if hasattr(array, "detach") else array)


def _like(space: Space, result: numpy.ndarray | None) -> Array:
    """A result of another process as an array of the caller's library."""
    if result is None:
        return None
    own = space.allocate(result.shape)
    numpy.asarray(own)[...] = result
    return own


def _features(report: Report) -> str:
    wanted = ["causal=True comes with lesson 05"] if report.causal else []
    if report.shape[1] != report.shape[2]:
        wanted.append(
            f"{report.shape[1]} heads of q over {report.shape[2]} of k come with lesson 07"
        )
    return "; ".join(wanted) or "cudaErrorNotSupported"


def _prebuilt(name: str, build: str) -> Path | None:
    path = _build.PACKAGE / "libraries" / f"{name}.{build}.so"
    return path if path.exists() else None


def _load(path: Path) -> _core.Library:
    _load_runtime()
    try:
        return _core.Library(str(path))
    except RuntimeError as error:
        raise SetupError(f"cannot load {path}: {error}") from error


@functools.cache
def _load_runtime() -> None:
    """The CPU device, which libraries for it then find by its name."""
    if _build.has_cpu_device():
        _core.load_runtime(str(_build.RUNTIME))


lessons: dict[str, Kernels] = {}
"""The course's own kernels, by lesson: "01" to "07"."""
for _path in sorted((_build.PACKAGE / "solutions").glob("[0-9]*.cu")):
    # A second file of a lesson goes by its whole name only.
    lessons.setdefault(_path.stem[:2], Kernels(_path.stem, _path, is_lesson=True))


def lesson(name: str) -> Kernels:
    """The reference kernels of a lesson, such as "03" or "03_online_softmax"."""
    if not isinstance(name, str):
        raise TypeError(f'lesson has to be a string such as "03", not {type(name).__name__}')
    if name in lessons:
        return lessons[name]
    if name in registry and registry[name]._is_lesson:
        return registry[name]
    raise ValueError(f'there is no lesson "{name}"; there are {", ".join(lessons)}')


def load(path: str | os.PathLike[str], *, device: str | None = None) -> Kernels:
    """flash_lessons.load."""
    builds = {"cpu": "fast", "cuda": "cuda"}
    if device is not None and device not in builds:
        raise ValueError(f'device is "{device}"; it has to be "cpu" or "cuda"')
    source = Path(path).absolute()
    if not source.is_file():
        what = "is a folder, not a CUDA source file" if source.is_dir() else "does not exist"
        raise FileNotFoundError(f"{path} {what}")
    if source.suffix != ".cu":
        raise ValueError(f"{path} is no CUDA source file: its name has to end with .cu")
    if device is None:
        device = "cpu" if _build.has_cpu_device() else "cuda"
    return Kernels(str(path), source, is_lesson=False).prepare(builds[device])
