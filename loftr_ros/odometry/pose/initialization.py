"""Initial poses from matches with depth, for the refinement."""

from __future__ import annotations

import numpy as np

from loftr_ros.arrays import Array
from loftr_ros.odometry.geometry import se3
from loftr_ros.odometry.geometry.normalized_matches import SUBSET_SIZE, NormalizedMatches, triangulate
from loftr_ros.odometry.geometry.robust import CAUCHY_SIGMAS, NEARLY_ALL, SIGNIFICANT_SIGMAS, cauchy_weights
from loftr_ros.odometry.pose.pnp import perspective_pose
from loftr_ros.odometry.pose.residuals import LinearizedResiduals
from loftr_ros.odometry.pose.two_view import TwoViewPose


def start_with_depth(two_view: TwoViewPose, matches: NormalizedMatches, noise: float, threshold: float) -> Array:
    """Return the (4, 4) initial T_a_b of matches with depth: the two-view pose given a length, or PnP.

    PnP by RANSAC runs only if the former explains fewer matches than the essential matrix does.

    Args:
        two_view: pose from the essential matrix.
        matches: N matches.
        noise: standard deviation of a match, on the plane z = 1.
        threshold: largest error of an inlier, on the plane z = 1.
    """
    subset = matches.subsampled(SUBSET_SIZE)
    inliers = matches.select(two_view.inliers & matches.has_depth).subsampled(SUBSET_SIZE)
    best = translated(se3.transform(two_view.R_a_b, two_view.direction), inliers, subset, noise)
    if (best.errors_at(best.T) < threshold).mean() < NEARLY_ALL * two_view.inliers.mean():
        near = matches.select(matches.inverse_depth > SIGNIFICANT_SIGMAS * matches.sigma).subsampled(SUBSET_SIZE)
        perspective = perspective_pose(near, threshold)
        if perspective is not None:
            candidate = LinearizedResiduals.with_nominal_noise(perspective[0], subset, noise)
            best = min(best, candidate, key=lambda start: start.cost)
    return best.T


def translated(
    T_a_b: Array, inliers: NormalizedMatches, subset: NormalizedMatches, noise: float
) -> LinearizedResiduals:
    """Replace the translation of a pose by one from depth: the better, by cost, of two.

    One keeps the direction and takes the median length, which is robust to outliers; the other is linear least squares,
    which needs no direction: a pure rotation has none, and that of a planar scene may be wrong.

    Args:
        T_a_b: (4, 4); the length of its translation is ignored.
        inliers: matches with depth that fit its rotation and direction.
        subset: matches that both are scored on.
        noise: standard deviation of a match, on the plane z = 1.
    """
    R = T_a_b[:3, :3]
    starts = [se3.transform(R, position_from_depth(R, inliers, noise))]
    triangulated_rho, _ = triangulate(inliers.a, inliers.b, T_a_b, noise)
    near = np.isfinite(triangulated_rho) & (inliers.inverse_depth > SIGNIFICANT_SIGMAS * inliers.sigma)
    if near.any():
        length = float(np.median(triangulated_rho[near] / inliers.inverse_depth[near]))
        starts.append(se3.transform(R, length * T_a_b[:3, 3]))
    candidates = (LinearizedResiduals.with_nominal_noise(T, subset, noise) for T in starts)
    return min(candidates, key=lambda start: start.cost)


def position_from_depth(R_a_b: Array, matches: NormalizedMatches, noise: float) -> Array:
    """Return the (3,) position of camera b in a by linear least squares, given the rotation.

    With u = R^T x_a and q = R^T p a point is transferred to u - rho q, so its two projection equations are linear in q;
    IRLS with five iterations (Cauchy loss).

    Args:
        R_a_b: (3, 3).
        matches: N matches; those without depth are ignored.
        noise: standard deviation of a match, on the plane z = 1.
    """
    matches = matches.select(matches.has_depth)
    rho, b = matches.inverse_depth, matches.columns_b
    u = R_a_b.T @ matches.columns_a
    zeros = np.zeros_like(rho)
    A = np.stack([np.append(rho, zeros), np.append(zeros, rho), -np.tile(rho, 2) * b.ravel()])
    y = (u[:2] - b * u[2]).ravel()
    weights: Array = np.ones(len(rho))
    q: Array = np.zeros(3)
    for _ in range(5):
        weighted = A * np.tile(weights, 2)
        q = np.linalg.lstsq(weighted @ A.T, weighted @ y, rcond=None)[0]
        squared = ((q @ A - y) ** 2).reshape(2, -1).sum(axis=0)
        weights = cauchy_weights(squared / max((CAUCHY_SIGMAS * noise) ** 2, float(np.median(squared))))
    return np.asarray(R_a_b @ q)
