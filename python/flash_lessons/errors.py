"""What can go wrong beside a wrong argument, which is a TypeError or a ValueError.

A feature that a lesson does not have yet is a NotImplementedError, too little device memory a
MemoryError.
"""


class FlashLessonsError(Exception):
    """The base of the package's own errors."""


class SetupError(FlashLessonsError):
    """This machine, or this build of the package, lacks something; the message says what."""


class CompileError(FlashLessonsError):
    """A kernel file does not compile; the message is the compiler's."""


class DeviceError(FlashLessonsError):
    """A kernel failed on the device; the message has CUDA's error and, on the CPU device, where.

    Also raised in a process that was forked from one that has used the device."""
