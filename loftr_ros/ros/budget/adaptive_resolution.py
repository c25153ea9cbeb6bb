"""Adaptive resolution: reduces the compute budget of a frame in levels to reach a target rate. Imports no ROS.

As in dynamic resolution scaling of renderers (Unity's HDDynamicResolution, Filament's FrameRateOptions), the level
follows the mean time of the last frames, and goes up more reluctantly than down. The cost of the next level up is not
known, so going up is a trial: after each trial that fails, the next one waits twice as long, as in the adaptive auto
rate fallback of Wi-Fi (Lacage, Manshaei, Turletti: IEEE 802.11 rate adaptation, 2004).
"""

from __future__ import annotations

from collections import deque

from loftr_ros.loftr.runtime.budget import ComputeBudget

# Share of the pixels and of the matches in each level, about 0.7 of the level above.
_LEVELS = (1.0, 0.7, 0.5, 0.35, 0.25)
_LOWEST = len(_LEVELS) - 1
_PIXELS_OF_A_CELL = 8 * 8  # which has one match at most
# Fewer matches cost accuracy and save no more time.
_MIN_MATCHES = 300
_WINDOW = 10  # frames of the mean time
_LATE_AFTER = 4  # frames whose mean is too slow
_FIRST_WAIT, _LONGEST_WAIT = 30, 480  # frames with time to spare before a trial
_HEADROOM = 0.85  # largest share of the frame interval that a trial may be expected to take


class AdaptiveResolution:
    """Holds the level of the compute budget; level 0 is the limit."""

    def __init__(self, limit: ComputeBudget, target_rate: float) -> None:
        """Start at the limit.

        Args:
            limit: the largest budget.
            target_rate: Hz; 0 stays at the limit.
        """
        self._limit = limit
        self._target_rate = target_rate
        self._budgets: tuple[ComputeBudget, ...] = (limit,)
        self._level = 0
        self._times: deque[float] = deque(maxlen=_WINDOW)
        self._wait = _FIRST_WAIT
        self._on_trial = False
        self._set_level(0)

    def budget(self, pixels: int) -> ComputeBudget:
        """Return the compute budget of the next frame, whose images have this number of pixels."""
        self._budgets = _budgets(self._limit, pixels)
        return self._budgets[self._level]

    def frame_took(self, seconds: float) -> None:
        """Report the time of a frame that was matched with this budget, and change the level if needed."""
        self._frames += 1
        # The first frame of a level is matched with a keyframe of another, and in memory of another layout.
        if not self._target_rate or self._frames == 1:
            return
        self._times.append(seconds)
        self._mean = _mean_without_largest(self._times)
        waited = self._frames > self._wait
        if self._on_trial and waited:
            self._on_trial, self._wait = False, _FIRST_WAIT
        if self._is_late:
            self._lower()
        elif waited and self._level and self._expected(self._level - 1) * self._target_rate <= _HEADROOM:
            self._on_trial = True
            self._set_level(self._level - 1)

    def warning(self) -> str | None:
        """Return that the target rate is not reached at the lowest level, in one sentence, or None."""
        if self._level < _LOWEST or not self._is_late:
            return None
        lowest, milliseconds = self._budgets[-1], 1e3 * self._mean
        return (
            f"target_rate is {self._target_rate:g} Hz but a frame takes {milliseconds:.0f} ms with the lowest compute "
            f"budget ({lowest.max_pixels} pixels, {lowest.max_matches} matches): set target_rate or max_pixels lower"
        )

    @property
    def _is_late(self) -> bool:
        return len(self._times) >= _LATE_AFTER and self._mean * self._target_rate > 1

    def _lower(self) -> None:
        """Go down as many levels as needed at once; if that ends a trial, the next one waits longer."""
        if self._level == _LOWEST:
            return
        if self._on_trial:
            self._on_trial, self._wait = False, min(2 * self._wait, _LONGEST_WAIT)
        lower = range(self._level + 1, _LOWEST)
        self._set_level(next((level for level in lower if self._expected(level) * self._target_rate <= 1), _LOWEST))

    def _expected(self, level: int) -> float:
        """Return the seconds of a frame at another level, if time is proportional to pixels."""
        return self._mean * _LEVELS[level] / _LEVELS[self._level]

    def _set_level(self, level: int) -> None:
        """Change the level, and forget the times of the one before."""
        self._level = level
        self._frames = 0
        self._times.clear()
        self._mean = 0.0


def _budgets(limit: ComputeBudget, pixels: int) -> tuple[ComputeBudget, ...]:
    """Return the budgets of all levels, from the limit down, for images of this number of pixels."""
    seen = min(limit.max_pixels, pixels)
    return (limit, *(_reduced(limit, round(share * seen), share) for share in _LEVELS[1:]))


def _reduced(limit: ComputeBudget, pixels: int, share: float) -> ComputeBudget:
    """Return a budget of these pixels, and of this share of the matches that are allowed or possible."""
    allowed = limit.max_matches or pixels // _PIXELS_OF_A_CELL
    return ComputeBudget(pixels, max(round(share * allowed), min(allowed, _MIN_MATCHES)))


def _mean_without_largest(times: deque[float]) -> float:
    """Return the mean without one outlier, a hiccup of the machine; keyframes take longer but are more frequent."""
    return (sum(times) - max(times)) / (len(times) - 1) if len(times) > 1 else times[0]
