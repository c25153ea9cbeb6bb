"""Where the right camera of a stereo pair really is, beside where the calibration puts it, from the matches alone.

In rectified axes (x along the baseline, points on z = 1) a match (x, y) - (x', y') of a calibrated pair has y' = y. If
the right camera is turned by small angles (pitch, yaw, roll), displaced towards (1, t_y, t_z) instead of (1, 0, 0), and
its image is larger by the share s, the epipolar constraint gives, whatever the depth,

    y' - y = pitch (1 + y'^2) - yaw x' y' - roll x' + s y' - t_y (x - x') + t_z (x y' - x' y)

It is linear in all six, to first order in the angles and exact in the translation, so that images of another time,
between which the camera moves by several baselines, are fitted as well. Least squares, reweighted (Cauchy).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from loftr_ros.matches import Matches
from loftr_ros.odometry.camera import Camera
from loftr_ros.odometry.rays import homogeneous
from loftr_ros.odometry.stereo_rig import StereoRig

# Unknowns in their order. Those of the first group are all that a calibration gets wrong visibly: yaw and the length of
# the baseline move points along the epipolar lines; what yaw adds across them is also what remains of the lens.
PITCH, ROLL, SCALE, YAW, ALONG_Y, ALONG_Z = range(6)
_CALIBRATION = [PITCH, ROLL, SCALE, YAW]
# Standard deviations of the unknowns beforehand, radians and shares. So wide that they only decide what a flat scene,
# in which some of the unknowns look alike, leaves open.
_PRIOR_SIGMA = np.array([0.05, 0.05, 0.02, 0.02, 1.0, 1.0])
_ITERATIONS = 4
# So many matches are enough.
_ENOUGH = 300
# Residuals beyond this many standard deviations lose their say.
_LOSS_SCALE = 2.0
# Matches are never taken to be more exact than this, pixels: their errors have much in common from cell to cell.
_LEAST_NOISE_PX = 0.2


@dataclass(frozen=True)
class RigFit:
    """A least squares fit.

    Attributes:
        values: (6,) of the unknowns above, radians and shares; 0 where one was not fitted.
        sigmas: (6,) their standard deviations, errors of the matches being independent.
        residuals_px: (N,) distances that remain across the epipolar lines, pixels, signed.
    """

    values: NDArray[np.float64]
    sigmas: NDArray[np.float64]
    residuals_px: NDArray[np.float64]

    @property
    def typical_px(self) -> float:
        """Median of the absolute residuals."""
        return float(np.median(np.abs(self.residuals_px)))

    def share_within(self, threshold_px: float) -> float:
        """Return the share of the matches that the fit explains."""
        return float((np.abs(self.residuals_px) <= threshold_px).mean())


@dataclass(frozen=True)
class RigDeviation:
    """What the matches of a pair say about the rig, from N of them.

    Attributes:
        disparities_px: (N,) x - x' in rectified axes, pixels.
        miss: (N,) y' - y, on the plane z = 1.
        columns: (6, N) its derivatives by the unknowns.
        half_size: (2,) x and y of the border of the right image, on the plane z = 1.
        focal: pixels per unit of that plane.
    """

    disparities_px: NDArray[np.float64]
    miss: NDArray[np.float64]
    columns: NDArray[np.float64]
    half_size: NDArray[np.float64]
    focal: float

    @staticmethod
    def of(matches: Matches, camera: Camera, rig: StereoRig) -> RigDeviation:
        """Take the matches of a pair (a left, b right), outliers included; at least one."""
        few = slice(None, None, max(len(matches) // _ENOUGH, 1))
        R_left, R_right = rig.rectification()
        x, y = _rectified(camera, matches.points_a[few], R_left)
        x_right, y_right = _rectified(rig.right, matches.points_b[few], R_right)
        columns = np.empty((6, len(x)))
        columns[PITCH], columns[ROLL] = 1.0 + y_right * y_right, -x_right
        columns[SCALE], columns[YAW] = y_right, -x_right * y_right
        columns[ALONG_Y], columns[ALONG_Z] = x_right - x, x * y_right - x_right * y
        focal = rig.right.focal
        half_size = np.array([rig.right.width, rig.right.height]) / (2.0 * focal)
        return RigDeviation(focal * (x - x_right), y_right - y, columns, half_size, focal)

    @cached_property
    def as_calibrated(self) -> RigFit:
        """Nothing fitted."""
        return RigFit(np.zeros(6), np.zeros(6), self.focal * self.miss)

    @cached_property
    def turned(self) -> RigFit:
        """Fitted with what a calibration may get wrong."""
        return self._fitted(_CALIBRATION)

    @cached_property
    def displaced(self) -> RigFit:
        """Fitted with the direction of the baseline, too."""
        return self._fitted(list(range(6)))

    def _fitted(self, chosen: list[int]) -> RigFit:
        """Fit the chosen unknowns by iteratively reweighted least squares; the loss has the scale of the residuals."""
        J, precision = self.columns[chosen], np.diag(_PRIOR_SIGMA[chosen] ** -2)
        residuals = self.miss
        for _ in range(_ITERATIONS):
            noise = max(1.4826 * float(np.median(np.abs(residuals))), _LEAST_NOISE_PX / self.focal)
            weighted = J / (noise**2 + (residuals / _LOSS_SCALE) ** 2)
            normal = weighted @ J.T + precision
            found = np.linalg.solve(normal, weighted @ self.miss)
            residuals = self.miss - found @ J
        values, sigmas = np.zeros(6), np.zeros(6)
        values[chosen], sigmas[chosen] = found, np.sqrt(np.diag(np.linalg.inv(normal)))
        return RigFit(values, sigmas, self.focal * residuals)


def _rectified(camera: Camera, points: NDArray[np.float32], R: NDArray[np.float64]) -> NDArray[np.float64]:
    """(2, N) points on the plane z = 1 of the rectified axes."""
    turned = R @ homogeneous(camera.normalize(points)).T
    return np.asarray(turned[:2] / np.maximum(turned[2], 1e-6))
