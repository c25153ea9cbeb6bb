"""Large images are processed at the size that the matcher resolves."""

from dataclasses import replace

import numpy as np
import pytest

from loftr_ros.odometry.geometry.camera import Camera
from loftr_ros.odometry.geometry.stereo_rig import StereoRig
from loftr_ros.odometry.images.frame import Frame
from loftr_ros.odometry.images.validation import FrameError
from loftr_ros.odometry.images.working_size import MAX_RATIO, at_working_size, size_note, working_size

CAMERA = Camera(640, 480, np.array([[500.0, 0, 310], [0, 500, 250], [0, 0, 1]]))
IMAGE = np.tile(np.arange(640, dtype=np.uint16) // 3, (480, 1)).astype(np.uint8)


def frame(**images):
    return Frame(7, IMAGE, CAMERA, **images)


def test_images_within_the_budget_are_unchanged():
    within = frame()
    assert at_working_size(within, 640 * 480 // MAX_RATIO) is within
    assert size_note(CAMERA, 640 * 480 // MAX_RATIO) is None
    assert working_size(1920, 1080, 1_000_000) == (1920, 1080), "full HD at the default budget"


@pytest.mark.parametrize("shrink", [1.5, 2.0, 3.0])
def test_points_keep_their_direction_and_depth(shrink):
    """A 4K image in which only every fourth pixel holds information must give the same motion."""
    depth = np.where(np.arange(640) < 320, np.float32(2), np.float32(9)) * np.ones((480, 1), np.float32)
    rig = StereoRig.rectified(CAMERA, 0.1)
    small = at_working_size(frame(right=IMAGE, depth=depth, rig=rig), round(640 * 480 / shrink**2 / MAX_RATIO))
    width, height = round(640 / shrink), round(480 / shrink)
    assert small.image.shape == small.right.shape == small.depth.shape == (height, width)
    assert (small.camera.width, small.rig.right.width, small.rig.baseline) == (width, width, 0.1)
    corners = np.array([[-0.5, -0.5], [639.5, 479.5]])
    rays = small.camera.normalize([[-0.5, -0.5], [width - 0.5, height - 0.5]])
    np.testing.assert_allclose(rays, CAMERA.normalize(corners), atol=1e-9)
    assert set(np.unique(small.depth)) == {2.0, 9.0}, "no depth between both sides of an edge"
    assert "640x480 are processed at" in size_note(CAMERA, round(640 * 480 / shrink**2 / MAX_RATIO))


@pytest.mark.parametrize("name", ["image", "right image", "depth image"])
def test_scaling_does_not_hide_another_size(name):
    """Images of 4:3 would be stretched to a calibration of 16:9, and depth that is not registered to its image."""
    other = np.zeros((240, 320), np.float32 if name == "depth image" else np.uint8)
    images = {"right": IMAGE, "depth": np.ones((480, 640), np.float32), "rig": StereoRig.rectified(CAMERA, 0.1)}
    given = Frame(7, IMAGE, **{"camera": CAMERA, **images})
    field = {"image": "image", "right image": "right", "depth image": "depth"}[name]
    with pytest.raises(FrameError, match=f"The {name} is 320x240 but the camera is calibrated for 640x480"):
        at_working_size(replace(given, **{field: other}), 4096)
