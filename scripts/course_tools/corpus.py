"""The corpus of kernels with a known verdict: what each file's header expects, and whether it holds.

The first comment of a file in tests/corpus/mutants/NN_name/ has lines like

    // corpus: fails one_tile (wrong values)
    // corpus: survives launches

and of a file in tests/corpus/valid/NN_name/ the line

    // corpus: passes

`fails` names the check that must fail and the kind of failure, or kinds with " | " between them;
`survives` names checks that must pass all the same. Both may come again, or list several names.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from course_tools import paths
from course_tools.errors import InternalError
from course_tools.results import FAIL, NOT_RUN, PASS, LessonResult

FOLDERS = ("mutants", "valid")
_FAILS = re.compile(r"fails (\w+) \(([^()]+)\)$")
_SURVIVES = re.compile(r"survives (\w+(?:,? \w+)*)$")


class BadHeader(InternalError):
    """A file of the corpus does not say what is expected of it."""


@dataclass(frozen=True)
class Entry:
    path: Path
    lesson: str
    fails: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # check -> kinds
    survives: tuple[str, ...] = ()

    @property
    def checks(self) -> tuple[str, ...]:
        """Those that the header is about; none, which stands for all, where all have to pass."""
        return (*self.fails, *self.survives)


def files() -> list[Path]:
    return sorted(path for folder in FOLDERS for path in (paths.CORPUS / folder).rglob("*.cu"))


def read(path: Path) -> Entry:
    """Reads a file's header; raises BadHeader where it is missing or not understood."""

    def bad(what: str) -> BadHeader:
        return BadHeader(f"{paths.shown(path)}: {what}")

    passes = False
    fails: dict[str, tuple[str, ...]] = {}
    survives: list[str] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("//"):
            break
        _, is_header, claim = line.partition("// corpus: ")
        claim = claim.strip()
        if not is_header:
            continue
        if claim == "passes":
            passes = True
        elif found := _FAILS.match(claim):
            fails[found[1]] = tuple(kind.strip() for kind in found[2].split("|"))
        elif found := _SURVIVES.match(claim):
            survives += found[1].replace(",", " ").split()
        else:
            raise bad(f"not understood: {line}")
    is_mutant = path.parents[1].name == "mutants"
    if is_mutant and (passes or not fails):
        raise bad('a mutant needs "// corpus: fails CHECK (KIND)" in its first comment')
    if not is_mutant and (not passes or fails or survives):
        raise bad('a valid kernel needs "// corpus: passes", and only that, in its first comment')
    return Entry(path, path.parent.name, fails, tuple(survives))


def problems(entry: Entry, result: LessonResult) -> list[str]:
    """How a grading result differs from what the entry expects; empty if it does not."""
    checks = {check.check: check for check in result.checks}
    unknown = [name for name in (*entry.fails, *entry.survives) if name not in checks]
    if unknown:
        return [f"the header names checks that lesson {entry.lesson} does not have: {unknown}"]
    if not entry.fails:
        return [
            f"{check.check}: {check.verdict} {check.kind}, must be PASS: {check.message}"
            for check in result.checks
            if check.verdict != PASS and (check.verdict != NOT_RUN or check.max_points)
        ]
    found = [] if result.verdict == FAIL else [f"the lesson is {result.verdict}, must be FAIL"]
    for name, kinds in entry.fails.items():
        check = checks[name]
        if check.verdict != FAIL or check.kind not in kinds:
            wanted = " or ".join(kinds)
            found.append(
                f"{name}: {check.verdict} {check.kind}, must be FAIL {wanted}: {check.message}"
            )
    for name in entry.survives:
        check = checks[name]
        if check.verdict != PASS:
            found.append(f"{name}: {check.verdict} {check.kind}, must survive: {check.message}")
    if found:
        failed = ", ".join(f"{one.check} ({one.kind})" for one in result.of(FAIL))
        found[-1] += f"\nwhat failed: {failed or 'nothing'}"
    return found
