"""Extrinsics of the camera, its pose on the base: from TF, or from parameters."""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray
from rclpy.node import Node

from loftr_ros.errors import LoftrRosError, quoted, shortened
from loftr_ros.ros.parameters.table import VoParameters
from loftr_ros.ros.transforms.frames import camera_in_base
from loftr_ros.ros.transforms.tf_lookup import TfLookup

# Static transforms may arrive after the first image: wait this long for them, seconds.
_WAIT_S = 1.0
# Without a transform, unsubscribe from moving transforms this long after the first image, seconds.
_LISTEN_S = 10.0
_QUOTED = 60  # characters of the name of a frame in a message


class ExtrinsicError(LoftrRosError):
    """TF is the only source of the extrinsics and does not have them."""


class Extrinsic:
    """Looks T_base_camera up at the first image and follows changes of /tf_static, but no camera that moves."""

    def __init__(self, node: Node, parameters: VoParameters, tf: TfLookup) -> None:
        """Listen to TF if it is a source.

        Raises:
            ExtrinsicError: tf2_ros is needed and not installed.
        """
        p = parameters
        pose = (p.camera_x, p.camera_y, p.camera_z, p.camera_roll, p.camera_pitch, p.camera_yaw)
        self._parameters = parameters
        self._log = node.get_logger()
        self._tf = tf
        self._from_parameters = camera_in_base(*pose)
        self._current: NDArray[np.float64] | None = None
        self._camera_frame = ""  # of `_current`
        self._first_image: float | None = None
        if p.extrinsic_source == "tf" and not tf.is_installed:
            raise ExtrinsicError(
                "extrinsic_source is tf but tf2_ros is not installed here: install it (ros-$ROS_DISTRO-tf2-ros-py), or "
                "set camera_x ... camera_yaw"
            )
        is_source = p.extrinsic_source == "tf" or (p.extrinsic_source == "auto" and not any(pose))
        self._uses_tf = is_source and tf.is_installed
        if self._uses_tf:
            tf.listen(self)

    def of(self, camera_frame: str) -> NDArray[np.float64]:
        """Return T_base_camera (4, 4) of the optical frame of the images; a new array whenever it changed.

        At the first image it may wait for TF.

        Raises:
            ExtrinsicError: TF is the only source and does not have them.
        """
        if not self._uses_tf:
            return self._from_parameters
        found = self._look_up(camera_frame)
        if found is not None:
            self._tf.keep_static(self)
            if self._current is None or not np.allclose(found, self._current, rtol=0, atol=1e-6):
                self._log.info(f"{shortened(camera_frame, _QUOTED)} on {self._parameters.base_frame}: {self._how()}")
                self._current = found
        elif self._current is None or camera_frame != self._camera_frame:
            self._current = self._fallback(camera_frame)
        elif self._first_image is not None and time.monotonic() > self._first_image + _LISTEN_S:
            self._tf.keep_static(self)
        self._camera_frame = camera_frame
        return self._current

    def _how(self) -> str:
        """Return how the pose of the camera was just found."""
        if self._current is None:
            return "taken from TF"
        what = "taken from TF instead of assumed" if self._current is self._from_parameters else "changed in TF"
        return f"{what}, the odometry continues with it"

    def _look_up(self, camera_frame: str) -> NDArray[np.float64] | None:
        """Return the transform, for which the first image waits a moment."""
        base_frame = self._parameters.base_frame
        if refused_by_tf(camera_frame, base_frame):
            return None
        wait = _WAIT_S if self._first_image is None else 0.0
        self._first_image = self._first_image or time.monotonic()
        while (found := self._tf.find(base_frame, camera_frame)) is None:
            if time.monotonic() >= self._first_image + wait:
                break
            time.sleep(0.02)
        return found

    def _fallback(self, camera_frame: str) -> NDArray[np.float64]:
        """Return the pose that is assumed without a transform: that of the frame before. Raises ExtrinsicError."""
        base_frame = self._parameters.base_frame
        reason = refused_by_tf(camera_frame, base_frame) or (
            f"TF has no transform from {shortened(camera_frame, _QUOTED)} to {base_frame}: publish it "
            "(robot_state_publisher or static_transform_publisher)"
        )
        if self._parameters.extrinsic_source == "tf":
            raise ExtrinsicError(f"{reason}, or set extrinsic_source to parameters")
        where = f"at the origin of {base_frame}, looking forward"
        if self._current is not None:
            where = f"where {quoted(self._camera_frame)} is"
        self._log.warning(f"{reason}, or set camera_x ... camera_yaw; until then the camera is assumed {where}")
        return self._from_parameters if self._current is None else self._current


def refused_by_tf(camera_frame: str, base_frame: str) -> str | None:
    """Return the reason why TF refuses the names of the frames, or None."""
    if not camera_frame:
        return "the header.frame_id of the images is empty: let the camera's driver set it to its optical frame"
    if camera_frame.startswith("/"):
        return f"the header.frame_id of the images is {quoted(camera_frame)}, which TF refuses: drop the leading slash"
    if base_frame.startswith("/"):
        return f"base_frame is '{base_frame}', which TF refuses: drop the leading slash"
    return None
