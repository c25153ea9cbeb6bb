"""Direction of a translation without any depth: the best of several starts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from loftr_ros.odometry import se3
from loftr_ros.odometry.rays import RayMatches, triangulate
from loftr_ros.odometry.refinement import Freedom, RefinedPose, refine
from loftr_ros.odometry.residuals import Linearization, Scales
from loftr_ros.odometry.two_view import TwoViewPose, fit_rotation

# About so many matches are enough to tell which start is the best.
_MANY = 300
# A residual beyond this many standard deviations is that of a wrong match, however large.
_OUTLIER = 3.0


def refine_direction(
    two_view: TwoViewPose, rays: RayMatches, baseline: float | None, noise: float, least_noise: float
) -> RefinedPose:
    """Refine rotation and direction of translation of matches without depth.

    While the image has moved by a pixel or two, a rotation stands in for much of a translation across it. So there is
    more than one local minimum, and the inliers of an essential matrix hardly tell them apart; the sum of the residuals
    does. So besides the essential matrix all axes are tried, with the rotation that alone explains most.

    Args:
        two_view: what the essential matrix says.
        rays: N matches without depth.
        baseline: length of the translation; None: such that the median distance of the points is 1, the unit.
        noise, least_noise: see `refine`.
    """
    few = rays.thinned(_MANY)
    R_a_b = fit_rotation(few.a, few.b, noise)
    starts = [(two_view.R_a_b, two_view.direction), *((R_a_b, axis) for axis in (*np.eye(3), *-np.eye(3)))]
    rough = [refine(se3.transform(R, axis), few, noise, least_noise, Freedom.DIRECTION).T_a_b for R, axis in starts]
    best = min(rough, key=lambda T: _cost(T, few, noise))
    T_a_b = _in_front(best, few)
    T_a_b[:3, 3] *= _unit(T_a_b, few) if baseline is None else baseline
    return refine(T_a_b, rays, noise, least_noise, Freedom.DIRECTION)


def _cost(T_a_b: NDArray[np.float64], rays: RayMatches, noise: float) -> float:
    """Truncated sum of squares, as MSAC has it (Torr and Zisserman, CVIU 2000)."""
    squared = Linearization.at(T_a_b, rays, rays.sigma, Scales(noise)).squared
    return float(np.minimum(squared, _OUTLIER**2).sum())


def _in_front(T_a_b: NDArray[np.float64], rays: RayMatches) -> NDArray[np.float64]:
    """Of a translation and its opposite, whose epipolar lines are the same, the one with more points in front."""
    opposite = se3.transform(T_a_b[:3, :3], -T_a_b[:3, 3])
    return max(T_a_b, opposite, key=lambda T: (triangulate(rays.a, rays.b, T, 1.0)[0] > 0).sum())


def _unit(T_a_b: NDArray[np.float64], rays: RayMatches) -> float:
    """Return what a translation has to be multiplied with to make the median distance 1."""
    inverse_depth, _ = triangulate(rays.a, rays.b, T_a_b, 1.0)
    in_front = inverse_depth[inverse_depth > 0]
    return float(np.median(in_front)) if len(in_front) else 1.0
