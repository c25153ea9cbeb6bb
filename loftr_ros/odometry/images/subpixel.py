"""Sub-pixel polish of matches on the images themselves."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from loftr_ros.matches import Matches
from loftr_ros.odometry.images.flow_field import FlowField
from loftr_ros.odometry.images.structure_tensor import WINDOW, Texture

_CRITERIA = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 8, 0.02)
# Of this many agreeing matches on, the others are dropped.
_ENOUGH = 100
# A point that comes back from image b to another place than it left from, pixels, was not the same patch.
_LARGEST_RETURN_ERROR_PX = 0.5


def polish(
    texture: Texture,
    image_b: NDArray[np.uint8],
    matches: Matches,
    max_shift_px: float,
    both_ways: bool = True,
) -> Matches:
    """Move each point in image b to where the patch around its point in image a fits best.

    Image b is first brought to the shape of image a along the smoothed motion of all matches, because a camera that
    moves forward scales what it sees, and patches of another size fit in the wrong place. Then Lucas-Kanade (Bouguet's
    formulation, cv2.calcOpticalFlowPyrLK) starts at the match, at full resolution only: it is already within a pixel or
    two. A point agrees if it is found, walks no further than `max_shift_px`, and comes back to where it started when
    sought the other way; `both_ways=False` saves that where something else, like a known epipolar line, tells what is
    wrong. Where enough points agree the others are left out; where not, they stay what the matcher said. The result
    carries `covariance_b`.

    Args:
        texture: that of image a.
        image_b: (H, W) uint8, of the same size.
        matches: of the two.
        max_shift_px, both_ways: see above.
    """
    if len(matches) == 0:
        return matches
    image_a = texture.image
    flow = FlowField.of(matches.points_a, matches.points_b, image_a.shape)
    warped = flow.warp_to_a(image_b)
    start = matches.points_a + matches.points_b - flow.at(matches.points_a)
    found, succeeded = _seek(image_a, warped, matches.points_a, start)
    polished = flow.at(found)
    accepted = succeeded & (np.linalg.norm(polished - matches.points_b, axis=1) <= max_shift_px)
    agree = accepted
    if both_ways:
        returned, succeeded = _seek(warped, image_a, found, matches.points_a)
        came_back = np.linalg.norm(returned - matches.points_a, axis=1) <= _LARGEST_RETURN_ERROR_PX
        agree = accepted & succeeded & came_back
    matches = replace(matches, points_b=np.where(accepted[:, None], polished, matches.points_b))
    if agree.sum() >= _ENOUGH:
        matches = matches.select(agree)
    return replace(matches, covariance_b=texture.spread(matches.points_a))


def _seek(
    image: NDArray[np.uint8], other: NDArray[np.uint8], points: NDArray[np.float32], start: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Find the (N, 2) points of an image in the other, from where they may be; returns places and (N,) success."""
    found, status, _ = cv2.calcOpticalFlowPyrLK(
        image,
        other,
        points.reshape(-1, 1, 2),
        start.reshape(-1, 1, 2).copy(),
        winSize=(WINDOW, WINDOW),
        maxLevel=0,
        criteria=_CRITERIA,
        # Eigenvalues are at hand, while the other thing that OpenCV may tell of each point takes a third of the time.
        flags=cv2.OPTFLOW_USE_INITIAL_FLOW | cv2.OPTFLOW_LK_GET_MIN_EIGENVALS,
    )
    return np.asarray(found, np.float32).reshape(-1, 2), np.asarray(status.ravel() == 1)
