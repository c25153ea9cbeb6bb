"""The picture on `match_image`: how the odometry is doing, at a glance."""

from __future__ import annotations

from sensor_msgs.msg import Image

from loftr_ros.odometry.estimate import OdometryEstimate
from loftr_ros.odometry.images.frame import Frame
from loftr_ros.odometry.states import TrackingState
from loftr_ros.reports.drawing import draw_matches
from loftr_ros.ros.messages.conversions import image_from_array
from loftr_ros.ros.messages.time import time_message

# Behind the caption, BGR: all is well, not yet, nothing is measured.
_COLOURS = {
    TrackingState.TRACKING: (20, 80, 20),
    TrackingState.STATIONARY: (20, 80, 20),
    TrackingState.INITIALIZING: (20, 80, 110),
    TrackingState.LOST: (30, 30, 140),
}


def match_image(frame: Frame, camera_frame: str, estimate: OdometryEstimate, rate: float) -> Image:
    """Return the keyframe and this frame with their matches, and state, counts and frames a second in a line above."""
    reference = estimate.reference or frame
    picture = draw_matches(
        reference.image,
        frame.image,
        estimate.matches,
        estimate.inliers,
        caption(estimate, rate),
        _COLOURS[estimate.state],
    )
    message = image_from_array(picture)
    message.header.stamp = time_message(frame.stamp_ns)
    message.header.frame_id = camera_frame
    return message


def caption(estimate: OdometryEstimate, rate: float) -> str:
    """Return the line of text above the picture."""
    state = ", ".join([estimate.state.name, *estimate.remarks])
    agree = f"{estimate.num_inliers} of {estimate.num_matches} matches agree"
    return "   ".join([state, agree, f"parallax {estimate.parallax_px:.1f} px", f"{rate:.1f} Hz"])
