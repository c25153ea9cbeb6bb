"""Parses stamps in text files, with decimal arithmetic: float64 seconds lose nanoseconds."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from pathlib import Path
from statistics import median

from loftr_ros.errors import shortened
from loftr_ros.evaluation.trajectory import MAX_SECONDS, why_no_stamp
from loftr_ros.sequences.errors import SequenceError
from loftr_ros.validation import refuse_pipe

# Odometry needs overlapping images, so a longer median interval shows that the stamps are not in seconds.
MAX_STEP_NS = 10 * 10**9
MIN_STEP_NS = 10**5  # frame interval of the fastest cameras
MAX_FPS = 1e9  # of which stamps in nanoseconds are distinct
MAX_DIGITS = 19  # of a stamp in nanoseconds; int() rejects thousands of digits
LEAST_STEP_NS = 10**6  # frame interval below which the user is asked
_DECIMAL = re.compile(r"([0-9]+)(?:\.([0-9]+))?")
_FRACTION_DIGITS = (3, 6, 9)  # milliseconds, microseconds, nanoseconds
DIGITS_OF_UNIT = {"seconds": 0, "milliseconds": 3, "microseconds": 6, "nanoseconds": 9}


def seconds_to_ns(text: str) -> int | None:
    """Convert seconds such as "1305031453.359684" or "1.04e-01" to nanoseconds; None if the text is no stamp."""
    try:
        value = Decimal(text)
    except InvalidOperation:
        return None
    return round(value * 10**9) if value.is_finite() and value.copy_abs() < MAX_SECONDS else None


def stamps_at(numbers: Iterable[int], fps: float, origin: Path) -> list[int]:
    """Return the stamps of frame numbers at a frame rate, nanoseconds.

    Args:
        numbers: of the frames.
        fps: frames per second.
        origin: file or folder of the frames, for messages.

    Raises:
        SequenceError: they are later than stamps can be, or the rate has no distinct ones.
    """
    frames = list(numbers)
    last = max(map(abs, frames), default=0)
    if not (0 < fps <= MAX_FPS and last < MAX_SECONDS * fps):
        raise SequenceError(
            f"{origin}: frame {last} at {fps:g} frames per second has no stamp: number the frames from 0, and set "
            "--fps to the frame rate."
        )
    return [round(number * 1e9 / fps) for number in frames]


def since_1970(values: list[Decimal]) -> tuple[list[int], str] | None:
    """Detect the unit of UNIX time stamps from their magnitude, for times from 2001 to 2038.

    Returns:
        Stamps in nanoseconds and the unit; None if magnitude or median interval fit no unit.
    """
    for unit, digits in DIGITS_OF_UNIT.items():
        if all(v.is_finite() and 10 ** (9 + digits) <= v < MAX_SECONDS * 10**digits for v in values):
            stamps = [round(value * 10 ** (9 - digits)) for value in values]
            steps = [after - before for before, after in itertools.pairwise(sorted(stamps))]
            return (stamps, unit) if not steps or MIN_STEP_NS <= median(steps) <= MAX_STEP_NS else None
    return None


def with_leading_zeros(words: list[str]) -> list[int] | None:
    """Parse 1403715274.28142976 as 28 ms, which `%d.%d` writes so, if that makes the intervals more regular.

    Returns:
        Stamps in nanoseconds; None if the fractions are complete, or no fractions at all.
    """
    parts = [match.groups(default="0") for match in map(_DECIMAL.fullmatch, words) if match]
    digits = max((len(fraction) for _, fraction in parts), default=0)
    if len(parts) < len(words) or digits not in _FRACTION_DIGITS:
        return None
    if all(len(fraction) == digits for _, fraction in parts) or any(int(whole) >= MAX_SECONDS for whole, _ in parts):
        return None
    stamps = [int(seconds) * 10**9 + int(fraction) * 10 ** (9 - digits) for seconds, fraction in parts]
    return stamps if _irregularity(stamps) < _irregularity([round(Decimal(word) * 10**9) for word in words]) else None


def _irregularity(stamps: list[int]) -> float:
    """Return the mean absolute deviation of the intervals from their median, relative to it."""
    steps = [after - before for before, after in itertools.pairwise(sorted(stamps))]
    middle = median(steps) if steps else 0
    return sum(abs(step - middle) for step in steps) / (len(steps) * middle) if middle else float("inf")


def read_text(path: Path) -> str:
    """Read a text file in UTF-8, without a byte order mark. Raises SequenceError."""
    try:
        refuse_pipe(path)
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise SequenceError(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise SequenceError(f"{path} cannot be read: it is no text in {error.encoding}.") from error


def read_table(path: Path, separator: str | None = None) -> list[list[str]]:
    """Read rows as `read_rows` does, without a header row. Raises SequenceError."""
    rows = read_rows(path, separator)
    return rows[1:] if rows and _is_header(rows[0]) else rows


def _is_header(row: list[str]) -> bool:
    """Return whether a row is a header such as `timestamp filename`, without #."""
    return not any(character.isdigit() for word in row for character in word) and row[0][:1].isalpha()


