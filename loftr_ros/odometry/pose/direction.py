"""Direction of a translation without any depth: the best of several starts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from loftr_ros.arrays import Array
from loftr_ros.odometry.geometry import se3
from loftr_ros.odometry.geometry.normalized_matches import NormalizedMatches, triangulate
from loftr_ros.odometry.pose.degeneracy import mixture_covariance
from loftr_ros.odometry.pose.gauss_newton import ObservableDof, RefinedPose, evaluate_covariance, refine_pose
from loftr_ros.odometry.pose.two_view import MINIMUM_MATCHES, TwoViewPose, epipolar_cost, epipolar_errors, fit_rotation

# Size of the subset of the inliers that each start is refined on.
_MANY = 300
# The last refinement leaves out matches beyond this multiple of the threshold: farther ones are outliers that bias the
# noise; nearer ones are needed to measure it.
_NEAR = 3.0
# A local minimum competes with the best one if its cost is at most this share higher and its direction differs by more
# than this angle. Errors of matches are correlated, so a likelihood ratio of the costs would be overconfident: in a
# corridor the true direction cost 16 % more than one that was 57 degrees off.
_COST_MARGIN, _LEAST_ANGLE = 0.25, np.radians(10.0)


def refine_direction(
    two_view: TwoViewPose,
    rays: NormalizedMatches,
    baseline: float | None,
    noise: float,
    least_noise: float,
    threshold: float,
) -> RefinedPose:
    """Refine rotation and direction of translation of matches without depth.

    While the image has moved by a pixel or two, a rotation explains much of a translation across it, so the epipolar
    error has several local minima. All axes are starts, too, with the rotation that alone explains most. Every
    candidate and its opposite have one score over all matches, `epipolar_cost`; the lowest wins.

    Args:
        two_view: what the essential matrix says.
        rays: N matches without depth.
        baseline: length of the translation; None: such that the median distance of the points is 1, the unit.
        noise, least_noise: see `refine_pose`.
        threshold: largest error of an inlier, on the plane z = 1.
    """
    few = rays.select(two_view.inliers).subsampled(_MANY)
    candidates = _candidates(two_view, few, noise, least_noise)
    candidates += [turned for T in candidates for turned in _along_the_lines(T, threshold)]
    costs = np.array([epipolar_cost(T, rays, threshold) for T in candidates])
    best = candidates[int(costs.argmin())]
    rival, probability = _competing(candidates, costs)
    length = _unit(best, few) if baseline is None else baseline
    best[:3, 3] *= length
    near = epipolar_errors(best, rays) < _NEAR * threshold
    if near.sum() < MINIMUM_MATCHES:
        near[:] = True
    refined = refine_pose(best, rays.select(near), noise, least_noise, ObservableDof.UP_TO_SCALE)
    evaluated = evaluate_covariance(refined.T_a_b, rays, refined.noise, ObservableDof.UP_TO_SCALE)
    if rival is None:
        return evaluated
    rival = se3.transform(rival[:3, :3], length * rival[:3, 3])
    doubt = mixture_covariance(evaluated.T_a_b, rival, probability)
    return replace(evaluated, covariance=evaluated.covariance + doubt, is_ambiguous=True)


def _competing(candidates: list[Array], costs: Array) -> tuple[Array | None, float]:
    """Return the cheapest pose of another direction than the best one, None if it is much worse, and its probability.

    The probability falls from 1/2 at equal costs to 0 at the margin.
    """
    directions = np.array([T[:3, 3] for T in candidates])
    best = int(costs.argmin())
    others = np.flatnonzero(directions @ directions[best] < np.cos(_LEAST_ANGLE))
    if others.size == 0:
        return None, 0.0
    rival = int(others[costs[others].argmin()])
    excess = costs[rival] / max(costs[best], 1e-12) - 1.0
    if excess > _COST_MARGIN:
        return None, 0.0
    return candidates[rival].copy(), float(0.5 * (1.0 - excess / _COST_MARGIN))


def _candidates(two_view: TwoViewPose, few: NormalizedMatches, noise: float, least_noise: float) -> list[Array]:
    """(4, 4) poses with a translation of length 1: the essential matrix's, the refined starts, and their opposites."""
    essential = se3.transform(two_view.R_a_b, two_view.direction)
    R_a_b = fit_rotation(few.a, few.b, noise)
    starts = [essential, *(se3.transform(R_a_b, axis) for axis in np.eye(3))]
    refined = [refine_pose(start, few, noise, least_noise, ObservableDof.UP_TO_SCALE).T_a_b for start in starts]
    # The epipolar lines of a translation and its opposite are the same.
    opposites = [se3.transform(T[:3, :3], -T[:3, 3]) for T in (essential, *refined)]
    return [essential, *refined, *opposites]


def _along_the_lines(T_a_b: Array, threshold: float) -> list[Array]:
    """(4, 4) poses whose rotation moves the points along their epipolar lines, by one and two thresholds.

    The epipolar error hardly changes by it, but at little parallax it decides which points are in front.
    """
    axis = np.cross(T_a_b[:3, 3], [0.0, 0.0, 1.0])
    axis *= threshold / max(float(np.linalg.norm(axis)), 1e-9)
    return [se3.transform(se3.exp_rotation(k * axis) @ T_a_b[:3, :3], T_a_b[:3, 3]) for k in (-2, -1, 1, 2)]


def _unit(T_a_b: Array, rays: NormalizedMatches) -> float:
    """Return what a translation has to be multiplied with to make the median distance 1."""
    inverse_depth, _ = triangulate(rays.a, rays.b, T_a_b, 1.0)
    in_front = inverse_depth[inverse_depth > 0]
    return float(np.median(in_front)) if len(in_front) else 1.0
