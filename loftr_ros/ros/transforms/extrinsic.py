"""Where the camera sits on the base: from TF, or from parameters."""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray
from rclpy.node import Node

from loftr_ros.errors import LoftrRosError
from loftr_ros.ros.parameters.table import VoParameters
from loftr_ros.ros.transforms import tf_lookup
from loftr_ros.ros.transforms.frames import camera_in_base

# Static transforms take a moment to arrive after the first image, seconds.
_PATIENCE_S = 1.0
# How long moving transforms are listened to where TF may tell and does not, seconds from the first image.
_LISTEN_S = 10.0


class ExtrinsicError(LoftrRosError):
    """TF has to tell where the camera is and does not."""


class Extrinsic:
    """Finds T_base_camera at the first image. It changes with /tf_static, but does not follow a camera that moves."""

    def __init__(self, node: Node, parameters: VoParameters) -> None:
        """Listen to TF, if it may be asked.

        Raises:
            ExtrinsicError: tf2_ros is needed and not installed.
        """
        p = parameters
        pose = (p.camera_x, p.camera_y, p.camera_z, p.camera_roll, p.camera_pitch, p.camera_yaw)
        self._parameters = parameters
        self._log = node.get_logger()
        self._given = camera_in_base(*pose)
        self._known: NDArray[np.float64] | None = None
        self._first: float | None = None
        if p.extrinsic_source == "tf" and not tf_lookup.is_installed():
            raise ExtrinsicError(
                "extrinsic_source is tf but tf2_ros is not installed here: install it (ros-$ROS_DISTRO-tf2-ros-py), or "
                "set camera_x ... camera_yaw"
            )
        ask = p.extrinsic_source == "tf" or (p.extrinsic_source == "auto" and not any(pose))
        self._tf = tf_lookup.TfLookup(node) if ask and tf_lookup.is_installed() else None

    def close(self) -> None:
        """Stop listening to TF."""
        if self._tf:
            self._tf.close()

    def of(self, camera_frame: str) -> NDArray[np.float64]:
        """Return T_base_camera (4, 4) of the optical frame of the images, another array when it has changed.

        It may wait for TF at the first image.

        Raises:
            ExtrinsicError: TF alone was to tell and does not.
        """
        if self._tf is None:
            return self._given
        found = self._found(self._tf, camera_frame)
        if found is not None:
            self._tf.keep_static()
            if self._known is None or not np.allclose(found, self._known, rtol=0, atol=1e-6):
                how = "taken from TF" if self._known is None else "changed in TF, the odometry goes on with that"
                self._log.info(f"{camera_frame} on {self._parameters.base_frame}: {how}")
                self._known = found
        elif self._known is None:
            self._known = self._assumed(camera_frame)
        elif self._first is not None and time.monotonic() > self._first + _LISTEN_S:
            self._tf.keep_static()
        return self._known

    def _found(self, tf: tf_lookup.TfLookup, camera_frame: str) -> NDArray[np.float64] | None:
        """Ask TF, patiently at the first image."""
        base_frame = self._parameters.base_frame
        if refused_by_tf(camera_frame, base_frame):
            return None
        patience = _PATIENCE_S if self._first is None else 0.0
        self._first = self._first or time.monotonic()
        while (found := tf.find(base_frame, camera_frame)) is None and time.monotonic() < self._first + patience:
            time.sleep(0.02)
        return found

    def _assumed(self, camera_frame: str) -> NDArray[np.float64]:
        """Return where the camera is taken to sit while TF does not know. Raises ExtrinsicError."""
        base_frame = self._parameters.base_frame
        reason = refused_by_tf(camera_frame, base_frame) or (
            f"TF does not know {camera_frame} on {base_frame}: publish that transform (robot_state_publisher or "
            "static_transform_publisher)"
        )
        if self._parameters.extrinsic_source == "tf":
            raise ExtrinsicError(f"{reason}, or set extrinsic_source to parameters")
        self._log.warning(
            f"{reason}, or set camera_x ... camera_yaw; until then the camera is taken to sit at the origin of "
            f"{base_frame} and to look forward"
        )
        return self._given


def refused_by_tf(camera_frame: str, base_frame: str) -> str | None:
    """Say in words why TF cannot know the frames, or None."""
    if not camera_frame:
        return "the header.frame_id of the images is empty: let the camera's driver set it to its optical frame"
    if camera_frame.startswith("/"):
        return f"the header.frame_id of the images is '{camera_frame}', which TF refuses: drop the leading slash"
    if base_frame.startswith("/"):
        return f"base_frame is '{base_frame}', which TF refuses: drop the leading slash"
    return None
