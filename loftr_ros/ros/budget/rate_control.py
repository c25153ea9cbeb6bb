"""Chooses how much work goes into a frame, so that frames come out at a wanted rate. Imports no ROS.

Renderers scale their resolution like this: by the mean time of the last frames, in steps, and with more patience on
the way up than down (Unity's HDDynamicResolution, Filament's FrameRateOptions). What a step up will cost nobody knows,
so it is a trial: if it has to be taken back, the next one waits twice as long, as in the adaptive auto rate fallback by
which Wi-Fi finds its bit rate (Lacage, Manshaei, Turletti: IEEE 802.11 rate adaptation, 2004).
"""

from __future__ import annotations

from collections import deque

from loftr_ros.loftr.runtime.budget import ComputeBudget

# Steps of the ladder, as shares of the pixels and of the matches. Each has 0.7 times the pixels of the one before.
_SHARES = (1.0, 0.7, 0.5, 0.35, 0.25)
_PIXELS_OF_A_CELL = 8 * 8  # which has one match at most
# Fewer matches than this would be felt by the odometry, and no more be saved.
_FEW_MATCHES = 300
_MEAN_OF = 10  # frames
_LATE_AFTER = 4  # frames that are too slow, on the whole
_DEGRADED_TOLERANCE, _LONGEST_PATIENCE = 30, 480  # frames with time to spare before a step up
_HEADROOM = 0.85  # share of the time that the step up is to take, if time is in proportion to pixels


class RateControl:
    """Goes up and down a ladder of efforts, of which the highest is the limit."""

    def __init__(self, limit: ComputeBudget, target_rate: float) -> None:
        """Start with all that is allowed.

        Args:
            limit: never to be exceeded.
            target_rate: Hz; 0 stays at the limit.
        """
        self._limit = limit
        self._target_rate = target_rate
        self._ladder: tuple[ComputeBudget, ...] = (limit,)
        self._level = 0
        self._times: deque[float] = deque(maxlen=_MEAN_OF)
        self._patience = _DEGRADED_TOLERANCE
        self._on_trial = False
        self._rest(0)

    def effort(self, pixels: int) -> ComputeBudget:
        """Return what the next frame may cost, whose images have so many pixels."""
        self._ladder = _ladder(self._limit, pixels)
        return self._ladder[self._level]

    def frame_took(self, seconds: float) -> None:
        """Learn what a frame with that effort took; tell only of frames that were matched, others say nothing."""
        self._frames += 1
        # The first frame of an effort meets a keyframe of another, and memory that is not laid out for it.
        if not self._target_rate or self._frames == 1:
            return
        self._times.append(seconds)
        self._mean = _mean_without_largest(self._times)
        spared = self._frames > self._patience
        if self._on_trial and spared:
            self._on_trial, self._patience = False, _DEGRADED_TOLERANCE
        if self._is_late:
            self._lower()
        elif spared and self._level and self._expected(self._level - 1) * self._target_rate <= _HEADROOM:
            self._on_trial = True
            self._rest(self._level - 1)

    def problem(self) -> str | None:
        """Say in one sentence that the least effort is too much, or None."""
        if self._level + 1 < len(_SHARES) or not self._is_late:
            return None
        least, milliseconds = self._ladder[-1], 1e3 * self._mean
        return (
            f"target_rate is {self._target_rate:g} Hz but a frame takes {milliseconds:.0f} ms with the least effort "
            f"({least.max_pixels} pixels, {least.max_matches} matches): set target_rate or max_pixels lower"
        )

    @property
    def _is_late(self) -> bool:
        return len(self._times) >= _LATE_AFTER and self._mean * self._target_rate > 1

    def _lower(self) -> None:
        """Go down at once as far as seems needed, and remember if that takes back a step up."""
        lowest = len(_SHARES) - 1
        if self._level == lowest:
            return
        if self._on_trial:
            self._on_trial, self._patience = False, min(2 * self._patience, _LONGEST_PATIENCE)
        fits = (level for level in range(self._level + 1, lowest) if self._expected(level) * self._target_rate <= 1)
        self._rest(next(fits, lowest))

    def _expected(self, level: int) -> float:
        """Seconds of a frame with another effort, if time is in proportion to pixels."""
        return self._mean * _SHARES[level] / _SHARES[self._level]

    def _rest(self, level: int) -> None:
        """Stay with an effort until its times are known."""
        self._level = level
        self._frames = 0
        self._times.clear()
        self._mean = 0.0


def _ladder(limit: ComputeBudget, pixels: int) -> tuple[ComputeBudget, ...]:
    """Return efforts from the limit down, for images of so many pixels."""
    whole = min(limit.max_pixels, pixels)
    return (limit, *(_step(limit, round(share * whole), share) for share in _SHARES[1:]))


def _step(limit: ComputeBudget, pixels: int, share: float) -> ComputeBudget:
    """Return an effort of so many pixels, and of this share of the matches that are allowed or possible."""
    allowed = limit.max_matches or pixels // _PIXELS_OF_A_CELL
    return ComputeBudget(pixels, max(round(share * allowed), min(allowed, _FEW_MATCHES)))


def _mean_without_largest(times: deque[float]) -> float:
    """One hiccup of the machine says nothing; keyframes, which take longer, come more often."""
    return (sum(times) - max(times)) / (len(times) - 1) if len(times) > 1 else times[0]
