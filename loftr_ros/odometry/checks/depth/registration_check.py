"""Depth images against depth that the motion of the images tells: whether they are registered.

The motion is measured again without depth, and the matches triangulated with it. The depth image should then explain
their inverse depths up to a common factor; that of another camera, or of another place in the image, explains them no
better than a plane does. A common factor cannot be seen, nor can anything while the scene is one plane.
"""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from loftr_ros.odometry.checks.epipolar import refined
from loftr_ros.odometry.checks.input_fault import InputFault, InputWarning
from loftr_ros.odometry.checks.thinning import thinned
from loftr_ros.odometry.geometry.normalized_matches import LEAST_NOISE_PX, NormalizedMatches, triangulate
from loftr_ros.odometry.pose.estimator import RelativePoseEstimate
from loftr_ros.odometry.pose.gauss_newton import ObservableDof
from loftr_ros.odometry.pose.hypotheses import LARGEST_ERROR_PX
from loftr_ros.odometry.pose.two_view import TwoViewGeometry, epipolar_errors

# Sliding window of motions, the least number for a warning, and the cadence: each of the first eight, then every
# fifteenth, which bounds the mean cost, because one takes 2 to 3 ms.
_MOTIONS, _LEAST_MOTIONS, _SOON, _EVERY = 40, 6, 8, 15
# Least median parallax, pixels, least number of triangulated points with depth, and matches used.
LEAST_PARALLAX_PX, LEAST_POINTS, MANY = 2.0, 30, 300
# Gate on the standard deviation of a triangulated inverse depth, as a share of the median.
_LARGEST_SIGMA = 0.3
# Relative error of depth images, and of triangulation under a rolling shutter.
DEPTH_SIGMA = 0.05
# Truncation of the squared residuals in sigma units, as in MSAC.
LARGEST_COST = 9.0
# A point agrees with the depth image up to this, one and a half standard deviations.
_AGREES = 2.25
_ITERATIONS = 4
# A fault costs more than the first, and a plane explains the triangulated depth nearly as well as the depth image does,
# and as both together do; or a turned depth image costs less than such a share; or it costs more than the last, per
# point. Clean (corridor, kitchen and desk at strides 1, 3 and 5, from six motions on): cost <= 3.4 of at most 9,
# plane / depth >= 1.1, plane / both >= 1.6, turned >= 1.6; all three at most 0.8 of the way. Depth of another camera
# (1.12 or 1.3 times the focal length), mirrored, upside down, shifted by 40 px, constant or inverted: cost >= 2.6,
# plane / depth <= 0.85, plane / both <= 1.2.
_LEAST_COST, _LEAST_GAIN, _LEAST_AFFINE_GAIN, _EXPLAINED, _LARGE_COST = 2.3, 1.1, 1.4, 0.6, 4.2
# Hysteresis: a warning ends when a limit is missed by this factor.
_HYSTERESIS = 1.15
_TURNS = (("", 1, 1), ("mirrored", -1, 1), ("upside down", 1, -1), ("turned by 180 degrees", -1, -1))


class RegistrationCheck:
    """Accumulates how well depth images explain the triangulated depth."""

    def __init__(self) -> None:
        """Start with no evidence."""
        self._costs: deque[NDArray[np.float64]] = deque(maxlen=_MOTIONS)
        self._eligible = 0
        self.warning: InputWarning | None = None

    def add_motion(
        self,
        points: NDArray[np.float32],
        rays: NormalizedMatches,
        depth: NDArray[np.float32],
        focal: float,
        motion: RelativePoseEstimate,
    ) -> None:
        """Take a motion.

        Args:
            points: (N, 2) of the keyframe, pixels.
            rays: the same matches.
            depth: (H, W) metres, of the keyframe.
            focal: pixels.
            motion: between keyframe and frame.
        """
        is_general = motion.observable is not ObservableDof.ROTATION_ONLY and motion.geometry is TwoViewGeometry.GENERAL
        if not is_general or motion.parallax_px < LEAST_PARALLAX_PX:
            return
        self._eligible += 1
        if len(self._costs) >= _SOON and self._eligible % _EVERY:
            return
        some = thinned(np.ones(len(rays), bool), MANY)
        costs = _costs(points[some], rays.select(some).without_depth(), depth, focal, motion.T_keyframe_camera)
        if costs is not None:
            self._costs.append(costs)
            self.warning = self._judged()

    def _judged(self) -> InputWarning | None:
        if len(self._costs) < _LEAST_MOTIONS:
            return None
        count, agree, plane, both, *turned = np.maximum(np.sum(self._costs, axis=0), 1e-9).tolist()
        cost, slack = turned[0] / count, _HYSTERESIS if self.warning else 1.0
        cause = "not registered to the images or of another time, or the calibration is wrong"
        gains = plane / turned[0] / _LEAST_GAIN, plane / both / _LEAST_AFFINE_GAIN
        best = int(np.argmin(turned))
        if turned[best] < _EXPLAINED * turned[0]:
            cause, gains = _TURNS[best][0], (0.0, 0.0)
        if max(_LEAST_COST / cost, *gains) > slack and _LARGE_COST / cost > slack:
            return None
        text = (
            f"the depth images agree with the motion of the images at {agree / count:.0%} of the points only: they are "
            f"{cause}: use depth that is aligned to the images, pixel by pixel"
        )
        return InputWarning(InputFault.DEPTH_REGISTRATION, text)


