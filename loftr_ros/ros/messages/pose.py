"""Poses of messages as (4, 4) matrices."""

from __future__ import annotations

import numpy as np
from geometry_msgs.msg import Point, Pose, Quaternion
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from loftr_ros.odometry.geometry import se3


def pose_message(T: NDArray[np.float64]) -> Pose:
    """Return the message of a (4, 4) pose, with a unit quaternion."""
    x, y, z = T[:3, 3].tolist()
    qx, qy, qz, qw = Rotation.from_matrix(T[:3, :3]).as_quat().tolist()
    return Pose(position=Point(x=x, y=y, z=z), orientation=Quaternion(x=qx, y=qy, z=qz, w=qw))


def pose_matrix(pose: Pose) -> NDArray[np.float64]:
    """Return the (4, 4) pose of a message."""
    q, p = pose.orientation, pose.position
    return se3.transform(Rotation.from_quat([q.x, q.y, q.z, q.w]).as_matrix(), [p.x, p.y, p.z])
