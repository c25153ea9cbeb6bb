"""Rotation and direction of translation without depth: the best of several initial poses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from loftr_ros.arrays import Array
from loftr_ros.odometry.config import MINIMUM_MATCHES
from loftr_ros.odometry.geometry import se3
from loftr_ros.odometry.geometry.normalized_matches import SUBSET_SIZE, NormalizedMatches, triangulate
from loftr_ros.odometry.pose.degeneracy import mixture_covariance
from loftr_ros.odometry.pose.gauss_newton import ObservableDof, RefinedPose, evaluate_covariance, refine_pose
from loftr_ros.odometry.pose.two_view import TwoViewPose, epipolar_cost, epipolar_errors, fit_rotation

# Gate of the last refinement, as a multiple of the threshold.
# assumed: farther matches are outliers that bias the noise; nearer ones are needed to measure it.
_GATE = 3.0
# A local minimum competes with the best one if its cost is at most this share higher. Errors of matches are correlated,
# so a likelihood ratio of the costs would be overconfident.
# measured: docs/odometry.md, "the true direction cost 16 % more".
_COST_MARGIN = 0.25
# And if its direction differs by more than this angle, radians.
# assumed: less is noise at a few pixels of parallax.
_MIN_ANGLE = np.radians(10.0)


def refine_direction(
    two_view: TwoViewPose,
    matches: NormalizedMatches,
    baseline: float | None,
    noise: float,
    least_noise: float,
    threshold: float,
) -> RefinedPose:
    """Refine rotation and direction of translation of matches without depth.

    At one or two pixels of parallax a rotation mimics much of a sideways translation, so the epipolar error has several
    local minima. The initial poses are the essential matrix's, and the axes with the best rotation-only model. Every
    candidate and its opposite get one score over all matches, `epipolar_cost`; the lowest wins.

    Args:
        two_view: pose from the essential matrix.
        matches: N matches without depth.
        baseline: length of the translation; None: such that the median distance of the points is 1, the unit.
        noise, least_noise: see `refine_pose`.
        threshold: largest error of an inlier, on the plane z = 1.
    """
    subset = matches.select(two_view.inliers).subsampled(SUBSET_SIZE)
    candidates = _candidates(two_view, subset, noise, least_noise)
    candidates += [shifted for T in candidates for shifted in _shifted_along_lines(T, threshold)]
    costs = np.array([epipolar_cost(T, matches, threshold) for T in candidates])
    best = candidates[int(costs.argmin())]
    competing, probability = _competing(candidates, costs)
    length = _unit_length(best, subset) if baseline is None else baseline
    best[:3, 3] *= length
    near = epipolar_errors(best, matches) < _GATE * threshold
    if near.sum() < MINIMUM_MATCHES:
        near[:] = True
    refined = refine_pose(best, matches.select(near), noise, least_noise, ObservableDof.UP_TO_SCALE)
    evaluated = evaluate_covariance(refined.T_a_b, matches, refined.noise, ObservableDof.UP_TO_SCALE)
    if competing is None:
        return evaluated
    competing = se3.transform(competing[:3, :3], length * competing[:3, 3])
    added = mixture_covariance(evaluated.T_a_b, competing, probability)
    return replace(evaluated, covariance=evaluated.covariance + added, is_ambiguous=True)


def _competing(candidates: list[Array], costs: Array) -> tuple[Array | None, float]:
    """Return the cheapest pose of another direction than the best one, None if it is much worse, and its probability.

    The probability falls from 1/2 at equal costs to 0 at the margin.
    """
    directions = np.array([T[:3, 3] for T in candidates])
    best = int(costs.argmin())
    others = np.flatnonzero(directions @ directions[best] < np.cos(_MIN_ANGLE))
    if others.size == 0:
        return None, 0.0
    second = int(others[costs[others].argmin()])
    excess = costs[second] / max(costs[best], 1e-12) - 1.0
    if excess > _COST_MARGIN:
        return None, 0.0
    return candidates[second].copy(), float(0.5 * (1.0 - excess / _COST_MARGIN))


def _candidates(two_view: TwoViewPose, subset: NormalizedMatches, noise: float, least_noise: float) -> list[Array]:
    """(4, 4) poses with a translation of length 1: the essential matrix's, the refined starts, and their opposites."""
    essential = se3.transform(two_view.R_a_b, two_view.direction)
    R_a_b = fit_rotation(subset.a, subset.b, noise)
    starts = [essential, *(se3.transform(R_a_b, axis) for axis in np.eye(3))]
    refined = [refine_pose(start, subset, noise, least_noise, ObservableDof.UP_TO_SCALE).T_a_b for start in starts]
    # The epipolar lines of a translation and its opposite are the same.
    opposites = [se3.transform(T[:3, :3], -T[:3, 3]) for T in (essential, *refined)]
    return [essential, *refined, *opposites]


def _shifted_along_lines(T_a_b: Array, threshold: float) -> list[Array]:
    """(4, 4) poses whose rotation shifts the points along their epipolar lines by one and two thresholds.

    The epipolar error is nearly invariant to that, but at little parallax it decides about cheirality.
    """
    axis = np.cross(T_a_b[:3, 3], [0.0, 0.0, 1.0])
    axis *= threshold / max(float(np.linalg.norm(axis)), 1e-9)
    return [se3.transform(se3.exp_rotation(k * axis) @ T_a_b[:3, :3], T_a_b[:3, 3]) for k in (-2, -1, 1, 2)]


def _unit_length(T_a_b: Array, matches: NormalizedMatches) -> float:
    """Return the factor on a unit translation that makes the median distance of the points 1."""
    inverse_depth, _ = triangulate(matches.a, matches.b, T_a_b, 1.0)
    in_front = inverse_depth[inverse_depth > 0]
    return float(np.median(in_front)) if len(in_front) else 1.0
