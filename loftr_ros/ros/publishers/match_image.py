"""The visualization on `match_image`: matches, state and inlier count."""

from __future__ import annotations

from sensor_msgs.msg import Image

from loftr_ros.odometry.estimate import OdometryEstimate
from loftr_ros.odometry.images.frame import Frame
from loftr_ros.reports.estimate_picture import draw_estimate
from loftr_ros.ros.messages.conversions import image_from_array
from loftr_ros.ros.messages.time import time_message


def match_image(frame: Frame, camera_frame: str, estimate: OdometryEstimate, rate: float) -> Image:
    """Return keyframe and frame side by side with their matches, below a caption."""
    message = image_from_array(draw_estimate(frame, estimate, f"{rate:.1f} Hz"))
    message.header.stamp = time_message(frame.stamp_ns)
    message.header.frame_id = camera_frame
    return message
