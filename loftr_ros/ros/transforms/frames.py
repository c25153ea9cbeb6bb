"""Conversion from the optical frames of the odometry to the body frames of ROS (REP-103, REP-105).

Optical: x right, y down, z forward. Body: x forward, y left, z up. The odom frame of the odometry is its first camera
frame; in the odom frame of ROS the base starts at the origin, or at a given initial pose.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from loftr_ros.odometry.estimate import OdometryEstimate
from loftr_ros.odometry.geometry import se3

# Consumers such as Nav2 refuse messages with larger variances.
MAX_VARIANCE = 1e9
# Larger variances are limited to slightly less, because conditioning adds to them afterwards.
_LIMIT = (1 - 1e-8) * MAX_VARIANCE

# Rotation from the optical to the body frame of a camera: its columns are right, down and forward (REP-103).
R_BODY_OPTICAL = np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])

_CERTAIN = np.zeros((6, 6))


@dataclass(frozen=True)
class Start:
    """Pose of the base in odom when the odometry starts or restarts.

    Attributes:
        T_odom_base: (4, 4) pose.
        covariance: (6, 6) of (x, y, z, rot_x, rot_y, rot_z) in the axes of odom.
    """

    T_odom_base: NDArray[np.float64]
    covariance: NDArray[np.float64]

    @staticmethod
    def at(x: float, y: float, z: float, roll: float, pitch: float, yaw: float) -> Start:
        """Return an exactly known start: meters, and radians about the fixed axes x, y, z in this order."""
        return Start(se3.transform(Rotation.from_euler("xyz", [roll, pitch, yaw]).as_matrix(), [x, y, z]), _CERTAIN)


ORIGIN = Start.at(0, 0, 0, 0, 0, 0)


@dataclass(frozen=True)
class BaseMotion:
    """Pose and velocity of the robot's base.

    Attributes:
        T_odom_base: (4, 4) pose.
        pose_covariance: (6, 6) of (x, y, z, rot_x, rot_y, rot_z) in the axes of odom.
        twist: (6,) velocity (vx, vy, vz, wx, wy, wz) of the base in its own axes.
        twist_covariance: (6, 6) likewise.
    """

    T_odom_base: NDArray[np.float64]
    pose_covariance: NDArray[np.float64]
    twist: NDArray[np.float64]
    twist_covariance: NDArray[np.float64]


def camera_in_base(x: float, y: float, z: float, roll: float, pitch: float, yaw: float) -> NDArray[np.float64]:
    """Return T_base_camera (4, 4) of the optical frame, from the pose of the camera body in the base.

    Args:
        x, y, z: meters forward, left and up.
        roll, pitch, yaw: radians about the fixed axes x, y, z in this order (REP-103). All zero looks forward.
    """
    R_base_body = Rotation.from_euler("xyz", [roll, pitch, yaw]).as_matrix()
    return se3.transform(R_base_body @ R_BODY_OPTICAL, [x, y, z])


def pitch_of(T_base_camera: NDArray[np.float64]) -> float:
    """Return the pitch of a camera (4, 4) in the base, radians; positive looks down."""
    return -math.asin(np.clip(T_base_camera[2, 2], -1.0, 1.0))


def base_pose(T_odom_camera: NDArray[np.float64], T_base_camera: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return T_odom_base in ROS from T_odom_camera in the optical odom frame."""
    T_odom_base: NDArray[np.float64] = T_base_camera @ T_odom_camera @ se3.inverse(T_base_camera)
    return T_odom_base


def camera_pose(T_odom_base: NDArray[np.float64], T_base_camera: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return T_odom_camera in the optical odom frame from T_odom_base in ROS, the inverse of `base_pose`."""
    T_odom_camera: NDArray[np.float64] = se3.inverse(T_base_camera) @ T_odom_base @ T_base_camera
    return T_odom_camera


def adjoint(T_a_b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the (6, 6) adjoint, which transforms the twist (v, w) of a rigid body from frame b to frame a."""
    R, p = T_a_b[:3, :3], T_a_b[:3, 3]
    return np.block([[R, se3.skew(p) @ R], [np.zeros((3, 3)), R]])


def base_motion(
    estimate: OdometryEstimate, T_base_camera: NDArray[np.float64], min_variance: float, start: Start = ORIGIN
) -> BaseMotion:
    """Transform an estimate of the camera to pose and twist of the base.

    Args:
        estimate: of the camera, in optical frames.
        T_base_camera: (4, 4) extrinsics of the optical frame.
        min_variance: floor of every variance.
        start: pose of the base at the first frame.
    """
    T_camera_base = se3.inverse(T_base_camera)
    T_odom_first = start.T_odom_base @ T_base_camera
    T_odom_camera = T_odom_first @ estimate.T_odom_camera
    covariance = se3.composed_covariance(start.T_odom_base, start.covariance, T_base_camera, _CERTAIN)
    covariance = se3.composed_covariance(T_odom_first, covariance, estimate.T_odom_camera, estimate.pose_covariance)
    covariance = se3.composed_covariance(T_odom_camera, covariance, T_camera_base, _CERTAIN)
    to_base = adjoint(T_base_camera)
    return BaseMotion(
        T_odom_base=T_odom_camera @ T_camera_base,
        pose_covariance=bounded(covariance, min_variance),
        twist=to_base @ estimate.twist,
        twist_covariance=bounded(to_base @ estimate.twist_covariance @ to_base.T, min_variance),
    )


def bounded(covariance: NDArray[np.float64], min_variance: float) -> NDArray[np.float64]:
    """Limit the variances of an (N, N) covariance to a floor and MAX_VARIANCE; it stays positive definite."""
    variances = np.diag(covariance)
    shrink = np.sqrt(np.minimum(1.0, _LIMIT / np.maximum(variances, min_variance)))
    limited = se3.symmetric(covariance * np.outer(shrink, shrink))
    raised: NDArray[np.float64] = limited + np.diag(np.maximum(min_variance - np.diag(limited), 0.0))
    return se3.well_conditioned(raised)
