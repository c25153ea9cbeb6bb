"""The error that all disparities of a stereo rig have in common, learned while driving.

A rectification that is a fifth of a pixel off, which is usual, makes every point too near or too far by the same
inverse depth. That lengthens or shortens all motion, by a few per cent where the scene is far away. Near and far points
then disagree about the motion of the camera, which tells the offset.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

# One frame tells the offset this well, as a share of what was known at the start: disparities of one scene err alike.
_OF_ONE_FRAME = 1 / 3
# How far it wanders from frame to frame, likewise: a rig changes with temperature only.
_DRIFT = 1 / 150


@dataclass(frozen=True)
class DisparityBias:
    """What is known of it (a Kalman filter of one state).

    Attributes:
        initial_sigma: standard deviation before anything was seen, as inverse depth, 1/m; 0: there is no offset.
        value: by how much the inverse depth that the rig measures must grow.
        sigma: standard deviation of `value`.
    """

    initial_sigma: float
    value: float
    sigma: float

    @staticmethod
    def unknown(sigma: float) -> DisparityBias:
        """Start from what a calibration usually leaves: `sigma` as inverse depth, 1/m."""
        return DisparityBias(sigma, 0.0, sigma)

    def updated(self, measured: float) -> DisparityBias:
        """Take what one more frame says the offset is."""
        if self.initial_sigma == 0:
            return self
        variance = self.sigma**2 + (_DRIFT * self.initial_sigma) ** 2
        gain = variance / (variance + (_OF_ONE_FRAME * self.initial_sigma) ** 2)
        return replace(
            self, value=self.value + gain * (measured - self.value), sigma=float(((1.0 - gain) * variance) ** 0.5)
        )


NO_BIAS = DisparityBias.unknown(0.0)
