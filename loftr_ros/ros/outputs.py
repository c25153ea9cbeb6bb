"""The publishers of the node; what is only for people's eyes is made while somebody looks."""

from __future__ import annotations

from collections import deque
from typing import Any

from geometry_msgs.msg import PoseStamped
from nav_msgs.msg import Odometry, Path
from rclpy.lifecycle import LifecycleNode
from sensor_msgs.msg import Image, PointCloud2

from loftr_ros.drawing import draw_matches
from loftr_ros.odometry.estimate import OdometryEstimate, TrackingState
from loftr_ros.odometry.frame import Frame
from loftr_ros.ros import messages
from loftr_ros.ros.conversions import image_from_array
from loftr_ros.ros.frames import base_motion, camera_in_base
from loftr_ros.ros.parameters import VoParameters

try:
    from tf2_ros import TransformBroadcaster
except ImportError:  # the wheels of ROS do not have it
    TransformBroadcaster = None


class Outputs:
    """Publishes estimates on `odometry`, `matches`, `match_image`, `path` and tf."""

    def __init__(self, node: LifecycleNode, parameters: VoParameters) -> None:
        """Create the publishers; they are silent until the node is active."""
        self._node = node
        self._parameters = parameters
        p = parameters
        self._T_base_camera = camera_in_base(
            p.camera_x, p.camera_y, p.camera_z, p.camera_roll, p.camera_pitch, p.camera_yaw
        )
        self._odometry = node.create_lifecycle_publisher(Odometry, "odometry", 10)
        self._matches = node.create_lifecycle_publisher(PointCloud2, "matches", 10)
        self._match_image = node.create_lifecycle_publisher(Image, "match_image", 2)
        self._path = node.create_lifecycle_publisher(Path, "path", 2)
        self._poses: deque[PoseStamped] = deque(maxlen=parameters.path_length)
        self._broadcaster = self._transform_broadcaster()

    def close(self) -> None:
        """Remove the publishers."""
        for publisher in (self._odometry, self._matches, self._match_image, self._path):
            self._node.destroy_lifecycle_publisher(publisher)
        if self._broadcaster:
            self._node.destroy_publisher(self._broadcaster.pub_tf)

    def forget_path(self) -> None:
        """Start a new path."""
        self._poses.clear()

    def publish(self, frame: Frame, camera_frame: str, estimate: OdometryEstimate) -> None:
        """Publish all that follows from one frame, the odometry first."""
        if self._parameters.publish_lost or estimate.state is not TrackingState.LOST:
            self._publish_motion(estimate)
        if self._matches.get_subscription_count():
            self._matches.publish(messages.matches_message(estimate, camera_frame))
        if self._match_image.get_subscription_count():
            self._match_image.publish(_match_image(frame, camera_frame, estimate))

    def _publish_motion(self, estimate: OdometryEstimate) -> None:
        p = self._parameters
        motion = base_motion(estimate, self._T_base_camera, p.min_variance)
        odometry = messages.odometry_message(estimate.stamp_ns, motion, p.odom_frame, p.base_frame)
        self._odometry.publish(odometry)
        if self._broadcaster:
            self._broadcaster.sendTransform(messages.transform_message(odometry))
        self._poses.append(messages.stamped_pose(odometry))
        if self._path.get_subscription_count():
            self._path.publish(Path(header=odometry.header, poses=list(self._poses)))

    def _transform_broadcaster(self) -> Any:
        if not self._parameters.publish_tf:
            return None
        if TransformBroadcaster is None:
            self._node.get_logger().warning(
                "publish_tf is true but tf2_ros is not installed here: no transform is published"
            )
            return None
        return TransformBroadcaster(self._node)


def _match_image(frame: Frame, camera_frame: str, estimate: OdometryEstimate) -> Image:
    reference = estimate.reference or frame
    caption = (
        f"{estimate.state.value}   {estimate.num_inliers} of {estimate.num_matches} matches agree   "
        f"parallax {estimate.parallax_px:.1f} px"
    )
    picture = draw_matches(reference.image, frame.image, estimate.matches, estimate.inliers, caption)
    message = image_from_array(picture)
    message.header.stamp = messages.time_message(frame.stamp_ns)
    message.header.frame_id = camera_frame
    return message
