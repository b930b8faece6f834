"""The ladder on a GPU: the record of scripts/bench --device cuda, and the tables made of it."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from course_tools import course, paths, records
from course_tools.errors import UsageError
from course_tools.gpu_pytorch import TITLES
from course_tools.tables import GIB, KIB, MIB, fill, markdown, table_in

if TYPE_CHECKING:
    from rich.console import Console

RECORD = paths.ROOT / "notebooks" / "data" / "ladder_cuda.json"
README = paths.ROOT / "README.md"
SECTIONS = ("memory", "speed")
LADDER, LESSON, MEMORY = "ladder_gpu", "gpu", "gpu-memory"  # names of tables
MEMORY_LESSON = "01_naive"  # whose text has the table of memory
HEAD_DIMS = (64, 128)
FULL_RUNS = 20
EMPTY = "Not recorded yet: `scripts/bench --device cuda` fills this table."


def read() -> dict:
    """The record, or nothing before the first one."""
    return records.read(RECORD) if RECORD.exists() else {}


def write(record: dict) -> None:
    """Keeps the sections of the record, and refreshes every table that is made of them."""
    if not any(name in record for name in SECTIONS):
        raise UsageError("the record has no section of scripts/bench --device cuda")
    whole = {**read(), **{name: record[name] for name in SECTIONS if name in record}}
    made = [(README, LADDER, ladder_table(whole))]
    for lesson, name in lesson_tables():
        made.append((paths.LESSONS / lesson / "README.md", name, lesson_table(whole, lesson, name)))
    for readme, name, _ in made:
        table_in(readme, name)  # every table has its place, before anything is written
    records.write(RECORD, whole)
    for readme, name, table in made:
        fill(readme, name, table)


def lesson_tables() -> list[tuple[str, str]]:
    """The tables in the lessons' texts, by lesson and name."""
    every = [(lesson.name, LESSON) for lesson in course.load()]
    return [*every, (MEMORY_LESSON, MEMORY)]


def lesson_table(record: dict, lesson: str, name: str) -> str:
    return memory_table(record) if name == MEMORY else step_table(record, lesson)


def ladder_table(record: dict) -> str:
    """All kernels at B4 H16 N4096, PyTorch's behind them."""
    if "speed" not in record:
        return EMPTY
    return _speed_table(record["speed"], _kernels(record["speed"]))


def step_table(record: dict, lesson: str) -> str:
    """A lesson's own kernels beside the step before and PyTorch."""
    if "speed" not in record:
        return EMPTY
    section = record["speed"]
    number = lesson.split("_")[0]
    mine = [name for name in _kernels(section) if name.startswith(f"{number}_")]
    directions = {one["direction"] for one in section["entries"] if one["kernel"] in mine}
    before = [
        name
        for name in _kernels(section)
        if name[:2].isdigit() and name[:2] < number and _has(section, name, directions)
    ]
    chosen = [*before[-1:], *mine, *(name for name in _kernels(section) if name in TITLES)]
    masked = any(one["causal"] for one in section["entries"] if one["kernel"] in mine)
    return _speed_table(section, chosen, directions, masked)


def _kernels(section: dict) -> list[str]:
    """The lessons' kernels in their order, then other files, then PyTorch's backends."""
    names = {one["kernel"] for one in section["entries"]}
    ours = sorted(names - set(TITLES), key=lambda name: (not name[:2].isdigit(), name))
    return ours + [name for name in TITLES if name in names]


def _has(section: dict, kernel: str, directions: set[str]) -> bool:
    return any(
        one["kernel"] == kernel and one["direction"] in directions for one in section["entries"]
    )


