"""The table of one pair set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from measure import Row
from report import decimal


@dataclass(frozen=True)
class PairSetReport:
    """Results of all variants on one pair set."""

    title: str
    pairs: int
    unit: str
    rows: Sequence[Row]

    @property
    def heading(self) -> str:
        """Title and size."""
        return f"{self.title} ({self.pairs} pairs)"

    @property
    def header(self) -> list[str]:
        """Names of the columns."""
        row = self.rows[0]
        errors = [f"{name}{self.unit}" for name in row.errors]
        areas = [f"AUC@{threshold}" for threshold in row.auc]
        return ["method", "matches", "inliers", "extract ms", "match ms", "pose ms", *errors, *areas, "failures"]

    @property
    def cells(self) -> list[list[str]]:
        """One row per variant."""
        return [_cells(row) for row in self.rows]


def _cells(row: Row) -> list[str]:
    counts = [f"{value:.0f}" for value in (row.matches, row.inliers, row.extract_ms, row.match_ms)]
    errors = [decimal(value, 3) for value in row.errors.values()]
    areas = [f"{value:.1f}" for value in row.auc.values()]
    return [row.name, *counts, f"{row.pose_ms:.1f}", *errors, *areas, str(row.failures)]
