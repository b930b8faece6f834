"""Starts one tool: python3 scripts/course_tools TOOL ARGS..."""

import importlib
import sys
from pathlib import Path

MAINS = {
    "grade": "grade",
    "test": "project_tests",
    "bench": "bench",
    "lesson_diff": "lesson_diff",
    "train_tiny": "train_tiny",
    "plot": "plot",
    "course": "course_commands",
    "corpus": "grade_corpus",
}

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])
    from course_tools import cli

    tool = sys.argv[1]
    sys.exit(
        cli.run_tool(
            tool, lambda: importlib.import_module(f"course_tools.{MAINS[tool]}").main, sys.argv[2:]
        )
    )
