"""Calibrations as ROS, OpenCV, Kalibr, SLAM systems and cameras write them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml

from loftr_ros.odometry.geometry.calibration_check import unlikely
from loftr_ros.odometry.geometry.camera import Camera
from loftr_ros.sequences.camera_yaml import read_calibration
from loftr_ros.sequences.errors import SequenceError
from loftr_ros.sequences.unsupported_formats import EXAMPLE

MESSAGE = """
header:
  frame_id: camera
height: 48
width: 64
distortion_model: {model}
{D}: [{d}]
{K}: [50.0, 0.0, 31.0, 0.0, 51.0, 23.0, 0.0, 0.0, 1.0]
{R}: [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]
{P}: [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]
binning_x: 0
roi:
  x_offset: 0
---
"""


@pytest.mark.parametrize("names", ["dkrp", "DKRP"])
@pytest.mark.parametrize(("model", "d"), [("''", ""), ("plumb_bob", "-0.2, 0.1, 0.0, 0.0, 0.0")])
def test_a_printed_message(tmp_path: Path, names: str, model: str, d: str) -> None:
    """`ros2 topic echo --once`, and rostopic echo of ROS 1, for a camera without rectification."""
    fields = dict(zip("DKRP", names, strict=True))
    (tmp_path / "camera.yaml").write_text(MESSAGE.format(model=model, d=d, **fields))
    found = read_calibration(tmp_path / "camera.yaml")
    assert (found.raw.width, found.raw.K[1, 1], found.raw.distortion.size) == (64, 51.0, d.count(",") + bool(d))
    np.testing.assert_array_equal(found.R, np.eye(3))
    np.testing.assert_array_equal(found.P[:, :3], found.raw.K)


def test_the_example_of_the_messages_is_valid(tmp_path: Path) -> None:
    numbers = {"fx": 500, "fy": 500, "cx": 320, "cy": 240, "k1": 0.1, "k2": 0, "p1": 0, "p2": 0, "k3": 0}
    text = EXAMPLE
    for name, value in numbers.items():
        text = text.replace(name, str(value))
    (tmp_path / "camera.yaml").write_text(text)
    assert read_calibration(tmp_path / "camera.yaml").raw.focal == 500


@pytest.mark.parametrize(("count", "is_read"), [(4, False), (5, True), (8, True), (14, True)])
def test_the_model_follows_from_the_coefficients_of_opencv(
    tmp_path: Path, write_calibration: Callable[..., None], count: int, is_read: bool
) -> None:
    """Its calibration sample writes no model; four coefficients may be of a fisheye lens."""
    changes = {"distortion_model": None, "distortion_coefficients": {"data": [0.01] * count}}
    write_calibration(tmp_path / "camera.yaml", **changes)
    if is_read:
        assert read_calibration(tmp_path / "camera.yaml").raw.distortion.size == count
    else:
        with pytest.raises(SequenceError, match=r"has no distortion_model.*plumb_bob"):
            read_calibration(tmp_path / "camera.yaml")


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ({"fx": 50, "fy": 50, "cx": 31, "cy": 23}, "lists single intrinsics"),
        ({"intrinsics": [50, 50, 31, 23], "resolution": [64, 48]}, "as EuRoC and Kalibr do"),
        ({"model_type": "PINHOLE", "projection_parameters": {"fx": 50}}, "camodocal"),
        ({"cameras": [{"camera": {}}]}, "a rig of several cameras"),
        ({"camera_angle_x": 0.7, "frames": []}, r"transforms\.json"),
        ({"K": [50, 0, 31, 0, 50, 23, 0, 0, 1], "D": [0, 0, 0, 0]}, "OpenCV examples"),
        ({"cam0": {"intrinsics": [50, 50, 31, 23]}}, "camchain of Kalibr"),
        ({"Camera.fx": 50}, "ORB-SLAM"),
    ],
)
def test_other_formats_are_refused_by_name_with_an_example(
    tmp_path: Path, content: dict[str, object], what: str
) -> None:
    path = tmp_path / "camera.yaml"
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(SequenceError, match=what) as caught:
        read_calibration(path)
    assert EXAMPLE in str(caught.value)


@pytest.mark.parametrize("name", ["cameras.txt", "intrinsics.json", "SN12345.conf", "calib.txt", "K.txt"])
def test_a_calibration_of_another_name_is_pointed_out(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    with pytest.raises(SequenceError, match=rf"{name} is there, but camera\.yaml is what is read"):
        read_calibration(tmp_path / "camera.yaml")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"image_width": "64px"}, "image_width is '64px', but must be a whole number of pixels"),
        (
            {"image_width": 64.7},
            r"image_width is '64.7', but must be a whole number of pixels \(64.7 is no whole number",
        ),
        ({"image_height": True}, "image_height is 'True', but must be a whole number of pixels"),
        ({"image_height": []}, r"image_height is '\[\]', but must be"),
        ({"camera_matrix": {"fx": 50}}, "camera_matrix has no data"),
        ({"camera_matrix": {"data": "50 0 31"}}, "camera_matrix is .* but must be a list of numbers"),
        ({"distortion_coefficients": {"data": [0.1, 0.2]}}, r"takes 4 or 5 finite ones \(k1, k2, p1, p2, k3; 0 for"),
        ({"distortion_model": "none", "distortion_coefficients": [0.1] * 5}, "set the distortion model"),
    ],
)
def test_an_invalid_field_is_named(
    tmp_path: Path, write_calibration: Callable[..., None], changes: dict[str, object], message: str
) -> None:
    write_calibration(tmp_path / "camera.yaml", **changes)
    with pytest.raises(SequenceError, match=message):
        read_calibration(tmp_path / "camera.yaml")


@pytest.mark.parametrize(
    ("text", "fix"), [("a: 1\n\tb: 2\n", "not tabs"), ("a: !!python/object:b.C {}\n", "not objects of Python")]
)
def test_invalid_yaml_has_a_fix(tmp_path: Path, text: str, fix: str) -> None:
    (tmp_path / "camera.yaml").write_text(text)
    with pytest.raises(SequenceError, match=fix):
        read_calibration(tmp_path / "camera.yaml")


@pytest.mark.parametrize(
    ("K", "D", "warning"),
    [
        ((320, 320, 320, 240), (), ""),
        ((517, 516, 318, 255), (0.26, -0.95, -0.0054, 0.0026, 1.16), ""),  # the first camera of the TUM benchmark
        ((320, 320, 320, 240), (-280, 70, 0.1, 0.2, 0), "too strong to be undone"),
        ((320, 320, 320, 240), (-0.28, 0.07, 0.02, 0.0001, 0.0002), "other programs have k3 third"),
        ((288, 288, 288, 216), (), "K fits images 0.9 times as large"),
        ((424, 424, 424, 240), (), "K looks like one of images of about 848x480"),
        ((320, 320, 2, 3), (), "add half of the width and height"),
    ],
)
def test_unlikely_distortion_and_principal_point(K: tuple[float, ...], D: tuple[float, ...], warning: str) -> None:
    fx, fy, cx, cy = K
    model = "plumb_bob" if D else "none"
    camera = Camera(640, 480, np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]]), model, np.array(D))
    found = " ".join(unlikely(camera))
    assert warning in found
    assert bool(found) == bool(warning)
