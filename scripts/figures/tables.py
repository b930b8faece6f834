"""Markdown tables that stand between markers in a text, and are written by scripts."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
KIB, MIB, GIB = 2**10, 2**20, 2**30


def size_text(count: int) -> str:
    """A count of bytes in the largest unit that leaves a whole number."""
    for unit, name in ((GIB, "GiB"), (MIB, "MiB"), (KIB, "KiB")):
        if count and count % unit == 0:
            return f"{count // unit:,} {name}"
    return f"{count:,} B"


def markdown(head: Iterable[str], rows: Iterable[Iterable[str]], left: int = 0) -> str:
    """A table as Markdown; all but its first `left` columns hold numbers and lean to the right."""
    titles = list(head)
    rule = "|" + "".join("---|" if n < left else "---:|" for n in range(len(titles)))
    return "\n".join(["| " + " | ".join(titles) + " |", rule, *map(_row, rows)])


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _markers(name: str) -> tuple[str, str]:
    return f"<!-- table: {name} -->\n", f"\n<!-- end: {name} -->"


def table_in(readme: Path, name: str) -> str:
    """What stands between the table's markers."""
    begin, end = _markers(name)
    return readme.read_text(encoding="utf-8").split(begin)[1].split(end)[0]


def fill(readme: Path, name: str, table: str) -> None:
    """Replaces what stands between the table's markers."""
    begin, end = _markers(name)
    before, rest = readme.read_text(encoding="utf-8").split(begin)
    after = rest.split(end)[1]
    readme.write_text(f"{before}{begin}{table}{end}{after}", encoding="utf-8")
