"""Relative pose of two views from point matches alone: rotation, and translation up to scale."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from loftr_ros.arrays import Array
from loftr_ros.odometry.config import MINIMUM_MATCHES
from loftr_ros.odometry.geometry import se3
from loftr_ros.odometry.geometry.normalized_matches import (
    NormalizedMatches,
    homogeneous,
    rotate_and_project,
    transfer,
    triangulate,
)
from loftr_ros.odometry.geometry.robust import NEARLY_ALL, cauchy_weights

# Confidence of RANSAC for the essential matrix, at which it ends.
# numerical: bounds the run time.
_PROBABILITY = 0.999
# Largest number of its iterations.
# numerical: bounds the run time.
_MAX_ITERATIONS = 1000
# With fewer of the most certain matches than this, RANSAC samples from all.
# assumed: enough for a consensus, twice `OdometryConfig.min_inliers`.
_MIN_CERTAIN = 50
# Size of the subset of matches for the rotation, the decomposition and the homography.
# numerical: bounds the run time.
_SUBSET_SIZE = 200
# Least inlier ratio; random matches have 3 %.
# measured: test/odometry/pose/test_two_view.py, "test_noise_alone_is_no_motion"; it fails without.
_MIN_INLIER_RATIO = 0.1
# Largest number of IRLS iterations of the rotation.
# numerical: bounds the run time.
_MAX_ROTATION_STEPS = 6
# Change of its elements that ends them.
# numerical: below the noise.
_ROTATION_TOLERANCE = 1e-5


class TwoViewGeometry(Enum):
    """Two-view model that the matches support."""

    GENERAL = "general"
    PLANAR = "planar"
    """One homography explains all matches: the essential matrix has a second solution."""
    ROTATION = "rotation"
    """Rotation alone explains the matches: the direction of translation is not observable."""


@dataclass(frozen=True)
class TwoViewPose:
    """Relative pose of camera b in camera a.

    Attributes:
        geometry: two-view model that the matches support.
        R_a_b: (3, 3) rotation.
        direction: (3,) unit vector to camera b in the axes of a; zero for ROTATION.
        inliers: (N,) bool.
        parallax_px: median image motion of the inliers that rotation does not explain, pixels.
    """

    geometry: TwoViewGeometry
    R_a_b: Array
    direction: Array
    inliers: NDArray[np.bool_]
    parallax_px: float


def two_view_pose(
    matches: NormalizedMatches,
    focal: float,
    threshold_px: float,
    min_parallax_px: float,
    min_inliers: int,
) -> TwoViewPose | None:
    """Estimate the relative pose by RANSAC over the essential matrix, and by rotation alone.

    Args:
        matches: N matches; their depth is not used.
        focal: pixels per unit of the plane z = 1.
        threshold_px: largest distance of an inlier from its epipolar line.
        min_parallax_px: below this median parallax the motion is a pure rotation.
        min_inliers: fewer inliers give no result.

    Returns:
        None without a consensus.
    """
    if len(matches) < max(MINIMUM_MATCHES, min_inliers):
        return None
    rotation = _RotationOnlyModel.of(matches, focal, threshold_px, min_parallax_px)
    essential = _essential(matches, focal, threshold_px)
    inliers = essential[1] if essential else rotation.explained
    if max(rotation.explained.sum(), inliers.sum()) < max(min_inliers, _MIN_INLIER_RATIO * len(matches)):
        return None
    parallax = rotation.parallax_px(inliers)
    if essential is None or rotation.is_sufficient(inliers):
        return TwoViewPose(
            geometry=TwoViewGeometry.ROTATION,
            R_a_b=rotation.R_a_b,
            direction=np.zeros(3),
            inliers=rotation.explained,
            parallax_px=parallax,
        )
    subset = matches.select(inliers).subsampled(_SUBSET_SIZE)
    R_a_b, direction = _decompose(essential[0], subset, threshold_px / focal)
    return TwoViewPose(
        geometry=_general_or_planar(subset, focal, threshold_px),
        R_a_b=R_a_b,
        direction=direction,
        inliers=inliers,
        parallax_px=parallax,
    )


def two_view_geometry(
    matches: NormalizedMatches, inliers: NDArray[np.bool_], focal: float, threshold_px: float, min_parallax_px: float
) -> tuple[TwoViewGeometry, float]:
    """Return the two-view model and `parallax_px` of N matches whose (N,) inliers are known.

    The other arguments are those of `two_view_pose`.
    """
    rotation = _RotationOnlyModel.of(matches, focal, threshold_px, min_parallax_px)
    parallax = rotation.parallax_px(inliers)
    if rotation.is_sufficient(inliers):
        return TwoViewGeometry.ROTATION, parallax
    return _general_or_planar(matches.select(inliers).subsampled(_SUBSET_SIZE), focal, threshold_px), parallax


@dataclass(frozen=True)
class _RotationOnlyModel:
    """Motion model of a pure rotation.

    Attributes:
        R_a_b: (3, 3) robust rotation.
        error_px: (N,) reprojection errors, pixels.
        explained: (N,) bool, its inliers.
        min_parallax_px: see `two_view_pose`.
    """

    R_a_b: Array
    error_px: Array
    explained: NDArray[np.bool_]
    min_parallax_px: float

    @staticmethod
    def of(matches: NormalizedMatches, focal: float, threshold_px: float, min_parallax_px: float) -> _RotationOnlyModel:
        subset = matches.subsampled(_SUBSET_SIZE)
        R_a_b = fit_rotation(subset.a, subset.b, threshold_px / focal)
        error_px = focal * np.linalg.norm(rotate_and_project(matches.a, R_a_b.T) - matches.b, axis=1)
        explained = error_px < max(threshold_px, min_parallax_px)
        return _RotationOnlyModel(R_a_b=R_a_b, error_px=error_px, explained=explained, min_parallax_px=min_parallax_px)

    def parallax_px(self, inliers: NDArray[np.bool_]) -> float:
        return float(np.median(self.error_px[inliers]))

    def is_sufficient(self, inliers: NDArray[np.bool_]) -> bool:
        """Return whether rotation explains nearly as many matches as a model with these inliers, at little parallax."""
        explained = self.explained.sum()
        little = self.parallax_px(inliers) < self.min_parallax_px
        return bool(little and explained >= NEARLY_ALL * max(explained, inliers.sum()))


def fit_rotation(points_a: Array, points_b: Array, scale: float) -> Array:
    """Return the (3, 3) R_a_b that aligns the bearings of b with those of a: Kabsch's solution with Cauchy IRLS.

    Args:
        points_a, points_b: (N, 2) on the plane z = 1.
        scale: of the Cauchy loss, on the plane z = 1; the median error where that is larger, so that the fit converges
            in spite of outliers and near points.
    """
    bearings_a, bearings_b = _bearings(points_a), _bearings(points_b)
    weights: Array = np.ones(len(points_a))
    R = np.eye(3)
    for _ in range(_MAX_ROTATION_STEPS):
        before, R = R, se3.nearest_rotation((bearings_a * weights) @ bearings_b.T)
        if np.abs(R - before).max() < _ROTATION_TOLERANCE:
            break
        squared = ((bearings_a - R @ bearings_b) ** 2).sum(axis=0)
        weights = cauchy_weights(squared / max(scale**2, float(np.median(squared))))
    return R


def _bearings(points: Array) -> Array:
    """(3, N) unit vectors to (N, 2) points on the plane z = 1."""
    columns = homogeneous(points).T
    return np.asarray(columns / np.sqrt((columns**2).sum(axis=0)))


def _essential(matches: NormalizedMatches, focal: float, threshold_px: float) -> tuple[Array, NDArray[np.bool_]] | None:
    """Essential matrix of the most certain matches by MAGSAC++ (Barath et al., CVPR 2020), and the inliers of all."""
    certain = matches.most_certain
    if certain.sum() < _MIN_CERTAIN:
        certain[:] = True
    try:
        # In pixels: OpenCV's upper bound of the noise is a constant in pixels, whatever the threshold.
        E, mask = cv2.findEssentialMat(
            np.ascontiguousarray(focal * matches.a[certain]),
            np.ascontiguousarray(focal * matches.b[certain]),
            np.diag([focal, focal, 1.0]),
            method=cv2.USAC_MAGSAC,
            prob=_PROBABILITY,
            threshold=threshold_px,
            maxIters=_MAX_ITERATIONS,
        )
    except cv2.error:  # e.g. no minimal sample has a real solution
        return None
    # OpenCV returns None without a solution, and several stacked where five points have more than one.
    if E is None or mask is None or E.shape[0] < 3 or not np.isfinite(E[:3]).all():
        return None
    first: Array = np.array(E[:3], np.float64)
    return first, np.asarray(focal * _sampson_distance(first, matches) < threshold_px)


def _sampson_distance(E: Array, matches: NormalizedMatches) -> Array:
    """(N,) Sampson distances: first-order geometric error of b' E a = 0 (Hartley and Zisserman, equation 11.9)."""
    a, b = homogeneous(matches.a), homogeneous(matches.b)
    line_b, line_a = a @ E.T, b @ E
    length = np.hypot(np.linalg.norm(line_b[:, :2], axis=1), np.linalg.norm(line_a[:, :2], axis=1))
    return np.asarray(np.abs((b * line_b).sum(axis=1)) / np.maximum(length, 1e-12))


