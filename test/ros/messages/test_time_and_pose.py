"""Stamps and poses to messages and back."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from loftr_ros.odometry.geometry import se3
from loftr_ros.ros.messages.pose import pose_matrix, pose_message
from loftr_ros.ros.messages.time import nanoseconds, time_message

STAMP = 1_700_000_000_123_456_789
POSE = se3.transform(Rotation.from_rotvec([0.1, -0.2, 2.5]).as_matrix(), [1, -2, 3])


def test_stamps_keep_their_nanoseconds():
    assert nanoseconds(time_message(STAMP)) == STAMP


def test_poses_survive_and_their_quaternion_is_of_unit_length():
    pose = pose_message(POSE)
    q = pose.orientation
    assert q.x**2 + q.y**2 + q.z**2 + q.w**2 == pytest.approx(1, abs=1e-12)
    np.testing.assert_allclose(pose_matrix(pose), POSE, atol=1e-12)
