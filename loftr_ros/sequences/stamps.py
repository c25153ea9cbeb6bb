"""Times in text: read exactly, as a float64 of seconds loses nanoseconds."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from pathlib import Path

from loftr_ros.sequences.errors import SequenceError


def seconds_to_ns(text: str) -> int | None:
    """Nanoseconds of a number of seconds such as "1305031453.359684" or "1.04e-01"; None if it is no number."""
    try:
        value = Decimal(text)
    except InvalidOperation:
        return None
    return round(value * 10**9) if value.is_finite() else None


def read_rows(path: Path, separator: str | None = None) -> list[list[str]]:
    """Split the lines of a text file at spaces or a separator, without comments and empty lines.

    Raises:
        SequenceError: the file cannot be read.
    """
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SequenceError(f"{path} cannot be read: {error}.") from error
    rows = [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
    return [[word.strip() for word in row.split(separator)] for row in rows]


def read_stamp(row: list[str], path: Path) -> int:
    """Return the stamp in the first column of a row of `path`. Raises SequenceError."""
    stamp = seconds_to_ns(row[0])
    if stamp is None:
        raise SequenceError(f"{path} has '{row[0]}' where a stamp in seconds is expected.")
    return stamp
