"""Baseline of a stereo pair: from its calibration, else from TF, else from a parameter."""

from __future__ import annotations

from sensor_msgs.msg import CameraInfo

from loftr_ros.errors import quoted
from loftr_ros.messages.camera_info import baseline_from_calibration, baseline_from_transform
from loftr_ros.odometry.geometry.camera import CameraError
from loftr_ros.ros.transforms.tf_lookup import TfLookup


class Baseline:
    """Uses TF only if the calibration lacks the baseline, and listens until TF has it."""

    def __init__(self, tf: TfLookup, parameter: float) -> None:
        """Take the lookup of the node and the parameter in meters, 0 if unknown."""
        self._tf = tf
        self._parameter = parameter

    def close(self) -> None:
        """Stop listening to TF."""
        self._tf.release(self)

    def of(self, left: CameraInfo, right: CameraInfo) -> float:
        """Return the baseline in meters; it is negative if the right camera is on the left.

        Raises:
            CameraError: neither calibration, TF nor parameter gives it.
        """
        calibrated = baseline_from_calibration(left, right)
        if calibrated is not None:
            return calibrated
        frames = left.header.frame_id, right.header.frame_id
        from_tf = self._from_tf(*frames)
        if from_tf is not None:
            return from_tf
        if self._parameter:
            return self._parameter
        raise CameraError(
            "the stereo baseline is unknown: P[3] of left and right camera info are equal, TF has no transform from "
            f"{quoted(frames[1])} to {quoted(frames[0])}, and stereo_baseline is 0: calibrate the pair as stereo, "
            "publish the transform, or set stereo_baseline to the meters"
        )

    def _from_tf(self, left: str, right: str) -> float | None:
        if left == right:  # rectified images often carry the left camera's frame both
            return None
        self._tf.listen(self)
        T_left_right = self._tf.find(left, right)
        if T_left_right is None:
            return None
        self._tf.release(self)
        return baseline_from_transform(T_left_right)
