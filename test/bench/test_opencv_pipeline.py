from collections.abc import Callable
from dataclasses import dataclass, field
from types import ModuleType

import numpy as np
import pytest
from numpy.typing import NDArray

from loftr_ros.matches import Matches
from loftr_ros.odometry.geometry import se3
from loftr_ros.odometry.geometry.camera import Camera
from loftr_ros.odometry.geometry.stereo_rig import StereoRig
from loftr_ros.odometry.images.frame import Frame
from loftr_ros.odometry.states import TrackingState

Bench = Callable[[str], ModuleType]
ImageId = tuple[int, int]

CAMERA = Camera(640, 480, np.array([[500.0, 0, 320], [0, 500, 240], [0, 0, 1]]))
RIG = StereoRig.rectified(CAMERA, 0.4)
STEP = se3.transform(se3.exp_rotation([0.01, -0.03, 0.005]), [0.1, -0.03, 0.3])


@dataclass
class PointWorld:
    """Random points in front of a camera that moves by STEP; images encode the index of the frame and of the camera."""

    blind: frozenset[int] = frozenset()
    points: NDArray[np.float64] = field(
        default_factory=lambda: np.random.default_rng(4).uniform((-3, -2, 6), (3, 2, 14), (300, 3))
    )

    def frame(self, index: int) -> Frame:
        image = np.zeros((480, 640), np.uint8)
        image[0, 0] = index
        right = image.copy()
        right[0, 1] = 1
        depth = np.zeros((480, 640), np.float32)
        column, row = np.rint(self._project((index, 0))).astype(int).T
        seen = (column >= 0) & (column < 640) & (row >= 0) & (row < 480)
        depth[row[seen], column[seen]] = self._in_camera((index, 0))[seen, 2]
        return Frame(index, image, CAMERA, right, depth, RIG)

    def extract(self, image: NDArray[np.uint8]) -> ImageId:
        return int(image[0, 0]), int(image[0, 1])

    def match(self, features_a: ImageId, features_b: ImageId) -> Matches:
        points_a, points_b = self._project(features_a), self._project(features_b)
        points_b[:20] += 40.0  # outliers
        seen = ((points_a >= 0) & (points_a < (640, 480))).all(axis=1)
        cells = np.flatnonzero(seen & (not {features_a[0], features_b[0]} & self.blind))
        confidence = np.ones(len(cells), np.float32)
        return Matches(points_a[cells].astype(np.float32), points_b[cells].astype(np.float32), confidence, cells)

    def _in_camera(self, seen: ImageId) -> NDArray[np.float64]:
        index, is_right = seen
        T = np.linalg.matrix_power(STEP, index) @ (RIG.T_left_right if is_right else np.eye(4))
        return (self.points - T[:3, 3]) @ T[:3, :3]

    def _project(self, seen: ImageId) -> NDArray[np.float64]:
        return CAMERA.project(self._in_camera(seen))


@pytest.mark.parametrize("mode", ["mono", "stereo", "rgbd"])
def test_steps_are_chained(bench: Bench, mode: str) -> None:
    world = PointWorld()
    odometry = bench("opencv_pipeline").OpenCVOdometry(world, mode, threshold_px=1.0)
    estimates = [odometry.process(world.frame(i)) for i in range(4)]
    assert [estimate.state for estimate in estimates] == [TrackingState.INITIALIZING, *3 * [TrackingState.TRACKING]]
    scale = np.linalg.norm(STEP[:3, 3]) if mode == "mono" else 1.0
    T, truth = estimates[-1].T_odom_camera, np.linalg.matrix_power(STEP, 3)
    np.testing.assert_allclose(T[:3, :3], truth[:3, :3], atol=2e-3)
    np.testing.assert_allclose(scale * T[:3, 3], truth[:3, 3], atol=0.02)


@pytest.mark.parametrize("mode", ["mono", "stereo", "rgbd"])
def test_frame_that_cannot_be_matched_keeps_the_pose(bench: Bench, mode: str) -> None:
    world = PointWorld(blind=frozenset({1}))
    odometry = bench("opencv_pipeline").OpenCVOdometry(world, mode, threshold_px=1.0)
    estimates = [odometry.process(world.frame(i)) for i in range(4)]
    assert [estimate.state for estimate in estimates[1:]] == [*2 * [TrackingState.LOST], TrackingState.TRACKING]
    np.testing.assert_array_equal(estimates[2].T_odom_camera, np.eye(4))
    assert np.linalg.norm(estimates[3].T_odom_camera[:3, 3]) > 0.2
