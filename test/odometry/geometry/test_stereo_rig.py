from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from loftr_ros.evaluation.ate import evaluate
from loftr_ros.evaluation.trajectory import Trajectory
from loftr_ros.odometry.config import OdometryConfig
from loftr_ros.odometry.geometry import se3
from loftr_ros.odometry.geometry.camera import Camera, CameraError
from loftr_ros.odometry.geometry.stereo_rig import StereoRig
from loftr_ros.odometry.visual_odometry import VisualOdometry

CAMERA = Camera(640, 480, np.array([[400.0, 0, 319.5], [0, 410, 239.5], [0, 0, 1]]))
angles = st.tuples(*3 * [st.floats(-0.5, 0.5)])


def turned(angles: tuple[float, ...]) -> NDArray[np.float64]:
    return se3.exp_rotation(np.array(angles))


@pytest.mark.parametrize("baseline", [0.0, -0.1, np.nan])
def test_a_pair_has_a_right_camera_on_the_right(baseline: float) -> None:
    with pytest.raises(CameraError, match="swapped"):
        StereoRig.rectified(CAMERA, baseline)


@pytest.mark.parametrize(
    ("T", "message"),
    [
        (np.eye(4), "apart"),
        (se3.transform(np.eye(3), [np.inf, 0, 0]), "apart"),
        (se3.transform(np.zeros((3, 3)), [0.1, 0, 0]), "calibrate the pair"),
        (se3.transform(np.diag([1.0, 1.0, -1.0]), [0.1, 0, 0]), "calibrate the pair"),
        (np.eye(3), "calibrate the pair"),
        (se3.transform(np.diag([-1.0, 1.0, 1.0]), [0.1, 0, 0]), "must be a rotation"),  # mirrored
        (se3.transform(np.eye(3), [0.1, 0, 0]).T, "must be a rotation"),
    ],
)
def test_impossible_rigs_are_refused(T: NDArray[np.float64], message: str) -> None:
    with pytest.raises(CameraError, match=message):
        StereoRig(CAMERA, T)


def test_points_of_a_rectified_pair_stay_on_their_row() -> None:
    rig = StereoRig.rectified(CAMERA, 0.2)
    points = np.array([[0.1, -0.2], [0.0, 0.0], [-0.3, 0.4]])
    shift = CAMERA.project(np.column_stack([points, np.ones(3)])) - rig.project(points, np.array([0.5, 0.1, 0.0]))
    np.testing.assert_allclose(shift, [[400 * 0.2 * 0.5, 0], [400 * 0.2 * 0.1, 0], [0, 0]], atol=1e-9)


@given(angles, st.tuples(*3 * [st.floats(-0.1, 0.1)]))
def test_a_rectification_makes_the_rig_that_it_was_made_from(turn: tuple[float, ...], shift: tuple[float, ...]) -> None:
    rig = StereoRig(CAMERA, se3.transform(turned(turn), np.add(shift, [0.3, 0.0, 0.0])))
    R_left, R_right = rig.rectification
    for R in (R_left, R_right):
        np.testing.assert_allclose(R @ R.T, np.eye(3), atol=1e-12)
        assert np.linalg.det(R) > 0
        assert R[2, 2] > 0.2  # both cameras still look forward, up to 27 degrees off the normal of the baseline
    again = StereoRig.from_rectification(CAMERA, R_left, R_right, rig.baseline)
    np.testing.assert_allclose(again.T_left_right, rig.T_left_right, atol=1e-12)


def test_a_rectified_pair_needs_no_rectification() -> None:
    for R in StereoRig.rectified(CAMERA, 0.2).rectification:
        np.testing.assert_array_equal(R, np.eye(3))


LENSES = {
    "plumb_bob": [-0.28, 0.07, 0.0002, 0.00002, 0.0],
    "rational_polynomial": [0.3, 0.05, 0.0004, 0.0001, 0.0, 0.55, 0.1, 0.0],
    "equidistant": [-0.01, 0.02, -0.01, 0.002],
}


@pytest.mark.parametrize(("left", "right"), [*((model, model) for model in LENSES), ("equidistant", "plumb_bob")])
def test_the_motion_of_a_raw_pair(
    make_world: Callable[..., Any], curve: Callable[..., Any], left: str, right: str
) -> None:
    """Any lenses, the right camera turned by 7 degrees and out of line: as good as two ideal cameras in line."""
    camera, other = (
        Camera(320, 240, np.array([[f, 0, 159.5], [0, f, 119.5], [0, 0, 1]]), model, np.array(LENSES[model]))
        for f, model in ((200, left), (205, right))
    )
    rig = StereoRig(other, se3.transform(turned((0.05, -0.1, 0.04)), [0.195, 0.02, 0.03]))
    world = make_world(curve(20), camera=camera, rig=rig)
    odometry = VisualOdometry(world, OdometryConfig(mode="stereo", subpixel_refinement=False))
    estimates = [odometry.process(frame) for frame in world.frames()]
    truth = Trajectory(np.array([estimate.stamp_ns for estimate in estimates]), np.array(world.poses))
    found = evaluate(Trajectory.from_estimates(estimates), truth, False)
    assert found.end_percent < 2.0
    assert found.rotation_mean_deg < 0.1
