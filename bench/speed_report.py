"""The tables of one image size on one device: speed against a reference, and the roofline."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from report import decimal
from roofline import Rates
from runners import REFERENCE
from timing import Timing

_SAME_PX = 4.0  # two matches of one cell are the same if their points in the other image are closer than this
_SAME_WEIGHTS = ("published", "published-float32", "kornia-autocast")  # same weights as the reference


@dataclass(frozen=True)
class Result:
    """Result of one method: its timing, or the reason why there is none."""

    title: str
    timing: Timing | None
    error: str = ""


@dataclass(frozen=True)
class SpeedReport:
    """Speed and memory of all methods, by name, at one size and device."""

    title: str
    results: Mapping[str, Result]

    @property
    def heading(self) -> str:
        """Size and device."""
        return self.title

    @property
    def header(self) -> list[str]:
        """Names of the columns."""
        speed = ["dtype", "ms", "p95", "frames/s", f"x {REFERENCE}"]
        return ["method", *speed, "peak MiB", f"% of {REFERENCE}", "matches", "same %", "distance px", "runs"]

    @property
    def cells(self) -> list[list[str]]:
        """One row per method."""
        return [self._row(name, result) for name, result in self.results.items()]

    def _row(self, name: str, result: Result) -> list[str]:
        timing = result.timing
        if timing is None:
            outcome = "not installed" if "is not installed" in result.error else "failed"
            return [result.title, outcome, *["-"] * (len(self.header) - 2)]
        median, tail = np.percentile(timing.frames_ms, [50, 95])
        reference = self.results[REFERENCE].timing if REFERENCE in self.results else None
        ratio, memory = float("nan"), float("nan")
        same, distance = float("nan"), float("nan")
        if reference is not None:
            ratio, memory = float(np.median(reference.frames_ms)) / median, 100 * timing.peak_mib / reference.peak_mib
            if name in _SAME_WEIGHTS:
                same, distance = sameness(timing, reference)
        return [
            result.title,
            timing.dtype,
            f"{median:.1f}",
            f"{tail:.1f}",
            f"{1e3 / np.mean(timing.frames_ms):.1f}",
            decimal(ratio, 1),
            f"{timing.peak_mib:.0f}",
            decimal(memory, 0),
            str(len(timing.matches)),
            decimal(same, 1),
            decimal(distance, 3),
            str(len(timing.frames_ms)),
        ]


@dataclass(frozen=True)
class RooflineReport:
    """Operations and traffic of the networks, and their lower bounds at the peak rates of the device."""

    title: str
    results: Mapping[str, Result]
    rates: Rates

    @property
    def heading(self) -> str:
        """Size and device."""
        return f"{self.title}, roofline"

    @property
    def header(self) -> list[str]:
        """Names of the columns."""
        return [
            "method",
            "dtype",
            "measured ms",
            "GFLOP",
            "compute bound ms",
            "GB",
            "memory bound ms",
        ]

    @property
    def cells(self) -> list[list[str]]:
        """One row per measured network."""
        timings = ((result.title, result.timing) for result in self.results.values())
        return [self._row(title, timing) for title, timing in timings if timing is not None and timing.work.flop]

    def _row(self, title: str, timing: Timing) -> list[str]:
        flop, moved = timing.work.flop, timing.work.bytes
        products_ms = 1e3 * flop / self.rates.flop[timing.dtype]
        return [
            title,
            timing.dtype,
            f"{np.median(timing.frames_ms):.1f}",
            f"{flop / 1e9:.1f}",
            f"{products_ms:.1f}",
            f"{moved / 1e9:.2f}",
            f"{1e3 * moved / self.rates.bytes:.1f}",
        ]


def sameness(timing: Timing, reference: Timing) -> tuple[float, float]:
    """Return the share of common matches in the union, percent, and their median distance, pixels."""
    ours, theirs = (
        {tuple(np.round(row[:2], 1)): np.array(row[2:]) for row in one.matches} for one in (timing, reference)
    )
    distances = [float(np.abs(ours[place] - theirs[place]).max()) for place in ours.keys() & theirs.keys()]
    same = [distance for distance in distances if distance < _SAME_PX]
    share = 100 * len(same) / max(len(ours.keys() | theirs.keys()), 1)
    return share, float(np.median(same)) if same else float("nan")
