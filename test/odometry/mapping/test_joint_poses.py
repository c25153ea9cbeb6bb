"""The joint distribution of keyframe poses: composition, correction by a revisit, gate, consistency."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import chi2

from loftr_ros.odometry.geometry import se3
from loftr_ros.odometry.mapping.joint_poses import JointPoses

Pose = NDArray[np.float64]
NONE = np.zeros((6, 6))
SIGMA = np.diag([0.01, 0.02, 0.01, 0.002, 0.004, 0.002]) ** 2


def measured(T_a: Pose, T_b: Pose, rng: np.random.Generator, covariance: Pose = SIGMA) -> Pose:
    """T_a_b with an error in the axes of a."""
    error = np.linalg.cholesky(covariance) @ rng.standard_normal(6)
    return se3.retract(se3.inverse(T_a) @ T_b, error)


def circle(count: int) -> list[Pose]:
    """A camera that looks outwards from a circle, once around: the last pose is the first one."""
    angles = np.linspace(0.0, 2 * np.pi, count)
    return [se3.transform(se3.exp_rotation([0, a, 0]), [2 * np.sin(a), 0.1, 2 * np.cos(a) - 2]) for a in angles]


def loop(rng: np.random.Generator, poses: list[Pose], with_revisit: bool = True) -> JointPoses:
    joint = JointPoses(16)
    joint.start(poses[0], np.zeros((6, 6)))
    for index in range(len(poses) - 1):
        joint.add(index, measured(poses[index], poses[index + 1], rng), SIGMA, NONE)
    if with_revisit:
        assert joint.correct(0, len(poses) - 1, measured(poses[0], poses[-1], rng), SIGMA, NONE)
    return joint


def test_a_chain_has_the_covariance_of_the_composition() -> None:
    poses = circle(6)
    joint = loop(np.random.default_rng(0), poses, with_revisit=False)
    T, covariance = poses[0], np.zeros((6, 6))
    for child in joint.poses[1:]:
        covariance = se3.composed_covariance(T, covariance, se3.inverse(T) @ child, SIGMA)
        T = child
    np.testing.assert_allclose(joint.covariance(5), covariance, atol=1e-15)


@pytest.mark.parametrize("index", [4, 9, 15])
def test_corrected_poses_have_the_errors_that_their_covariance_says(index: int) -> None:
    poses, runs = circle(16), 60
    errors = []
    for seed in range(100, 100 + runs):  # none of which the gate of 99.9 % rejects
        joint = loop(np.random.default_rng(seed), poses)
        error = se3.difference(joint.poses[index], poses[index])
        errors.append(error @ np.linalg.solve(joint.covariance(index), error))
    low, high = chi2.ppf([0.005, 0.995], 6 * runs) / runs
    assert low < np.mean(errors) < high


def test_a_revisit_corrects_the_poses_on_the_way_as_well() -> None:
    poses = circle(16)
    before, after = [], []
    for seed in range(10):
        for errors, with_revisit in ((before, False), (after, True)):
            joint = loop(np.random.default_rng(seed), poses, with_revisit)
            errors.append([np.linalg.norm(se3.difference(*pair)) for pair in zip(joint.poses, poses, strict=True)])
    assert np.mean(after, axis=0)[15] < 0.3 * np.mean(before, axis=0)[15]
    assert np.mean(after, axis=0)[10] < 0.8 * np.mean(before, axis=0)[10]


def test_a_pose_outside_the_gate_changes_nothing() -> None:
    poses = circle(8)
    joint = loop(np.random.default_rng(0), poses, with_revisit=False)
    before, covariance = joint.poses.copy(), joint.covariance(7)
    sigma = np.sqrt(np.diag(joint.relative_covariance(0, 7) + SIGMA))
    far = se3.retract(se3.inverse(joint.poses[0]) @ joint.poses[7], np.array([8 * sigma[0], 0, 0, 0, 0, 0]))
    assert not joint.correct(0, 7, far, SIGMA, NONE)
    assert joint.poses == before
    np.testing.assert_array_equal(joint.covariance(7), covariance)


def test_to_remove_a_pose_leaves_the_others_as_they_are() -> None:
    poses = circle(10)
    whole, part = (loop(np.random.default_rng(0), poses, with_revisit=False) for _ in range(2))
    part.remove(4)
    loop_measured = measured(poses[0], poses[9], np.random.default_rng(1))
    assert whole.correct(0, 9, loop_measured, SIGMA, NONE)
    assert part.correct(0, 8, loop_measured, SIGMA, NONE)
    np.testing.assert_allclose(part.poses[6], whole.poses[7], atol=1e-12)
    np.testing.assert_allclose(part.covariance(6), whole.covariance(7), atol=1e-15)


def test_a_drifting_length_unit_is_corrected_with_the_poses() -> None:
    """Straight on for six keyframes with a unit that grows by 1 % each, then back to the first one."""
    joint = JointPoses(16)
    joint.start(np.eye(4), np.zeros((6, 6)))
    step, precise = se3.transform(np.eye(3), [0.0, 0.0, 1.0]), 1e-6 * np.eye(6)
    for index, direction in enumerate([1, 1, 1, -1, -1, -1]):
        length = direction * 1.01**index
        joint.add(index, se3.transform(np.eye(3), length * step[:3, 3]), precise, NONE, scale_sigma=0.02)
    drifted = joint.poses[6][2, 3]
    assert joint.correct(0, 6, np.eye(4), precise, NONE)
    assert abs(joint.poses[6][2, 3]) < 0.05 * abs(drifted)
    assert joint.scales[6] < joint.scales[3] < 1.0


def test_corrections_do_not_depend_on_the_uncertainty_of_the_start() -> None:
    """A measurement between two keyframes says nothing of what both have in common, however uncertain that is."""
    results = []
    for sigma in (0.0, 3.0):
        joint, rng, poses = JointPoses(16), np.random.default_rng(0), circle(16)
        joint.start(poses[0], sigma**2 * np.eye(6))
        for index in range(15):
            joint.add(index, measured(poses[index], poses[index + 1], rng), SIGMA, NONE)
        for parent, child in ((3, 10), (5, 12), (2, 15)):  # each moves the poses that later ones refer to
            assert joint.correct(parent, child, measured(poses[parent], poses[child], rng), SIGMA, NONE)
        results.append(joint)
    exact, uncertain = results
    for one, other in zip(exact.poses, uncertain.poses, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)
    np.testing.assert_allclose(
        exact.relative_covariance(2, 15), uncertain.relative_covariance(2, 15), rtol=1e-3, atol=1e-9
    )
