"""Markdown tables that stand between markers in a text, and are written by scripts."""

from collections.abc import Iterable
from pathlib import Path

from course_tools import paths
from course_tools.errors import InternalError

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


def _split(readme: Path, name: str) -> tuple[str, str, str]:
    """The text up to the table, with its marker, the table, and the rest."""
    begin, end = f"<!-- table: {name} -->", f"<!-- end: {name} -->"
    text = readme.read_text(encoding="utf-8")
    if text.count(begin) != 1 or text.count(end) != 1 or text.index(end) < text.index(begin):
        raise InternalError(f"{paths.shown(readme)} needs the lines {begin} and {end}, once each")
    before, rest = text.split(begin)
    table, after = rest.split(end)
    return before + begin, table.strip(), end + after


def table_in(readme: Path, name: str) -> str:
    """What stands between the table's markers."""
    return _split(readme, name)[1]


def fill(readme: Path, name: str, table: str) -> None:
    """Replaces what stands between the table's markers."""
    before, _, after = _split(readme, name)
    readme.write_text(f"{before}\n{table}\n{after}", encoding="utf-8")
