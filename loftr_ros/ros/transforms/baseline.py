"""Baseline of a stereo pair: from its calibration, else from TF, else from a parameter."""

from __future__ import annotations

import numpy as np
from sensor_msgs.msg import CameraInfo

from loftr_ros.odometry.geometry.camera import CameraError, stereo_baseline
from loftr_ros.ros.transforms.tf_lookup import TfLookup

_LEAST_BASELINE_M = 1e-3  # vertical offsets of horizontal pairs are smaller


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
        if left.p[3] != right.p[3]:
            return stereo_baseline(left.p, right.p)
        vertical = left.p[7], right.p[7]
        if abs(vertical[0] - vertical[1]) > _LEAST_BASELINE_M * left.p[0]:
            raise CameraError(
                f"the pair is vertical, as P[7] of left and right camera info are {vertical[0]:g} and {vertical[1]:g}; "
                "only horizontal pairs are supported: use mode mono, or turn the images by 90 degrees and calibrate "
                "them so"
            )
        frames = left.header.frame_id, right.header.frame_id
        from_tf = self._from_tf(*frames)
        if from_tf is not None:
            return from_tf
        if self._parameter:
            return self._parameter
        raise CameraError(
            "the stereo baseline is unknown: P[3] of left and right camera info are equal, TF has no transform from "
            f"'{frames[1]}' to '{frames[0]}', and stereo_baseline is 0: calibrate the pair as stereo, publish the "
            "transform, or set stereo_baseline to the meters"
        )

    def _from_tf(self, left: str, right: str) -> float | None:
        if left == right:  # rectified images often carry the left camera's frame both
            return None
        self._tf.listen(self)
        T_left_right = self._tf.find(left, right)
        if T_left_right is None:
            return None
        self._tf.release(self)
        offset = T_left_right[:3, 3]
        return float(np.copysign(np.linalg.norm(offset), offset[0]))
