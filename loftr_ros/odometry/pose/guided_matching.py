"""Guided matching: a second estimate from the matches inside the gate of the predicted motion.

Repeated texture, such as equal panels along a wall, yields matches that agree on a wrong motion. The images alone do
not resolve that; the motion model does. So where the inlier ratio is low, or the motion is outside the Mahalanobis gate
of the prediction, the pose is estimated again from the matches inside the gate (active search: Davison et al.,
"MonoSLAM: Real-Time Single Camera SLAM", TPAMI 2007). A camera that did accelerate that hard has few matches inside.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from loftr_ros.arrays import Array
from loftr_ros.odometry.geometry.gating import within_mahalanobis_gate
from loftr_ros.odometry.geometry.normalized_matches import NormalizedMatches, transfer
from loftr_ros.odometry.geometry.robust import MAJORITY
from loftr_ros.odometry.pose.degeneracy import is_competing, mixture_covariance
from loftr_ros.odometry.pose.estimator import RelativePoseEstimate
from loftr_ros.odometry.pose.gauss_newton import ObservableDof

# Size of the gate, standard deviations of the prediction.
# assumed: half of one, because the standard deviation is that of hard braking, and panels are near each other.
_GATE_SIGMAS = 0.5
# Inliers that the guided motion needs, as a share of those of the first motion, if that is a sudden acceleration, so
# that of an object that fills the view; else it needs half (with fewer, a camera did accelerate that hard).
# assumed: random matches do not agree on a prediction this often.
_MIN_SHARE_IF_SUDDEN = 1 / 8


def needs_guided_pass(motion: RelativePoseEstimate | None, T_predicted: Array, covariance: Array) -> bool:
    """Return whether to estimate again: no motion, a low inlier ratio, or outside the Mahalanobis gate.

    The gate does not include the covariance of a competing motion: one of the two may be that of an object.
    """
    if motion is None or not motion.has_majority:
        return True
    return not within_mahalanobis_gate(motion.T_keyframe_camera, motion.own_covariance, T_predicted, covariance)


def gated_matches(matches: NormalizedMatches, T_a_b: Array, covariance: Array, tolerance: float) -> NDArray[np.bool_]:
    """Return which of N matches lie within the gate of a predicted pose; none if no match has depth.

    Args:
        matches: those without depth are assumed at the median depth of the others.
        T_a_b: (4, 4) prediction.
        covariance: (6, 6) of the prediction, see `se3`.
        tolerance: error of a match itself, on the plane z = 1.

    Returns:
        (N,) bool.
    """
    has_depth = matches.has_depth
    if not has_depth.any():
        return has_depth
    rho = np.where(has_depth, matches.inverse_depth, np.median(matches.inverse_depth[has_depth]))
    in_b = transfer(matches.columns_a, rho, T_a_b)
    distance = np.linalg.norm(in_b[:2] / np.maximum(in_b[2], 1e-3) - matches.columns_b, axis=0)
    position_sigma, rotation_sigma = np.sqrt(
        [np.linalg.eigvalsh(part)[-1] for part in (covariance[:3, :3], covariance[3:, 3:])]
    )
    return np.asarray(distance < tolerance + _GATE_SIGMAS * np.hypot(rho * position_sigma, rotation_sigma))


def fits_gated(motion: RelativePoseEstimate | None, gated: NDArray[np.bool_]) -> bool:
    """Return whether most inliers of a motion lie within the gate, so that a guided pass would repeat it."""
    return motion is not None and bool(gated[motion.inliers].mean() >= MAJORITY)


def selected(
    motion: RelativePoseEstimate | None,
    guided: RelativePoseEstimate | None,
    gated: NDArray[np.bool_],
    is_sudden: bool = False,
) -> RelativePoseEstimate | None:
    """Select between the motion of all matches and that of the gated ones, if they differ.

    The other one becomes a competing motion, and adds to the covariance if it has enough inliers.

    Args:
        motion: from N matches.
        guided: from the M gated ones.
        gated: (N,) bool, which M.
        is_sudden: whether `motion` exceeds the acceleration of any camera, so it is likely that of a moving object.
    """
    if guided is None or guided.observable is not ObservableDof.FULL:
        return motion
    guided = _over_all(guided, gated)
    if motion is None:
        return guided
    guided_inliers, first_inliers = int(guided.inliers.sum()), int(motion.inliers.sum())
    if (motion.inliers & guided.inliers).sum() >= MAJORITY * guided_inliers:
        return motion
    if guided_inliers >= (_MIN_SHARE_IF_SUDDEN if is_sudden else MAJORITY) * first_inliers:
        competes = is_competing(first_inliers, len(gated))
        return guided.with_competing_motion(guided.competing_covariance) if competes else guided
    if not is_competing(guided_inliers, len(gated)):
        return motion
    probability = guided_inliers / (guided_inliers + first_inliers)
    covariance = mixture_covariance(motion.T_keyframe_camera, guided.T_keyframe_camera, probability)
    return motion.with_competing_motion(covariance)


def _over_all(motion: RelativePoseEstimate, gated: NDArray[np.bool_]) -> RelativePoseEstimate:
    """Expand the per-match arrays of an estimate from the M gated matches to all N."""
    inliers, sensitivity = np.zeros(len(gated), bool), np.zeros((len(gated), 6))
    inliers[gated], sensitivity[gated] = motion.inliers, motion.depth_sensitivity
    return replace(motion, inliers=inliers, depth_sensitivity=sensitivity)
