"""Results of the odometry as ROS messages."""

from __future__ import annotations

import sys

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Point, Pose, PoseStamped, Quaternion, TransformStamped, Vector3
from nav_msgs.msg import Odometry
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from sensor_msgs.msg import PointCloud2, PointField
from std_msgs.msg import Header

from loftr_ros.odometry import se3
from loftr_ros.odometry.estimate import OdometryEstimate
from loftr_ros.ros.frames import BaseMotion

MATCH_FIELDS = ("u_a", "v_a", "u_b", "v_b", "confidence", "inlier")


def time_message(stamp_ns: int) -> Time:
    """Return the message of integer nanoseconds."""
    return Time(sec=stamp_ns // 10**9, nanosec=stamp_ns % 10**9)


def nanoseconds(stamp: Time) -> int:
    """Return the integer nanoseconds of a message."""
    return int(stamp.sec) * 10**9 + int(stamp.nanosec)


def pose_message(T: NDArray[np.float64]) -> Pose:
    """Return the message of a (4, 4) pose; its quaternion is of unit length."""
    x, y, z = T[:3, 3].tolist()
    qx, qy, qz, qw = Rotation.from_matrix(T[:3, :3]).as_quat().tolist()
    return Pose(position=Point(x=x, y=y, z=z), orientation=Quaternion(x=qx, y=qy, z=qz, w=qw))


def pose_matrix(pose: Pose) -> NDArray[np.float64]:
    """Return the (4, 4) of a pose message."""
    q, p = pose.orientation, pose.position
    return se3.transform(Rotation.from_quat([q.x, q.y, q.z, q.w]).as_matrix(), [p.x, p.y, p.z])


def odometry_message(stamp_ns: int, motion: BaseMotion, odom_frame: str, base_frame: str) -> Odometry:
    """Return pose in the odom frame, velocity in the base frame, and the covariances of both."""
    message = Odometry(child_frame_id=base_frame)
    message.header = Header(stamp=time_message(stamp_ns), frame_id=odom_frame)
    message.pose.pose = pose_message(motion.T_odom_base)
    message.pose.covariance = motion.pose_covariance.ravel()
    vx, vy, vz, wx, wy, wz = motion.twist.tolist()
    message.twist.twist.linear = Vector3(x=vx, y=vy, z=vz)
    message.twist.twist.angular = Vector3(x=wx, y=wy, z=wz)
    message.twist.covariance = motion.twist_covariance.ravel()
    return message


def transform_message(odometry: Odometry) -> TransformStamped:
    """Return the transform that tf wants, of the same pose."""
    message = TransformStamped(header=odometry.header, child_frame_id=odometry.child_frame_id)
    p = odometry.pose.pose.position
    message.transform.translation = Vector3(x=p.x, y=p.y, z=p.z)
    message.transform.rotation = odometry.pose.pose.orientation
    return message


def stamped_pose(odometry: Odometry) -> PoseStamped:
    """Return the pose alone, as a path holds it."""
    return PoseStamped(header=odometry.header, pose=odometry.pose.pose)


def matches_message(estimate: OdometryEstimate, camera_frame: str) -> PointCloud2:
    """Return one float32 point a match: pixels of the keyframe and of this frame, confidence, and inlier 1 or 0."""
    matches = estimate.matches
    points = np.column_stack([matches.points_a, matches.points_b, matches.confidence, estimate.inliers])
    message = PointCloud2(height=1, width=len(points), is_dense=True, is_bigendian=sys.byteorder == "big")
    message.header = Header(stamp=time_message(estimate.stamp_ns), frame_id=camera_frame)
    message.fields = [
        PointField(name=name, offset=4 * column, datatype=PointField.FLOAT32, count=1)
        for column, name in enumerate(MATCH_FIELDS)
    ]
    message.point_step = 4 * len(MATCH_FIELDS)
    message.row_step = message.point_step * message.width
    # Assigning bytes checks every element in Python; see image_from_array.
    message.data.frombytes(points.astype(np.float32).tobytes())
    return message
