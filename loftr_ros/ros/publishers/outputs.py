"""The publishers of the node; visualizations are computed only while somebody subscribes."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np
from geometry_msgs.msg import PoseStamped
from nav_msgs.msg import Odometry, Path
from numpy.typing import NDArray
from rclpy.lifecycle import LifecycleNode
from sensor_msgs.msg import Image, PointCloud2

from loftr_ros.odometry.estimate import OdometryEstimate
from loftr_ros.odometry.images.frame import Frame
from loftr_ros.odometry.states import TrackingState
from loftr_ros.ros.compat import tf2
from loftr_ros.ros.parameters.table import VoParameters
from loftr_ros.ros.publishers import odometry_messages as messages
from loftr_ros.ros.publishers.diagnostics import Rate
from loftr_ros.ros.publishers.match_image import match_image
from loftr_ros.ros.publishers.trajectory_log import TrajectoryLog
from loftr_ros.ros.sensors import watchdog
from loftr_ros.ros.transforms.extrinsic import Extrinsic
from loftr_ros.ros.transforms.frames import BaseMotion, Start, base_motion
from loftr_ros.ros.transforms.tf_lookup import TfLookup


class Outputs:
    """Publishes estimates on `odometry`, `matches`, `points`, `match_image`, `path` and tf.

    While the node is active only the worker calls `publish`, `restart`, `restart_here` and `reconfigure`.

    Attributes:
        tf: lookup of transforms.
        extrinsic: pose of the camera on the base.
        trajectory: the published poses.
    """

    def __init__(self, node: LifecycleNode, parameters: VoParameters) -> None:
        """Create the publishers; they are silent until the node is active.

        Raises:
            ExtrinsicError: TF is needed and not installed.
        """
        self._node = node
        self._parameters = parameters
        self.tf = TfLookup(node)
        self.extrinsic = Extrinsic(node, parameters, self.tf)
        self._odometry = node.create_lifecycle_publisher(Odometry, "odometry", 10)
        self._matches = node.create_lifecycle_publisher(PointCloud2, "matches", 10)
        self._points = node.create_lifecycle_publisher(PointCloud2, "points", 2)
        self._match_image = node.create_lifecycle_publisher(Image, "match_image", 2)
        self._path = node.create_lifecycle_publisher(Path, "path", 2)
        self._broadcaster: Any = tf2.TransformBroadcaster(node) if tf2.is_installed else None
        self._has_warned = False
        self._poses: deque[PoseStamped] = deque(maxlen=parameters.path_length)
        self.trajectory = TrajectoryLog(parameters.trajectory_length)
        self._rate = Rate()
        self._last: BaseMotion | None
        self.restart()

    def close(self) -> None:
        """Remove the publishers."""
        for publisher in (self._odometry, self._matches, self._points, self._match_image, self._path):
            self._node.destroy_lifecycle_publisher(publisher)
        if self._broadcaster:
            self._node.destroy_publisher(self._broadcaster.pub_tf)
        self.tf.close()

    def restart(self) -> None:
        """Restart at the initial pose of the parameters, with a new path and trajectory."""
        p = self._parameters
        self._start = Start.at(p.initial_x, p.initial_y, p.initial_z, p.initial_roll, p.initial_pitch, p.initial_yaw)
        self._last = None
        self._poses.clear()
        self.trajectory.clear()

    def restart_here(self) -> None:
        """Let the odometry, which is about to be reset, continue from the current pose with its covariance."""
        if self._last:
            self._start = Start(self._last.T_odom_base, self._last.pose_covariance)

    def warning(self) -> str | None:
        """Return that another node publishes the same odometry topic, in one sentence, or None."""
        return watchdog.other_publishers(self._node, self._odometry.topic_name)

    def reconfigure(self, parameters: VoParameters) -> None:
        """Apply parameters that changed while the node is configured."""
        self._parameters = parameters
        self._poses = deque(self._poses, maxlen=parameters.path_length)

    def publish(
        self, frame: Frame, camera_frame: str, T_base_camera: NDArray[np.float64], estimate: OdometryEstimate
    ) -> None:
        """Publish the results of a frame, the odometry first.

        Args:
            frame: that was processed.
            camera_frame: of its images.
            T_base_camera: (4, 4) extrinsics.
            estimate: of the frame.
        """
        motion = base_motion(estimate, T_base_camera, self._parameters.min_variance, self._start)
        self._last = motion
        self._rate.tick()
        if self._parameters.publish_lost or estimate.state is not TrackingState.LOST:
            self._publish_motion(estimate.stamp_ns, motion)
        if self._matches.get_subscription_count():
            self._matches.publish(messages.matches_message(estimate, camera_frame))
        if self._points.get_subscription_count() and estimate.landmarks:
            T_odom_camera = motion.T_odom_base @ T_base_camera
            self._points.publish(messages.points_message(estimate, T_odom_camera, self._parameters.odom_frame))
        if self._match_image.get_subscription_count():
            self._match_image.publish(match_image(frame, camera_frame, estimate, self._rate.per_second()))

    def _publish_motion(self, stamp_ns: int, motion: BaseMotion) -> None:
        p = self._parameters
        odometry = messages.odometry_message(stamp_ns, motion, p.odom_frame, p.base_frame)
        self._odometry.publish(odometry)
        if p.publish_tf:
            self._publish_transform(odometry)
        self.trajectory.add(stamp_ns, motion.T_odom_base)
        self._poses.append(messages.stamped_pose(odometry))
        if self._path.get_subscription_count():
            self._path.publish(Path(header=odometry.header, poses=list(self._poses)))

    def _publish_transform(self, odometry: Odometry) -> None:
        if self._broadcaster:
            inverted = self._parameters.invert_tf
            make = messages.inverse_transform_message if inverted else messages.transform_message
            self._broadcaster.sendTransform(make(odometry))
        elif not self._has_warned:
            self._has_warned = True
            self._node.get_logger().warning(
                "publish_tf is true but tf2_ros is not installed here: no transform is published"
            )
