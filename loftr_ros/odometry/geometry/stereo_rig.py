"""A calibrated stereo pair: rectified or raw, with any rotation between the cameras."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from loftr_ros.arrays import Array
from loftr_ros.odometry.geometry import se3
from loftr_ros.odometry.geometry.camera import Camera, CameraError
from loftr_ros.odometry.geometry.normalized_matches import homogeneous, transfer


@dataclass(frozen=True)
class StereoRig:
    """Intrinsics and pose of the right camera of a stereo pair.

    Attributes:
        right: intrinsics of the right camera.
        T_left_right: (4, 4) pose of the right camera in the left one, optical frames, meters.
    """

    right: Camera
    T_left_right: Array

    def __post_init__(self) -> None:
        """Raise CameraError for an invalid transform or a baseline of zero."""
        T = np.array(self.T_left_right, np.float64)
        object.__setattr__(self, "T_left_right", T)
        if T.shape != (4, 4) or not se3.are_rotations(T[:3, :3], 1e-3) or not np.allclose(T[3], (0.0, 0.0, 0.0, 1.0)):
            raise CameraError(
                f"The pose of the right camera is {T.tolist()}; it must be a rotation and "
                "a translation: calibrate the pair."
            )
        if not 0 < self.baseline < np.inf:
            raise CameraError(f"The stereo baseline is {self.baseline} m; left and right camera must be apart.")

    @staticmethod
    def rectified(right: Camera, baseline: float) -> StereoRig:
        """Return the rig of a rectified pair: parallel cameras, `baseline` meters apart along +x.

        Args:
            right: intrinsics of the right camera, which may differ from the left's.
            baseline: see `stereo_baseline`.

        Raises:
            CameraError: the baseline is not positive.
        """
        if not baseline > 0:
            raise CameraError(
                f"The stereo baseline is {baseline} m; it must be above 0: check P[3] of the right camera and "
                "that left and right are not swapped."
            )
        return StereoRig(right, se3.transform(np.eye(3), [baseline, 0.0, 0.0]))

    @staticmethod
    def from_rectification(right: Camera, R_left: Array, R_right: Array, baseline: float) -> StereoRig:
        """Return the rig of a raw pair from its calibration in ROS.

        Args:
            right: intrinsics and distortion of the raw right images.
            R_left, R_right: (3, 3) rectification matrices of sensor_msgs/CameraInfo: each camera to the common axes.
            baseline: see `stereo_baseline`.
        """
        return StereoRig(right, se3.transform(R_left.T @ R_right, R_left.T @ [baseline, 0.0, 0.0]))

    @property
    def baseline(self) -> float:
        """Distance of the cameras, meters."""
        return float(np.linalg.norm(self.T_left_right[:3, 3]))

    @cached_property
    def rectification(self) -> tuple[Array, Array]:
        """(R_left, R_right) as in `from_rectification`: x along the baseline, z between both optical axes."""
        R, p = self.T_left_right[:3, :3], self.T_left_right[:3, 3]
        x = p / self.baseline
        y = np.cross(R[:, 2] + [0.0, 0.0, 1.0], x)
        y /= np.linalg.norm(y)
        R_left = np.stack([x, y, np.cross(x, y)])
        return R_left, R_left @ R

    def project(self, points: Array, inverse_depth: Array) -> Array:
        """Return the (N, 2) pixels in the right image of (N, 2) points of the left camera on z = 1 at (N,) 1/z."""
        return self.right.project(transfer(homogeneous(points).T, inverse_depth, self.T_left_right).T)
