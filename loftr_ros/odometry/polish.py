"""Sub-pixel polish of matches on the images themselves."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from loftr_ros.matches import Matches

_WINDOW = (15, 15)
_CRITERIA = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 15, 0.01)


def polish(image_a: NDArray[np.uint8], image_b: NDArray[np.uint8], matches: Matches, max_shift_px: float) -> Matches:
    """Move each point in image b to where the patch around its point in image a fits best.

    Lucas-Kanade (Bouguet's formulation, cv2.calcOpticalFlowPyrLK) started at the match, at full resolution only: the
    match is already within a pixel or two. A point that is lost, or walks further than `max_shift_px`, stays what the
    matcher said.
    """
    if len(matches) == 0:
        return matches
    found, status, _ = cv2.calcOpticalFlowPyrLK(
        image_a,
        image_b,
        matches.points_a.reshape(-1, 1, 2),
        matches.points_b.reshape(-1, 1, 2).copy(),
        winSize=_WINDOW,
        maxLevel=0,
        criteria=_CRITERIA,
        flags=cv2.OPTFLOW_USE_INITIAL_FLOW,
    )
    polished = found.reshape(-1, 2)
    shift = np.linalg.norm(polished - matches.points_b, axis=1)
    accepted = (status.ravel() == 1) & (shift <= max_shift_px)
    return replace(matches, points_b=np.where(accepted[:, None], polished, matches.points_b))
