"""The corpus of kernels with a known verdict: what each file's header expects, and whether it holds.

The first comment of a file in tests/corpus/mutants/NN_name/ has lines like

    // corpus: fails one_tile (wrong values)
    // corpus: survives launches

and of a file in tests/corpus/valid/NN_name/ the line

    // corpus: passes

`fails` names the check that must fail and the kind of failure, or kinds with " | " between them;
`survives` names checks that must pass all the same. Both may come again, or list several names.

A GPU does not see every access, so that a mistake may show there in another check, or not at all:

    // corpus: on a GPU fails safety (out of bounds)
    // corpus: on a GPU survives launches
    // corpus: on a GPU passes: racecheck looks at shared memory only

The first two take the place of all lines without "on a GPU"; the third, with its reason, says that the
checks of `fails` pass there. A check that only the CPU device can make is NOT RUN on a GPU: that needs
no line. Where timing, or what happens to lie in memory, decides:

    // corpus: on a GPU fails one_tile or safety (wrong values | race)
    // corpus: on a GPU may pass: the blocks may come in the right order

The first: one of these checks fails, and the others may pass or not be run. The second: either what
`fails` says, or nothing at all.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from course_tools import device, paths
from course_tools.errors import InternalError
from course_tools.results import FAIL, NOT_RUN, PASS, CheckResult, LessonResult

FOLDERS = ("mutants", "valid")
_FAILS = re.compile(r"fails (\w+(?: or \w+)*) \(([^()]+)\)$")
_OR = " or "
_SURVIVES = re.compile(r"survives (\w+(?:,? \w+)*)$")
_ON_GPU = "on a GPU "
_PASSES_BECAUSE = re.compile(r"(passes|may pass): (.+)$")
# What the judge says of a check that it cannot make on a GPU.
_NOT_ON_GPU = re.compile(r"CPU device")
# Checks of a student's kernels against each other: a file of the corpus has nothing beside it.
_NEEDS_OTHER_FILES = {"speed"}


class BadHeader(InternalError):
    """A file of the corpus does not say what is expected of it."""


@dataclass(frozen=True)
class Expected:
    """What one device must find in a file."""

    fails: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # "A" or "A or B" -> kinds
    survives: tuple[str, ...] = ()
    unseen: str = ""  # why this device finds nothing in the checks of `fails`
    may_be_unseen: str = ""  # why it may find nothing


@dataclass(frozen=True, kw_only=True)
class Entry(Expected):
    """A file, with what the CPU device must find in it, or the device that it is graded on."""

    path: Path
    lesson: str
    on_gpu: Expected | None = None  # None: the same

    @property
    def checks(self) -> tuple[str, ...]:
        """Those that the header is about; none, which stands for all, where all have to pass."""
        return (*(name for names in self.fails for name in names.split(_OR)), *self.survives)

    def graded_on(self, device_name: str) -> "Entry":
        """The same entry, with what is expected on this device."""
        if device_name == device.CPU or self.on_gpu is None:
            return self
        return replace(self, **vars(self.on_gpu), on_gpu=None)


def files() -> list[Path]:
    return sorted(path for folder in FOLDERS for path in (paths.CORPUS / folder).rglob("*.cu"))


def read(path: Path) -> Entry:
    """Reads a file's header; raises BadHeader where it is missing or not understood."""

    def bad(what: str) -> BadHeader:
        return BadHeader(f"{paths.shown(path)}: {what}")

    passes = False
    here, on_gpu = _Claims(), _Claims()
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("//"):
            break
        _, is_header, claim = line.partition("// corpus: ")
        claim = claim.strip()
        if not is_header:
            continue
        if claim == "passes":
            passes = True
        elif claim.startswith(_ON_GPU):
            if not on_gpu.understands(claim.removeprefix(_ON_GPU), is_gpu=True):
                raise bad(f"not understood: {line}")
        elif not here.understands(claim):
            raise bad(f"not understood: {line}")
    is_mutant = path.parents[1].name == "mutants"
    if is_mutant and (passes or not here.fails):
        raise bad('a mutant needs "// corpus: fails CHECK (KIND)" in its first comment')
    if not is_mutant and (not passes or here.any or on_gpu.any):
        raise bad('a valid kernel needs "// corpus: passes", and only that, in its first comment')
    entry = Entry(
        path=path, lesson=path.parent.name, fails=here.fails, survives=tuple(here.survives)
    )
    if not on_gpu.any:
        return entry
    if on_gpu.unseen:
        if on_gpu.fails or on_gpu.survives or on_gpu.may_be_unseen:
            raise bad('"on a GPU passes" stands alone')
        return replace(entry, on_gpu=Expected(entry.fails, (), on_gpu.unseen))
    if on_gpu.survives and not on_gpu.fails:
        raise bad('"on a GPU survives" needs "on a GPU fails"')
    fails = on_gpu.fails or entry.fails
    survives = tuple(on_gpu.survives) if on_gpu.fails else entry.survives
    expected = Expected(fails, survives, may_be_unseen=on_gpu.may_be_unseen)
    return replace(entry, on_gpu=expected)


