"""Degenerate motions and scenes, by name, and the covariance that a competing motion adds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from loftr_ros.arrays import Array
from loftr_ros.odometry.config import MINIMUM_MATCHES
from loftr_ros.odometry.geometry import se3
from loftr_ros.odometry.geometry.normalized_matches import SUBSET_SIZE, NormalizedMatches, transfer
from loftr_ros.odometry.geometry.plane import fit_plane
from loftr_ros.odometry.geometry.robust import FEW
from loftr_ros.odometry.pose.pnp import perspective_pose
from loftr_ros.odometry.pose.two_view import TwoViewGeometry
from loftr_ros.odometry.states import Degeneracy

# Significance of the inverse depth of a near point, standard deviations.
# assumed: such a depth gives the length of a motion within 5 %.
_NEAR_SIGMAS = 20.0
# Least share of near points.
# assumed: fewer may be wrong matches.
_MIN_NEAR_SHARE = 0.05
# A motion of fewer than FEW of all matches, such as of the margins beside an object, competes if the inliers of
# the first motion are on one plane: an object that hides the scene is nearly flat, and in a scene with relief few wrong
# matches of a repetitive texture agree, too. Least inlier ratio among the near outliers.
# measured: docs/odometry.md, "beside an object that fills the view 0.4 to 0.7".
_MIN_CONSENSUS = 0.37
# Least median reprojection error of its inliers by the first motion, thresholds.
# measured: docs/odometry.md, "beside an object that fills the view 0.4 to 0.7".
_MIN_DIFFERENCE = 4.0
# Largest median deviation of inverse depths from their plane, relative to their median.
# measured: docs/odometry.md, "0.002 to 0.033 on a truck".
_MAX_RELIEF = 0.07
# Relative standard deviation of the difference between both motions.
# assumed: makes its covariance regular; either motion may be inaccurate by a tenth of it.
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
    matches: NormalizedMatches,
    inliers: NDArray[np.bool_],
    T_a_b: Array,
    geometry: TwoViewGeometry,
    threshold: float,
    min_inliers: int,
) -> Array | None:
    """Return the covariance due to outliers that fit a competing motion, such as that of a moving object.

    Which of the two motions is the camera's is not observable from the matches, and an object may fill most of the view
    and have most of them, so the standard deviation is the difference. The competing motion is the better of standing
    still and PnP on the outliers; without depth only the former, since a second two-view pose would fit too much.

    Args:
        matches: N matches.
        inliers: (N,) bool, those that fit `T_a_b`.
        T_a_b: (4, 4) measured motion.
        geometry: of its inliers.
        threshold: largest reprojection error of an inlier, on the plane z = 1.
        min_inliers: least number of inliers of a motion.

    Returns:
        (6, 6) in the axes of a (see `se3`); None if there is no competing motion.
    """
    outliers = matches.select(~inliers)
    if len(outliers) < min_inliers:
        return None
    near = outliers.select(outliers.inverse_depth > _NEAR_SIGMAS * outliers.sigma)
    least = max(min_inliers, FEW * len(matches))
    is_flat = geometry is not TwoViewGeometry.GENERAL and _is_flat(matches.select(inliers & matches.has_depth))
    if len(outliers) < least and not is_flat:  # as in most frames
        return None
    dominant = max(min_inliers, _MIN_CONSENSUS * len(near))
    standing = np.eye(4), int((np.linalg.norm(outliers.b - outliers.a, axis=1) < threshold).sum())
    moving = perspective_pose(near, threshold)
    T_competing, votes = max(standing, moving or standing, key=lambda motion: motion[1])
    is_dominant = is_flat and moving is not None and moving[1] >= dominant
    if votes >= least or (is_dominant and _is_distinct(near, T_a_b, T_competing, threshold)):
        return difference_covariance(T_a_b, T_competing)
    return None


def _is_flat(points: NormalizedMatches) -> bool:
    """Return whether matches with depth are on one plane."""
    if len(points) < MINIMUM_MATCHES:
        return False
    few = points.subsampled(SUBSET_SIZE)
    deviation = few.inverse_depth - fit_plane(few.columns_a, few.inverse_depth) @ few.columns_a
    return bool(np.median(np.abs(deviation)) < _MAX_RELIEF * np.median(few.inverse_depth))


def _is_distinct(matches: NormalizedMatches, T_a_b: Array, T_competing: Array, threshold: float) -> bool:
    """Return whether the inliers of a competing motion are far outside the threshold of the first."""
    voters = matches.select(_reprojection_errors(matches, T_competing) < threshold)
    return len(voters) > 0 and bool(np.median(_reprojection_errors(voters, T_a_b)) > _MIN_DIFFERENCE * threshold)


def _reprojection_errors(matches: NormalizedMatches, T_a_b: Array) -> Array:
    """(N,) distances of matches with depth from their projections, on the plane z = 1."""
    x, y, z = transfer(matches.columns_a, matches.inverse_depth, T_a_b)
    z = np.maximum(z, 1e-3)
    return np.asarray(np.hypot(x / z - matches.columns_b[0], y / z - matches.columns_b[1]))


def is_competing(num_inliers: int, num_matches: int) -> bool:
    """Return whether a motion has enough inliers to compete: a smaller object leaves the camera's hardly in doubt."""
    return num_inliers >= FEW * num_matches


def mixture_covariance(T_a_b: Array, T_competing: Array, probability: float) -> Array:
    """Return the (6, 6) covariance about a motion if a competing one is the true one with this probability."""
    return np.asarray(probability * (1.0 - probability) * difference_covariance(T_a_b, T_competing))


def difference_covariance(T_a_b: Array, T_competing: Array) -> Array:
    """Return the (6, 6) covariance of an error with the standard deviation of the difference of two motions."""
    difference = se3.difference(T_competing, T_a_b)
    lengths = np.repeat(np.linalg.norm(difference.reshape(2, 3), axis=1), 3)
    return np.asarray(np.outer(difference, difference) + np.diag((_DIFFERENCE_SIGMA * lengths) ** 2))
