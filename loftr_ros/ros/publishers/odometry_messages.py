"""Results of the odometry as ROS messages."""

from __future__ import annotations

import sys

import numpy as np
from geometry_msgs.msg import PoseStamped, TransformStamped, Vector3
from nav_msgs.msg import Odometry
from numpy.typing import NDArray
from sensor_msgs.msg import PointCloud2, PointField
from std_msgs.msg import Header

from loftr_ros.messages.point_tables import MATCH_FIELDS, POINT_FIELDS, match_table, point_table
from loftr_ros.odometry.estimate import OdometryEstimate
from loftr_ros.odometry.geometry import se3
from loftr_ros.ros.messages.pose import pose_matrix, pose_message
from loftr_ros.ros.messages.time import time_message
from loftr_ros.ros.transforms.frames import BaseMotion


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
    """Return the same pose as a transform from odom to the base."""
    message = TransformStamped(header=odometry.header, child_frame_id=odometry.child_frame_id)
    p = odometry.pose.pose.position
    message.transform.translation = Vector3(x=p.x, y=p.y, z=p.z)
    message.transform.rotation = odometry.pose.pose.orientation
    return message


def inverse_transform_message(odometry: Odometry) -> TransformStamped:
    """Return the inverse transform, from the base to odom, for a base that already has a parent."""
    message = TransformStamped(child_frame_id=odometry.header.frame_id)
    message.header = Header(stamp=odometry.header.stamp, frame_id=odometry.child_frame_id)
    pose = pose_message(se3.inverse(pose_matrix(odometry.pose.pose)))
    message.transform.translation = Vector3(x=pose.position.x, y=pose.position.y, z=pose.position.z)
    message.transform.rotation = pose.orientation
    return message


def stamped_pose(odometry: Odometry) -> PoseStamped:
    """Return the pose alone, for a path."""
    return PoseStamped(header=odometry.header, pose=odometry.pose.pose)


def matches_message(estimate: OdometryEstimate, camera_frame: str) -> PointCloud2:
    """Return a cloud with a point per match, see `match_table`."""
    return _cloud(estimate.stamp_ns, camera_frame, MATCH_FIELDS, match_table(estimate))


def points_message(estimate: OdometryEstimate, T_odom_camera: NDArray[np.float64], odom_frame: str) -> PointCloud2:
    """Return the inliers with known depth in odom, see `point_table`."""
    return _cloud(estimate.stamp_ns, odom_frame, POINT_FIELDS, point_table(estimate, T_odom_camera))


def _cloud(stamp_ns: int, frame: str, fields: tuple[str, ...], table: NDArray[np.float32]) -> PointCloud2:
    """Return a cloud with a point per row and a field per column."""
    message = PointCloud2(height=1, width=len(table), is_dense=True, is_bigendian=sys.byteorder == "big")
    message.header = Header(stamp=time_message(stamp_ns), frame_id=frame)
    message.fields = [
        PointField(name=name, offset=4 * column, datatype=PointField.FLOAT32, count=1)
        for column, name in enumerate(fields)
    ]
    message.point_step = 4 * len(fields)
    message.row_step = message.point_step * message.width
    # Assigning bytes checks every element in Python; see image_from_array.
    message.data.frombytes(table.tobytes())
    return message
