"""Stamps in image file names: UNIX time in any unit, pairs of seconds and nanoseconds, dates."""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal

from loftr_ros.evaluation.trajectory import MAX_SECONDS, why_no_stamp
from loftr_ros.sequences.errors import SequenceError
from loftr_ros.sequences.stamps import seconds_to_ns, since_1970, with_leading_zeros

_DECIMAL = re.compile(r"([0-9]+)(?:\.([0-9]+))?")
# A stamp, perhaps padded with zeros, and perhaps a counter after it.
_LONG = re.compile(r"(?:.*[^0-9.])?0*?([0-9]{10,19}(?:\.[0-9]+)?)(?:[_-][0-9]{1,8})?[^0-9]*")
_PAIR = re.compile(r"(?:.*[^0-9])?([0-9]{10})[_-]([0-9]{1,9})(?:[^0-9].*)?")
_DATE = re.compile(
    r"(?:.*[^0-9])?((?:19[7-9]|20[0-3])[0-9])[-_.]?(0[1-9]|1[0-2])[-_.]?([0-2][0-9]|3[01])[-_.T ]?"
    r"([01][0-9]|2[0-3])[-_.:h]?([0-5][0-9])[-_.:m]?([0-5][0-9])(?:([-_.,]?)([0-9]{1,9}))?(?:[^0-9].*)?"
)
_FRACTION_DIGITS = (3, 6, 9)  # milliseconds, microseconds, nanoseconds


def stamps_in_names(stems: list[str]) -> tuple[list[int], str] | None:
    """Parse the stamps in file names without suffixes.

    Returns:
        Stamps in nanoseconds, one per name, and their notation; None if the names contain no stamps.

    Raises:
        SequenceError: the names are decimal numbers outside the range of stamps in seconds.
    """
    return _from_dates(stems) or _from_pairs(stems) or _from_numbers(stems)


def _from_dates(stems: list[str]) -> tuple[list[int], str] | None:
    """Parse dates such as 2026-01-02_10-00-59.9 and 20260102T100059_123, in UTC."""
    found = [_DATE.fullmatch(stem) for stem in stems]
    dates = [match for match in found if match]
    fractions = {(match[7], len(match[8])) for match in dates if match[8] and match[7] not in (".", ",")}
    # A number after a dash may be an image counter. It is a fraction of a second if all have 3, 6 or 9 digits.
    if len(dates) < len(stems) or len(fractions) > 1 or any(sep and n not in _FRACTION_DIGITS for sep, n in fractions):
        return None
    try:
        seconds = [datetime.strptime("".join(match.groups()[:6]) + "+0000", "%Y%m%d%H%M%S%z") for match in dates]
    except ValueError:  # the 31st of February
        return None
    stamps = [
        int(second.timestamp()) * 10**9 + int((match[8] or "").ljust(9, "0"))
        for second, match in zip(seconds, dates, strict=True)
    ]
    # Seconds do not distinguish the images of a burst or of a video, which have a counter, too.
    return (stamps, "dates") if len(set(stamps)) == len(stamps) else None


def _from_pairs(stems: list[str]) -> tuple[list[int], str] | None:
    """Parse pairs such as 1403715273_262142976, also without leading zeros of the fraction."""
    pairs = [match.groups() for match in map(_PAIR.fullmatch, stems) if match]
    digits = max((len(fraction) for _, fraction in pairs), default=0)
    if len(pairs) < len(stems) or digits not in _FRACTION_DIGITS:
        return None
    if not all(10**9 <= int(seconds) < MAX_SECONDS for seconds, _ in pairs):
        return None
    return [int(a) * 10**9 + int(b) * 10 ** (9 - digits) for a, b in pairs], "seconds and their fraction"


def _from_numbers(stems: list[str]) -> tuple[list[int], str] | None:
    """Parse 1305031453.359684 and integers of 10, 13, 16 or 19 digits."""
    decimals = all(_DECIMAL.fullmatch(stem) for stem in stems) and any("." in stem for stem in stems)
    if decimals and (padded := with_leading_zeros(stems)):
        return padded, "seconds and their fraction without leading zeros"
    words = stems if decimals else [match[1] for match in map(_LONG.fullmatch, stems) if match]
    if len(words) < len(stems) or (not decimals and len(set(words)) < len(words)):
        return None
    if found := since_1970([Decimal(word) for word in words]):
        return found
    if decimals:
        return [_seconds(word) for word in words], "seconds"
    if all(len(word) >= 18 and "." not in word and int(word) < MAX_SECONDS * 10**9 for word in words):
        return [int(word) for word in words], "nanoseconds"
    return None


def _seconds(word: str) -> int:
    stamp = seconds_to_ns(word)
    if stamp is None:
        raise SequenceError(f"The name of the image {word} is no stamp: {why_no_stamp(float(word))}.")
    return stamp
