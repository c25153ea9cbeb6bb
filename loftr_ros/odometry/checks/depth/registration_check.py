"""Detects unregistered depth images by comparison with triangulated depth.

The motion is estimated without depth, and the matches are triangulated with it. A registered depth image explains their
inverse depths up to a common scale; one of another camera or with shifted pixels explains them no better than a plane.
Neither a common scale nor any fault in a planar scene is observable.
"""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from loftr_ros.arrays import Array
from loftr_ros.odometry.checks.epipolar import refined
from loftr_ros.odometry.checks.input_fault import InputFault, InputWarning
from loftr_ros.odometry.checks.subsampling import evenly
from loftr_ros.odometry.geometry.normalized_matches import MIN_NOISE_PX, NormalizedMatches, triangulate
from loftr_ros.odometry.geometry.robust import median
from loftr_ros.odometry.pose.estimator import RelativePoseEstimate
from loftr_ros.odometry.pose.gauss_newton import ObservableDof
from loftr_ros.odometry.pose.hypotheses import MAX_ERROR_PX
from loftr_ros.odometry.pose.two_view import TwoViewGeometry, epipolar_errors

# Sliding window of motions, and number of motions for a warning. Each motion is used until there is one, or the first
# ones are clean by a factor, at most up to the tenth, and every fifteenth later, to bound the cost: one takes 2 ms.
_WINDOW, _MIN_MOTIONS, _CADENCE = 40, 6, 15
_FIRST_MOTIONS, _UNDECIDED_MOTIONS, _CLEAN = 3, 10, 1.5
# Lower bounds of the median parallax, pixels, and of the number of triangulated points with depth; number of matches.
MIN_PARALLAX_PX, MIN_POINTS, MAX_MATCHES = 2.0, 30, 250
# Gate on the standard deviation of a triangulated inverse depth, relative to the median.
_MAX_SIGMA = 0.3
# Relative error of depth images, and of triangulation under a rolling shutter.
DEPTH_SIGMA = 0.05
# Truncation of the squared residuals in sigma units, as in MSAC.
OUTLIER_COST = 9.0
# Squared residual up to which a point agrees with the depth image: 1.5 standard deviations.
_AGREEMENT_COST = 2.25
_ITERATIONS = 4
# Relative damping of the normal equations.
_DAMPING = 1e-9
# A fault has a cost per point above the first, and gains of the depth image over a plane, and of both over a plane,
# below the second and third; or a flipped depth image has a cost below the fourth, relative to the unflipped one; or
# its cost per point is above the last. Clean (corridor, kitchen and desk at strides 1, 3 and 5, from six motions on):
# cost <= 3.4 of at most 9, plane / depth >= 1.1, plane / both >= 1.6, flipped / unflipped >= 1.6; all three with a
# margin of 20 %. Depth of another camera (1.12 or 1.3 times the focal length), mirrored, upside down, shifted by 40 px,
# constant or inverted: cost >= 2.6, plane / depth <= 0.85, plane / both <= 1.2.
_MIN_COST, _MIN_GAIN, _MIN_AFFINE_GAIN, _FLIPPED_COST_RATIO, _MAX_COST = 2.3, 1.1, 1.4, 0.6, 4.2
# Cost per point within the errors of depth and motion, relative standard deviation of lengths per cost above it, and
# number of motions for that: a disagreement is common to all points in part, so it inflates the covariance without a
# warning, too. Depth images enlarged by 0.85 to 1.12 in a simulated room cost 0.7 to 3.1, with an error of 1.7 to 6.7 %
# of the length; the corridor costs 0.4 to 1.1, with 0.2 to 0.8 %, the kitchen, whose images are not registered, 2 to 3.
_NOISE_COST, _SIGMA_PER_COST, _MIN_DOUBT_MOTIONS = 0.6, 0.04, 2
# Distances along the rays instead of depths along the optical axis, as simulators give both, have a lower cost than the
# depth image by this factor. Clean: >= 1.1 (corridor), 1.16 (kitchen), 0.98 (desk, narrow); distances in the corridor
# <= 0.81, at a cost per point <= 1.93. A narrow view does not tell, and errs little (kitchen 0.95).
_RAY_COST_RATIO, _MAX_RAY_COST = 0.85, 2.1
_RAYS = (
    "the depth images hold distances from the camera, along the rays, instead of depths along its optical axis, or the "
    "calibration is wrong: divide them by the length of the ray with z = 1, or choose the other output of the simulator"
)
# Hysteresis: factor by which the limits must be met again to end a warning.
_HYSTERESIS = 1.15
_FLIPS = (("", 1, 1), ("mirrored", -1, 1), ("upside down", 1, -1), ("turned by 180 degrees", -1, -1))


