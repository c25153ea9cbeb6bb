"""Which topics belong together, and what comes on them."""

import numpy as np
import pytest
from sensor_msgs.msg import CompressedImage, Image

from loftr_ros.messages.camera_choice import info_topic
from loftr_ros.ros.parameters.table import VoParameters
from loftr_ros.ros.sensors.streams import streams


@pytest.mark.parametrize(
    ("image", "info"),
    [
        ("image", "camera_info"),
        ("left/image", "left/camera_info"),
        ("/camera/color/image_raw", "/camera/color/camera_info"),
        ("/image", "/camera_info"),
    ],
)
def test_the_calibration_is_expected_beside_the_image(image, info):
    assert info_topic(image) == info


@pytest.mark.parametrize(
    ("mode", "topics", "infos"),
    [
        ("mono", ["/robot/a"], ["/robot/camera_info"]),
        ("stereo", ["/robot/l/b", "/robot/r/c"], ["/robot/l/camera_info", "/robot/r/camera_info"]),
        ("rgbd", ["/robot/a", "/robot/d"], ["/robot/camera_info", None]),
    ],
)
def test_the_mode_says_which_images(mode, topics, infos):
    names = {"image_topic": "a", "left_image_topic": "l/b", "right_image_topic": "r/c", "depth_image_topic": "d"}
    found = streams(VoParameters(mode=mode, **names), "/robot/{}".format)
    assert [s.topic for s in found] == topics
    assert [s.info_topic for s in found] == infos
    assert {s.message_type for s in found} == {Image}
    for stream in found:
        assert names[stream.parameter] == stream.topic.removeprefix("/robot/")


def test_compressed_images_have_their_own_topics_but_no_other_calibration():
    found = streams(VoParameters(mode="rgbd", image_transport="compressed"), "/robot/{}".format)
    assert [s.topic for s in found] == ["/robot/image/compressed", "/robot/depth/image/compressedDepth"]
    assert [s.other_topic for s in found] == ["/robot/image", "/robot/depth/image"]
    assert [s.info_topic for s in found] == ["/robot/camera_info", None]
    assert {s.message_type for s in found} == {CompressedImage}


def test_depth_of_integers_is_scaled_by_the_parameter():
    *_, depth = streams(VoParameters(mode="rgbd", depth_scale=0.0002), "/robot/{}".format)
    image = Image(height=1, width=2, encoding="16UC1", step=4)
    image.data.frombytes(np.array([5000, 0], "<u2").tobytes())
    np.testing.assert_allclose(depth.decode(image, depth.topic), [[1.0, 0.0]])
