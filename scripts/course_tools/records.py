"""Recorded measurements, under notebooks/data/."""

import json
from pathlib import Path

from course_tools import paths
from course_tools.errors import InternalError, ToolError, UsageError


def read(path: Path) -> dict:
    return _read(path, InternalError)


def read_named(path: Path) -> dict:
    """A record that the command line names."""
    return _read(path, UsageError)


def _read(path: Path, unreadable: type[ToolError]) -> dict:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise unreadable(f"cannot read {paths.shown(path)}: {error}") from error


def write(path: Path, record: dict) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