class RegistrationCheck:
    """Accumulates the costs of triangulated depth under models of the depth image over motions.

    Attributes:
        warning: of unregistered depth images; None without a fault.
        length_sigma: relative standard deviation of all lengths, from the disagreement of depth and motion.
    """

    def __init__(self) -> None:
        """Start without motions."""
        self._costs: deque[Array] = deque(maxlen=_WINDOW)
        self._eligible = 0
        self._is_clean = False
        self.warning: InputWarning | None = None
        self.length_sigma = 0.0

    def add_motion(
        self,
        points: NDArray[np.float32],
        matches: NormalizedMatches,
        depth: NDArray[np.float32],
        focal: float,
        motion: RelativePoseEstimate,
    ) -> None:
        """Add a motion.

        Args:
            points: (N, 2) of the matches in the keyframe, pixels.
            matches: the same matches, normalized.
            depth: (H, W) depth image of the keyframe, meters.
            focal: pixels.
            motion: from keyframe to frame.
        """
        is_general = motion.observable is not ObservableDof.ROTATION_ONLY and motion.geometry is TwoViewGeometry.GENERAL
        if not is_general or motion.parallax_px < MIN_PARALLAX_PX:
            return
        self._eligible += 1
        dense = _FIRST_MOTIONS if self._is_clean else _MIN_MOTIONS if self.warning else _UNDECIDED_MOTIONS
        if len(self._costs) >= dense and self._eligible % _CADENCE:
            return
        sampled = evenly(len(matches), MAX_MATCHES)
        costs = _costs(points[sampled], matches.select(sampled), depth, focal, motion.T_keyframe_camera)
        if costs is not None:
            self._costs.append(costs)
            self.warning = self._evaluate()
            if len(self._costs) >= _MIN_DOUBT_MOTIONS:
                count, _, _, _, cost, *_ = np.sum(self._costs, axis=0).tolist()
                self.length_sigma = _SIGMA_PER_COST * max(cost / count - _NOISE_COST, 0.0)

    def _evaluate(self) -> InputWarning | None:
        count, agree, plane, both, *flipped, along_rays = np.maximum(np.sum(self._costs, axis=0), 1e-9).tolist()
        cost, slack = flipped[0] / count, _HYSTERESIS if self.warning else 1.0
        cause = "not registered to the images or of another time, or the calibration is wrong"
        gains = plane / flipped[0] / _MIN_GAIN, plane / both / _MIN_AFFINE_GAIN
        best = int(np.argmin(flipped))
        if flipped[best] < _FLIPPED_COST_RATIO * flipped[0]:
            cause, gains = _FLIPS[best][0], (0.0, 0.0)
        margin = min(max(_MIN_COST / cost, *gains), _MAX_COST / cost)
        ray_margin = along_rays / min(_RAY_COST_RATIO * min(flipped), _MAX_RAY_COST * count)
        self._is_clean = min(margin, ray_margin) > _CLEAN
        if len(self._costs) < _MIN_MOTIONS:
            return None
        if ray_margin < slack:
            return InputWarning(InputFault.DEPTH_REGISTRATION, _RAYS)
        if margin > slack:
            return None
        text = (
            f"the depth images agree with the motion of the images at {agree / count:.0%} of the points only: they are "
            f"{cause}: use depth that is aligned to the images, pixel by pixel"
        )
        return InputWarning(InputFault.DEPTH_REGISTRATION, text)


