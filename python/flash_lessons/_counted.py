"""Counted calls, in a process of their own.

Once a library that counts is loaded, the CPU device runs one block at a time, for every library of
that process. So the process that counts ends with the call, and it cannot harm its parent.
"""

import os
import pickle
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from flash_lessons.errors import DeviceError

_CHILD = "from flash_lessons._counted import main; main()"
_ENDED_WELL = 0


def call(library: Path, function: str, inputs: list[Any], options: dict[str, Any]) -> list[Any]:
    """What _core.attention or _core.backward returns, from a library that counts."""
    with tempfile.TemporaryDirectory(prefix="flash-lessons-") as folder:
        request, reply = Path(folder, "request"), Path(folder, "reply")
        request.write_bytes(pickle.dumps((str(library), function, inputs, options)))
        package = str(Path(__file__).resolve().parents[1])
        path = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))
        finished = subprocess.run(
            [sys.executable, "-c", _CHILD, str(request), str(reply)],
            env=os.environ | {"PYTHONPATH": path},
            stdin=subprocess.DEVNULL,
            check=False,
        )
        if finished.returncode != _ENDED_WELL or not reply.exists():
            status = finished.returncode
            how = f"signal {-status}" if status < 0 else f"status {status}"
            raise DeviceError(
                f"the process that counts ended with {how}, in the kernel file's host code: by exit(), "
                "abort() or a bad access, say. A call that is not counted would end this process"
            )
        answer = pickle.loads(reply.read_bytes())  # our own child wrote it
    if isinstance(answer, Exception):
        raise answer
    return answer


def _serve(request: Path) -> list[Any] | Exception:
    from flash_lessons import _arrays, _build, _core

    library, function, inputs, options = pickle.loads(request.read_bytes())
    _core.load_runtime(str(_build.RUNTIME))
    lse = {"return_lse": options["lse"]} if function == "attention" else {}
    try:
        return list(
            getattr(_core, function)(
                _core.Library(library),
                *inputs,
                causal=options["causal"],
                softmax_scale=options["softmax_scale"],
                **lse,
                stream=0,
                count=True,
                allocate=_arrays._numpy_empty,
                export_array=_arrays._same,
            )
        )
    except Exception as error:  # noqa: BLE001  (a launcher's, too: the parent raises it)
        return error


def main() -> None:
    request, reply = map(Path, sys.argv[1:])
    reply.write_bytes(pickle.dumps(_serve(request)))
    os._exit(_ENDED_WELL)  # what the device says at a program's end is in the report
