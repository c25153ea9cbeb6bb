"""Where the camera sits on the base: from TF, or from parameters."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rclpy.node import Node
from rclpy.time import Time
from scipy.spatial.transform import Rotation

from loftr_ros.errors import LoftrRosError
from loftr_ros.odometry import se3
from loftr_ros.ros.frames import camera_in_base
from loftr_ros.ros.parameters import VoParameters

try:
    import tf2_ros
except ImportError:  # the wheels of ROS do not have it
    tf2_ros = None

# Static transforms take a moment to arrive after the first image, seconds.
_PATIENCE_S = 1.0


class ExtrinsicError(LoftrRosError):
    """TF has to tell where the camera is and does not."""


class Extrinsic:
    """Finds T_base_camera at the first image, and keeps it: a camera that is moved would make the odometry jump."""

    def __init__(self, node: Node, parameters: VoParameters) -> None:
        """Listen to TF, if it may be asked.

        Raises:
            ExtrinsicError: tf2_ros is needed and not installed.
        """
        p = parameters
        pose = (p.camera_x, p.camera_y, p.camera_z, p.camera_roll, p.camera_pitch, p.camera_yaw)
        self._node = node
        self._parameters = parameters
        self._given = camera_in_base(*pose)
        self._found: NDArray[np.float64] | None = None
        self._waited = False
        if p.extrinsic_source == "tf" and tf2_ros is None:
            raise ExtrinsicError(
                "extrinsic_source is tf but tf2_ros is not installed here: install it (ros-$ROS_DISTRO-tf2-ros-py), or "
                "set camera_x ... camera_yaw"
            )
        ask = p.extrinsic_source == "tf" or (p.extrinsic_source == "auto" and not any(pose))
        self._buffer: Any = tf2_ros.Buffer() if ask and tf2_ros else None
        self._listener: Any = tf2_ros.TransformListener(self._buffer, node) if self._buffer else None

    def close(self) -> None:
        """Stop listening to TF."""
        if self._listener:
            self._listener.unregister()

    def of(self, camera_frame: str) -> NDArray[np.float64]:
        """Return T_base_camera (4, 4) of the optical frame of the images; it may wait for TF, once.

        Raises:
            ExtrinsicError: TF alone was to tell and does not.
        """
        if self._found is None:
            self._found = self._found_in_tf(camera_frame) if self._buffer else self._given
        return self._found

    def _found_in_tf(self, camera_frame: str) -> NDArray[np.float64]:
        base_frame, log = self._parameters.base_frame, self._node.get_logger()
        if self._can_transform(base_frame, camera_frame):
            transform = self._buffer.lookup_transform(base_frame, camera_frame, Time()).transform
            log.info(f"{camera_frame} on {base_frame}: taken from TF")
            p, q = transform.translation, transform.rotation
            return se3.transform(Rotation.from_quat([q.x, q.y, q.z, q.w]).as_matrix(), [p.x, p.y, p.z])
        if self._parameters.extrinsic_source == "tf":
            raise ExtrinsicError(
                f"TF does not know {camera_frame} on {base_frame}: publish that transform (robot_state_publisher or "
                "static_transform_publisher), or set extrinsic_source to parameters"
            )
        log.warning(
            f"TF does not know {camera_frame} on {base_frame}: the camera is taken to sit at the origin of that and to "
            "look forward; publish the transform, or set camera_x ... camera_yaw"
        )
        return self._given

    def _can_transform(self, base_frame: str, camera_frame: str) -> bool:
        """Ask TF, patiently at the first image."""
        deadline = time.monotonic() + (0.0 if self._waited else _PATIENCE_S)
        self._waited = True
        while not (known := self._buffer.can_transform(base_frame, camera_frame, Time())):
            if time.monotonic() > deadline:
                break
            time.sleep(0.02)
        return bool(known)