def _costs(
    points: NDArray[np.float32],
    rays: NormalizedMatches,
    depth: NDArray[np.float32],
    focal: float,
    T_a_b: NDArray[np.float64],
) -> NDArray[np.float64] | None:
    """Return what the triangulated inverse depths of a motion cost under several models; None if there are too few.

    In order: number of points; those that agree with the depth image; cost of a plane; of a plane and the depth image
    together; of the depth image up to a factor as it is, mirrored, upside down, and both.
    """
    triangulated = triangulated_by_motion(rays, focal, T_a_b)
    if triangulated is None:
        return None
    certain, value, sigma = triangulated
    height, width = depth.shape
    pixels = np.rint(points[certain]).astype(int)
    x, y = np.clip(pixels, 0, (width - 1, height - 1)).T
    seen = np.stack([depth[::v, ::u][y, x] for _, u, v in _TURNS]).astype(np.float64)
    good = ((seen > 0) & np.isfinite(seen)).all(axis=0)
    if good.sum() < LEAST_POINTS:
        return None
    rho, value, sigma = 1.0 / seen[:, good], value[good], np.hypot(sigma, DEPTH_SIGMA * value)[good]
    plane = np.vstack([np.ones(len(value)), rays.columns_a[:2, certain][:, good]])
    deviations = deviations_from_multiples(rho, value, sigma)
    models = [
        _deviations(plane, value, sigma),
        _deviations(np.vstack([plane, rho[0]]), value, sigma),
        *deviations,
    ]
    agree = int((deviations[0] < _AGREES).sum())
    return np.array([len(value), agree, *(np.minimum(one, LARGEST_COST).sum() for one in models)])


def triangulated_by_motion(
    rays: NormalizedMatches, focal: float, T_a_b: NDArray[np.float64]
) -> tuple[NDArray[np.bool_], NDArray[np.float64], NDArray[np.float64]] | None:
    """Measure a pose again without depth; return a mask of matches, their inverse depths and standard deviations."""
    near = epipolar_errors(T_a_b, rays) < LARGEST_ERROR_PX / focal
    if near.sum() < LEAST_POINTS:
        return None
    T, noise = refined(T_a_b, rays.select(near), LEAST_NOISE_PX / focal)
    value, sigma = triangulate(rays.a, rays.b, T, noise)
    if np.nanmedian(value[near] / sigma[near]) < 0:  # wrong depths may have reversed the translation
        T[:3, 3] *= -1
        value, sigma = triangulate(rays.a, rays.b, T, noise)
    good = (epipolar_errors(T, rays) < 3.0 * noise) & np.isfinite(value)
    if not good.any():
        return None
    good &= sigma < _LARGEST_SIGMA * np.median(np.abs(value[good]))
    return good, value[good], sigma[good]


def _deviations(
    columns: NDArray[np.float64], value: NDArray[np.float64], sigma: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(N,) squared deviations, in sigmas, of values from the combination of (k, N) columns that fits them robustly."""
    certainty = sigma**-2.0
    weight = certainty
    for _ in range(_ITERATIONS):
        weighted = columns * weight
        factors = np.linalg.lstsq(weighted @ columns.T, weighted @ value, rcond=None)[0]
        squared = (value - factors @ columns) ** 2 * certainty
        weight = certainty / (1.0 + squared / 4.0)
    return np.asarray(squared)


def deviations_from_multiples(
    columns: NDArray[np.float64], value: NDArray[np.float64], sigma: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(k, N) likewise from the best multiple of each of (k, N) columns."""
    certainty = sigma**-2.0
    weight = np.broadcast_to(certainty, columns.shape)
    for _ in range(_ITERATIONS):
        weighted = columns * weight
        factors = (weighted @ value) / (weighted * columns).sum(axis=1)
        squared = (value - factors[:, None] * columns) ** 2 * certainty
        weight = certainty / (1.0 + squared / 4.0)
    return np.asarray(squared)
