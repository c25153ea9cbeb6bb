"""Relative pose of two views from point matches alone: rotation, and translation up to its length."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from loftr_ros.arrays import Array
from loftr_ros.odometry.geometry import se3
from loftr_ros.odometry.geometry.normalized_matches import NormalizedMatches, homogeneous, rotate, triangulate

MINIMUM_MATCHES = 8
_PROBABILITY = 0.999
_MAX_ITERATIONS = 1000
# Fewer sure matches than this and all are used.
_ENOUGH = 50
# About so many matches tell what all of them look like.
_MANY = 200
# A smaller share of the matches agrees on some motion by chance: 3 % of matches at random do.
_LEAST_SHARE = 0.1
# Share of the matches that a simpler motion must explain to be preferred over the essential matrix.
_EXPLAINED = 0.9
# How often a rotation is fitted with better weights, unless it turns by less than this any more, radians.
_MAX_TURNS, _LEAST_TURN = 6, 1e-5


class TwoViewGeometry(Enum):
    """What the matches can tell."""

    GENERAL = "general"
    PLANAR = "planar"
    """One plane explains all matches: the essential matrix has a second solution."""
    ROTATION = "rotation"
    """Rotation alone explains the matches: the direction of translation is unknown."""


@dataclass(frozen=True)
class TwoViewPose:
    """Relative pose of camera b in camera a.

    Attributes:
        geometry: what the matches can tell.
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
    rays: NormalizedMatches,
    focal: float,
    threshold_px: float,
    min_parallax_px: float,
    min_inliers: int,
) -> TwoViewPose | None:
    """Estimate the relative pose robustly.

    Args:
        rays: N matches; what is known of their depth is not used.
        focal: pixels, turns the thresholds into angles.
        threshold_px: largest distance of an inlier from its epipolar line.
        min_parallax_px: less than this and the motion is taken for a rotation.
        min_inliers: fewer and there is no result.

    Returns:
        None where too few matches agree on any motion.
    """
    if len(rays) < max(MINIMUM_MATCHES, min_inliers):
        return None
    turned = _RotationOnlyModel.of(rays, focal, threshold_px, min_parallax_px)
    essential = _essential(rays, focal, threshold_px)
    inliers = essential[1] if essential else turned.explained
    if max(turned.explained.sum(), inliers.sum()) < max(min_inliers, _LEAST_SHARE * len(rays)):
        return None
    parallax = turned.parallax_px(inliers)
    if essential is None or turned.is_all(inliers):
        return TwoViewPose(TwoViewGeometry.ROTATION, turned.R_a_b, np.zeros(3), turned.explained, parallax)
    few = rays.select(inliers).subsampled(_MANY)
    R_a_b, direction = _decompose(essential[0], few, threshold_px / focal)
    return TwoViewPose(_general_or_planar(few, focal, threshold_px), R_a_b, direction, inliers, parallax)


def two_view_geometry(
    rays: NormalizedMatches, inliers: NDArray[np.bool_], focal: float, threshold_px: float, min_parallax_px: float
) -> tuple[TwoViewGeometry, float]:
    """Return what N matches can tell without their depth, and `parallax_px`, where it is known which agree on a motion.

    The arguments are those of `two_view_pose`.
    """
    turned = _RotationOnlyModel.of(rays, focal, threshold_px, min_parallax_px)
    parallax = turned.parallax_px(inliers)
    if turned.is_all(inliers):
        return TwoViewGeometry.ROTATION, parallax
    return _general_or_planar(rays.select(inliers).subsampled(_MANY), focal, threshold_px), parallax


@dataclass(frozen=True)
class _RotationOnlyModel:
    """What a rotation alone explains.

    Attributes:
        R_a_b: (3, 3) rotation that explains most.
        error_px: (N,) distances of the matches from where it puts them, pixels.
        explained: (N,) bool.
        min_parallax_px: see `two_view_pose`.
    """

    R_a_b: Array
    error_px: Array
    explained: NDArray[np.bool_]
    min_parallax_px: float

    @staticmethod
    def of(rays: NormalizedMatches, focal: float, threshold_px: float, min_parallax_px: float) -> _RotationOnlyModel:
        few = rays.subsampled(_MANY)
        R_a_b = fit_rotation(few.a, few.b, threshold_px / focal)
        error_px = focal * np.linalg.norm(rotate(rays.a, R_a_b.T) - rays.b, axis=1)
        return _RotationOnlyModel(R_a_b, error_px, error_px < max(threshold_px, min_parallax_px), min_parallax_px)

    def parallax_px(self, inliers: NDArray[np.bool_]) -> float:
        return float(np.median(self.error_px[inliers]))

    def is_all(self, inliers: NDArray[np.bool_]) -> bool:
        """Tell whether there is nothing else to see, even if another motion has these inliers."""
        explained = self.explained.sum()
        little = self.parallax_px(inliers) < self.min_parallax_px
        return bool(little and explained >= _EXPLAINED * max(explained, inliers.sum()))


def fit_rotation(rays_a: Array, rays_b: Array, scale: float) -> Array:
    """Return the (3, 3) R_a_b that turns the (N, 2) rays of b onto those of a best.

    Kabsch's solution, reweighted with Cauchy weights whose scale shrinks to `scale` (on the plane z = 1), so that
    outliers and near points lose their say.
    """
    unit_a, unit_b = _unit(rays_a), _unit(rays_b)
    weights = np.ones(len(rays_a))
    R = np.eye(3)
    for _ in range(_MAX_TURNS):
        U, _, Vt = np.linalg.svd((unit_a * weights) @ unit_b.T)
        U[:, 2] *= np.linalg.det(U @ Vt)  # no reflection
        before, R = R, U @ Vt
        if np.abs(R - before).max() < _LEAST_TURN:
            break
        squared = ((unit_a - R @ unit_b) ** 2).sum(axis=0)
        weights = 1.0 / (1.0 + squared / max(scale**2, float(np.median(squared))))
    return R


