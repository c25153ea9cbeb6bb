"""Sub-pixel refinement of matches on the images (KLT)."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from loftr_ros.matches import Matches
from loftr_ros.odometry.images.flow_field import FlowField
from loftr_ros.odometry.images.structure_tensor import WINDOW, StructureTensor

# Number of iterations of Lucas-Kanade, and length of the step that ends it, pixels.
# numerical: from a start within two pixels few more change anything.
_CRITERIA = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 8, 0.02)
# Least number of consistent matches for the others to be dropped.
# assumed: enough for a pose, four times `OdometryConfig.min_inliers`.
_MIN_CONSISTENT = 100
# Largest forward-backward error of a consistent match, pixels.
# measured: docs/odometry.md, "A larger limit of the check at such frames"; for less, docs/sensitivity.md.
_MAX_FORWARD_BACKWARD_PX = 0.5


def refine_subpixel(
    tensor: StructureTensor,
    image_b: NDArray[np.uint8],
    matches: Matches,
    max_shift_px: float,
    forward_backward: bool = True,
) -> Matches:
    """Refine the points of image b by pyramid-free Lucas-Kanade on patches around the points of image a.

    Image b is first warped to image a along the smoothed flow of all matches: forward motion scales the image, and
    patches of different scale align in the wrong place. Lucas-Kanade (Bouguet's formulation, cv2.calcOpticalFlowPyrLK)
    then starts at the match, at full resolution only, since it is within a pixel or two already. A match is consistent
    if it converges within `max_shift_px` and passes the forward-backward check. With enough consistent matches the
    others are dropped; else they stay unrefined.

    Args:
        tensor: of image a.
        image_b: (H, W) uint8, of the same size.
        matches: between the two.
        max_shift_px: largest accepted shift.
        forward_backward: whether to track back to image a, too; unnecessary where a known epipolar line rejects
            outliers.

    Returns:
        The refined matches with `covariance_b`.
    """
    if len(matches) == 0:
        return matches
    image_a = tensor.image
    flow = FlowField.of(matches.points_a, matches.points_b, image_a.shape)
    warped = flow.warp_to_a(image_b)
    start = matches.points_a + matches.points_b - flow.at(matches.points_a)
    found, converged = _track(image_a, warped, matches.points_a, start)
    refined = flow.at(found)
    accepted = converged & (np.linalg.norm(refined - matches.points_b, axis=1) <= max_shift_px)
    consistent = accepted
    if forward_backward:
        returned, converged = _track(warped, image_a, found, matches.points_a)
        error_px = np.linalg.norm(returned - matches.points_a, axis=1)
        consistent = accepted & converged & (error_px <= _MAX_FORWARD_BACKWARD_PX)
    matches = replace(matches, points_b=np.where(accepted[:, None], refined, matches.points_b))
    if consistent.sum() >= _MIN_CONSISTENT:
        matches = matches.select(consistent)
    return replace(matches, covariance_b=tensor.patch_covariance(matches.points_a))


def _track(
    image: NDArray[np.uint8], other: NDArray[np.uint8], points: NDArray[np.float32], start: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Track (N, 2) points of an image to the other from initial places; returns the places and (N,) convergence."""
    found, status, _ = cv2.calcOpticalFlowPyrLK(
        image,
        other,
        points.reshape(-1, 1, 2),
        start.reshape(-1, 1, 2).copy(),
        winSize=(WINDOW, WINDOW),
        maxLevel=0,
        criteria=_CRITERIA,
        # The eigenvalues are computed anyway; the alternative output, the residual error, takes a third of the time.
        flags=cv2.OPTFLOW_USE_INITIAL_FLOW | cv2.OPTFLOW_LK_GET_MIN_EIGENVALS,
    )
    return np.asarray(found, np.float32).reshape(-1, 2), np.asarray(status.ravel() == 1)
