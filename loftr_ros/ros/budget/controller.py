"""The budget controller: sets the compute budget of the matcher within the limits of parameters, rate and memory."""

from __future__ import annotations

from typing import Protocol

from loftr_ros.loftr.runtime.budget import ComputeBudget
from loftr_ros.odometry.estimate import OdometryEstimate
from loftr_ros.odometry.states import TrackingState
from loftr_ros.ros.budget.adaptive_resolution import AdaptiveResolution
from loftr_ros.ros.parameters.table import VoParameters, compute_budget


class Adjustable(Protocol):
    """A matcher whose compute budget may be set at any time."""

    budget: ComputeBudget


class BudgetController:
    """The worker sets budgets and reports times; any thread may ask for the diagnostics."""

    def __init__(self, matcher: Adjustable, parameters: VoParameters) -> None:
        """Start with the budget of the parameters."""
        self._matcher = matcher
        self._out_of_memory: str | None = None
        self._reset(parameters)

    def reconfigure(self, parameters: VoParameters) -> None:
        """Apply changed parameters; the level is kept if those of the budget did not change."""
        if _limits(parameters) != self._limits:
            self._reset(parameters)

    def set_for(self, pixels: int) -> bool:
        """Set the budget of the next frame; returns whether the network sees another resolution than before.

        If so, the keyframe has to be extracted again: LoFTR does not match images across a change of scale by two.

        Args:
            pixels: of its images.
        """
        before, self._matcher.budget = self._matcher.budget, self._resolution.budget(pixels)
        return min(before.max_pixels, pixels) != min(self._matcher.budget.max_pixels, pixels)

    def frame_took(self, estimate: OdometryEstimate, seconds: float) -> None:
        """Report the time of a frame. A lost frame costs more, and one without matches next to nothing: skip them."""
        if estimate.state is not TrackingState.LOST and estimate.num_matches:
            self._resolution.frame_took(seconds)

    def back_off(self, reason: str) -> None:
        """Limit the budget to what the matcher left after it ran out of memory, until parameters change.

        The odometry has to be reset, because its keyframe is too large.
        """
        self._out_of_memory = reason
        self._resolution = AdaptiveResolution(self._matcher.budget, self._target_rate)

    def warning(self) -> str | None:
        """Return why the budget of the parameters is not used or not enough, in one sentence, or None."""
        return self._out_of_memory or self._resolution.warning()

    def diagnostics(self) -> dict[str, str]:
        """Return names and values for the diagnostics."""
        budget = self._matcher.budget
        return {
            "target rate (Hz)": f"{self._target_rate:g}" if self._target_rate else "none",
            "compute budget (pixels)": f"at most {budget.max_pixels}",
            "compute budget (matches)": f"at most {budget.max_matches}" if budget.max_matches else "all",
        }

    def _reset(self, parameters: VoParameters) -> None:
        self._limits = _limits(parameters)
        limit, self._target_rate = self._limits
        self._resolution = AdaptiveResolution(limit, self._target_rate)
        self._out_of_memory = None


def _limits(parameters: VoParameters) -> tuple[ComputeBudget, float]:
    return compute_budget(parameters), parameters.target_rate
