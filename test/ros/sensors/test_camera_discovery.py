"""Which camera is taken when none is named."""

import pytest

from loftr_ros.ros.parameters.table import VoParameters
from loftr_ros.ros.sensors.camera_discovery import CameraSearchError, choices, the_only

KINDS = {
    "image": "Image",
    "compressed": "CompressedImage",
    "compressedDepth": "CompressedImage",
    "camera_info": "CameraInfo",
}


def topics(*names):
    """Topics with the types that their names stand for."""
    return {name: f"sensor_msgs/msg/{KINDS.get(name.rpartition('/')[2], 'Image')}" for name in names}


def found(mode, *names, **parameters):
    there = topics(*names)
    return the_only(choices(there, VoParameters(mode=mode, **parameters)), mode, there).parameters


def test_the_only_camera_is_taken():
    assert found("mono", "/cam/image_raw", "/cam/camera_info", "/map/image", "/loftr/match_image") == {
        "image_topic": "/cam/image_raw",
        "image_transport": "raw",
    }


def test_one_camera_may_publish_its_images_in_many_ways():
    names = ("/cam/camera_info", "/cam/image_raw", "/cam/image_rect", "/cam/image_raw/compressed")
    assert found("mono", *names)["image_topic"] == "/cam/image_raw"
    assert found("mono", "/cam/camera_info", "/cam/image_rect") == {
        "image_topic": "/cam/image_rect",
        "rectified": True,
        "image_transport": "raw",
    }


@pytest.mark.parametrize(
    ("asked", "names"), [("raw", ()), ("compressed", ("/cam/image_raw",))], ids=["nothing else", "asked for"]
)
def test_compressed_images_are_taken_where_there_is_nothing_else_or_they_are_asked_for(asked, names):
    choice = found("mono", "/cam/camera_info", "/cam/image_raw/compressed", *names, image_transport=asked)
    assert choice == {"image_topic": "/cam/image_raw", "image_transport": "compressed"}


@pytest.mark.parametrize(("left", "right"), [("left", "right"), ("infra1", "infra2")])
def test_a_pair_is_told_by_its_names(left, right):
    names = [f"/rig/{side}/{name}" for side in (left, right) for name in ("image_raw", "camera_info")]
    assert found("stereo", *names) == {
        "left_image_topic": f"/rig/{left}/image_raw",
        "right_image_topic": f"/rig/{right}/image_raw",
        "stereo_rectified": False,
        "image_transport": "raw",
    }
    rectified = [f"/rig/{side}/image_rect" for side in (left, right)]
    assert found("stereo", *names, *rectified)["stereo_rectified"] is True
    with pytest.raises(CameraSearchError, match=f"2 mono cameras are publishing, /rig/{left}/image_raw, /rig/{right}"):
        found("mono", *names)


def test_of_many_depth_images_the_registered_one_is_taken():
    names = [f"/d435/{camera}/{name}" for camera in ("color", "infra1") for name in ("image_raw", "camera_info")]
    depths = ("/d435/depth/image_rect_raw", "/d435/aligned_depth_to_color/image_raw")
    assert found("rgbd", *names, *depths) == {
        "image_topic": "/d435/color/image_raw",
        "depth_image_topic": "/d435/aligned_depth_to_color/image_raw",
        "image_transport": "raw",
    }


@pytest.mark.parametrize(
    ("mode", "names", "sentence"),
    [
        ("mono", [], "no mono camera is publishing .*: start it, or set image_topic$"),
        (
            "mono",
            ["/cam/image_raw", "/b/image/compressed"],
            "without a calibration are on /b/image/compressed \\(publish /b/camera_info\\), /cam/image_raw \\(",
        ),
        ("mono", ["/depth/image_raw", "/depth/camera_info"], "no mono camera is publishing"),
        ("stereo", ["/left/image", "/left/camera_info"], "set left_image_topic, right_image_topic"),
        ("rgbd", ["/rgb/image", "/rgb/camera_info"], "set image_topic, depth_image_topic"),
        (
            "mono",
            [f"/{camera}/{name}" for camera in ("front", "rear") for name in ("image", "camera_info")],
            "2 mono cameras are publishing, /front/image, /rear/image: set image_topic to one",
        ),
        (
            "mono",
            [f"/{camera}/{name}" for camera in ("front", "rear") for name in ("image/compressed", "camera_info")],
            "2 mono cameras are publishing, /front/image \\(compressed\\), /rear/image \\(compressed\\):",
        ),
        (
            "rgbd",
            ["/rgb/image", "/rgb/camera_info", "/depth/a", "/depth/b"],
            "/rgb/image \\+ /depth/a, /rgb/image \\+ /depth/b",
        ),
    ],
)
def test_none_or_more_than_one_is_refused_by_name(mode, names, sentence):
    with pytest.raises(CameraSearchError, match=sentence):
        found(mode, *names)
