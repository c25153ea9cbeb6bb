"""The visualization on `match_image`: matches, state and inlier count."""

from __future__ import annotations

from sensor_msgs.msg import Image

from loftr_ros.odometry.estimate import OdometryEstimate
from loftr_ros.odometry.images.frame import Frame
from loftr_ros.odometry.states import TrackingState
from loftr_ros.reports.drawing import draw_matches
from loftr_ros.ros.messages.conversions import image_from_array
from loftr_ros.ros.messages.time import time_message

# Background of the caption, BGR: green while tracking, yellow while initializing, red while lost.
_COLORS = {
    TrackingState.TRACKING: (20, 80, 20),
    TrackingState.STATIONARY: (20, 80, 20),
    TrackingState.INITIALIZING: (20, 80, 110),
    TrackingState.LOST: (30, 30, 140),
}


def match_image(frame: Frame, camera_frame: str, estimate: OdometryEstimate, rate: float) -> Image:
    """Return keyframe and frame side by side with their matches, below a caption."""
    reference = estimate.reference or frame
    picture = draw_matches(
        reference.image,
        frame.image,
        estimate.matches,
        estimate.inliers,
        caption(estimate, rate),
        _COLORS[estimate.state],
    )
    message = image_from_array(picture)
    message.header.stamp = time_message(frame.stamp_ns)
    message.header.frame_id = camera_frame
    return message


def caption(estimate: OdometryEstimate, rate: float) -> str:
    """Return the caption: state, inliers, parallax and rate."""
    state = ", ".join([estimate.state.name, *estimate.remarks])
    inliers = f"{estimate.num_inliers} inliers of {estimate.num_matches} matches"
    return "   ".join([state, inliers, f"parallax {estimate.parallax_px:.1f} px", f"{rate:.1f} Hz"])
