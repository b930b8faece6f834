"""The README's ladder shows what is recorded, and what is recorded is what the CPU device counts."""

import json

import pytest
from course_tools import display, ladder, paths, tables
from course_tools.errors import InternalError


def test_the_readme_shows_the_record() -> None:
    assert tables.table_in(ladder.README, ladder.TABLE) == ladder.table(ladder.read()), (
        "scripts/bench --device cpu refreshes the table"
    )


def test_the_record_is_what_is_counted() -> None:
    recorded, counted = ladder.read(), ladder.measure(display.make_console())
    assert recorded["lessons"] == counted["lessons"], (
        f"recorded with {recorded['compiler']}, counted with {counted['compiler']}; "
        "scripts/bench --device cpu records it again"
    )


def test_a_record_that_cannot_be_read(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    monkeypatch.setattr(ladder, "RECORD", tmp_path / "none.json")
    with pytest.raises(InternalError, match="cannot read"):
        ladder.read()


def test_a_change_in_the_record_changes_the_table() -> None:
    record = json.loads(json.dumps(ladder.read()))
    before = ladder.table(record)
    record["lessons"]["01_naive"]["full"]["kv_bytes"] += 2**20
    assert ladder.table(record) != before
    assert paths.ROOT in ladder.RECORD.parents
