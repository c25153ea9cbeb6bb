"""Where the right camera of a stereo pair really is, beside where the calibration puts it, from the matches alone.

In rectified axes (x along the baseline, points on z = 1) a match (x, y) - (x', y') of a calibrated pair has y' = y.
What is wrong with the calibration shows, whatever the depth, by

    y' - y = pitch (1 + y'^2) - roll x' - yaw x' y' + scale y'

to first order in the angles (radians) and in the share by which the right image is larger. If the images are of different
times, the baseline is not (1, 0, 0) but (1, t_y, t_z), and several times as long if the camera moves fast. That is a
relative pose of five degrees of freedom, fitted to the epipolar constraint itself. All by least squares, reweighted
(Cauchy).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from loftr_ros.matches import Matches
from loftr_ros.odometry import se3
from loftr_ros.odometry.camera import Camera
from loftr_ros.odometry.rays import homogeneous
from loftr_ros.odometry.stereo_rig import StereoRig

# Unknowns in their order. What yaw adds across the epipolar lines is also what remains of the lens; mainly it moves points
# along them.
PITCH, ROLL, SCALE, YAW = range(4)
# Standard deviations of the unknowns beforehand, radians and shares, and of rotation and direction of the relative pose.
# So wide that they only decide what a flat scene, in which some of the unknowns look alike, leaves open.
_PRIOR_SIGMA = np.array([0.05, 0.05, 0.02, 0.02])
_PRIOR_SIGMA_OF_POSE = np.array([0.1, 0.1, 0.1, 3.0, 3.0])
# Reweighting ends when the scale of the residuals changes by less than this share: after 3 times for a good pair.
_ITERATIONS, _CONVERGED = 20, 0.01
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
        values: the unknowns.
        sigmas: their standard deviations, errors of the matches being independent.
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
        left, right: (3, N) points in rectified axes, z = 1.
        half_size: (2,) x and y of the border of the right image, on the plane z = 1.
        focal: pixels per unit of that plane.
    """

    left: NDArray[np.float64]
    right: NDArray[np.float64]
    half_size: NDArray[np.float64]
    focal: float

    @staticmethod
    def of(matches: Matches, camera: Camera, rig: StereoRig) -> RigDeviation:
        """Take the matches of a pair (a left, b right), outliers included; at least one."""
        few = slice(None, None, max(len(matches) // _ENOUGH, 1))
        R_left, R_right = rig.rectification()
        left, right = _rectified(camera, matches.points_a[few], R_left), _rectified(rig.right, matches.points_b[few], R_right)
        focal = rig.right.focal
        return RigDeviation(left, right, np.array([rig.right.width, rig.right.height]) / (2.0 * focal), focal)

    @property
    def disparities_px(self) -> NDArray[np.float64]:
        """(N,) x - x', pixels."""
        return np.asarray(self.focal * (self.left[0] - self.right[0]))

    @cached_property
    def as_calibrated(self) -> RigFit:
        """Nothing fitted."""
        return RigFit(np.zeros(0), np.zeros(0), self.focal * (self.right[1] - self.left[1]))

    @cached_property
    def turned(self) -> RigFit:
        """Fitted with what a calibration may get wrong: values are (pitch, roll, scale, yaw)."""
        x, y, _ = self.right
        miss = y - self.left[1]
        J = np.stack([1.0 + y * y, -x, y, -x * y])
        values, residuals = np.zeros(4), miss
        for weights in self._weights(lambda: residuals):
            normal = (J * weights) @ J.T + np.diag(_PRIOR_SIGMA**-2)
            values = np.linalg.solve(normal, (J * weights) @ miss)
            residuals = miss - values @ J
        return RigFit(values, np.sqrt(np.diag(np.linalg.inv(normal))), self.focal * residuals)

    @cached_property
    def displaced(self) -> RigFit:
        """Fitted with any relative pose, as of images of different times: values are (t_y, t_z) of the baseline."""
        values = np.append(self.turned.values[[PITCH, YAW, ROLL]], [0.0, 0.0])  # the steps are too long from zero
        R = se3.exp(np.append(np.zeros(3), values[:3]))[:3, :3]
        residuals, J = _epipolar_distances(self.left, self.right, R, values[3:])
        for weights in self._weights(lambda: residuals):
            normal = (J * weights) @ J.T + np.diag(_PRIOR_SIGMA_OF_POSE**-2)
            step = -np.linalg.solve(normal, (J * weights) @ residuals + values / _PRIOR_SIGMA_OF_POSE**2)
            R, values = se3.exp(np.append(np.zeros(3), step[:3]))[:3, :3] @ R, values + step
            residuals, J = _epipolar_distances(self.left, self.right, R, values[3:])
        sigmas = np.sqrt(np.diag(np.linalg.inv(normal)))
        return RigFit(values[3:], sigmas[3:], self.focal * residuals)

    def _weights(self, residuals: Callable[[], NDArray[np.float64]]) -> Iterator[NDArray[np.float64]]:
        """Yield (N,) weights of residuals that a step makes smaller, until their scale has converged."""
        noise = np.inf
        for _ in range(_ITERATIONS):
            now = residuals()
            previous, noise = noise, max(1.4826 * float(np.median(np.abs(now))), _LEAST_NOISE_PX / self.focal)
            if abs(noise - previous) < _CONVERGED * noise:
                return
            yield 1.0 / (noise**2 + (now / _LOSS_SCALE) ** 2)


def _rectified(camera: Camera, points: NDArray[np.float32], R: NDArray[np.float64]) -> NDArray[np.float64]:
    """(3, N) points on the plane z = 1 of the rectified axes."""
    turned = R @ homogeneous(camera.normalize(points)).T
    return np.asarray(turned / np.maximum(turned[2], 1e-6))


def _epipolar_distances(
    left: NDArray[np.float64], right: NDArray[np.float64], R: NDArray[np.float64], slant: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(N,) distances from the epipolar lines, and their (5, N) derivatives by a turn of the right camera and `slant`.

    The right camera is at (1, *slant), turned by R. The distance is b . (t x a) / |(t x a)_xy|.
    """
    t, turned = np.append(1.0, slant)[:, None], R @ right
    lines = _cross(t, left)
    per_distance = 1.0 / np.maximum(np.hypot(lines[0], lines[1]), 1e-9)
    derivatives = np.vstack([_cross(turned, lines), _cross(left, turned)[1:]])
    return (turned * lines).sum(axis=0) * per_distance, derivatives * per_distance


def _cross(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """(3, N) cross products of (3, N) vectors; faster than np.cross."""
    return np.stack([a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]])
