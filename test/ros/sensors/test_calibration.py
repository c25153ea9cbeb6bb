"""Cameras by their calibration messages, and the distance of a pair by whatever tells it."""

import re
from types import SimpleNamespace

import numpy as np
import pytest
from sensor_msgs.msg import CameraInfo
from std_msgs.msg import Header

from loftr_ros.messages.calibration import Calibration
from loftr_ros.odometry.geometry.camera import CameraError
from loftr_ros.ros.messages.conversions import image_from_array
from loftr_ros.ros.parameters.table import VoParameters
from loftr_ros.ros.sensors.camera_subscriber import CameraMessages
from loftr_ros.ros.sensors.frame_builder import FrameBuilder
from loftr_ros.ros.sensors.streams import streams
from loftr_ros.ros.transforms.baseline import Baseline
from loftr_ros.ros.transforms.tf_lookup import TfLookup


def info(side, width=320, shift=0.0):
    K = [260.0, 0.0, width / 2, 0.0, 260.0, 120.0, 0.0, 0.0, 1.0]
    P = [260.0, 0.0, width / 2, 260.0 * shift, 0.0, 260.0, 120.0, 0.0, 0.0, 0.0, 1.0, 0.0]
    R = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]
    return CameraInfo(
        header=Header(frame_id=side), width=width, height=240, distortion_model="plumb_bob", d=[0.1, 0, 0, 0, 0],
        k=K, r=R, p=P,
    )  # fmt: skip


class Tf:
    """Stands for tf2_ros, which the wheels of ROS do not have."""

    is_installed = True

    def __init__(self, known):
        self.known, self.listeners = known, 0

    def Buffer(self):
        return self

    def TransformListener(self, buffer, node):
        self.listeners += 1
        return SimpleNamespace(unregister=lambda: setattr(self, "listeners", self.listeners - 1))

    def can_transform(self, target, source, time):
        return (target, source) in self.known

    def lookup_transform(self, target, source, time):
        x, y, z = self.known[target, source]
        rotation = SimpleNamespace(x=0.0, y=0.0, z=0.0, w=1.0)
        return SimpleNamespace(transform=SimpleNamespace(translation=SimpleNamespace(x=x, y=y, z=z), rotation=rotation))


@pytest.fixture
def tf(monkeypatch):
    tf = Tf({})
    monkeypatch.setattr("loftr_ros.ros.transforms.tf_lookup.tf2", tf)
    return tf


def test_cameras_are_made_once_until_a_calibration_changes():
    asked = []
    calibration = Calibration(lambda *infos: asked.append(infos) or 0.12, rectified=True)
    camera, rig = calibration.cameras((info("left"), info("right")))
    for _ in range(3):
        again = calibration.cameras((info("left"), info("right")))
        assert again[0] is camera
        assert again[1] is rig
    assert len(asked) == 1
    assert rig.baseline == pytest.approx(0.12)
    camera, rig = calibration.cameras((info("left", width=640), info("right", width=640)))
    assert camera.width == rig.right.width == 640
    assert len(asked) == 2


def test_a_region_that_moves_changes_the_camera():
    calibration = Calibration(None, rectified=False)
    message = info("camera", width=640)
    before, _ = calibration.cameras((message,))
    message.roi.x_offset, message.roi.width, message.roi.height = 100, 400, 240
    after, _ = calibration.cameras((message,))
    assert (before.K[0, 2], after.K[0, 2], after.width) == (320, 220, 400)


@pytest.mark.parametrize(("width", "height"), [(320, 120), (640, 240)])
def test_images_of_a_binned_camera(width, height):
    """Half as large as the calibration says of the sensor; whole images would have another K, or no binning."""
    message = info("camera", width=640)
    message.binning_x = message.binning_y = 2
    image = image_from_array(np.zeros((height, width), np.uint8))
    builder = FrameBuilder(streams(VoParameters(), str), Calibration(None, rectified=False), "mono")
    messages = CameraMessages((image,), (message,), 0, 0.0)
    if width == 320:
        assert builder.frame(messages).camera.width == 320
    else:
        with pytest.raises(CameraError, match=r"are 640x240, .* its binning and roi make them 320x120: set width"):
            builder.frame(messages)


def test_depth_of_another_camera_is_logged_once_and_kept_for_the_diagnostics():
    """A driver that registers depth to color stamps it with the frame of the color camera."""
    logged = []
    cameras = streams(VoParameters(mode="rgbd"), str)
    builder = FrameBuilder(cameras, Calibration(None, rectified=False), "rgbd", logged.append)
    image = image_from_array(np.zeros((240, 320), np.uint8))
    depth = image_from_array(np.zeros((240, 320), np.float32))
    image.header.frame_id = "color"
    for frame in ("depth", "depth", "/color", ""):
        depth.header.frame_id = frame
        builder.frame(CameraMessages((image, depth), (info("color"),), 0, 0.0))
        assert bool(builder.warning) == (frame == "depth")
    (said,) = logged
    assert "are in the frame 'depth', the images in 'color'" in said


