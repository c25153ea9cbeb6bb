import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from loftr_ros.odometry.geometry import se3

twists = st.lists(st.floats(-1.5, 1.5), min_size=6, max_size=6).map(np.array)


def perturbed(T: NDArray[np.float64], change: NDArray[np.float64]) -> NDArray[np.float64]:
    """The convention of the covariances: position added, rotation about the fixed axes."""
    return se3.transform(se3.exp_rotation(change[3:]) @ T[:3, :3], T[:3, 3] + change[:3])


def difference(T: NDArray[np.float64], to: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.concatenate([T[:3, 3] - to[:3, 3], se3.log_rotation(T[:3, :3] @ to[:3, :3].T)])


def covariance_of(columns: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    J = np.column_stack(columns)
    return np.asarray(J @ J.T)


@settings(deadline=None)
@given(twists)
def test_log_undoes_exp(twist: NDArray[np.float64]) -> None:
    np.testing.assert_allclose(se3.log(se3.exp(twist)), twist, atol=1e-7)


@settings(deadline=None)
@given(twists, st.floats(0.1, 1.0))
def test_exp_is_a_constant_velocity(twist: NDArray[np.float64], part: float) -> None:
    both = se3.exp(part * twist) @ se3.exp((1 - part) * twist)
    np.testing.assert_allclose(both, se3.exp(twist), atol=1e-7)


@settings(deadline=None)
@given(twists)
def test_inverse(twist: NDArray[np.float64]) -> None:
    T = se3.exp(twist)
    np.testing.assert_allclose(se3.inverse(T) @ T, np.eye(4), atol=1e-12)


def test_skew_is_the_cross_product() -> None:
    v, w = np.random.default_rng(0).normal(size=(2, 7, 3))
    np.testing.assert_allclose(np.einsum("nij,nj->ni", se3.skew(v), w), np.cross(v, w), atol=1e-12)


@settings(deadline=None)
@given(twists, twists)
def test_composed_covariance_is_that_of_perturbed_poses(a: NDArray[np.float64], b: NDArray[np.float64]) -> None:
    A, B, h = se3.exp(a), se3.exp(b), 1e-6
    steps = np.eye(6) * h
    by_a = [difference(perturbed(A, s) @ B, A @ B) / h for s in steps]
    by_b = [difference(A @ perturbed(B, s), A @ B) / h for s in steps]
    expected = covariance_of([*by_a, *by_b])
    np.testing.assert_allclose(se3.composed_covariance(A, np.eye(6), B, np.eye(6)), expected, atol=1e-4)


@settings(deadline=None)
@given(twists, twists)
def test_step_covariance_is_that_of_perturbed_poses(a: NDArray[np.float64], b: NDArray[np.float64]) -> None:
    """The errors of start and end are 60 % the same."""
    A, B, h = se3.exp(a), se3.exp(b), 1e-6
    step, R = se3.inverse(A) @ B, se3.exp(b)[:3, :3].T @ se3.exp(a)[:3, :3]
    adjoint = np.kron(np.eye(2), R)
    steps = np.eye(6) * h
    errors = [
        *(difference(se3.inverse(perturbed(A, 0.8 * s)) @ B, step) / h for s in steps),
        *(difference(se3.inverse(perturbed(A, 0.6 * s)) @ perturbed(B, s), step) / h for s in steps),
    ]
    expected = adjoint @ covariance_of(errors) @ adjoint.T
    gains = 0.6 * np.eye(6), np.eye(6)
    np.testing.assert_allclose(se3.step_covariance(A, np.eye(6), B, np.eye(6), *gains), expected, atol=1e-4)


@given(twists, st.sampled_from([1.0, -1.0]))
def test_nearest_rotation_is_none_of_a_mirror(twist: NDArray[np.float64], last: float) -> None:
    """Of R S with a symmetric S it is R, also where S mirrors its weakest axis a little."""
    R = se3.exp_rotation(twist[3:])
    stretch = np.diag([3.0, 2.0, 0.5 * last])
    np.testing.assert_allclose(se3.nearest_rotation(R @ stretch), R, atol=1e-9)


@given(twists)
def test_quaternion_is_x_y_z_w_of_unit_length(twist: NDArray[np.float64]) -> None:
    T = se3.exp(twist)
    quaternion = np.array(se3.quaternion(T))
    assert abs(np.linalg.norm(quaternion) - 1) < 1e-12
    np.testing.assert_allclose(se3.from_quaternion(3 * quaternion, T[:3, 3]), T, atol=1e-12)
    half_turn_about_y = se3.from_quaternion([0, 1, 0, 0], [1, 2, 3])
    np.testing.assert_allclose(half_turn_about_y[:3], [[-1, 0, 0, 1], [0, 1, 0, 2], [0, 0, -1, 3]], atol=1e-12)
