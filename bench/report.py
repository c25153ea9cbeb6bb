"""The report of a benchmark: tables for the terminal, Markdown for the documentation, JSON for programs."""

from __future__ import annotations

import json
import math
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import cv2
import torch
from measure import Row
from rich.table import Table
from sets import BenchError

from loftr_ros import __version__

BEGIN, END = "<!-- bench/matching.py: begin -->", "<!-- bench/matching.py: end -->"


@dataclass(frozen=True)
class SetReport:
    """One table."""

    title: str
    pairs: int
    unit: str
    rows: Sequence[Row]


@dataclass(frozen=True)
class Report:
    """What was measured, how, and on what."""

    command: str
    machine: dict[str, Any]
    sets: Sequence[SetReport]
    every: int

    def write(self, path: Path) -> None:
        """Write JSON, or put the tables between the two markers of a Markdown file (a new one if there is none).

        Raises:
            BenchError: the file cannot be written, or has no markers.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(self._json() if path.suffix == ".json" else self._inserted(path))
        except OSError as error:
            raise BenchError(f"{path} cannot be written: {error.strerror}.") from error

    def _json(self) -> str:
        return json.dumps(_without_infinity(asdict(self)), indent=1) + "\n"

    def _inserted(self, path: Path) -> str:
        block = f"{BEGIN}\n\n{self.markdown()}\n{END}"
        if not path.exists():
            return f"{block}\n"
        before, begin, rest = path.read_text().partition(BEGIN)
        _, end, after = rest.partition(END)
        if not (begin and end):
            raise BenchError(f"{path} has no place for the tables: put the lines '{BEGIN}' and '{END}' into it.")
        return f"{before}{block}{after}"

    def markdown(self) -> str:
        """Return the tables under a line that says how they were made."""
        machine = "; ".join(f"{name} {value}" for name, value in self.machine.items())
        parts = [f"`{self.command}`\n\n{machine}.\n"]
        if self.every > 1:
            parts.append(f"**Provisional**: a quick look at one of {self.every} pairs.\n")
        for one in self.sets:
            cells = [_header(one), ["---"] + ["---:"] * (len(_header(one)) - 1), *(_cells(row) for row in one.rows)]
            lines = "".join(f"| {' | '.join(line)} |\n" for line in cells)
            parts.append(f"### {one.title} ({one.pairs} pairs)\n\n{lines}")
        return "\n".join(parts)


def rich_table(report: SetReport) -> Table:
    """Return a table for the terminal."""
    first, *others = _header(report)
    table = Table(title=f"{report.title} ({report.pairs} pairs)", title_justify="left")
    table.add_column(first, no_wrap=True)
    for column in others:
        table.add_column(column, justify="right")
    for row in report.rows:
        table.add_row(*_cells(row))
    return table


def machine(device: torch.device, dtype: torch.dtype) -> dict[str, Any]:
    """Return what the times depend on, and the versions."""
    facts: dict[str, Any] = {"CPU": f"{_cpu_model()}, {os.cpu_count()} cores", "threads": torch.get_num_threads()}
    if device.type == "cuda":
        facts["GPU"] = torch.cuda.get_device_name(device)
    return {
        **facts,
        "LoFTR on": f"{device} in {str(dtype).removeprefix('torch.')}",
        "loftr_ros": __version__,
        "Python": platform.python_version(),
        "torch": torch.__version__,
        "OpenCV": cv2.__version__,
        "NumPy": version("numpy"),
    }


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()


def _header(report: SetReport) -> list[str]:
    row = report.rows[0]
    errors = [f"{name}{report.unit}" for name in row.errors]
    areas = [f"AUC@{threshold}" for threshold in row.auc]
    return ["method", "matches", "inliers", "extract ms", "match ms", "pose ms", *errors, *areas, "failures"]


def _cells(row: Row) -> list[str]:
    counts = [f"{value:.0f}" for value in (row.matches, row.inliers, row.extract_ms, row.match_ms)]
    errors = [f"{value:.3f}" if math.isfinite(value) else "-" for value in row.errors.values()]
    areas = [f"{value:.1f}" for value in row.auc.values()]
    return [row.name, *counts, f"{row.pose_ms:.1f}", *errors, *areas, str(row.failures)]


def _without_infinity(value: Any) -> Any:
    """Replace what JSON has no number for by null."""
    if isinstance(value, dict):
        return {key: _without_infinity(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_infinity(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
