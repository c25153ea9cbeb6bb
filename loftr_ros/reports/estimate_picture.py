"""Picture of an estimate: keyframe and frame with their matches, below a caption."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from loftr_ros.odometry.estimate import OdometryEstimate
from loftr_ros.odometry.images.frame import Frame
from loftr_ros.odometry.states import TrackingState
from loftr_ros.reports.drawing import draw_matches

# Background of the caption, BGR: green while tracking, yellow while initializing, red while lost.
_COLORS = {
    TrackingState.TRACKING: (20, 80, 20),
    TrackingState.STATIONARY: (20, 80, 20),
    TrackingState.INITIALIZING: (20, 80, 110),
    TrackingState.LOST: (30, 30, 140),
}


def draw_estimate(frame: Frame, estimate: OdometryEstimate, note: str) -> NDArray[np.uint8]:
    """Draw the matches of an estimate.

    Args:
        frame: of the estimate.
        estimate: without matches, the frame is drawn twice.
        note: last part of the caption.

    Returns:
        (H, W, 3) uint8 BGR.
    """
    reference = estimate.reference or frame
    state = ", ".join([estimate.state.name, *estimate.remarks])
    inliers = f"{estimate.num_inliers} inliers of {estimate.num_matches} matches"
    caption = "   ".join([state, inliers, f"parallax {estimate.parallax_px:.1f} px", note])
    return draw_matches(
        reference.image, frame.image, estimate.matches, estimate.inliers, caption, _COLORS[estimate.state]
    )