def _unit(rays: Array) -> Array:
    """(3, N) directions of (N, 2) rays."""
    points = homogeneous(rays).T
    return np.asarray(points / np.sqrt((points**2).sum(axis=0)))


def _essential(rays: NormalizedMatches, focal: float, threshold_px: float) -> tuple[Array, NDArray[np.bool_]] | None:
    """Essential matrix of the surest matches by MAGSAC++ (Barath et al., CVPR 2020), and the inliers of all."""
    sure = rays.sure
    if sure.sum() < _ENOUGH:
        sure[:] = True
    try:
        # In pixels: OpenCV's largest noise of an inlier is a fixed number of them, whatever the threshold.
        E, mask = cv2.findEssentialMat(
            np.ascontiguousarray(focal * rays.a[sure]),
            np.ascontiguousarray(focal * rays.b[sure]),
            np.diag([focal, focal, 1.0]),
            method=cv2.USAC_MAGSAC,
            prob=_PROBABILITY,
            threshold=threshold_px,
            maxIters=_MAX_ITERATIONS,
        )
    except cv2.error:  # e.g. no minimal sample has a real solution
        return None
    # OpenCV returns None when it finds nothing, and several solutions stacked when five points have more than one.
    if E is None or mask is None or E.shape[0] < 3 or not np.isfinite(E[:3]).all():
        return None
    first: Array = np.array(E[:3], np.float64)
    return first, np.asarray(focal * _sampson_distance(first, rays) < threshold_px)


def _sampson_distance(E: Array, rays: NormalizedMatches) -> Array:
    """(N,) first-order distances of matches from satisfying b' E a = 0 (Hartley and Zisserman, equation 11.9)."""
    a, b = homogeneous(rays.a), homogeneous(rays.b)
    line_b, line_a = a @ E.T, b @ E
    length = np.hypot(np.linalg.norm(line_b[:, :2], axis=1), np.linalg.norm(line_a[:, :2], axis=1))
    return np.asarray(np.abs((b * line_b).sum(axis=1)) / np.maximum(length, 1e-12))


def _decompose(E: Array, rays: NormalizedMatches, threshold: float) -> tuple[Array, Array]:
    """Of the four poses that E stands for, the one of the lowest `epipolar_cost`, which knows what is in front."""
    R_1, R_2, t = cv2.decomposeEssentialMat(E)  # x_b = R x_a + t
    poses = [se3.inverse(se3.transform(R, sign * t.ravel())) for R in (R_1, R_2) for sign in (1.0, -1.0)]
    T_a_b = min(poses, key=lambda T: epipolar_cost(T, rays, threshold))
    return T_a_b[:3, :3], T_a_b[:3, 3]


def epipolar_cost(T_a_b: Array, rays: NormalizedMatches, threshold: float) -> float:
    """Return the MSAC score of a pose: the squared `epipolar_errors` of N matches, truncated at the threshold, summed.

    An outlier costs as much under every pose, so outliers do not decide between a translation and its opposite.
    """
    return float(np.minimum((epipolar_errors(T_a_b, rays) / threshold) ** 2, 1.0).sum())


def epipolar_errors(T_a_b: Array, rays: NormalizedMatches) -> Array:
    """Return the (N,) reprojection errors in image b, on the plane z = 1, of points triangulated in front of camera a.

    That is the distance from the epipolar line, or from its vanishing point (infinite depth) for a match that would be
    behind camera a; infinite for one behind camera b. `spread` scales them to those of a typical match.
    """
    inverse_depth, _ = triangulate(rays.a, rays.b, T_a_b, 1.0)
    x, y, z = T_a_b[:3, :3].T @ (rays.columns_a - np.maximum(inverse_depth, 0.0) * T_a_b[:3, 3:])
    with np.errstate(divide="ignore", invalid="ignore"):
        residuals = np.stack([x / z, y / z]) - rays.columns_b
        lengths = np.hypot(*residuals)
        errors = lengths / np.sqrt(rays.variance(residuals / np.maximum(lengths, 1e-12)))
    return np.where(np.isfinite(errors), errors, np.inf)


def _general_or_planar(few: NormalizedMatches, focal: float, threshold_px: float) -> TwoViewGeometry:
    planar = _explained_by_plane(focal * few.a, focal * few.b, threshold_px)
    return TwoViewGeometry.PLANAR if planar else TwoViewGeometry.GENERAL


def _explained_by_plane(points_a: Array, points_b: Array, threshold_px: float) -> bool:
    """Tell whether one homography moves the (N, 2) points of an ideal camera, pixels, to their matches."""
    H: NDArray[Any] | None = cv2.findHomography(
        np.ascontiguousarray(points_a), np.ascontiguousarray(points_b), cv2.USAC_MAGSAC, threshold_px, maxIters=100
    )[0]
    if H is None:
        return False
    moved = homogeneous(points_a) @ H.T
    error = np.linalg.norm(moved[:, :2] / moved[:, 2:] - points_b, axis=1)
    return bool((error < threshold_px).mean() > _EXPLAINED)