def _speed_table(
    section: dict,
    kernels: Iterable[str],
    directions: Iterable[str] = ("forward", "backward"),
    masked: bool = True,
) -> str:
    head = ["B = 4, H = 16, N = 4,096", "kernel"]
    for d in HEAD_DIMS:
        head += [f"d = {d}: ms", "TFLOP/s", "of cuBLAS", "extra memory"]
    rows = []
    for direction in ("forward", "backward"):
        for causal in (False, True) if masked else (False,):
            for kernel in kernels if direction in directions else ():
                found = [_find(section, kernel, direction, causal, d) for d in HEAD_DIMS]
                if any(found):
                    what = direction + (", causal" if causal else "")
                    cells = [cell for one in found for cell in _speed_cells(one)]
                    rows.append([what, title(kernel), *cells])
    return markdown(head, rows, left=2) + "\n\n" + conditions(section)


def _find(section: dict, kernel: str, direction: str, causal: bool, d: int) -> dict | None:
    for one in section["entries"]:
        if (one["kernel"], one["direction"]) == (kernel, direction) and (
            (one["causal"], one["head_dim"]) == (causal, d)
        ):
            return one
    return None


def title(kernel: str) -> str:
    return TITLES.get(kernel, f"`{kernel}`")


def _speed_cells(entry: dict | None) -> list[str]:
    if entry is None:
        return ["", "", "", ""]
    if entry["outcome"] != "timed":
        return [outcome(entry), "", "", ""]
    share = entry.get("share_of_cublas")
    return [
        ms_text(entry),
        number(entry["tflops"]),
        "" if share is None else f"{number(100 * share)} %",
        extra_text(entry),
    ]


def memory_table(record: dict) -> str:
    """Lesson 01 and PyTorch's backends from short to long sequences, until the memory runs out."""
    if "memory" not in record:
        return EMPTY
    section = record["memory"]
    chosen = [MEMORY_LESSON, *(name for name in TITLES if name in _kernels(section))]
    found = {
        (one["kernel"], one["seq_len"]): one
        for one in section["entries"]
        if one["direction"] == "forward"
    }
    head = ["one head, d = 128: N"]
    for kernel in chosen:
        head += [f"{title(kernel)}: ms", "extra memory"]
    rows = []
    for n in sorted({n for kernel, n in found if kernel in chosen}):
        cells = [_memory_cells(found.get((kernel, n))) for kernel in chosen]
        rows.append([f"{n:,}", *(cell for pair in cells for cell in pair)])
    return markdown(head, rows) + "\n\n" + conditions(section)


def _memory_cells(entry: dict | None) -> list[str]:
    if entry is None:
        return ["", ""]
    if entry["outcome"] != "timed":
        return [outcome(entry), ""]
    return [ms_text(entry), extra_text(entry)]


def number(value: float) -> str:
    """Three digits, or all before the point."""
    if value == 0 or value >= 100:
        return f"{value:,.0f}"
    digits = 1 if value >= 10 else 2 if value >= 1 else 3 if value >= 0.1 else 4
    return f"{value:.{digits}f}"


def ms_text(entry: dict) -> str:
    """The median, with the number of runs where there were fewer than usual."""
    few = f" (n={entry['n']})" if entry["n"] < FULL_RUNS else ""
    return number(entry["median_ms"]) + few


def extra_text(entry: dict) -> str:
    """For a kernel of the course, LSE and what the launcher allocates apart from it."""
    lse, scratch = entry.get("lse_bytes", 0), entry.get("scratch_bytes", entry["extra_bytes"])
    if lse:
        return f"LSE + {about(scratch)}" if scratch else f"LSE, {about(lse)}"
    return about(scratch)


def about(size: int) -> str:
    """A count of bytes in the largest unit that it fills: whole, or three digits."""
    for unit, name in ((GIB, "GiB"), (MIB, "MiB"), (KIB, "KiB")):
        if size >= unit:
            return f"{size // unit if size % unit == 0 else number(size / unit)} {name}"
    return f"{size} B"