class _Claims:
    """The lines of a header about one device."""

    def __init__(self) -> None:
        self.fails: dict[str, tuple[str, ...]] = {}
        self.survives: list[str] = []
        self.unseen = ""
        self.may_be_unseen = ""

    @property
    def any(self) -> bool:
        return bool(self.fails or self.survives or self.unseen or self.may_be_unseen)

    def understands(self, claim: str, is_gpu: bool = False) -> bool:
        if found := _FAILS.match(claim):
            self.fails[found[1]] = tuple(kind.strip() for kind in found[2].split("|"))
        elif found := _SURVIVES.match(claim):
            self.survives += found[1].replace(",", " ").split()
        elif is_gpu and (found := _PASSES_BECAUSE.match(claim)):
            if found[1] == "passes":
                self.unseen = found[2]
            else:
                self.may_be_unseen = found[2]
        else:
            return False
        return True


def only_on_cpu(entry: Entry, result: LessonResult) -> str:
    """Why a GPU does not see the mistake of a file, "" if it does."""
    if entry.unseen:
        return entry.unseen
    judged = {check.check: check for check in result.checks}
    if entry.may_be_unseen and _passes_all(entry, judged):
        return entry.may_be_unseen
    named = [name for names in entry.fails for name in names.split(_OR) if name in judged]
    reasons = [_reason_on_gpu(judged[name]) for name in named]
    return reasons[0] if reasons and all(reasons) else ""


def _passes_all(entry: Entry, checks: Mapping[str, CheckResult]) -> bool:
    return all(checks[name].verdict == PASS for name in entry.checks)


def _reason_on_gpu(check: CheckResult) -> str:
    """The judge's reason for not making a check on a GPU, "" if it is another one."""
    is_gpus = check.verdict == NOT_RUN and _NOT_ON_GPU.search(check.message)
    return check.message.split("\n")[0] if is_gpus else ""


def _may_be_left_out(check: CheckResult) -> bool:
    """Whether a kernel may go without this check and still be called right."""
    if check.verdict != NOT_RUN or check.check == "safety":
        return False
    return check.max_points == 0 or check.check in _NEEDS_OTHER_FILES


def problems(entry: Entry, result: LessonResult) -> list[str]:
    """How a grading result differs from what the entry expects; empty if it does not."""
    checks = {check.check: check for check in result.checks}
    unknown = [name for name in entry.checks if name not in checks]
    if unknown:
        return [f"the header names checks that lesson {entry.lesson} does not have: {unknown}"]
    if not entry.fails:
        return [
            f"{check.check}: {check.verdict} {check.kind}, must be PASS: {check.message}"
            for check in result.checks
            if check.verdict != PASS and not _may_be_left_out(check)
        ]
    if entry.may_be_unseen and _passes_all(entry, checks):
        return []
    if entry.unseen:
        return [
            f"{name}: {checks[name].verdict} {checks[name].kind}, must be PASS here: "
            f"{checks[name].message}"
            for name in entry.checks
            if checks[name].verdict != PASS and not _reason_on_gpu(checks[name])
        ]
    one_of = {names: [checks[name] for name in names.split(_OR)] for names in entry.fails}
    seen = [names for names in one_of if not all(map(_reason_on_gpu, one_of[names]))]
    found = []
    if seen and result.verdict != FAIL:
        found.append(f"the lesson is {result.verdict}, must be FAIL")
    for names in seen:
        kinds, alternatives = entry.fails[names], one_of[names]
        if not any(check.verdict == FAIL and check.kind in kinds for check in alternatives):
            wanted = " or ".join(kinds)
            found += [
                f"{check.check}: {check.verdict} {check.kind}, must be FAIL {wanted}: "
                f"{check.message}"
                for check in alternatives
            ]
    for name in entry.survives:
        check = checks[name]
        if check.verdict != PASS and not _reason_on_gpu(check):
            found.append(f"{name}: {check.verdict} {check.kind}, must survive: {check.message}")
    if found:
        failed = ", ".join(f"{one.check} ({one.kind})" for one in result.of(FAIL))
        found[-1] += f"\nwhat failed: {failed or 'nothing'}"
    return found
