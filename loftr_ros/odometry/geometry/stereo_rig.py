"""Two cameras that are fixed to each other, each with its own lens and turned as it may be."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from loftr_ros.arrays import Array
from loftr_ros.odometry.geometry import se3
from loftr_ros.odometry.geometry.camera import Camera, CameraError
from loftr_ros.odometry.geometry.normalized_matches import homogeneous


@dataclass(frozen=True)
class StereoRig:
    """What a left camera is told about the right one.

    Attributes:
        right: intrinsics of the right camera.
        T_left_right: (4, 4) pose of the right camera in the left one, both optical, metres.
    """

    right: Camera
    T_left_right: Array

    def __post_init__(self) -> None:
        """Raise CameraError for a transform that is none, or two cameras in one place."""
        T = np.array(self.T_left_right, np.float64)
        object.__setattr__(self, "T_left_right", T)
        if T.shape != (4, 4) or not np.allclose(T[:3, :3] @ T[:3, :3].T, np.eye(3), atol=1e-3):
            raise CameraError(
                f"The pose of the right camera is {T.tolist()}; it must be a rotation and "
                "a translation: calibrate the pair."
            )
        if not 0 < self.baseline < np.inf:
            raise CameraError(f"The stereo baseline is {self.baseline} m; left and right camera must be apart.")

    @staticmethod
    def rectified(right: Camera, baseline: float) -> StereoRig:
        """Return the rig of a rectified pair: parallel cameras, `baseline` metres apart along +x.

        Args:
            right: the camera of the right images, whose focal length and principal point may differ from the left's.
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
        """Return the rig of a raw pair that ROS has calibrated.

        Args:
            right: the camera that takes the raw right images.
            R_left, R_right: (3, 3) rectification matrices of sensor_msgs/CameraInfo, which take points of each camera
                to axes that both have in common.
            baseline: see `stereo_baseline`.
        """
        return StereoRig(right, se3.transform(R_left.T @ R_right, R_left.T @ [baseline, 0.0, 0.0]))

    @property
    def baseline(self) -> float:
        """Distance of the cameras, metres."""
        return float(np.linalg.norm(self.T_left_right[:3, 3]))

    def rectification(self) -> tuple[Array, Array]:
        """Return (R_left, R_right) as in `from_rectification`: x along the baseline, z between both optical axes."""
        R, p = self.T_left_right[:3, :3], self.T_left_right[:3, 3]
        x = p / self.baseline
        y = np.cross(R[:, 2] + [0.0, 0.0, 1.0], x)
        y /= np.linalg.norm(y)
        R_left = np.stack([x, y, np.cross(x, y)])
        return R_left, R_left @ R

    def project(self, rays: Array, inverse_depth: Array) -> Array:
        """Return (N, 2) pixels of the right image for points on (N, 2) rays of the left camera, z = 1, at (N,) 1/z."""
        R, p = self.T_left_right[:3, :3], self.T_left_right[:3, 3]
        return self.right.project((homogeneous(rays) - inverse_depth[:, None] * p) @ R)