def outcome(entry: dict) -> str:
    """What stands in the place of a time."""
    kind = entry["outcome"]
    if kind == "out of memory":
        asked, of = entry["asked_bytes"], about(entry["memory_bytes"])
        if not asked:
            return kind
        held = f" beside {about(entry['held_bytes'])}" if entry.get("held_bytes") else ""
        return f"{kind}: asks for {about(asked)}{held} of {of}"
    if kind == "wrong":
        return "WRONG"
    if kind == "not run":
        return f"not run: {entry['reason']}"
    return kind


def in_words(entry: dict) -> str:
    """One line for the progress."""
    worst = entry.get("worst", {})
    errors = ", ".join(f"{tensor} {value:.3g}" for tensor, value in worst.items())
    errors = f"; error/bound: {errors}" if errors else ""
    if entry["outcome"] != "timed":
        reason = (
            f" ({entry['reason']})" if entry["outcome"] in ("wrong", "failed", "refused") else ""
        )
        return outcome(entry) + reason + errors
    share = entry.get("share_of_cublas")
    of_cublas = "" if share is None else f", {number(100 * share)} % of cuBLAS"
    speed = f"{ms_text(entry)} ms, {number(entry['tflops'])} TFLOP/s{of_cublas}"
    return f"{speed}, extra memory {extra_text(entry)}{errors}"


def conditions(section: dict) -> str:
    """The sentence under a table: where, with what, and what the percentages are of."""
    one, cublas = section["conditions"], section["cublas"]
    parts = [one["gpu"], f"CUDA {one['cuda_runtime']}"]
    parts += [f"driver {one['driver']}"] if one["driver"] else []
    parts += [f"PyTorch {one['pytorch']}"] if one["pytorch"] else ["without PyTorch"]
    clocks = sorted(e["sm_clock_mhz"] for e in section["entries"] if "sm_clock_mhz" in e)
    if clocks:
        low, high = f"{clocks[0]:,.0f}", f"{clocks[-1]:,.0f}"
        parts.append(f"{high} MHz" if low == high else f"{low} to {high} MHz")
    text = f"{', '.join(parts)}, {one['date']}. float32, median of {FULL_RUNS} runs or of n"
    if "tflops" in cublas:
        text += f"; cuBLAS: SGEMM of 8192^3, {number(cublas['tflops'])} TFLOP/s"
    return text + "."


def show(console: "Console", record: dict) -> None:
    """Every section on a terminal."""
    from rich.table import Table
    from rich.text import Text

    for name in SECTIONS:
        if name not in record:
            continue
        section = record[name]
        table = Table(box=None, pad_edge=False, padding=(0, 2), title=name, title_justify="left")
        for column in ("shape", "pass", "kernel"):
            table.add_column(column)
        for column in ("ms", "n", "TFLOP/s", "of cuBLAS", "extra memory", "error / bound"):
            table.add_column(column, justify="right")
        for entry in section["entries"]:
            table.add_row(*map(Text, _row(entry)), style=_STYLES.get(entry["outcome"], ""))
        console.print(table)
        console.print(conditions(section), markup=False)


_STYLES = {"wrong": "bold red", "failed": "bold red", "timed": ""}


def _row(entry: dict) -> list[str]:
    shape = f"B{entry['batch']} H{entry['num_heads']} N{entry['seq_len']} d{entry['head_dim']}"
    worst = entry.get("worst", {}).values()
    error = f"{max(worst):.3g}" if worst else ""
    first = [
        shape + (" causal" if entry["causal"] else ""),
        entry["direction"],
        TITLES.get(entry["kernel"], entry["kernel"]),
    ]
    if entry["outcome"] != "timed":
        return [*first, outcome(entry), "", "", "", "", error]
    share = entry.get("share_of_cublas")
    return [
        *first,
        number(entry["median_ms"]),
        str(entry["n"]),
        number(entry["tflops"]),
        "" if share is None else f"{number(100 * share)} %",
        extra_text(entry),
        error,
    ]
