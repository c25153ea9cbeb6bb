"""A second look at matches that do not agree: with those alone that are where the motion so far lets expect them.

Equal panels along a wall match each other, one panel off, and they do so in agreement. The images alone do not tell;
but no camera jumps by a panel from one frame to the next. So where fewer than half of the matches agree on a motion, or
on one that is not foreseen, only those near the places that the prediction gives them are heard (as in the active
search of Davison et al., "MonoSLAM: Real-Time Single Camera SLAM", TPAMI 2007). A camera that did change its motion
that fast has no such matches, or much fewer.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from loftr_ros.arrays import Array
from loftr_ros.odometry.geometry.gating import within_mahalanobis_gate
from loftr_ros.odometry.geometry.normalized_matches import NormalizedMatches, homogeneous
from loftr_ros.odometry.pose.degeneracy import matters, mixture_covariance
from loftr_ros.odometry.pose.estimator import RelativePoseEstimate
from loftr_ros.odometry.pose.gauss_newton import ObservableDof

# A motion that fewer of the matches agree with asks for a second look.
_SURE_SHARE = 1 / 2
# What the prediction foresees in this many standard deviations is expected: less than what is merely possible.
_EXPECTED = 0.5
# What is expected needs this share of the votes for what is not, and is another motion if fewer have voted for both.
_ENOUGH, _SAME = 1 / 2, 1 / 2
# Inlier ratio that the predicted motion needs against a sudden one: this many do not agree on a prediction by chance,
# and the other motion is of something that fills the view.
_ENOUGH_IF_SUDDEN = 1 / 8


def needs_guided_pass(motion: RelativePoseEstimate | None, T_predicted: Array, covariance: Array) -> bool:
    """Return whether to look again: there is no motion, its inlier ratio is low, or it is not foreseen.

    What a competing motion adds to the covariance excuses none: it is there because one of the two may be of an object.
    """
    if motion is None or motion.inliers.mean() < _SURE_SHARE:
        return True
    return not within_mahalanobis_gate(motion.T_keyframe_camera, motion.undoubted, T_predicted, covariance)


def gated_matches(rays: NormalizedMatches, T_a_b: Array, covariance: Array, tolerance: float) -> NDArray[np.bool_]:
    """Tell which of N matches are where a predicted pose lets expect them; none without any depth.

    Args:
        rays: the matches; one without depth is taken to be as far away as the others are.
        T_a_b: (4, 4) prediction.
        covariance: (6, 6) of it, see `se3`.
        tolerance: how far a match may be off by itself, on the plane z = 1.

    Returns:
        (N,) bool.
    """
    known = rays.known
    if not known.any():
        return known
    rho = np.where(known, rays.inverse_depth, np.median(rays.inverse_depth[known]))
    in_b = (homogeneous(rays.a) - rho[:, None] * T_a_b[:3, 3]) @ T_a_b[:3, :3]
    distance = np.linalg.norm(in_b[:, :2] / np.maximum(in_b[:, 2:], 1e-3) - rays.b, axis=1)
    shift, turn = np.sqrt([np.linalg.eigvalsh(part)[-1] for part in (covariance[:3, :3], covariance[3:, 3:])])
    return np.asarray(distance < tolerance + _EXPECTED * np.hypot(rho * shift, turn))


def fits_gated(motion: RelativePoseEstimate | None, expected: NDArray[np.bool_]) -> bool:
    """Tell whether most of the matches that agree with a motion are expected ones; then these tell nothing new."""
    return motion is not None and bool(expected[motion.inliers].mean() >= _SAME)


def selected(
    motion: RelativePoseEstimate | None,
    again: RelativePoseEstimate | None,
    expected: NDArray[np.bool_],
    is_sudden: bool = False,
) -> RelativePoseEstimate | None:
    """Choose between the motion of all matches and that of the expected ones, if this is another one.

    The one that is not chosen is named as a competing motion, and widens the covariance unless it was unlikely anyway.

    Args:
        motion: of N matches.
        again: of M of them.
        expected: (N,) bool, which M.
        is_sudden: `motion` is an acceleration that no camera survives: that of a moving object, most likely.
    """
    if again is None or again.observable is not ObservableDof.FULL:
        return motion
    again = _of_all(again, expected)
    if motion is None:
        return again
    votes, rival_votes = int(again.inliers.sum()), int(motion.inliers.sum())
    if (motion.inliers & again.inliers).sum() >= _SAME * votes:
        return motion
    if votes >= (_ENOUGH_IF_SUDDEN if is_sudden else _ENOUGH) * rival_votes:
        return again.doubted(again.doubt) if matters(rival_votes, len(expected)) else again
    if not matters(votes, len(expected)):
        return motion
    probability = votes / (votes + rival_votes)
    return motion.doubted(mixture_covariance(motion.T_keyframe_camera, again.T_keyframe_camera, probability))


def _of_all(motion: RelativePoseEstimate, heard: NDArray[np.bool_]) -> RelativePoseEstimate:
    """Say of all matches what a motion says of those that were heard."""
    inliers, gains = np.zeros(len(heard), bool), np.zeros((len(heard), 6))
    inliers[heard], gains[heard] = motion.inliers, motion.depth_sensitivity
    return replace(motion, inliers=inliers, depth_sensitivity=gains)
