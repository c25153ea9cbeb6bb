"""The tables of one size of images on one device: how fast, against a reference; and what the machine allows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from entrants import REFERENCE
from floor import Rates
from lap import Lap
from report import decimal

_SAME_PX = 4.0  # matches of one cell that lie closer than this in the other image have found the same cell there
_TWINS = ("published", "published-float32", "kornia-autocast")  # which have the weights of the reference


@dataclass(frozen=True)
class Result:
    """What became of one entrant: a lap, or why there is none."""

    title: str
    lap: Lap | None
    problem: str = ""


@dataclass(frozen=True)
class SpeedReport:
    """Speed and memory of all entrants, by name, on one size and device."""

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
        return ["entrant", *speed, "peak MiB", f"% of {REFERENCE}", "matches", "same %", "apart px", "runs"]

    @property
    def cells(self) -> list[list[str]]:
        """One row an entrant."""
        return [self._row(name, result) for name, result in self.results.items()]

    def _row(self, name: str, result: Result) -> list[str]:
        lap = result.lap
        if lap is None:
            outcome = "not installed" if "is not installed" in result.problem else "failed"
            return [result.title, outcome, *["-"] * (len(self.header) - 2)]
        median, tail = np.percentile(lap.frames_ms, [50, 95])
        reference = self.results[REFERENCE].lap if REFERENCE in self.results else None
        ratio, memory = float("nan"), float("nan")
        same, apart = float("nan"), float("nan")
        if reference is not None:
            ratio, memory = float(np.median(reference.frames_ms)) / median, 100 * lap.peak_mib / reference.peak_mib
            if name in _TWINS:
                same, apart = sameness(lap, reference)
        return [
            result.title,
            lap.dtype,
            f"{median:.1f}",
            f"{tail:.1f}",
            f"{1e3 / np.mean(lap.frames_ms):.1f}",
            decimal(ratio, 1),
            f"{lap.peak_mib:.0f}",
            decimal(memory, 0),
            str(len(lap.matches)),
            decimal(same, 1),
            decimal(apart, 3),
            str(len(lap.frames_ms)),
        ]


@dataclass(frozen=True)
class FloorReport:
    """What the networks have to do, and how long that takes at the rates of the device."""

    title: str
    results: Mapping[str, Result]
    rates: Rates

    @property
    def heading(self) -> str:
        """Size and device."""
        return f"{self.title}, floor"

    @property
    def header(self) -> list[str]:
        """Names of the columns."""
        return [
            "entrant",
            "dtype",
            "measured ms",
            "GFLOP",
            "at the rate of products, ms",
            "GB",
            "at that of a copy, ms",
        ]

    @property
    def cells(self) -> list[list[str]]:
        """One row a network that ran."""
        laps = ((result.title, result.lap) for result in self.results.values())
        return [self._row(title, lap) for title, lap in laps if lap is not None and lap.work.flop]

    def _row(self, title: str, lap: Lap) -> list[str]:
        flop, moved = lap.work.flop, lap.work.bytes
        products_ms = 1e3 * flop / self.rates.flop[lap.dtype]
        return [
            title,
            lap.dtype,
            f"{np.median(lap.frames_ms):.1f}",
            f"{flop / 1e9:.1f}",
            f"{products_ms:.1f}",
            f"{moved / 1e9:.2f}",
            f"{1e3 * moved / self.rates.bytes:.1f}",
        ]


def sameness(lap: Lap, reference: Lap) -> tuple[float, float]:
    """Return the share of the matches of either that both have, per cent, and their median distance, pixels."""
    ours, theirs = ({tuple(np.round(row[:2], 1)): np.array(row[2:]) for row in one.matches} for one in (lap, reference))
    distances = [float(np.abs(ours[place] - theirs[place]).max()) for place in ours.keys() & theirs.keys()]
    same = [distance for distance in distances if distance < _SAME_PX]
    share = 100 * len(same) / max(len(ours.keys() | theirs.keys()), 1)
    return share, float(np.median(same)) if same else float("nan")
