"""Online estimate of the disparity bias of a stereo rig: the error that all its disparities have in common.

A residual rectification error of a fifth of a pixel is usual, and shifts all inverse depths by the same amount. That
scales all motion by a few percent where the scene is far away. Near and far points then disagree about the motion,
which makes the bias observable.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

# Standard deviation of the measurement of one frame, as a share of the initial one.
# assumed: far above that of independent disparities, because those of one scene are correlated.
_MEASUREMENT_SIGMA = 1 / 3
# Random walk of the bias per frame, likewise.
# assumed: a rig changes with temperature only; in 150^2 frames, 20 minutes, by the initial one.
_WALK_SIGMA = 1 / 150


@dataclass(frozen=True)
class DisparityBias:
    """Kalman filter of one state, the bias, as inverse depth.

    Attributes:
        initial_sigma: standard deviation before any measurement, 1/m; 0: there is no bias.
        value: correction to add to the inverse depths that the rig measures, 1/m.
        sigma: standard deviation of `value`.
    """

    initial_sigma: float
    value: float
    sigma: float

    @staticmethod
    def unknown(sigma: float) -> DisparityBias:
        """Start at zero with the standard deviation that calibration leaves, as inverse depth, 1/m."""
        return DisparityBias(initial_sigma=sigma, value=0.0, sigma=sigma)

    def updated(self, measured: float) -> DisparityBias:
        """Return the filter after the measurement of one more frame, 1/m."""
        if self.initial_sigma == 0:
            return self
        variance = self.sigma**2 + (_WALK_SIGMA * self.initial_sigma) ** 2
        gain = variance / (variance + (_MEASUREMENT_SIGMA * self.initial_sigma) ** 2)
        return replace(
            self, value=self.value + gain * (measured - self.value), sigma=float(((1.0 - gain) * variance) ** 0.5)
        )


NO_BIAS = DisparityBias.unknown(0.0)
