"""The famous claims about FlashAttention, tested by measurement on the CPU device and recorded."""

import json
import re
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from course_tools import build, course, paths, processes, records
from course_tools.counting import compiler_version
from course_tools.device import CPU
from course_tools.errors import EXIT_FAILED, EXIT_OK, InternalError
from course_tools.tables import fill, markdown, size_text
from course_tools.text import clean

if TYPE_CHECKING:
    from rich.console import Console

RECORD = paths.ROOT / "notebooks" / "data" / "claims_cpu.json"
README = paths.ROOT / "README.md"
TABLE = "claims"

SEQ_LEN = 512
HEAD_DIM = 64
TILES = (16, 32, 64, 128, 256)  # queries that share a tile of keys in variants of lesson 03
ON_CHIP = 4096  # floats of a tile of queries that is [4096 / d, d]
HEAD_DIMS = (32, 64, 128)
SEQ_LENS = (256, 512, 1024)
LINEAR = ("03", "05", "07")  # lessons that store no scores, as far as the course has them
LONG = 131072
LONG_HEAD_DIM = 128
PROFILE = "default"  # of the CPU device; its memory is recorded as it answers

LESS_MEMORY = 32  # times, at least
QUADRATIC = (3.9, 4.1)  # ratio of increments of memory when N doubles
LINEAR_RATIO = 2.05  # the same, at most
NEAR = 0.1  # how far a count may lie from the formula, as a share of it

_TILE = re.compile(r"^constexpr int kThreads = \d+;", re.MULTILINE)


@dataclass(frozen=True)
class Verdict:
    """One claim, what was measured, and whether that keeps the bound."""

    claim: str
    measured: str
    bound: str
    holds: bool


def with_tile(source: str, queries: int) -> str:
    """The source of lesson 03 with so many queries in a block."""
    changed, count = _TILE.subn(f"constexpr int kThreads = {queries};", source)
    if count != 1:
        raise InternalError(f"lesson 03 sets kThreads {count} times, not once")
    return changed


def build_tools(console: "Console") -> Path:
    """The folder of what a Laboratory needs, brought up to date."""
    return build.build(console, CPU, ["cucc", "cpu_device", "runner", "measure_forward"]) / "bin"


class Laboratory:
    """Compiles kernel files into libraries in a folder, and has measure_forward look at them."""

    def __init__(self, tools: Path, folder: Path, tick: Callable[[], None] = lambda: None) -> None:
        self._tools = tools
        self._folder = folder
        self._tick = tick
        self._libraries: set[str] = set()

    def ask(self, source: Path, what: str, *numbers: int) -> dict:
        library = self._library(source, ["--check"] if what == "counted" else [])
        argv = [self._tools / "measure_forward", library, what, *numbers]
        return json.loads(self._run(argv).splitlines()[-1])

    def variant(self, source: Path, queries: int) -> Path:
        path = self._folder / f"{source.stem}_{queries}.cu"
        path.write_text(with_tile(source.read_text(encoding="utf-8"), queries), encoding="utf-8")
        return path

    def _library(self, source: Path, options: list[str]) -> Path:
        library = self._folder / f"{source.stem}{''.join(options)}.so"
        if library.name not in self._libraries:
            argv = [self._tools / "cucc", "-shared", "-O2", "-I", paths.KERNELS, *options]
            self._run([*argv, "-o", library, source])
            self._libraries.add(library.name)
        return library

    def _run(self, argv: Iterable[object]) -> str:
        words = [str(word) for word in argv]
        command = processes.Command(words, paths.ROOT, {"CPU_DEVICE_PROFILE": PROFILE})
        finished = processes.run(command, tick=self._tick)
        if finished.returncode != 0:
            raise InternalError(f"{Path(words[0]).name} {finished.how()}", clean(finished.output))
        return finished.output