def read_rows(path: Path, separator: str | None = None) -> list[list[str]]:
    """Read the rows of a text file, split at spaces and commas or at a separator; skip comments and empty lines.

    Raises:
        SequenceError: the file cannot be read.
    """
    lines = read_text(path).splitlines()
    if separator is None:
        lines = [line.replace(",", " ") for line in lines]
    rows = [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
    return [[word.strip() for word in row.split(separator)] for row in rows]


def read_stamps(rows: list[list[str]], path: Path) -> tuple[list[int], tuple[str, ...]]:
    """Return the stamps in the first column of the rows of `path`, nanoseconds, and notes on their unit.

    Raises:
        SequenceError: a stamp is no number of seconds, or the median interval is too long for seconds.
    """
    words = [row[0] for row in rows]
    try:
        found = since_1970([Decimal(word) for word in words])
    except InvalidOperation:
        found = None
    if found and found[1] != "seconds":
        return found[0], (f"{path.name} has stamps in {found[1]}",)
    if padded := with_leading_zeros(words):
        return padded, (f"{path.name} has stamps in seconds and their fraction without leading zeros",)
    stamps = [_read_stamp(word, path) for word in words]
    steps = [after - before for before, after in itertools.pairwise(stamps)]
    if steps and median(steps) > MAX_STEP_NS:
        raise SequenceError(
            f"{path} has stamps that are {median(steps) / 1e9:.6g} apart (median): stamps are in seconds, and these "
            "look like milliseconds or less."
        )
    return stamps, _step_notes(path, stamps)


def _step_notes(path: Path, stamps: list[int]) -> tuple[str, ...]:
    """Return a note on stamps that look like frame numbers, or on an implausible rate."""
    steps = [after - before for before, after in itertools.pairwise(stamps)]
    if len(steps) > 1 and set(steps) == {10**9}:
        return (f"{path.name} has stamps of whole seconds, 1 s apart: if they are frame numbers, velocities are wrong",)
    if steps and 0 < median(steps) < LEAST_STEP_NS:
        rate = 1e9 / median(steps)
        return (f"{path.name} has stamps of {rate:.4g} frames per second: if they are not in seconds, convert them",)
    return ()


def read_nanoseconds(words: list[str], path: Path, rows: str) -> tuple[list[int], tuple[str, ...]]:
    """Return stamps that are expected in nanoseconds, and notes if they have another unit.

    Args:
        words: the stamps.
        path: of their file, for messages.
        rows: what it must list.

    Raises:
        SequenceError: a stamp is no number, or the median interval is too short for nanoseconds.
    """
    try:
        values = [Decimal(word) for word in words]
    except InvalidOperation:
        values = []
    found = since_1970(values) if values else None
    if found:
        return found[0], () if found[1] == "nanoseconds" else (f"{path.parent.name}/{path.name} has {found[1]}",)
    for word in words:
        if not word.isdecimal():
            raise SequenceError(f"{path} must list {rows}: '{shortened(word, 40)}' is no stamp.")
        if len(word) > MAX_DIGITS or int(word) >= MAX_SECONDS * 10**9:
            raise SequenceError(f"{path} must list {rows}: {shortened(word, 40)} is too large for nanoseconds.")
    stamps = [int(word) for word in words]
    steps = [after - before for before, after in itertools.pairwise(sorted(stamps))]
    if steps and 0 < median(steps) < MIN_STEP_NS:
        raise SequenceError(
            f"{path} has stamps that are {median(steps):g} apart (median): stamps are in nanoseconds, and these look "
            "like microseconds or more."
        )
    return stamps, ()


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
