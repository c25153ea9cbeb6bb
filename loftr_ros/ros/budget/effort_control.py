"""Sets the effort of the matcher: what the parameters allow, target_rate leaves time for, and memory holds."""

from __future__ import annotations

from typing import Protocol

from loftr_ros.loftr.runtime.budget import ComputeBudget
from loftr_ros.odometry.estimate import OdometryEstimate
from loftr_ros.odometry.states import TrackingState
from loftr_ros.ros.budget.rate_control import RateControl
from loftr_ros.ros.parameters.table import VoParameters, compute_budget


class Adjustable(Protocol):
    """What works with an effort that may be set at any time."""

    budget: ComputeBudget


class BudgetController:
    """The worker sets and learns; any thread may ask for what the diagnostics show."""

    def __init__(self, matcher: Adjustable, parameters: VoParameters) -> None:
        """Start with all that the parameters allow."""
        self._matcher = matcher
        self._reason: str | None = None
        self._allow(parameters)

    def reconfigure(self, parameters: VoParameters) -> None:
        """Go by changed parameters; if these did not change, what was learned stays."""
        if _wishes(parameters) != self._wishes:
            self._allow(parameters)

    def set_for(self, pixels: int) -> bool:
        """Set the effort for the next frame, whose images have so many pixels; tells if the network sees fewer or more.

        The keyframe then has to be seen anew: LoFTR does not see that half as large is the same.
        """
        before, self._matcher.budget = self._matcher.budget, self._rate.effort(pixels)
        return min(before.max_pixels, pixels) != min(self._matcher.budget.max_pixels, pixels)

    def learn(self, estimate: OdometryEstimate, seconds: float) -> None:
        """Take how long a frame took in all. A lost camera is looked for, and without matches nothing was done."""
        if estimate.state is not TrackingState.LOST and estimate.num_matches:
            self._rate.frame_took(seconds)

    def back_off(self, reason: str) -> None:
        """Take what the matcher left of its effort when it ran out of memory as the limit, until parameters change.

        The odometry has to start anew, because its keyframe is too large.
        """
        self._reason = reason
        self._rate = RateControl(self._matcher.budget, self._target_rate)

    def problem(self) -> str | None:
        """Say in one sentence why frames are not worked on as the parameters say, or None."""
        return self._reason or self._rate.problem()

    def values(self) -> dict[str, str]:
        """Return names and values for the diagnostics."""
        effort = self._matcher.budget
        return {
            "target rate (Hz)": f"{self._target_rate:g}" if self._target_rate else "none",
            "effort (pixels)": f"at most {effort.max_pixels}",
            "effort (matches)": f"at most {effort.max_matches}" if effort.max_matches else "all",
        }

    def _allow(self, parameters: VoParameters) -> None:
        self._wishes = _wishes(parameters)
        limit, self._target_rate = self._wishes
        self._rate = RateControl(limit, self._target_rate)
        self._reason = None


def _wishes(parameters: VoParameters) -> tuple[ComputeBudget, float]:
    return compute_budget(parameters), parameters.target_rate
