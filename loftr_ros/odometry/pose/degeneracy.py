"""Motions and scenes that tell less than they seem to, by name; and the doubt of matches that are divided."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from loftr_ros.arrays import Array
from loftr_ros.odometry.geometry import se3
from loftr_ros.odometry.geometry.normalized_matches import NormalizedMatches
from loftr_ros.odometry.pose.pnp import perspective_pose
from loftr_ros.odometry.pose.two_view import TwoViewGeometry
from loftr_ros.odometry.states import Degeneracy

# A near point has an inverse depth of so many standard deviations, and with a smaller share of them they are few.
_NEAR, _FEW = 20.0, 0.05
# Matches that disagree with the motion are of one mind, rather than wrong, if so many of them agree on another one ...
_OF_ONE_MIND = 0.2
# ... and they matter if they are this share of all.
_MATTERS = 0.1
# How well this other motion is known, as a share of its difference from the first.
_ROUGHLY = 0.1


def degeneracies(
    geometry: TwoViewGeometry, inliers: NormalizedMatches, is_metric: bool, is_divided: bool, is_ambiguous: bool
) -> tuple[Degeneracy, ...]:
    """Name what is degenerate.

    Args:
        geometry: what the matches look like without depth.
        inliers: the matches that agree with the motion, with their depth.
        is_metric: whether the depth was measured, and not found by the motion itself.
        is_divided: whether there is a rival motion.
        is_ambiguous: whether there is a rival direction of the translation.
    """
    near = (inliers.inverse_depth > _NEAR * inliers.sigma).sum()
    named = {
        Degeneracy.PURE_ROTATION: geometry is TwoViewGeometry.ROTATION,
        Degeneracy.PLANAR: geometry is TwoViewGeometry.PLANAR,
        Degeneracy.AMBIGUOUS_DIRECTION: is_ambiguous,
        Degeneracy.FEW_NEAR_POINTS: is_metric and near < _FEW * len(inliers),
        Degeneracy.COMPETING_MOTION: is_divided,
    }
    return tuple(degeneracy for degeneracy, present in named.items() if present)


def competing_motion_covariance(
    rays: NormalizedMatches,
    inliers: NDArray[np.bool_],
    T_a_b: Array,
    threshold: float,
    min_inliers: int,
) -> Array | None:
    """Return the doubt that matches cast which agree on another motion than the others do.

    Which of the two groups is the world and which moves by itself, the matches do not say; each motion is given the
    probability of its share of their votes. The result is the (6, 6) covariance of that mixture about `T_a_b`, in the
    axes of a (see `se3`).

    Args:
        rays: N matches.
        inliers: (N,) bool, those that agree with `T_a_b`.
        T_a_b: (4, 4) the motion.
        threshold: how near an inlier is to where its motion puts it, on the plane z = 1.
        min_inliers: a motion that fewer agree with is none.

    Returns:
        None if the other matches are few, or agree on nothing. Without depth only standing still is a rival, because
        two views fit too much then.
    """
    others = rays.select(~inliers)
    least = max(min_inliers, _MATTERS * len(rays), _OF_ONE_MIND * len(others))
    if len(others) < least:
        return None
    standing = np.eye(4), int((np.linalg.norm(others.b - others.a, axis=1) < threshold).sum())
    moving = perspective_pose(others.select(others.inverse_depth > _NEAR * others.sigma), threshold)
    T_rival, votes = max(standing, moving or standing, key=lambda rival: rival[1])
    return None if votes < least else mixture_covariance(T_a_b, T_rival, votes / (votes + inliers.sum()))


def matters(votes: int, num_matches: int) -> bool:
    """Return whether a competing motion has enough inliers to be one."""
    return votes >= _MATTERS * num_matches


def mixture_covariance(T_a_b: Array, T_rival: Array, probability: float) -> Array:
    """Return the (6, 6) covariance about a motion if another one is the true one with this probability."""
    turn = se3.log_rotation(T_rival[:3, :3] @ T_a_b[:3, :3].T)
    shift = T_rival[:3, 3] - T_a_b[:3, 3]
    difference = np.concatenate([shift, turn])
    roughness = (_ROUGHLY * np.repeat([np.linalg.norm(shift), np.linalg.norm(turn)], 3)) ** 2
    return np.asarray(probability * (1.0 - probability) * (np.outer(difference, difference) + np.diag(roughness)))
