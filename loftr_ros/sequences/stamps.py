"""Times in text: read exactly, as a float64 of seconds loses nanoseconds."""

from __future__ import annotations

import itertools
from decimal import Decimal, InvalidOperation
from pathlib import Path
from statistics import median

from loftr_ros.errors import shortened
from loftr_ros.odometry.trajectory import MAX_SECONDS, why_no_stamp
from loftr_ros.sequences.errors import SequenceError

# Odometry needs overlapping images: a longer median step means that the stamps are not in seconds.
MAX_STEP_NS = 10 * 10**9


def seconds_to_ns(text: str) -> int | None:
    """Nanoseconds of a number of seconds such as "1305031453.359684" or "1.04e-01"; None if it is no stamp."""
    try:
        value = Decimal(text)
    except InvalidOperation:
        return None
    return round(value * 10**9) if value.is_finite() and value.copy_abs() < MAX_SECONDS else None


def read_rows(path: Path, separator: str | None = None) -> list[list[str]]:
    """Split the lines of a text file at spaces or a separator, without comments and empty lines.

    Raises:
        SequenceError: the file cannot be read.
    """
    try:
        lines = path.read_text().splitlines()
    except OSError as error:
        raise SequenceError(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise SequenceError(f"{path} cannot be read: it is no text in {error.encoding}.") from error
    rows = [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
    return [[word.strip() for word in row.split(separator)] for row in rows]


def read_stamps(rows: list[list[str]], path: Path) -> list[int]:
    """Return the stamps, nanoseconds, in the first column of the rows of `path`, which has seconds.

    Raises:
        SequenceError: a stamp is no number of seconds, or they are too far apart to be in seconds.
    """
    stamps = [_read_stamp(row[0], path) for row in rows]
    steps = [after - before for before, after in itertools.pairwise(stamps)]
    if steps and median(steps) > MAX_STEP_NS:
        raise SequenceError(
            f"{path} has stamps that are {median(steps) / 1e9:.6g} apart (median): stamps are in seconds, and these "
            "look like milliseconds or less."
        )
    return stamps


def _read_stamp(text: str, path: Path) -> int:
    stamp = seconds_to_ns(text)
    if stamp is not None:
        return stamp
    try:
        reason = why_no_stamp(float(text))
    except ValueError:
        reason = ""
    expected = f": {reason}." if reason else " where a stamp in seconds is expected."
    raise SequenceError(f"{path} has '{shortened(text, 40)}'{expected}")
