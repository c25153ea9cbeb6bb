"""Estimates as messages, field by field."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from loftr_ros.matches import Matches
from loftr_ros.odometry.estimate import OdometryEstimate
from loftr_ros.odometry.geometry import se3
from loftr_ros.odometry.geometry.camera import Camera
from loftr_ros.odometry.mapping.inverse_depth import CellDepths
from loftr_ros.odometry.mapping.landmarks import Landmarks
from loftr_ros.odometry.states import TrackingState
from loftr_ros.ros.messages.pose import pose_matrix
from loftr_ros.ros.messages.time import nanoseconds
from loftr_ros.ros.publishers import odometry_messages as messages
from loftr_ros.ros.transforms.frames import BaseMotion, camera_in_base

STAMP = 1_700_000_000_123_456_789
POSE = se3.transform(Rotation.from_rotvec([0.1, -0.2, 2.5]).as_matrix(), [1, -2, 3])
MOTION = BaseMotion(POSE, np.diag(np.arange(1.0, 7)), np.arange(6.0), np.diag(np.arange(11.0, 17)))


def test_odometry_has_pose_and_twist_in_their_frames():
    message = messages.odometry_message(STAMP, MOTION, "odom", "base_link")
    assert (message.header.frame_id, message.child_frame_id) == ("odom", "base_link")
    assert nanoseconds(message.header.stamp) == STAMP
    np.testing.assert_allclose(pose_matrix(message.pose.pose), POSE, atol=1e-12)
    linear, angular = message.twist.twist.linear, message.twist.twist.angular
    assert [linear.x, linear.y, linear.z, angular.x, angular.y, angular.z] == [0, 1, 2, 3, 4, 5]
    np.testing.assert_array_equal(message.pose.covariance.reshape(6, 6), MOTION.pose_covariance)
    np.testing.assert_array_equal(message.twist.covariance.reshape(6, 6), MOTION.twist_covariance)


def test_the_transform_and_the_path_repeat_the_pose():
    odometry = messages.odometry_message(STAMP, MOTION, "odom", "base_link")
    transform, pose = messages.transform_message(odometry), messages.stamped_pose(odometry)
    assert (transform.header, transform.child_frame_id) == (odometry.header, "base_link")
    translation = transform.transform.translation
    assert [translation.x, translation.y, translation.z] == [1, -2, 3]
    assert transform.transform.rotation == odometry.pose.pose.orientation
    assert (pose.header, pose.pose) == (odometry.header, odometry.pose.pose)


def test_the_inverse_transform_undoes_the_pose():
    odometry = messages.odometry_message(STAMP, MOTION, "odom", "base_link")
    inverse = messages.inverse_transform_message(odometry)
    assert (inverse.header.frame_id, inverse.child_frame_id) == ("base_link", "odom")
    assert inverse.header.stamp == odometry.header.stamp
    p, q = inverse.transform.translation, inverse.transform.rotation
    T = se3.transform(Rotation.from_quat([q.x, q.y, q.z, q.w]).as_matrix(), [p.x, p.y, p.z])
    np.testing.assert_allclose(T @ POSE, np.eye(4), atol=1e-12)


def test_points_are_the_inliers_with_depth_in_odom_and_colored_by_confidence():
    camera = Camera(100, 100, np.array([[50.0, 0, 50], [0, 50, 50], [0, 0, 1]]))
    pixels = np.array([[50, 50], [100, 50], [50, 50], [50, 50]], np.float32)
    found = Matches(pixels, pixels, np.array([0, 1, 1, 1], np.float32), np.arange(4))
    landmarks = Landmarks(camera, found, CellDepths(np.arange(3), np.full(3, 0.25), np.full(3, 0.01)), np.eye(4))
    estimate = OdometryEstimate(
        STAMP, np.eye(4), np.eye(6), np.zeros(6), np.eye(6), TrackingState.TRACKING, found,
        np.array([True, True, False, True]), None, 0.0, {}, scale_known=True, is_keyframe=False, landmarks=landmarks,
    )  # fmt: skip
    message = messages.points_message(estimate, camera_in_base(1, 2, 3, 0, 0, 0), "odom")
    assert (message.header.frame_id, message.width, message.point_step) == ("odom", 2, 16)
    assert [f.name for f in message.fields] == ["x", "y", "z", "rgb"]
    points = np.frombuffer(message.data, np.float32).reshape(2, 4)
    np.testing.assert_allclose(points[:, :3], [[5, 2, 3], [5, -2, 3]], atol=1e-6)  # 4 m ahead, and as much to the right
    red, green, blue = (points[:, 3].copy().view(np.uint32) >> shift & 255 for shift in (16, 8, 0))
    assert red.tolist() == [40, 40]
    assert (green[0] < green[1], blue[0] > blue[1]) == (True, True)


@pytest.mark.parametrize("count", [0, 3])
def test_matches_are_a_cloud_of_one_point_each(count):
    rng = np.random.default_rng(0)
    matches = Matches(
        rng.random((count, 2), np.float32) * 600,
        rng.random((count, 2), np.float32) * 600,
        rng.random(count, np.float32),
        np.arange(count),
    )
    inliers = np.arange(count) % 2 == 0
    estimate = OdometryEstimate(
        STAMP, np.eye(4), np.eye(6), np.zeros(6), np.eye(6), TrackingState.TRACKING, matches, inliers, None, 0.0, {},
        scale_known=True, is_keyframe=False,
    )  # fmt: skip
    message = messages.matches_message(estimate, "camera")
    assert message.header.frame_id == "camera"
    assert [(f.name, f.offset, f.datatype) for f in message.fields] == [
        (name, 4 * i, 7) for i, name in enumerate(("u_a", "v_a", "u_b", "v_b", "confidence", "inlier"))
    ]
    assert (message.height, message.width, message.point_step, message.row_step) == (1, count, 24, 24 * count)
    points = np.frombuffer(message.data, np.float32).reshape(count, 6)
    np.testing.assert_array_equal(points[:, :2], matches.points_a)
    np.testing.assert_array_equal(points[:, 2:4], matches.points_b)
    np.testing.assert_array_equal(points[:, 4], matches.confidence)
    np.testing.assert_array_equal(points[:, 5], inliers)
