"""The folder that results are written to."""

from __future__ import annotations

from pathlib import Path

from loftr_ros.errors import LoftrRosError


class OutputError(LoftrRosError):
    """A folder that cannot be written to."""


def make_folder(path: Path) -> None:
    """Make a folder and those above it. Raises OutputError."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"The output folder {path} cannot be made: {error.strerror}.") from error
