"""The ways in which a tool ends early. The exit statuses are the same for every tool."""

EXIT_OK = 0
EXIT_FAILED = 1  # something that was graded or tested failed
EXIT_USAGE = 2
EXIT_INTERNAL = 3


class ToolError(Exception):
    """Ends the run with one line on stderr; `details` go above it."""

    status = EXIT_INTERNAL

    def __init__(self, message: str, details: str = "") -> None:
        super().__init__(message)
        self.details = details


class UsageError(ToolError):
    """The command line, or a file that it names, is wrong."""

    status = EXIT_USAGE


class SetupError(ToolError):
    """The machine lacks something that the command needs."""


class InternalError(ToolError):
    """The course's own code failed: never the student's fault."""


class Interrupted(BaseException):
    """A signal asked the run to stop."""

    def __init__(self, signal_number: int) -> None:
        super().__init__(signal_number)
        self.signal_number = signal_number
