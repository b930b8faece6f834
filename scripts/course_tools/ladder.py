"""The ladder: what each lesson's solution moves and keeps, counted on the CPU device and recorded."""

from typing import TYPE_CHECKING

from course_tools import course, paths, records
from course_tools.counting import Counts, Shape, compiler_version, count
from course_tools.tables import fill, markdown, size_text

if TYPE_CHECKING:
    from rich.console import Console

RECORD = paths.ROOT / "notebooks" / "data" / "ladder_cpu.json"
README = paths.ROOT / "README.md"
TABLE = "ladder"
SEQ_LEN = 512
LONGER = 1024
HEAD_DIM = 64
CAUSAL_FROM = "05"  # the first lesson that is measured with the mask as well


def measure(console: "Console") -> dict:
    """Counts every solution; the record's text is in notebooks/data/README.md."""
    from course_tools.display import Bar

    lessons = course.load()
    found = {}
    with Bar(console, "counting") as bar:
        for n, lesson in enumerate(lessons):
            bar.update(n, len(lessons))
            found[lesson.name] = {
                "full": _row(count(lesson.name, Shape(SEQ_LEN, SEQ_LEN, HEAD_DIM))),
                "extra_bytes_longer": count(
                    lesson.name, Shape(LONGER, LONGER, HEAD_DIM)
                ).extra_bytes,
            }
            if lesson.number >= CAUSAL_FROM:
                shape = Shape(SEQ_LEN, SEQ_LEN, HEAD_DIM, causal=True)
                found[lesson.name]["causal"] = _row(count(lesson.name, shape))
    return {
        "command": "scripts/bench --device cpu",
        "device": "CPU device, checked build",
        "compiler": compiler_version(),
        "batch": 1,
        "num_heads": 1,
        "seq_len": SEQ_LEN,
        "seq_len_longer": LONGER,
        "head_dim": HEAD_DIM,
        "lessons": found,
    }


def _row(counts: Counts) -> dict[str, int]:
    everything = counts.global_accesses()
    return {
        "kv_bytes": counts.global_loads("K", "V").bytes,
        "global_bytes": everything.bytes,
        "global_bytes_16": everything.bytes_16,
        "global_requests": everything.requests,
        "global_sectors": everything.sectors,
        "shared_bytes": (counts.shared_loads + counts.shared_stores).bytes,
        "shared_conflicts": (counts.shared_loads + counts.shared_stores).conflicts,
        "barriers": counts.barriers,
        "exp_calls": counts.exp_calls,
        "extra_bytes": counts.extra_bytes,
    }


def read() -> dict:
    return records.read(RECORD)


def write(record: dict) -> None:
    """Keeps the record, and refreshes the README's table from it."""
    records.write(RECORD, record)
    fill(README, TABLE, table(record))


def table(record: dict) -> str:
    """The ladder as Markdown: a row for each lesson, and one for its masked case from 05 on."""
    rows = []
    for name, entry in record["lessons"].items():
        link = f"[`{name}`](lessons/{name}/README.md)"
        if name.endswith("_backward"):
            link += ", the backward pass"
        longer = size_text(entry["extra_bytes_longer"])
        rows.append(_cells(link, entry["full"], longer))
        if "causal" in entry:
            rows.append(_cells("the same, causal", entry["causal"], longer))
    n, more = record["seq_len"], record["seq_len_longer"]
    head = [
        f"one head, N = {n:,}, d = {record['head_dim']}",
        "K and V asked for",
        "all global memory asked for",
        "in 16-byte accesses",
        "load and store instructions",
        f"extra memory, N = {n:,}",
        f"N = {more:,}",
    ]
    return markdown(head, rows, left=1)


def _cells(title: str, row: dict, longer: str) -> list[str]:
    return [
        title,
        _mib(row["kv_bytes"]),
        _mib(row["global_bytes"]),
        f"{100 * row['global_bytes_16'] / row['global_bytes']:.0f} %",
        f"{row['global_requests']:,}",
        size_text(row["extra_bytes"]),
        longer,
    ]


def _mib(count: int) -> str:
    return f"{count / 2**20:.1f} MiB"


def show(console: "Console", record: dict) -> None:
    """The same table on a terminal."""
    for line in table(record).splitlines():
        console.print(line, highlight=False, markup=False, soft_wrap=True)
