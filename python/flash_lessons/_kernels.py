"""Kernel files as Python objects: the course's own lessons, and what load() compiles."""

import contextlib
import contextvars
import ctypes
import functools
import os
import sys
import threading
import types
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, Self, overload

import numpy

from flash_lessons import _arguments, _arrays, _build, _core, _counted
from flash_lessons._arrays import Array, ArrayT, Space
from flash_lessons._report import Report, read_report
from flash_lessons.errors import DeviceError, FlashLessonsError, SetupError

_SUCCESS = 0
_MEMORY_ALLOCATION = 2
_INVALID_VALUE = 1
_INITIALIZATION_ERROR = 3
_NOT_SUPPORTED = 801
_MAX_HEAD_DIM = 128  # attention.h

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

    It holds for the thread, or the asyncio task, that enters it. Threads of a pool do not take it over:
    their calls are not counted, unless each enters counting() itself.
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


# Host memory, for calls whose arrays are our own.
_HOST = Space(-1, 0, _arrays._same, _arrays._numpy_empty, _arrays._same)


class Kernels:
    """The functions of one kernel file. lesson() and load() make these."""

    def __init__(self, name: str, source: Path, *, is_lesson: bool) -> None:
        self.name = name
        self.source = source
        self.key = name if is_lesson else f"{name}#{len(registry)}"
        registry[self.key] = self
        self._is_lesson = is_lesson
        # Of a file that load() was given, only a call can tell.
        self._has_lse = self._should_have_lse() if is_lesson else None
        self._libraries: dict[str, _core.Library] = {}
        self._last: Report | None = None

    def __repr__(self) -> str:
        return f"<flash_lessons.Kernels {self.name}>"

    @property
    def has_lse(self) -> bool:
        """Whether attention() can return LSE.

        Of a file that load() was given, a call for one query and one key on the CPU device tells. Where
        it cannot tell, since O is not written either, a name that begins with 01 or 02 is one without.
        """
        if self._has_lse is None:
            self._has_lse = self._writes_lse()
        return self._has_lse

    @overload
    def attention(
        self,
        q: ArrayT,
        k: ArrayT,
        v: ArrayT,
        *,
        causal: bool = ...,
        softmax_scale: float | None = ...,
        return_lse: Literal[False] = ...,
    ) -> ArrayT: ...

    @overload
    def attention(
        self,
        q: ArrayT,
        k: ArrayT,
        v: ArrayT,
        *,
        causal: bool = ...,
        softmax_scale: float | None = ...,
        return_lse: Literal[True],
    ) -> tuple[ArrayT, Any]: ...

    @overload
    def attention(
        self,
        q: ArrayT,
        k: ArrayT,
        v: ArrayT,
        *,
        causal: bool = ...,
        softmax_scale: float | None = ...,
        return_lse: bool,
    ) -> Any: ...

    def attention(
        self,
        q: Array,
        k: Array,
        v: Array,
        *,
        causal: bool = False,
        softmax_scale: float | None = None,
        return_lse: bool = False,
    ) -> Any:
        """flash_lessons.attention, by these kernels."""
        causal = _arguments.flag("causal", causal)
        softmax_scale = _arguments.scale("softmax_scale", softmax_scale)
        return_lse = _arguments.flag("return_lse", return_lse)
        if return_lse:
            self._require_lse()
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
        q: ArrayT,
        k: ArrayT,
        v: ArrayT,
        o: ArrayT,
        lse: Array,
        do: ArrayT,
        *,
        causal: bool = False,
        softmax_scale: float | None = None,
    ) -> tuple[ArrayT, ArrayT, ArrayT]:
        """flash_lessons.backward, by these kernels."""
        causal = _arguments.flag("causal", causal)
        softmax_scale = _arguments.scale("softmax_scale", softmax_scale)
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
        dq, dk, dv = self._finish(space, gradients, ("dq", "dk", "dv"))
        return dq, dk, dv

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
        shape = _shape(batch, heads, heads_kv, seq_len_q, seq_len_k, head_dim)
        causal = _arguments.flag("causal", causal)
        lse = None if lse is None else _arguments.flag("lse", lse)
        if function == "attention":
            if lse:
                self._require_lse()
            lse = self.has_lse if lse is None else lse
        space = Space(-1, 0, _nothing, _nothing, _nothing)
        found = _core.allocate_only(
            self._library(space, function),
            shape,
            backward=function == "backward",
            causal=causal,
            lse=bool(lse),
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

    def _require_lse(self) -> None:
        if not self.has_lse:
            does_not = "has no LSE" if self._is_lesson else "does not write LSE"
            raise NotImplementedError(f"{self.name} {does_not}: it comes with lesson 03")

    def _should_have_lse(self) -> bool:
        return not self.source.name.startswith(("01", "02"))

    def _writes_lse(self) -> bool:
        try:
            library = self._library(_HOST, "attention")
        except (FlashLessonsError, NotImplementedError):
            return self._should_have_lse()
        one = numpy.ones((1, 1, 1, 64), numpy.float32)
        o, lse, found = _core.attention(
            library,
            *(one, one, one),
            causal=False,
            softmax_scale=None,
            return_lse=True,
            stream=0,
            count=False,
            allocate=_HOST.allocate,
            export_array=_HOST.export,
        )
        if found["error"] != _SUCCESS or _unwritten(o) == o.size:
            return self._should_have_lse()
        return _unwritten(lse) == 0

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
        _load_runtime()
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

    def _finish(self, space: Space, results: Sequence[Any], names: Sequence[str]) -> list[Any]:
        if space.waits:
            _core.wait(self._gpu_library(), space.gpu, space.stream)
        if space.gpu < 0:
            for name, result in zip(names, results, strict=False):
                self._warn_of_gaps(name, result)
        return [space.finish(result) for result in results]

    def _warn_of_gaps(self, name: str, result: Any) -> None:
        values = numpy.asarray(result)
        count = _unwritten(values)
        if count > 0:
            warnings.warn(
                f"{self.name} did not write {count:,} of the {values.size:,} values of {name}: "
                "they are NaN",
                RuntimeWarning,
                stacklevel=_frames_of_this_package() + 1,
            )


def _unwritten(result: numpy.ndarray) -> int:
    """How many values are what they were before the call."""
    return int(numpy.count_nonzero(result.reshape(-1).view(numpy.uint32) == _core.NEVER_WRITTEN))


def _frames_of_this_package() -> int:
    """How many callers, from the caller of this function on, are functions of this package."""
    count = 0
    frame: types.FrameType | None = sys._getframe(1)
    while frame is not None and Path(frame.f_code.co_filename).parent == _build.PACKAGE:
        count, frame = count + 1, frame.f_back
    return count


def _shape(
    batch: Any, heads: Any, heads_kv: Any, seq_len_q: Any, seq_len_k: Any, head_dim: Any
) -> list[int]:
    """Sizes without arrays, so what is wrong with them goes by the arguments' names."""
    batch = _arguments.size("batch", batch, 1)
    heads = _arguments.size("heads", heads, 1)
    heads_kv = heads if heads_kv is None else _arguments.size("heads_kv", heads_kv, 1)
    if heads % heads_kv != 0:
        raise ValueError(f"heads_kv is {heads_kv}; it has to divide heads, which is {heads}")
    seq_len_q = _arguments.size("seq_len_q", seq_len_q, 0)
    seq_len_k = seq_len_q if seq_len_k is None else _arguments.size("seq_len_k", seq_len_k, 0)
    head_dim = _arguments.size("head_dim", head_dim, 1, _MAX_HEAD_DIM)
    return [batch, heads, heads_kv, seq_len_q, seq_len_k, head_dim]


def _nothing(*_: Any) -> None:
    raise AssertionError("there are no arrays")


def _on_host(array: Any) -> Any:
    """The array for another process, as NumPy has it; what is wrong with it is found there."""
    if isinstance(array, numpy.ndarray):
        return array
    return numpy.from_dlpack(array.detach() if hasattr(array, "detach") else array)


def _like(space: Space, result: numpy.ndarray | None) -> Any:
    """A result of another process as an array of the caller's library."""
    if result is None:
        return None
    own = space.allocate(result.shape)
    numpy.asarray(own)[...] = result
    return own


def _features(report: Report) -> str:
    wanted = ["causal=True comes with lesson 05"] if report.causal else []
    heads, heads_kv = report.shape[1:3]
    if heads != heads_kv:
        over = f"{heads} heads of q over {heads_kv} of k"
        if report.function == "attention":
            wanted.append(f"{over} come with lesson 07")
        else:
            wanted.append(f"{over}, where the lessons' backward pass takes as many of k as of q")
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
    if not _build.has_cpu_device():
        return
    _core.load_runtime(str(_build.RUNTIME))
    # It would end the process where it does not know the profile.
    profile_error = ctypes.CDLL(str(_build.RUNTIME)).cpuDeviceProfileError
    profile_error.restype = ctypes.c_char_p
    if error := profile_error():
        raise SetupError(f"CPU device: {os.fsdecode(error)}")


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
