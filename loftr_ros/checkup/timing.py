"""Findings on rate, jitter and gaps of stamps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from loftr_ros.checkup.findings import Finding, judged

# Interval above which at least one image is missing, in medians.
_GAP_MEDIANS = 1.5
# Longest gap, in medians, and share of gaps above which to warn. Frames are matched against a keyframe, so single
# missing images do not matter; long or frequent gaps reduce the overlap.
_MAX_GAP_MEDIANS, _MAX_GAP_SHARE = 3.5, 0.05
# Jitter above which to warn, relative to the median interval: arrival times have more, exposure times far less.
_MAX_JITTER = 0.3
# Range of plausible median intervals, seconds: every fifth image of a car at 10 Hz is 0.5 s apart.
_MIN_INTERVAL_S, _MAX_INTERVAL_S = 0.001, 1.0


@dataclass(frozen=True)
class Intervals:
    """Statistics of the intervals between successive stamps, seconds.

    Attributes:
        count: number of intervals, at least one.
        median: median interval.
        jitter: 90 % quantile of the absolute deviation from the median, without gaps.
        gaps: number of intervals longer than 1.5 medians.
        largest: longest interval.
        largest_after: index of the stamp at its start.
    """

    count: int
    median: float
    jitter: float
    gaps: int
    largest: float
    largest_after: int

    @staticmethod
    def of(stamps_ns: Sequence[int]) -> Intervals | None:
        """Return the statistics of increasing stamps, integer nanoseconds; None for fewer than two."""
        steps = np.diff(np.array(stamps_ns, np.int64)).astype(np.float64) * 1e-9
        if not steps.size:
            return None
        median = float(np.median(steps))
        regular = steps[steps <= _GAP_MEDIANS * median]
        jitter = float(np.percentile(np.abs(regular - median), 90))
        largest = int(steps.argmax())
        return Intervals(steps.size, median, jitter, steps.size - regular.size, float(steps[largest]), largest)


def timing_findings(subject: str, stamps_ns: Sequence[int], name_of: Callable[[int], str]) -> list[Finding]:
    """Return the findings on increasing stamps.

    Args:
        subject: of the findings.
        stamps_ns: increasing, nanoseconds.
        name_of: returns the name of the image at an index.
    """
    intervals = Intervals.of(stamps_ns)
    if intervals is None:
        return []
    return [_rate(subject, intervals), _gaps(subject, intervals, name_of)]


def _rate(subject: str, intervals: Intervals) -> Finding:
    median, jitter = intervals.median, intervals.jitter
    advice = ""
    if not _MIN_INTERVAL_S <= median <= _MAX_INTERVAL_S:
        advice = (
            f"images are {median:.3g} s apart: check the unit of the stamps, or the frame rate if it was given; a "
            "moving camera needs overlap from image to image"
        )
    elif jitter > _MAX_JITTER * median:
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
    if largest > _MAX_GAP_MEDIANS * median:
        advice = "images are missing there, or the recording paused: the camera may have moved out of view meanwhile"
    elif gaps > _MAX_GAP_SHARE * intervals.count and gaps > 1:
        advice = "images are missing again and again: look for drops in the driver, the network or the recorder"
    return judged(subject, "gaps", figure, advice, gaps=gaps, intervals=intervals.count, largest_s=largest)
