"""The tables of `make faults`, in one file."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

WriteTable = Callable[[list[str], list[list[object]]], None]


@pytest.fixture(scope="session")
def write_table() -> Iterator[WriteTable]:
    """Collect tables of titles and rows, those with the same titles in one; they are written at the end."""
    tables: dict[tuple[str, ...], list[list[object]]] = {}
    yield lambda titles, rows: tables.setdefault(tuple(titles), []).extend(rows)
    if folder := os.environ.get("LOFTR_ROS_FAULTS"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        (Path(folder) / "faults.md").write_text("\n".join(map(_markdown, tables, tables.values())))


def _markdown(titles: tuple[str, ...], rows: list[list[object]]) -> str:
    lines = [titles, ["---"] * len(titles), *rows]
    return "".join("| " + " | ".join(map(str, line)) + " |\n" for line in lines)
