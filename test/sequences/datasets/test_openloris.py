"""OpenLORIS-Scene in its `package` format."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from loftr_ros import open_sequence
from loftr_ros.sequences.errors import MissingSensorError, SequenceError

SENSORS = """%YAML:1.0
---
d400_color_optical_frame:
   sensor_type: camera
   sensor_name: d400_color_optical_frame
   fps: 30
   width: 64
   height: 48
   model: pinhole
   intrinsics: !!opencv-matrix
      rows: 1
      cols: 4
      dt: d
      data: [ 50., 31., 51., 23. ]
   distortion_model: "radial-tangential"
   distortion_coefficients: !!opencv-matrix
      rows: 1
      cols: 5
      dt: d
      data: [ 1.0e-01, 0., 0., 0., 0. ]
"""
# The camera looks along x of the base, 0.3 m in front of it.
TRANSFORMS = """%YAML:1.0
---
trans_matrix:
   -
      parent_frame: base_link
      child_frame: t265_fisheye1_optical_frame
      matrix: !!opencv-matrix { rows: 4, cols: 4, dt: d, data: [ 1,0,0,9, 0,1,0,9, 0,0,1,9, 0,0,0,1 ] }
   -
      parent_frame: base_link
      child_frame: d400_color_optical_frame
      matrix: !!opencv-matrix { rows: 4, cols: 4, dt: d, data: [ 0,0,1,0.3, -1,0,0,0, 0,-1,0,0, 0,0,0,1 ] }
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three frames; the base moves 0.1 m a frame along y, and looks along y."""
    for kind, dtype, value in (("color", np.uint8, 10), ("aligned_depth", np.uint16, 1500)):
        (tmp_path / kind).mkdir()
        rows = []
        for i in range(3):
            stamp = f"{1560000000 + 0.1 * i + (0.004 if kind == 'aligned_depth' else 0):.6f}"
            cv2.imwrite(str(tmp_path / kind / f"{stamp}.png"), np.full((48, 64), value + i, dtype))
            rows.append(f"{stamp} {kind}/{stamp}.png\n")
        (tmp_path / f"{kind}.txt").write_text("".join(rows))
    half = np.sqrt(0.5)
    truth = (f"{1560000000 + 0.1 * i:.6f} 0 {0.1 * i} 0 0 0 {half} {half}\n" for i in range(3))
    (tmp_path / "groundtruth.txt").write_text("#Time px py pz qx qy qz qw\n" + "".join(truth))
    (tmp_path / "sensors.yaml").write_text(SENSORS)
    (tmp_path / "trans_matrix.yaml").write_text(TRANSFORMS)
    return tmp_path


def test_color_and_aligned_depth(folder: Path) -> None:
    sequence = open_sequence(folder, "rgbd")
    assert sequence.name.startswith("OpenLORIS ")
    camera = sequence.camera
    assert (camera.width, camera.height) == (64, 48)
    np.testing.assert_allclose(camera.K, [[50, 0, 31], [0, 51, 23], [0, 0, 1]])
    assert np.asarray(camera.distortion)[0] == pytest.approx(0.1)
    frames = list(sequence)
    assert [int(frame.image[0, 0]) for frame in frames] == [10, 11, 12]
    assert [float(frame.depth[0, 0]) for frame in frames] == pytest.approx([1.5, 1.501, 1.502])
    assert "paired with images up to 4 ms away" in " ".join(sequence.notes)


def test_ground_truth_is_that_of_the_camera(folder: Path) -> None:
    truth = open_sequence(folder, "mono").ground_truth
    assert truth is not None
    np.testing.assert_allclose(truth.positions, [[0, 0.3 + 0.1 * i, 0] for i in range(3)], atol=1e-9)
    np.testing.assert_allclose(truth.poses[0, :3, 2], [0, 1, 0], atol=1e-9)  # the optical axis


@pytest.mark.parametrize(
    ("file", "text", "says"),
    [
        ("sensors.yaml", "%YAML:1.0\n---\nodom: 1\n", "sensors.yaml has no d400_color_optical_frame"),
        (
            "sensors.yaml",
            SENSORS.replace("[ 50., 31., 51., 23. ]", "[ 50., 31. ]"),
            "no usable d400_color_optical_frame",
        ),
    ],
)
def test_broken_calibration(folder: Path, file: str, text: str, says: str) -> None:
    (folder / file).write_text(text)
    with pytest.raises(SequenceError, match=says):
        open_sequence(folder, "mono")


def test_broken_transforms_leave_the_ground_truth_out(folder: Path) -> None:
    (folder / "trans_matrix.yaml").write_text("%YAML:1.0\n---\ntrans_matrix: []\n")
    sequence = open_sequence(folder, "mono")
    assert sequence.ground_truth is None
    assert "no transform from base_link" in sequence.ground_truth_fault


def test_a_transform_beyond_all_numbers(folder: Path) -> None:
    path = folder / "trans_matrix.yaml"
    path.write_text(path.read_text().replace("0.3", "9" * 400))
    sequence = open_sequence(folder, "mono")
    assert "without a matrix of 4 rows" in sequence.ground_truth_fault


def test_missing_sensors(folder: Path) -> None:
    with pytest.raises(MissingSensorError, match="fisheye pair"):
        open_sequence(folder, "stereo")
    (folder / "aligned_depth.txt").unlink()
    with pytest.raises(MissingSensorError, match="use mode mono"):
        open_sequence(folder, "rgbd")
