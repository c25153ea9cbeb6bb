"""Report of a benchmark: tables on the terminal, in Markdown pages, and as JSON."""

from __future__ import annotations

import json
import math
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

import cv2
import torch
from data import BenchError
from rich.table import Table

from loftr_ros import __version__


class TableReport(Protocol):
    """One table: a dataclass whose fields go into the JSON, with a heading, a header and cells."""

    @property
    def heading(self) -> str:
        """Title of the table."""
        ...

    @property
    def header(self) -> list[str]:
        """Names of the columns; the first column holds names, the others figures."""
        ...

    @property
    def cells(self) -> list[list[str]]:
        """The rows."""
        ...


@dataclass(frozen=True)
class Report:
    """Results of a benchmark, with command line and machine.

    Attributes:
        program: file of the benchmark in bench/.
        command: command line.
        machine: hardware and versions, see `machine`.
        tables: the results.
        notes: remarks before the tables.
    """

    program: str
    command: str
    machine: dict[str, Any]
    tables: Sequence[TableReport]
    notes: Sequence[str] = ()

    def write(self, path: Path) -> None:
        """Write JSON, or replace the tables between the two markers of a Markdown file, which is created if missing.

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
        begin_marker, end_marker = markers(self.program)
        block = f"{begin_marker}\n\n{self.markdown()}\n{end_marker}"
        if not path.exists():
            return f"{block}\n"
        before, begin, rest = path.read_text().partition(begin_marker)
        _, end, after = rest.partition(end_marker)
        if not (begin and end):
            raise BenchError(
                f"{path} has no place for the tables: put the lines '{begin_marker}' and '{end_marker}' into it."
            )
        return f"{before}{block}{after}"

    def markdown(self) -> str:
        """Return the tables below the command line and the machine."""
        machine = "; ".join(f"{name} {value}" for name, value in self.machine.items())
        parts = [f"`{self.command}`\n\n{machine}.\n", *(f"{note}\n" for note in self.notes)]
        for table in self.tables:
            header = table.header
            rows = [header, ["---"] + ["---:"] * (len(header) - 1), *table.cells]
            lines = "".join(f"| {' | '.join(row)} |\n" for row in rows)
            parts.append(f"### {table.heading}\n\n{lines}")
        return "\n".join(parts)


def markers(program: str) -> tuple[str, str]:
    """Return the lines that enclose the tables of a program in a page."""
    return f"<!-- bench/{program}: begin -->", f"<!-- bench/{program}: end -->"


def rich_table(report: TableReport) -> Table:
    """Return a table for the terminal."""
    first, *others = report.header
    table = Table(title=report.heading, title_justify="left")
    table.add_column(first, no_wrap=True)
    for column in others:
        table.add_column(column, justify="right")
    for row in report.cells:
        table.add_row(*row)
    return table


def machine() -> dict[str, Any]:
    """Return the hardware and the versions that the times depend on."""
    return {
        "CPU": f"{_cpu_model()}, {os.cpu_count()} cores",
        "threads": torch.get_num_threads(),
        "loftr_ros": __version__,
        "Python": platform.python_version(),
        "torch": torch.__version__,
        "OpenCV": cv2.__version__,
        "NumPy": version("numpy"),
    }


def network_machine(device: torch.device, dtype: torch.dtype) -> dict[str, Any]:
    """Return the device and dtype of the network, and `machine`."""
    gpu = {"GPU": torch.cuda.get_device_name(device)} if device.type == "cuda" else {}
    return {**gpu, "LoFTR on": f"{device} in {str(dtype).removeprefix('torch.')}", **machine()}


def decimal(value: float, digits: int) -> str:
    """Format a number; "-" if it is not finite."""
    return f"{value:.{digits}f}" if math.isfinite(value) else "-"


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()


def _without_infinity(value: Any) -> Any:
    """Replace non-finite numbers, which JSON does not have, by null."""
    if isinstance(value, dict):
        return {key: _without_infinity(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_infinity(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
