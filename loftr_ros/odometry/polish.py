"""Sub-pixel polish of matches on the images themselves, and how certain that makes each of them."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from loftr_ros.matches import Matches
from loftr_ros.odometry.smooth_flow import SmoothFlow

_WINDOW = 17  # pixels, side of the patches that are compared; 15 take longer, because processors work in eights
_CRITERIA = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 8, 0.02)
# Of this many agreeing matches on, the others are dropped.
_ENOUGH = 100
# A point that comes back from image b to another place than it left from, pixels, was not the same patch.
_LARGEST_RETURN_ERROR_PX = 0.5
# Differences between two images of one patch, grey levels; neighbouring pixels err together, in blocks of so many.
_GREY_NOISE, _COMMON_PIXELS = 2.0, 9.0
# A point is known this well without any texture, by the matcher, and not better than this with the best, pixels.
_UNPOLISHED_PX, _BEST_PX = 3.0, 0.05


def polish(
    image_a: NDArray[np.uint8],
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
    carries `spread_b`.
    """
    if len(matches) == 0:
        return matches
    flow = SmoothFlow.of(matches.points_a, matches.points_b, image_a.shape)
    warped = flow.brought_back(image_b)
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
    return replace(matches, spread_b=_spread(image_a, matches.points_a))


def _seek(
    image: NDArray[np.uint8], other: NDArray[np.uint8], points: NDArray[np.float32], start: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Find the (N, 2) points of an image in the other, from where they may be; returns places and (N,) success."""
    found, status, _ = cv2.calcOpticalFlowPyrLK(
        image,
        other,
        points.reshape(-1, 1, 2),
        start.reshape(-1, 1, 2).copy(),
        winSize=(_WINDOW, _WINDOW),
        maxLevel=0,
        criteria=_CRITERIA,
        # Eigenvalues are at hand, while the other thing that OpenCV may tell of each point takes a third of the time.
        flags=cv2.OPTFLOW_USE_INITIAL_FLOW | cv2.OPTFLOW_LK_GET_MIN_EIGENVALS,
    )
    return np.asarray(found, np.float32).reshape(-1, 2), np.asarray(status.ravel() == 1)


def _spread(image: NDArray[np.uint8], points: NDArray[np.float32]) -> NDArray[np.float64]:
    """Covariance (N, 2, 2) of patches sought by their grey values, as a multiple of the median one.

    The inverse of the structure tensor (Foerstner and Guelch, 1987) times the noise of the grey values. The gradients
    are those of the image at half its size, which smooths them, and their products are taken together by fours.
    """
    x, y = cv2.spatialGradient(_halved(image))  # 16 times the gradients of the image
    pairs = ((x, x), (x, y), (y, y))
    products = [_halved(cv2.multiply(*pair, scale=1 / 16**2, dtype=cv2.CV_32F)) for pair in pairs]
    column, row = np.clip((points / 4).astype(int), 0, np.array(products[0].shape[::-1]) - 1).T
    means = [cv2.blur(one, (_WINDOW // 4 + 1, _WINDOW // 4 + 1))[row, column] for one in products]
    xx, xy, yy = np.asarray(means, np.float64) * (_WINDOW**2 / (_GREY_NOISE**2 * _COMMON_PIXELS))
    xx, yy = xx + _UNPOLISHED_PX**-2, yy + _UNPOLISHED_PX**-2
    inverse = np.stack([yy, -xy, -xy, xx], axis=1).reshape(-1, 2, 2) / (xx * yy - xy * xy)[:, None, None]
    covariance = inverse + _BEST_PX**2 * np.eye(2)
    return np.asarray(covariance / np.median(np.trace(covariance, axis1=1, axis2=2) / 2))


def _halved(image: cv2.typing.MatLike) -> cv2.typing.MatLike:
    """Return the image at half its size."""
    return cv2.resize(image, (max(image.shape[1] // 2, 1), max(image.shape[0] // 2, 1)), interpolation=cv2.INTER_AREA)
