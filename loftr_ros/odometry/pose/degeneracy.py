"""Degenerate motions and scenes, by name, and the covariance that a competing motion adds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from loftr_ros.arrays import Array
from loftr_ros.odometry.geometry import se3
from loftr_ros.odometry.geometry.normalized_matches import NormalizedMatches
from loftr_ros.odometry.pose.pnp import perspective_pose
from loftr_ros.odometry.pose.two_view import TwoViewGeometry
from loftr_ros.odometry.states import Degeneracy

# Significance of the inverse depth of a near point, in standard deviations, and the least share of near points.
_NEAR_SIGMAS, _MIN_NEAR_SHARE = 20.0, 0.05
# Least inlier ratio of a competing motion: among the outliers of the first motion (below, they are plain outliers), and
# among all matches.
_MIN_OUTLIER_SHARE, _MIN_COMPETING_SHARE = 0.2, 0.1
# Relative standard deviation of the difference between both motions.
_DIFFERENCE_SIGMA = 0.1


def degeneracies(
    geometry: TwoViewGeometry, inliers: NormalizedMatches, is_metric: bool, has_competitor: bool, is_ambiguous: bool
) -> tuple[Degeneracy, ...]:
    """Name the degeneracies of a measured motion.

    Args:
        geometry: two-view model that the matches support without depth.
        inliers: matches that fit the motion, with their depth.
        is_metric: whether the depth is measured by a sensor, not triangulated from the motion itself.
        has_competitor: whether other matches fit a competing motion.
        is_ambiguous: whether another direction of the translation fits nearly as well.
    """
    near = (inliers.inverse_depth > _NEAR_SIGMAS * inliers.sigma).sum()
    named = {
        Degeneracy.PURE_ROTATION: geometry is TwoViewGeometry.ROTATION,
        Degeneracy.PLANAR: geometry is TwoViewGeometry.PLANAR,
        Degeneracy.AMBIGUOUS_DIRECTION: is_ambiguous,
        Degeneracy.FEW_NEAR_POINTS: is_metric and near < _MIN_NEAR_SHARE * len(inliers),
        Degeneracy.COMPETING_MOTION: has_competitor,
    }
    return tuple(degeneracy for degeneracy, present in named.items() if present)


def competing_motion_covariance(
    matches: NormalizedMatches, inliers: NDArray[np.bool_], T_a_b: Array, threshold: float, min_inliers: int
) -> Array | None:
    """Return the covariance due to outliers that fit a competing motion, such as that of a moving object.

    Which of the two motions is the camera's is not observable from the matches, so each has the probability of its
    share of the inliers of both; the result is the covariance of that mixture about `T_a_b`. The competing motion is
    the better of standing still and PnP on the outliers; without depth only the former, since a second two-view pose
    would fit too much.

    Args:
        matches: N matches.
        inliers: (N,) bool, those that fit `T_a_b`.
        T_a_b: (4, 4) measured motion.
        threshold: largest reprojection error of an inlier, on the plane z = 1.
        min_inliers: least number of inliers of a motion.

    Returns:
        (6, 6) in the axes of a (see `se3`); None if there is no competing motion.
    """
    outliers = matches.select(~inliers)
    least = max(min_inliers, _MIN_COMPETING_SHARE * len(matches), _MIN_OUTLIER_SHARE * len(outliers))
    if len(outliers) < least:
        return None
    standing = np.eye(4), int((np.linalg.norm(outliers.b - outliers.a, axis=1) < threshold).sum())
    moving = perspective_pose(outliers.select(outliers.inverse_depth > _NEAR_SIGMAS * outliers.sigma), threshold)
    T_competing, votes = max(standing, moving or standing, key=lambda motion: motion[1])
    return None if votes < least else mixture_covariance(T_a_b, T_competing, votes / (votes + inliers.sum()))


def is_competing(num_inliers: int, num_matches: int) -> bool:
    """Return whether a motion with these inliers is supported well enough to compete with another."""
    return num_inliers >= _MIN_COMPETING_SHARE * num_matches


def mixture_covariance(T_a_b: Array, T_competing: Array, probability: float) -> Array:
    """Return the (6, 6) covariance about a motion if a competing one is the true one with this probability."""
    rotation_vector = se3.log_rotation(T_competing[:3, :3] @ T_a_b[:3, :3].T)
    shift = T_competing[:3, 3] - T_a_b[:3, 3]
    difference = np.concatenate([shift, rotation_vector])
    lengths = np.repeat([np.linalg.norm(shift), np.linalg.norm(rotation_vector)], 3)
    variance = np.diag((_DIFFERENCE_SIGMA * lengths) ** 2)
    return np.asarray(probability * (1.0 - probability) * (np.outer(difference, difference) + variance))
