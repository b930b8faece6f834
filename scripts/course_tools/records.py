"""Recorded measurements, under notebooks/data/."""

import json
from pathlib import Path

from course_tools import paths
from course_tools.errors import InternalError


def read(path: Path) -> dict:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InternalError(f"cannot read {paths.shown(path)}: {error}") from error


def write(path: Path, record: dict) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
