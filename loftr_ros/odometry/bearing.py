"""Direction of a translation without any depth: the best of several starts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from loftr_ros.odometry import se3
from loftr_ros.odometry.rays import RayMatches, triangulate
from loftr_ros.odometry.refinement import Freedom, RefinedPose, refine
from loftr_ros.odometry.residuals import Linearization
from loftr_ros.odometry.two_view import TwoViewPose, fit_rotation, most_in_front

# About so many matches are enough to tell which start is the best.
_MANY = 300
# What has this share of the inliers of the essential matrix has as many, give or take what chance does.
_AS_MANY = 0.95


def refine_direction(
    two_view: TwoViewPose,
    rays: RayMatches,
    baseline: float | None,
    noise: float,
    least_noise: float,
    threshold: float,
) -> RefinedPose:
    """Refine rotation and direction of translation of matches without depth.

    While the image has moved by a pixel or two, a rotation stands in for much of a translation across it. So there is
    more than one local minimum, and the inliers of an essential matrix hardly tell them apart; the sum of the residuals
    does. So all axes are tried, too, with the rotation that alone explains most. What is found from there counts if it
    has about as many inliers.

    Args:
        two_view: what the essential matrix says.
        rays: N matches without depth.
        baseline: length of the translation; None: such that the median distance of the points is 1, the unit.
        noise, least_noise: see `refine`.
        threshold: largest error of an inlier, on the plane z = 1.
    """
    few = rays.thinned(_MANY)
    R_a_b = fit_rotation(few.a, few.b, noise)
    starts = [(two_view.R_a_b, two_view.direction), *((R_a_b, axis) for axis in (*np.eye(3), *-np.eye(3)))]
    found = [refine(se3.transform(*start), few, noise, least_noise, Freedom.DIRECTION) for start in starts]
    inliers = [(refined.errors < threshold).sum() for refined in found]
    rivals = [refined.T_a_b for refined, count in zip(found, inliers, strict=True) if count >= _AS_MANY * inliers[0]]
    best = min(rivals, key=lambda T: Linearization.rough(T, few, noise).cost)
    # The epipolar lines of a translation and its opposite are the same.
    T_a_b = most_in_front([best, se3.transform(best[:3, :3], -best[:3, 3])], few)
    T_a_b[:3, 3] *= _unit(T_a_b, few) if baseline is None else baseline
    return refine(T_a_b, rays, noise, least_noise, Freedom.DIRECTION)


def _unit(T_a_b: NDArray[np.float64], rays: RayMatches) -> float:
    """Return what a translation has to be multiplied with to make the median distance 1."""
    inverse_depth, _ = triangulate(rays.a, rays.b, T_a_b, 1.0)
    in_front = inverse_depth[inverse_depth > 0]
    return float(np.median(in_front)) if len(in_front) else 1.0
