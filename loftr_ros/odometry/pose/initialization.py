"""Where a camera may be whose rotation is about known, from matches with depth: where refinement starts."""

from __future__ import annotations

import numpy as np

from loftr_ros.arrays import Array
from loftr_ros.odometry.geometry import se3
from loftr_ros.odometry.geometry.normalized_matches import NormalizedMatches, triangulate
from loftr_ros.odometry.pose.pnp import perspective_pose
from loftr_ros.odometry.pose.residuals import Linearization
from loftr_ros.odometry.pose.two_view import TwoViewPose

# Inverse depths of at least this many standard deviations tell the length of a translation.
_NEAR = 3.0
# About so many matches are enough to find a start, and to tell which is the best.
_MANY = 300
# A start that explains this share of what the essential matrix explains is good enough.
_NEARLY_ALL = 0.9


def start_with_depth(two_view: TwoViewPose, rays: NormalizedMatches, noise: float, threshold: float) -> Array:
    """Find the (4, 4) pose that N matches with depth ask for, where their essential matrix is known.

    A pose by random samples is only tried where the others do not explain what the essential matrix does.

    Args:
        two_view: what the essential matrix says.
        rays: N matches.
        noise: standard deviation of a match, on the plane z = 1.
        threshold: largest error of an inlier, on the plane z = 1.
    """
    few, agreeing = rays.subsampled(_MANY), rays.select(two_view.inliers & rays.known).subsampled(_MANY)
    best = translated(se3.transform(two_view.R_a_b, two_view.direction), agreeing, few, noise)
    if (best.errors_at(best.T) < threshold).mean() < _NEARLY_ALL * two_view.inliers.mean():
        perspective = perspective_pose(
            rays.select(rays.inverse_depth > _NEAR * rays.sigma).subsampled(_MANY), threshold
        )
        if perspective is not None:
            best = min(best, Linearization.rough(perspective[0], few, noise), key=lambda start: start.cost)
    return best.T


def translated(T_a_b: Array, agreeing: NormalizedMatches, few: NormalizedMatches, noise: float) -> Linearization:
    """Give a pose the translation that the depths ask for: the better of two.

    One is along the direction that it has, as long as the median of the depths says, which no outlier spoils; the other
    needs no direction, which a rotation does not give and a plane gives wrongly.

    Args:
        T_a_b: (4, 4); the length of its translation does not matter.
        agreeing: matches with depth that agree with its rotation and direction.
        few: matches that tell which is the better.
        noise: standard deviation of a match, on the plane z = 1.
    """
    R = T_a_b[:3, :3]
    starts = [se3.transform(R, position_from_depth(R, agreeing, noise))]
    measured, _ = triangulate(agreeing.a, agreeing.b, T_a_b, noise)
    near = np.isfinite(measured) & (agreeing.inverse_depth > _NEAR * agreeing.sigma)
    if near.any():
        length = float(np.median(measured[near] / agreeing.inverse_depth[near]))
        starts.append(se3.transform(R, length * T_a_b[:3, 3]))
    return min((Linearization.rough(T, few, noise) for T in starts), key=lambda start: start.cost)


def position_from_depth(R_a_b: Array, rays: NormalizedMatches, noise: float) -> Array:
    """Return the (3,) position of camera b in a, its rotation being known, from matches with depth.

    With u = R^T x_a and q = R^T p the image of the point is (u - rho q), so the two equations of each match are linear
    in q; they are solved by least squares, reweighted five times (Cauchy).
    """
    known = rays.select(rays.known)
    rho, b = known.inverse_depth, known.columns_b
    u = R_a_b.T @ known.columns_a
    nothing = np.zeros_like(rho)
    A = np.stack([np.append(rho, nothing), np.append(nothing, rho), -np.tile(rho, 2) * b.ravel()])
    y = (u[:2] - b * u[2]).ravel()
    weights: Array = np.ones(len(rho))
    q: Array = np.zeros(3)
    for _ in range(5):
        weighted = A * np.tile(weights, 2)
        q = np.linalg.lstsq(weighted @ A.T, weighted @ y, rcond=None)[0]
        squared = ((q @ A - y) ** 2).reshape(2, -1).sum(axis=0)
        weights = 1.0 / (1.0 + squared / max(4.0 * noise**2, float(np.median(squared))))
    return np.asarray(R_a_b @ q)
