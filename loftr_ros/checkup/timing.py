"""Rate, jitter and gaps of a stream of stamps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from loftr_ros.checkup.findings import Finding, judged

# Intervals longer than this, in medians, are gaps: at least one image is missing.
_GAP = 1.5
# A few missing images cost nothing, as frames are matched against a keyframe; a hole or many of them cost overlap.
_LONG_GAP, _MANY_GAPS = 3.5, 0.05  # medians, share of the intervals
# Of the median interval, for nine of ten intervals. Stamps of arrival vary by more, those of exposure by far less.
_JITTER = 0.3
# Median intervals beyond those of any camera in motion: every fifth image of a car at 10 Hz is 0.5 s apart.
_SLOW_S, _FAST_S = 1.0, 0.001


@dataclass(frozen=True)
class Intervals:
    """Figures of the intervals between successive stamps, seconds.

    Attributes:
        count: how many there are, at least one.
        median: of all.
        jitter: what nine of ten intervals without gaps differ from the median by, at most.
        gaps: how many are longer than 1.5 medians.
        largest: the longest interval.
        largest_after: index of the stamp that it begins at.
    """

    count: int
    median: float
    jitter: float
    gaps: int
    largest: float
    largest_after: int

    @staticmethod
    def of(stamps_ns: Sequence[int]) -> Intervals | None:
        """Measure increasing stamps in integer nanoseconds; None for fewer than two."""
        steps = np.diff(np.array(stamps_ns, np.int64)).astype(np.float64) * 1e-9
        if not steps.size:
            return None
        median = float(np.median(steps))
        regular = steps[steps <= _GAP * median]
        jitter = float(np.percentile(np.abs(regular - median), 90))
        largest = int(steps.argmax())
        return Intervals(steps.size, median, jitter, steps.size - regular.size, float(steps[largest]), largest)


def timing_findings(subject: str, stamps_ns: Sequence[int], name_of: Callable[[int], str]) -> list[Finding]:
    """Judge increasing stamps, nanoseconds; `name_of` names the image of an index."""
    intervals = Intervals.of(stamps_ns)
    if intervals is None:
        return []
    return [_rate(subject, intervals), _gaps(subject, intervals, name_of)]


def _rate(subject: str, intervals: Intervals) -> Finding:
    median, jitter = intervals.median, intervals.jitter
    advice = ""
    if not _FAST_S <= median <= _SLOW_S:
        advice = (
            f"images are {median:.3g} s apart: check the unit of the stamps, or the frame rate if it was given; a "
            "moving camera needs overlap from image to image"
        )
    elif jitter > _JITTER * median:
        advice = (
            "the intervals vary too much for a camera: velocities suffer; stamp images when they are exposed, not when "
            "they arrive"
        )
    return judged(
        subject,
        "rate",
        f"{1 / median:.4g} Hz, jitter {1e3 * jitter:.3g} ms ({100 * jitter / median:.0f} %)",
        advice,
        rate_hz=1 / median,
        jitter_ms=1e3 * jitter,
    )


def _gaps(subject: str, intervals: Intervals, name_of: Callable[[int], str]) -> Finding:
    median, largest, gaps = intervals.median, intervals.largest, intervals.gaps
    where = f" after {name_of(intervals.largest_after)}" if gaps else ""
    figure = f"{gaps or 'none'} of {intervals.count} intervals, the longest {largest:.3g} s{where}"
    advice = ""
    if largest > _LONG_GAP * median:
        advice = "images are missing there, or the recording paused: the camera may have moved out of view meanwhile"
    elif gaps > _MANY_GAPS * intervals.count and gaps > 1:
        advice = "images are missing again and again: look for drops in the driver, the network or the recorder"
    return judged(subject, "gaps", figure, advice, gaps=gaps, intervals=intervals.count, largest_s=largest)
