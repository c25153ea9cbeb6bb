"""Which topics belong together."""

import pytest

from loftr_ros.ros.camera_input import image_topics, info_topic
from loftr_ros.ros.parameters import VoParameters


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


def test_the_mode_says_which_images():
    assert image_topics(VoParameters(mode="mono", image_topic="a")) == ["a"]
    assert image_topics(VoParameters(mode="stereo", left_image_topic="b", right_image_topic="c")) == ["b", "c"]
