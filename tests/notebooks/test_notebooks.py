"""Every notebook runs from top to bottom, and lies in git as it was written: without outputs."""

import json
import time
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

FOLDER = Path(__file__).resolve().parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
LIMIT_S = 120
# Every call of plots.show() gives one picture: so many a notebook must have.
FIGURES = {"01": 4, "02": 3, "03": 3, "04": 3, "05": 3, "06": 4}

every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def test_there_are_six() -> None:
    assert [path.stem[:2] for path in NOTEBOOKS] == list(FIGURES)


@every_notebook
def test_it_runs(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    start = time.monotonic()
    NotebookClient(
        notebook,
        timeout=LIMIT_S,
        kernel_name="python3",
        resources={"metadata": {"path": str(path.parent)}},
    ).execute()
    assert time.monotonic() - start < LIMIT_S
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    pictures = [one for one in outputs if "image/png" in one.get("data", {})]
    assert len(pictures) == FIGURES[path.stem[:2]]
    assert not [one for one in outputs if one.get("name") == "stderr"], "a warning was printed"


@every_notebook
def test_it_has_no_outputs_in_git(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        assert not cell.get("outputs"), f"{cell.id}: outputs; clear them before you commit"
        assert cell.get("execution_count") is None, f"{cell.id}: it has been executed"
        assert cell.metadata == {}, f"{cell.id}: metadata"
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    assert notebook.metadata.language_info == {"name": "python"}


@every_notebook
def test_its_text_is_one_line_per_line(path: Path) -> None:
    """As nbformat writes it, so that a diff shows the lines that changed."""
    text = path.read_text(encoding="ascii")
    assert text == nbformat.writes(nbformat.reads(text, as_version=4), indent=1) + "\n"
    for cell in json.loads(text)["cells"]:
        assert isinstance(cell["source"], list)
        assert all(line.count("\n") <= 1 for line in cell["source"])
