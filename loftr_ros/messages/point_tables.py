"""Rows of the point clouds of an estimate: its matches, and its points in odom. Imports no ROS."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from loftr_ros.arrays import Array
from loftr_ros.odometry.estimate import OdometryEstimate
from loftr_ros.reports.drawing import confidence_colors

MATCH_FIELDS = ("u_a", "v_a", "u_b", "v_b", "confidence", "inlier")
POINT_FIELDS = ("x", "y", "z", "rgb")


def match_table(estimate: OdometryEstimate) -> NDArray[np.float32]:
    """Return (N, 6) `MATCH_FIELDS`: pixels in keyframe and frame, confidence, and inlier 1 or 0."""
    matches = estimate.matches
    table = np.column_stack([matches.points_a, matches.points_b, matches.confidence, estimate.inliers])
    return table.astype(np.float32)


def point_table(estimate: OdometryEstimate, T_odom_camera: Array) -> NDArray[np.float32]:
    """Return (M, 4) `POINT_FIELDS` of the inliers with known depth; `rgb`, packed as in PCL and rviz, is confidence."""
    points = estimate.landmarks.points() if estimate.landmarks else np.zeros((0, 3))
    known = estimate.inliers & np.isfinite(points).all(axis=1)
    in_odom = points[known] @ T_odom_camera[:3, :3].T + T_odom_camera[:3, 3]
    blue, green, red = confidence_colors(estimate.matches.confidence[known]).astype(np.uint32).T
    rgb = (red << 16 | green << 8 | blue).view(np.float32)
    return np.column_stack([in_odom.astype(np.float32), rgb])
