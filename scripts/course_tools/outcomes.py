"""How one of the project's own tests ended."""

from dataclasses import dataclass

PASSED = "passed"
FAILED = "failed"
NOT_RUN = "not run"


@dataclass(frozen=True)
class Outcome:
    name: str
    status: str
    detail: str = ""  # what a failed test printed, or why one was not run
