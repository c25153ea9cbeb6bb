"""REP-103: what the optical camera does is what the base is said to do."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from loftr_ros.matches import Matches
from loftr_ros.odometry.estimate import OdometryEstimate
from loftr_ros.odometry.geometry import se3
from loftr_ros.odometry.states import TrackingState
from loftr_ros.ros.transforms import frames

FORWARD_LOOKING = frames.camera_in_base(0, 0, 0, 0, 0, 0)
MOUNTED = frames.camera_in_base(0.3, -0.1, 0.5, 0.1, 0.4, -0.7)
NO_MATCHES = Matches(np.zeros((0, 2), "f4"), np.zeros((0, 2), "f4"), np.zeros(0, "f4"), np.zeros(0, np.int64))


def covariance(seed: int) -> np.ndarray:
    root = np.random.default_rng(seed).normal(size=(6, 6))
    return root @ root.T * 1e-3 + np.eye(6) * 1e-6


def estimate(T=None, twist=None, pose_covariance=None, twist_covariance=None) -> OdometryEstimate:
    return OdometryEstimate(
        stamp_ns=0,
        T_odom_camera=np.eye(4) if T is None else T,
        pose_covariance=np.eye(6) if pose_covariance is None else pose_covariance,
        twist=np.zeros(6) if twist is None else np.array(twist, float),
        twist_covariance=np.eye(6) if twist_covariance is None else twist_covariance,
        state=TrackingState.TRACKING,
        matches=NO_MATCHES,
        inliers=np.zeros(0, bool),
        reference=None,
        parallax_px=0.0,
        timings_ms={},
        scale_known=True,
        is_keyframe=False,
    )


def optical_motion(x=0.0, y=0.0, z=0.0, rotvec=(0, 0, 0)) -> np.ndarray:
    return se3.transform(Rotation.from_rotvec(rotvec).as_matrix(), [x, y, z])


@pytest.mark.parametrize(
    ("optical", "body"),
    [({"z": 1.0}, [1, 0, 0]), ({"x": 1.0}, [0, -1, 0]), ({"y": 1.0}, [0, 0, -1])],
    ids=["forward", "right", "down"],
)
def test_a_forward_looking_camera_moves_the_base_along_the_axes_of_rep_103(optical, body):
    T = frames.base_pose(optical_motion(**optical), FORWARD_LOOKING)
    np.testing.assert_allclose(T[:3, 3], body, atol=1e-12)
    np.testing.assert_allclose(T[:3, :3], np.eye(3), atol=1e-12)


def test_turning_right_in_the_image_is_a_negative_yaw():
    T = frames.base_pose(optical_motion(rotvec=(0, 0.2, 0)), FORWARD_LOOKING)
    np.testing.assert_allclose(se3.log_rotation(T[:3, :3]), [0, 0, -0.2], atol=1e-12)


def test_a_camera_pitched_down_sees_the_floor_ahead():
    T_base_camera = frames.camera_in_base(0, 0, 1.0, 0, 0.5, 0)
    ahead = T_base_camera @ [0, 0, 1, 1]
    np.testing.assert_allclose(ahead[:3], [np.cos(0.5), 0, 1 - np.sin(0.5)], atol=1e-12)


def test_a_base_that_turns_on_the_spot_stays_there_although_its_camera_moves():
    turn = se3.transform(Rotation.from_rotvec([0, 0, 0.8]).as_matrix(), [0, 0, 0])
    T_odom_camera = se3.inverse(MOUNTED) @ turn @ MOUNTED
    assert np.linalg.norm(T_odom_camera[:3, 3]) > 0.1
    np.testing.assert_allclose(frames.base_pose(T_odom_camera, MOUNTED), turn, atol=1e-12)


@given(st.lists(st.floats(-2, 2), min_size=6, max_size=6))
def test_camera_pose_undoes_base_pose(numbers):
    T = optical_motion(*numbers[:3], rotvec=numbers[3:])
    np.testing.assert_allclose(frames.camera_pose(frames.base_pose(T, MOUNTED), MOUNTED), T, atol=1e-9)


@given(st.lists(st.floats(-1, 1), min_size=6, max_size=6))
def test_the_twist_of_the_base_is_the_derivative_of_its_pose(numbers):
    twist, dt = np.array(numbers), 1e-6
    motion = frames.base_motion(estimate(T=se3.exp(twist * dt), twist=twist), MOUNTED, 1e-12)
    np.testing.assert_allclose(se3.log(motion.T_odom_base) / dt, motion.twist, atol=1e-5)


def test_covariances_agree_with_samples():
    """Disturb the camera many times; the scatter of the base must be the covariance that was computed."""
    rng = np.random.default_rng(1)
    T = optical_motion(1, -2, 3, rotvec=(0.3, -0.5, 0.2))
    pose_covariance, twist_covariance = covariance(2) * 1e-3, covariance(3)
    motion = frames.base_motion(
        estimate(T, pose_covariance=pose_covariance, twist_covariance=twist_covariance), MOUNTED, 1e-12
    )
    errors = []
    for dp, dtheta in rng.multivariate_normal(np.zeros(6), pose_covariance, 20_000).reshape(-1, 2, 3):
        disturbed = frames.base_pose(se3.transform(se3.exp_rotation(dtheta) @ T[:3, :3], T[:3, 3] + dp), MOUNTED)
        turned = se3.log_rotation(disturbed[:3, :3] @ motion.T_odom_base[:3, :3].T)
        errors.append([*(disturbed[:3, 3] - motion.T_odom_base[:3, 3]), *turned])
    scale = np.sqrt(np.outer(np.diag(motion.pose_covariance), np.diag(motion.pose_covariance)))
    np.testing.assert_allclose(np.cov(np.array(errors).T) / scale, motion.pose_covariance / scale, atol=0.05)

    twists = rng.multivariate_normal(np.zeros(6), twist_covariance, 20_000)
    based = np.array([frames.base_motion(estimate(twist=t), MOUNTED, 1e-12).twist for t in twists[:2000]])
    scale = np.sqrt(np.outer(np.diag(motion.twist_covariance), np.diag(motion.twist_covariance)))
    np.testing.assert_allclose(np.cov(based.T) / scale, motion.twist_covariance / scale, atol=0.1)


def test_a_start_elsewhere_moves_the_pose_and_leaves_the_velocity_alone():
    step = estimate(optical_motion(z=2.0), twist=[0, 0, 1, 0, 0, 0])
    start = frames.Start.at(10, 20, 0, 0, 0, np.pi / 2)
    motion = frames.base_motion(step, FORWARD_LOOKING, 1e-12, start)
    np.testing.assert_allclose(motion.T_odom_base[:3, 3], [10, 22, 0], atol=1e-12)
    np.testing.assert_allclose(motion.twist, [1, 0, 0, 0, 0, 0], atol=1e-12)


def test_who_carries_on_is_as_if_never_interrupted():
    """Start where a motion ended, with its covariance: the rest composes to the whole."""
    first, second = optical_motion(1, 2, 3, rotvec=(0.1, 0.4, -0.2)), optical_motion(0.5, 0, 1, rotvec=(0, 0.3, 0))
    half, other = covariance(6), covariance(7)
    before = frames.base_motion(estimate(first, pose_covariance=half), MOUNTED, 1e-12)
    after = frames.base_motion(
        estimate(second, pose_covariance=other),
        MOUNTED,
        1e-12,
        frames.Start(before.T_odom_base, before.pose_covariance),
    )
    joint = se3.composed_covariance(first, half, second, other)
    whole = frames.base_motion(estimate(first @ second, pose_covariance=joint), MOUNTED, 1e-12)
    np.testing.assert_allclose(after.T_odom_base, whole.T_odom_base, atol=1e-9)
    np.testing.assert_allclose(after.pose_covariance, whole.pose_covariance, atol=1e-9)


@pytest.mark.parametrize("size", [0.0, 1e-12, 1.0, 1e12])
def test_variances_stay_between_the_floor_and_what_consumers_take(size):
    bounded = frames.bounded(covariance(4) * size, 1e-9)
    assert np.diag(bounded).min() >= 1e-9
    assert np.diag(bounded).max() <= frames.MAX_VARIANCE * (1 + 1e-12)
    np.testing.assert_array_equal(bounded, bounded.T)
    assert np.linalg.eigvalsh(bounded).min() > 0


def test_a_covariance_inside_the_bounds_is_left_alone():
    np.testing.assert_allclose(frames.bounded(covariance(5), 1e-9), covariance(5), rtol=1e-12)


@pytest.mark.parametrize("pitch", [-0.4, 0.0, 1.2])
def test_the_pitch_of_a_camera_is_how_far_it_looks_down(pitch):
    assert frames.pitch_of(frames.camera_in_base(0.3, 0.1, 1.0, 0.2, pitch, 2.0)) == pytest.approx(pitch)