def _decompose(E: Array, matches: NormalizedMatches, threshold: float) -> tuple[Array, Array]:
    """Rotation and direction of the decomposition of E with the lowest `epipolar_cost`, which includes cheirality."""
    R_1, R_2, t = cv2.decomposeEssentialMat(E)  # x_b = R x_a + t
    poses = [se3.inverse(se3.transform(R, sign * t.ravel())) for R in (R_1, R_2) for sign in (1.0, -1.0)]
    T_a_b = min(poses, key=lambda T: epipolar_cost(T, matches, threshold))
    return T_a_b[:3, :3], T_a_b[:3, 3]


def epipolar_cost(T_a_b: Array, matches: NormalizedMatches, threshold: float) -> float:
    """Return the MSAC score of a pose: the sum of squared `epipolar_errors`, truncated at the threshold, in its units.

    The truncation bounds the cost of outliers, so they do not decide between a translation and its opposite.
    """
    return float(np.minimum((epipolar_errors(T_a_b, matches) / threshold) ** 2, 1.0).sum())


def epipolar_errors(T_a_b: Array, matches: NormalizedMatches) -> Array:
    """Return the (N,) reprojection errors in image b of points triangulated in front of camera a (cheirality).

    The distance from the epipolar line on the plane z = 1, or from its vanishing point (infinite depth) for a match
    that triangulates behind camera a; infinite for one behind camera b. Divided by the standard deviation of the match
    relative to a typical one.

    Args:
        T_a_b: (4, 4) pose of camera b in camera a; the length of its translation is ignored.
        matches: N matches; their depth is not used.
    """
    inverse_depth, _ = triangulate(matches.a, matches.b, T_a_b, 1.0)
    x, y, z = transfer(matches.columns_a, np.maximum(inverse_depth, 0.0), T_a_b)
    with np.errstate(divide="ignore", invalid="ignore"):
        residuals = np.stack([x / z, y / z]) - matches.columns_b
        lengths = np.hypot(*residuals)
        errors = lengths / np.sqrt(matches.variance(residuals / np.maximum(lengths, 1e-12)))
    return np.where(np.isfinite(errors), errors, np.inf)


def _general_or_planar(matches: NormalizedMatches, focal: float, threshold_px: float) -> TwoViewGeometry:
    planar = _is_homography(focal * matches.a, focal * matches.b, threshold_px)
    return TwoViewGeometry.PLANAR if planar else TwoViewGeometry.GENERAL


def _is_homography(points_a: Array, points_b: Array, threshold_px: float) -> bool:
    """Return whether one homography explains the (N, 2) matches of an undistorted camera, pixels."""
    H: NDArray[Any] | None = cv2.findHomography(
        np.ascontiguousarray(points_a), np.ascontiguousarray(points_b), cv2.USAC_MAGSAC, threshold_px, maxIters=100
    )[0]
    if H is None:
        return False
    transferred = homogeneous(points_a) @ H.T
    error = np.linalg.norm(transferred[:, :2] / transferred[:, 2:] - points_b, axis=1)
    return bool((error < threshold_px).mean() > NEARLY_ALL)
