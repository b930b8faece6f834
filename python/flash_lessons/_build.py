"""Compiles kernel files into libraries and keeps them.

A library is found again by a hash of everything that made it: the file and what it includes, the
compiler, its options, and this package's own part. So an edit is seen, and nothing is compiled twice.
"""

import functools
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from flash_lessons.errors import CompileError, SetupError

PACKAGE = Path(__file__).resolve().parent
INCLUDE = PACKAGE / "include"
CUCC = PACKAGE / "cpu_device" / "bin" / "cucc"
RUNTIME = PACKAGE / "cpu_device" / "lib" / "libcpu_device.so"
BUILDS = ("fast", "counted", "cuda")
# What is compiled together with a kernel file; python/CMakeLists.txt does the same.
SOURCES = (INCLUDE / "library.cpp", INCLUDE / "meter.cpp")
_INCLUDED = re.compile(rb'^[ \t]*#[ \t]*include[ \t]*[<"]([^>"\n]+)[>"]', re.MULTILINE)


def cache_folder() -> Path:
    """$FLASH_LESSONS_CACHE, or flash_lessons in the user's cache folder."""
    chosen = os.environ.get("FLASH_LESSONS_CACHE")
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(chosen or f"{base}/flash_lessons").expanduser().absolute()


def library(source: Path, build: str) -> Path:
    """The library of a kernel file: fast and counted are for the CPU device, cuda for a GPU."""
    compiler = _nvcc() if build == "cuda" else _cucc()
    command = [*compiler, *_options(build)]
    key = _key(source, build, command)
    path = cache_folder() / f"{source.stem}.{build}.{key}.so"
    if not path.exists():
        _compile(command, source, path)
    return path


def has_cpu_device() -> bool:
    return RUNTIME.exists()


def require_cpu_device() -> None:
    if not has_cpu_device():
        raise SetupError(
            "this build of flash_lessons has no CPU device (FLASH_LESSONS_CPU_DEVICE=OFF), "
            "so arrays have to lie on a GPU"
        )


def _cucc() -> list[str]:
    require_cpu_device()
    compiler = os.environ.get("CXX_FOR_CUCC") or "g++"
    if shutil.which(compiler) is None:
        raise SetupError(
            f"{compiler} is missing: to compile a kernel file for the CPU device, g++ 12 or newer "
            "is needed (Debian, Ubuntu: apt-get install g++)"
        )
    return [str(CUCC)]


def _nvcc() -> list[str]:
    home = os.environ.get("CUDA_HOME") or "/usr/local/cuda"
    nvcc = shutil.which("nvcc") or shutil.which(f"{home}/bin/nvcc")
    if nvcc is None:
        raise SetupError(
            "nvcc is missing: to run on a GPU, kernels are compiled by the CUDA toolkit when they "
            "are first used; put its bin folder on PATH, or set CUDA_HOME"
        )
    return [nvcc]


def _options(build: str) -> list[str]:
    wrapped = (INCLUDE / "wrapped_functions.txt").read_text(encoding="ascii").split()
    include = ["-I", str(INCLUDE)]
    if build == "cuda":
        linker = [f"--wrap={name}" for name in wrapped]
        linker += ["-Bsymbolic", "--exclude-libs,ALL"]
        return [
            *("-shared", "-O3", "-std=c++17", "-lineinfo", "-arch=native", "-Xcompiler", "-fPIC"),
            *include,
            *(word for option in linker for word in ("-Xlinker", option)),
        ]
    check = ["--check"] if build == "counted" else []
    return [*check, "-shared", "-O2", *include, *(f"-Wl,--wrap={name}" for name in wrapped)]


@functools.cache
def _version(program: str) -> str:
    """What a compiler says of itself."""
    finished = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    return finished.stdout + finished.stderr


@functools.cache
def _package_hash() -> str:
    """Of everything in the package that goes into a library."""
    digest = hashlib.sha256()
    for folder in (INCLUDE, PACKAGE / "cpu_device"):
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                digest.update(path.read_bytes())
    return digest.hexdigest()


def _key(source: Path, build: str, command: list[str]) -> str:
    program = command[0] if build == "cuda" else os.environ.get("CXX_FOR_CUCC") or "g++"
    digest = hashlib.sha256()
    # The path is in the library's debug information, and so in the reports.
    words = [*command, _version(program), _package_hash(), str(source)]
    if build == "cuda":
        words.append(_gpus())
    for word in words:
        digest.update(f"{word}\0".encode())
    for path in _with_includes(source):
        digest.update(f"{path}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:24]


@functools.cache
def _gpus() -> str:
    """The GPUs that -arch=native means."""
    smi = shutil.which("nvidia-smi")
    if smi is None:
        return ""
    argv = [smi, "--query-gpu=compute_cap", "--format=csv,noheader"]
    return subprocess.run(argv, capture_output=True, text=True, check=False).stdout


def _with_includes(source: Path) -> list[Path]:
    """The file and the files that it includes, but for those of the system and of CUDA."""
    found = [source]
    for path in found:
        for name in _INCLUDED.findall(path.read_bytes()):
            for folder in (path.parent, INCLUDE):
                included = folder / os.fsdecode(name)
                if included.is_file():
                    if included not in found:
                        found.append(included)
                    break
    return found


def _compile(command: list[str], source: Path, path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # In the same folder, so that the last step is a rename: whoever looks sees all or nothing.
        folder = tempfile.TemporaryDirectory(prefix="build-", dir=path.parent)
    except OSError as error:
        raise SetupError(
            f"cannot write to {path.parent}: {error.strerror}; set FLASH_LESSONS_CACHE to a folder"
        ) from error
    with folder:
        built = Path(folder.name, path.name)
        argv = [*command, *map(str, (source, *SOURCES)), "-o", str(built)]
        finished = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
        if finished.returncode != 0 or not built.exists():
            raise CompileError(f"{source} does not compile:\n{finished.stdout.strip()}")
        built.replace(path)