def measure(console: "Console") -> dict:
    """Measures everything; the record's text is in notebooks/data/README.md."""
    from course_tools.display import Bar

    names = {lesson.number: lesson.name for lesson in course.load()}
    naive, online = names["01"], names["03"]
    linear = [names[number] for number in LINEAR if number in names]
    steps = 2 * (1 + len(linear)) + 2 + len(TILES) + len(HEAD_DIMS) + len(SEQ_LENS)
    tools = build_tools(console)
    with (
        tempfile.TemporaryDirectory(prefix="course-claims-") as folder,
        Bar(console, "measuring the claims", steps) as bar,
    ):
        laboratory = Laboratory(tools, Path(folder), bar.tick)

        def ask(lesson: str, what: str, *numbers: int) -> dict:
            found = laboratory.ask(paths.SOLUTIONS / f"{lesson}.cu", what, *numbers)
            bar.advance()
            return found

        counted = {name: ask(name, "counted", SEQ_LEN, HEAD_DIM) for name in [naive, *linear]}
        growth = {
            name: ask(name, "memory", HEAD_DIM, int(counts["lse_bytes"] > 0))
            for name, counts in counted.items()
        }
        long = {name: ask(name, "last_rows", LONG, LONG_HEAD_DIM) for name in (naive, online)}

        def tile(queries: int, seq_len: int, head_dim: int) -> dict:
            source = laboratory.variant(paths.SOLUTIONS / f"{online}.cu", queries)
            counts = laboratory.ask(source, "counted", seq_len, head_dim)
            bar.advance()
            shape = {"tile": queries, "seq_len": seq_len, "head_dim": head_dim}
            return shape | {"kv_bytes": counts["kv_bytes"]}

        tiles = {
            "by_tile": [tile(n, SEQ_LEN, HEAD_DIM) for n in TILES],
            "by_head_dim": [tile(ON_CHIP // d, SEQ_LEN, d) for d in HEAD_DIMS],
            "by_seq_len": [tile(ON_CHIP // HEAD_DIM, n, HEAD_DIM) for n in SEQ_LENS],
        }
    return {
        "command": "scripts/bench --claims",
        "device": "CPU device",
        "profile": PROFILE,
        "compiler": compiler_version(),
        "inputs": "normally distributed, seed 0x5eed1234",
        "batch": 1,
        "num_heads": 1,
        "seq_len": SEQ_LEN,
        "head_dim": HEAD_DIM,
        "counted": counted,
        "growth": growth,
        "long": {"seq_len": LONG, "head_dim": LONG_HEAD_DIM} | long,
        "tiles": tiles,
    }


def judge(record: dict) -> list[Verdict]:
    """The claims, in order."""
    names = {name[:2]: name for name in record["counted"]}
    naive, online = names["01"], names["03"]
    tiles = record["tiles"]
    return [
        _less_memory(record, naive, online),
        _quadratic(record["growth"][naive]),
        _linear({name[:2]: one for name, one in record["growth"].items() if name != naive}),
        _refused(record["long"], naive),
        _runs(record, online),
        _follows("1 / Br, Br queries in a tile", "Br", "tile", tiles["by_tile"]),
        _follows(f"d^2 where M = Br d = {ON_CHIP:,}", "d", "head_dim", tiles["by_head_dim"]),
        _follows("N^2", "N", "seq_len", tiles["by_seq_len"]),
        _arithmetic(record, naive, online),
    ]


def _less_memory(record: dict, naive: str, online: str) -> Verdict:
    before, after = (
        one["scratch_bytes"] + one["lse_bytes"]
        for one in (record["counted"][naive], record["counted"][online])
    )
    ratio = before / after if after else float("inf")
    return Verdict(
        f"extra memory, scratch and LSE, at N = {record['seq_len']:,}: less in 03 than in 01",
        f"{size_text(before)} in 01, {size_text(after)} in 03: {ratio:,.0f} times less",
        f"at least {LESS_MEMORY} times",
        ratio >= LESS_MEMORY,
    )


def _quadratic(growth: dict) -> Verdict:
    low, high = QUADRATIC
    return Verdict(
        f"extra memory of 01 grows as N^2 up to {_longest(growth)}",
        f"{size_text(_most(growth))}; {_times(growth)} when N doubles",
        f"{low} to {high} times",
        growth["growth"] == "quadratic" and low <= growth["ratio"] <= high,
    )


def _linear(growths: dict[str, dict]) -> Verdict:
    one = next(iter(growths.values()))
    return Verdict(
        f"extra memory of {', '.join(growths)} grows as N up to {_longest(one)}",
        "; ".join(
            f"{number}: {size_text(_most(growth))}, {_times(growth)}"
            for number, growth in growths.items()
        ),
        f"at most {LINEAR_RATIO} times when N doubles",
        all(
            growth["growth"] in ("none", "constant", "subquadratic")
            and growth["ratio"] <= LINEAR_RATIO
            for growth in growths.values()
        ),
    )


def _longest(growth: dict) -> str:
    return f"N = {growth['extra_bytes'][-1][0]:,}"


def _most(growth: dict) -> int:
    return growth["extra_bytes"][-1][1]


def _times(growth: dict) -> str:
    return f"{growth['ratio']:.2f} times"


def _refused(long: dict, naive: str) -> Verdict:
    found = long[naive]
    wanted, there = found["refused_bytes"], found["device_bytes"]
    return Verdict(
        f"N = {long['seq_len']:,}, d = {long['head_dim']}: the workspace of 01 is refused",
        f"{found['returned']} for {size_text(wanted)} on a device of {size_text(there)}",
        "cudaErrorMemoryAllocation for 4 N^2 bytes, no launch",
        found["returned"] == "cudaErrorMemoryAllocation"
        and found["launches"] == 0
        and wanted == 4 * long["seq_len"] ** 2 > there,
    )


def _runs(record: dict, online: str) -> Verdict:
    long, counted = record["long"], record["counted"][online]
    found, seq_len = long[online], long["seq_len"]
    extra = found["scratch_bytes"] + counted["lse_bytes"] * seq_len // record["seq_len"]
    known_at, known = record["growth"][online]["extra_bytes"][-1]
    return Verdict(
        f"N = {seq_len:,}, d = {long['head_dim']}: 03 runs there",
        f"{size_text(extra)}; the last {found['rows']:,} rows err by at most "
        f"{found['worst']:.2g} of the rounding bound",
        f"memory grown as N since {known_at:,}, within {100 * NEAR:.0f} %; rows within the bound",
        found["returned"] == "cudaSuccess"
        and found["rows"] > 0
        and found["right"]
        and found["worst"] <= 1
        and extra <= (1 + NEAR) * known * seq_len / known_at,
    )


def _follows(law: str, letter: str, key: str, points: list[dict]) -> Verdict:
    """K and V asked for are c N^2 d^2 / M, with the same c in every point, M = Br d."""
    # One Br in the denominator: d^2 / (Br d).
    constants = [
        one["kv_bytes"] * one["tile"] / (one["seq_len"] ** 2 * one["head_dim"]) for one in points
    ]
    off = max(abs(c / constants[0] - 1) for c in constants)
    seen = ", ".join(size_text(one["kv_bytes"]) for one in points)
    return Verdict(
        f"K and V asked for by 03 go as {law}",
        f"{letter} = {', '.join(str(one[key]) for one in points)}: {seen}",
        f"within {100 * NEAR:.0f} %",
        off <= NEAR,
    )


def _arithmetic(record: dict, naive: str, online: str) -> Verdict:
    before, after = record["counted"][naive], record["counted"][online]
    # A multiply-add takes one element of K or V: 01 loads it from global memory, 03 from shared.
    multiply_adds = (before["kv_bytes"] // 4, after["shared_load_bytes"] // 4)
    exps = (before["exp_calls"], after["exp_calls"])
    bytes_ratio = before["global_bytes"] / after["global_bytes"]
    return Verdict(
        "the arithmetic does not fall: only traffic does",
        f"multiply-adds {multiply_adds[0]:,} in 01, {multiply_adds[1]:,} in 03; exp "
        f"{exps[0]:,}, {exps[1]:,}; global memory {bytes_ratio:.0f} times less",
        "no count of 03 below that of 01",
        all(later >= earlier for earlier, later in (multiply_adds, exps)) and bytes_ratio > 1,
    )


def read() -> dict:
    return records.read(RECORD)


def write(record: dict) -> None:
    """Keeps the record, and refreshes the README's table from it."""
    records.write(RECORD, record)
    fill(README, TABLE, table(record))


def table(record: dict) -> str:
    """The verdicts as Markdown."""
    rows = [(one.claim, one.measured, one.bound, _word(one)) for one in judge(record)]
    return markdown(["claim", "measured", "bound", "verdict"], rows, left=4)


def _word(verdict: Verdict) -> str:
    return "holds" if verdict.holds else "does not hold"


def show(console: "Console", record: dict) -> int:
    """A line for each claim; returns the exit status."""
    from rich.text import Text

    verdicts = judge(record)
    for one in verdicts:
        word = Text(f"{_word(one):15}", "green" if one.holds else "bold red")
        line = Text.assemble(word, f"{one.claim}: {one.measured} (bound: {one.bound})")
        console.print(line, soft_wrap=True)
    return EXIT_OK if all(one.holds for one in verdicts) else EXIT_FAILED
