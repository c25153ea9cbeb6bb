"""Poses of messages as (4, 4) matrices."""

from __future__ import annotations

import numpy as np
from geometry_msgs.msg import Point, Pose, Quaternion
from numpy.typing import NDArray

from loftr_ros.odometry.geometry import se3


def pose_message(T: NDArray[np.float64]) -> Pose:
    """Return the message of a (4, 4) pose, with a unit quaternion."""
    x, y, z = T[:3, 3].tolist()
    qx, qy, qz, qw = se3.quaternion(T)
    return Pose(position=Point(x=x, y=y, z=z), orientation=Quaternion(x=qx, y=qy, z=qz, w=qw))


def pose_matrix(pose: Pose) -> NDArray[np.float64]:
    """Return the (4, 4) pose of a message."""
    q, p = pose.orientation, pose.position
    return se3.from_quaternion([q.x, q.y, q.z, q.w], [p.x, p.y, p.z])
