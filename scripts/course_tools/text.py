"""Makes text that a student's program may have written safe to show and to store."""

import re
import unicodedata

_ESCAPE_SEQUENCE = re.compile(
    r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?"  # operating system commands, such as titles and links
    r"|\x1b[PX^_][^\x1b]*(?:\x1b\\)?"  # device control and other strings
    r"|(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"  # colours and cursor movement
    r"|\x1b[ -/]*[0-~]?"
)
# Cc control, Cf format (every bidi control is one), Cs surrogate, Zl and Zp line separators.
_DROPPED = {"Cc", "Cf", "Cs", "Zl", "Zp"}
_NOT_IN_XML = "\ufffe\uffff"


def clean(text: str) -> str:
    """Removes escape sequences, control and direction characters; keeps line breaks."""
    text = _ESCAPE_SEQUENCE.sub("", text.replace("\r\n", "\n")).expandtabs(4)
    return "".join(
        char
        for char in text
        if char == "\n" or (unicodedata.category(char) not in _DROPPED and char not in _NOT_IN_XML)
    )


def clean_line(text: str) -> str:
    return " ".join(clean(text).split())


def shorten(text: str, max_lines: int) -> str:
    """The first lines of a long text, and how many were left out."""
    lines = text.split("\n")
    if len(lines) <= max_lines:
        return text
    return "\n".join([*lines[:max_lines], f"... {len(lines) - max_lines} more lines"])