def _costs(
    points: NDArray[np.float32],
    matches: NormalizedMatches,
    depth: NDArray[np.float32],
    focal: float,
    T_a_b: Array,
) -> Array | None:
    """Return the costs of triangulated inverse depths under several models; None for too few points.

    In order: number of points; number that agree with the depth image; cost of a plane; of a plane and the depth image
    together; of the depth image up to scale, as stored, mirrored, upside down, and both; and as distances along rays.
    """
    triangulated = triangulated_by_motion(matches, focal, T_a_b)
    if triangulated is None:
        return None
    certain, value, sigma = triangulated
    height, width = depth.shape
    pixels = np.rint(points[certain]).astype(int)
    x, y = np.clip(pixels, 0, (width - 1, height - 1)).T
    measured = np.stack([depth[::v, ::u][y, x] for _, u, v in _FLIPS]).astype(np.float64)
    is_valid = ((measured > 0) & np.isfinite(measured)).all(axis=0)
    if is_valid.sum() < MIN_POINTS:
        return None
    rho, value, sigma = 1.0 / measured[:, is_valid], value[is_valid], np.hypot(sigma, DEPTH_SIGMA * value)[is_valid]
    plane = np.vstack([np.ones(len(value)), matches.columns_a[:2, certain][:, is_valid]])
    along_rays = rho[0] * np.linalg.norm(plane, axis=0)  # if the image holds distances from the camera
    residuals = squared_residuals_of_multiples(np.vstack([rho, along_rays]), value, sigma)
    models = [
        _squared_residuals(plane, value, sigma),
        _squared_residuals(np.vstack([plane, rho[0]]), value, sigma),
        *residuals,
    ]
    agree = int((residuals[0] < _AGREEMENT_COST).sum())
    return np.array([len(value), agree, *(np.minimum(one, OUTLIER_COST).sum() for one in models)])


def triangulated_by_motion(
    matches: NormalizedMatches, focal: float, T_a_b: Array
) -> tuple[NDArray[np.bool_], Array, Array] | None:
    """Estimate a pose without depth, and triangulate with it.

    Returns:
        (N,) mask of the M triangulated matches, their (M,) inverse depths and standard residuals; None for too few.
    """
    near = epipolar_errors(T_a_b, matches) < MAX_ERROR_PX / focal
    if near.sum() < MIN_POINTS:
        return None
    T, noise = refined(T_a_b, matches.select(near), MIN_NOISE_PX / focal)
    value, sigma = triangulate(matches.a, matches.b, T, noise)
    if np.count_nonzero(value[near] < 0) > np.count_nonzero(value[near] > 0):  # wrong depth may have inverted it
        T[:3, 3] *= -1
        value, sigma = triangulate(matches.a, matches.b, T, noise)
    is_valid = (epipolar_errors(T, matches) < 3.0 * noise) & np.isfinite(value)
    if not is_valid.any():
        return None
    is_valid &= sigma < _MAX_SIGMA * median(np.abs(value[is_valid]))
    return is_valid, value[is_valid], sigma[is_valid]


def _squared_residuals(columns: Array, value: Array, sigma: Array) -> Array:
    """(N,) squared residuals, in sigma units, of a robust fit of values by a combination of (k, N) columns."""
    certainty = sigma**-2.0
    weight = certainty
    for _ in range(_ITERATIONS):
        weighted = columns * weight
        H = weighted @ columns.T
        H.ravel()[:: len(H) + 1] *= 1.0 + _DAMPING  # a constant depth image is a multiple of one column of the plane
        factors = np.linalg.solve(H, weighted @ value)
        squared = (value - factors @ columns) ** 2 * certainty
        weight = certainty / (1.0 + squared / 4.0)
    return np.asarray(squared)


def squared_residuals_of_multiples(columns: Array, value: Array, sigma: Array) -> Array:
    """Return the (k, N) squared residuals, in sigma units, of robust fits of values by a multiple of each column.

    Args:
        columns: (k, N).
        value, sigma: (N,).
    """
    certainty = sigma**-2.0
    weight = np.broadcast_to(certainty, columns.shape)
    for _ in range(_ITERATIONS):
        weighted = columns * weight
        factors = (weighted @ value) / (weighted * columns).sum(axis=1)
        squared = (value - factors[:, None] * columns) ** 2 * certainty
        weight = certainty / (1.0 + squared / 4.0)
    return np.asarray(squared)