def test_what_is_unlikely_is_logged_once_and_kept_for_the_diagnostics():
    logged = []
    calibration = Calibration(Baseline(TfLookup(None), 0.0).of, rectified=True, warn=logged.append)
    for shift in (-0.1, -100.0, -100.0, -0.2):
        calibration.cameras((info("left"), info("right", shift=shift)))
        assert bool(calibration.warning) == (shift == -100.0)
    (said,) = logged
    assert "stereo baseline is 100 m" in said
    upright = info("camera")
    upright.width, upright.height = 480, 640
    calibration = Calibration(None, rectified=False, warn=logged.append)
    calibration.cameras((upright,))
    assert "far from the middle of the image of 480x640" in calibration.warning == logged[1]


def test_a_single_camera_has_no_rig():
    camera, rig = Calibration(None, rectified=False).cameras((info("camera"),))
    assert camera.distortion_model == "plumb_bob"
    assert rig is None


def test_what_cannot_be_used_is_asked_for_again():
    answers = [CameraError("not yet"), 0.1]

    def baseline(*_):
        answer = answers.pop(0)
        if isinstance(answer, CameraError):
            raise answer
        return answer

    calibration = Calibration(baseline, rectified=True)
    with pytest.raises(CameraError, match="not yet"):
        calibration.cameras((info("left"), info("right")))
    assert calibration.cameras((info("left"), info("right")))[1].baseline == pytest.approx(0.1)


def test_the_calibration_goes_before_tf_and_that_before_the_parameter(tf):
    baseline = Baseline(TfLookup(None), 0.3)
    assert baseline.of(info("left"), info("right", shift=-0.1)) == pytest.approx(0.1)
    assert tf.listeners == 0
    assert baseline.of(info("left"), info("right")) == 0.3
    assert tf.listeners == 1
    tf.known["left", "right"] = (0.12, 0.05, 0.0)
    assert baseline.of(info("left"), info("right")) == pytest.approx(0.13)
    assert tf.listeners == 0  # it knows
    assert baseline.of(info("left"), info("left")) == 0.3  # rectified images may both carry the left frame
    baseline.of(info("left"), info("other"))
    assert tf.listeners == 1
    baseline.close()
    assert tf.listeners == 0


def test_the_baseline_is_the_difference_of_both_cameras():
    """KITTI's color pair in a bag: camera 0, where the axes are, is none of the two."""
    calibration = Calibration(Baseline(TfLookup(None), 0.0).of, rectified=True)
    _, rig = calibration.cameras((info("left", shift=0.06), info("right", shift=-0.48)))
    assert rig.baseline == pytest.approx(0.54)


@pytest.mark.parametrize("installed", [True, False])
def test_nothing_tells_the_baseline(tf, monkeypatch, installed):
    if not installed:
        monkeypatch.setattr("loftr_ros.ros.transforms.tf_lookup.tf2", SimpleNamespace(is_installed=False))
    with pytest.raises(
        CameraError, match="TF has no transform from 'right' to 'left', and stereo_baseline is 0: calibrate"
    ):
        Baseline(TfLookup(None), 0.0).of(info("left"), info("right"))


@pytest.mark.parametrize("shift", [0.1, None])
def test_left_and_right_that_are_swapped_are_refused(tf, shift):
    tf.known["left", "right"] = (-0.1, 0.0, 0.0)
    calibration = Calibration(Baseline(TfLookup(None), 0.0).of, rectified=True)
    with pytest.raises(CameraError, match="left and right are not swapped"):
        calibration.cameras((info("left"), info("right", shift=shift or 0.0)))


@pytest.mark.parametrize(
    ("topic", "rectified", "infos", "words"),
    [
        (
            "/camera/image_rect",
            False,
            [info("camera")],
            "/camera/image_rect is rectified according .*: set rectified to true",
        ),
        ("/left/image_rect_color", False, [info("left"), info("right", shift=-0.1)], "set stereo_rectified to true"),
        ("/camera/image_rect", True, [info("camera")], None),
        ("/camera/image_raw", False, [info("camera")], None),
        ("/image_rect/image", False, [info("camera")], None),
    ],
)
def test_rectified_images_that_are_taken_for_raw_ones_by_their_name(topic, rectified, infos, words):
    calibration = Calibration(Baseline(TfLookup(None), 0.0).of, rectified=rectified, topics=[topic])
    calibration.cameras(tuple(infos))
    assert re.search(words, calibration.warning) if words else calibration.warning is None


def test_rectified_images_whose_calibration_has_no_distortion_are_no_doubt():
    plain = info("camera")
    plain.d = [0.0] * 5
    calibration = Calibration(None, rectified=False, topics=["/camera/image_rect_raw"])
    calibration.cameras((plain,))
    assert calibration.warning is None
