"""The distance of the cameras of a pair: by their calibration, else from TF, else by a parameter."""

from __future__ import annotations

import numpy as np
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo

from loftr_ros.odometry.geometry.camera import CameraError, stereo_baseline
from loftr_ros.ros.transforms import tf_lookup


class Baseline:
    """Listens to TF only if the calibration does not tell, and until TF does."""

    def __init__(self, node: Node, parameter: float) -> None:
        """Start without asking. `parameter` is in metres, 0 if unknown."""
        self._node = node
        self._parameter = parameter
        self._tf: tf_lookup.TfLookup | None = None

    def close(self) -> None:
        """Stop listening to TF."""
        if self._tf:
            self._tf.close()
            self._tf = None

    def of(self, left: CameraInfo, right: CameraInfo) -> float:
        """Return the baseline in metres; it is negative if the right camera is on the left.

        Raises:
            CameraError: nothing tells it.
        """
        if left.p[3] != right.p[3]:
            return stereo_baseline(left.p, right.p)
        frames = left.header.frame_id, right.header.frame_id
        by_tf = self._by_tf(*frames)
        if by_tf is not None:
            return by_tf
        if self._parameter:
            return self._parameter
        raise CameraError(
            "nothing tells the distance of the cameras: P[3] of left and right camera info are equal, TF does "
            f"not know '{frames[1]}' on '{frames[0]}', and stereo_baseline is 0: calibrate the pair as stereo, publish "
            "the transform, or set stereo_baseline to the metres"
        )

    def _by_tf(self, left: str, right: str) -> float | None:
        # Rectified images often carry the left camera's frame both.
        if not tf_lookup.is_installed() or left == right:
            return None
        self._tf = self._tf or tf_lookup.TfLookup(self._node)
        T_left_right = self._tf.find(left, right)
        if T_left_right is None:
            return None
        self.close()
        shift = T_left_right[:3, 3]
        return float(np.copysign(np.linalg.norm(shift), shift[0]))
