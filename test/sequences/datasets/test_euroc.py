from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from loftr_ros.cli import main
from loftr_ros.matches import Matches
from loftr_ros.odometry.mapping.inverse_depth import depths_from_stereo
from loftr_ros.sequences.errors import NoFramesError, SequenceError
from loftr_ros.sequences.formats import open_sequence


def test_stereo_pairs_the_images_of_one_stamp(euroc: Path) -> None:
    sequence = open_sequence(euroc, "stereo")
    frames = list(sequence)
    assert [int(frame.image[0, 0]) for frame in frames] == [0, 1, 3]
    assert [int(frame.right[0, 0]) for frame in frames if frame.right is not None] == [10, 11, 13]
    assert [frame.stamp_ns - 1403715273_000000000 for frame in frames] == [0, 50_000_000, 150_000_000]
    assert sequence.name == "EuRoC V0_00"


def test_both_cameras_are_raw_with_the_extrinsics_of_the_sensor_files(euroc: Path) -> None:
    sequence = open_sequence(euroc, "stereo")
    assert sequence.rig is not None
    for camera, fx in ((sequence.camera, 50.0), (sequence.rig.right, 51.0)):
        assert camera.distortion_model == "plumb_bob"
        np.testing.assert_array_equal(camera.K, [[fx, 0, 31], [0, 51, 23], [0, 0, 1]])
        np.testing.assert_array_equal(camera.distortion, [-0.2, 0.1, 0, 0])
    expected = np.eye(4)
    expected[0, 3] = 0.1
    np.testing.assert_allclose(sequence.rig.T_left_right, expected, atol=1e-12)


def test_mono_keeps_every_image(euroc: Path) -> None:
    sequence = open_sequence(euroc, "mono")
    assert [int(frame.image[0, 0]) for frame in sequence] == [0, 1, 2, 3]
    assert next(iter(sequence)).right is None


def test_ground_truth_is_of_the_left_camera(euroc: Path) -> None:
    truth = open_sequence(euroc, "mono").ground_truth
    assert truth is not None
    np.testing.assert_array_equal(truth.stamps_ns - truth.stamps_ns[0], 50_000_000 * np.arange(4))
    # The body looks along +y of the world, its camera is 0.5 m in front of it and 0.2 m above.
    np.testing.assert_allclose(truth.positions, [[0, i + 0.5, 0.2] for i in range(4)], atol=1e-7)
    np.testing.assert_allclose(truth.poses[2][:3, 2], [0, 1, 0], atol=1e-7)


def test_ground_truth_is_optional(euroc: Path) -> None:
    (euroc / "mav0" / "state_groundtruth_estimate0" / "data.csv").unlink()
    assert open_sequence(euroc, "stereo").ground_truth is None


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        ("cam0/data.csv", ",", ";", "must list one 'stamp in nanoseconds,filename'"),
        (
            "cam0/data.csv",
            "\n",
            "\n1403715273262142976,0.png\n1403715273262142976,1.png\n",
            "two images with one stamp",
        ),
        ("cam1/data.csv", "1403", "14.03", "must list one 'stamp in nanoseconds,filename'"),
        ("cam1/sensor.yaml", "T_BS", "T_SB", r"cam1/sensor.yaml has no T_BS"),
        ("cam1/sensor.yaml", "cols: 4", "cols", "no valid YAML"),
        ("cam1/sensor.yaml", "radial-tangential", "omni", "no usable calibration.*omni"),
        ("cam1/sensor.yaml", "sensor_type: camera", "camera_model: omni", "model 'omni'; only pinhole"),
        ("cam1/sensor.yaml", "- 31.0\n", "- 310.0\n", r"no usable calibration: The principal point \(310, 23\)"),
        ("cam1/sensor.yaml", "- 51.0\n", "", "no usable calibration"),
        ("cam1/sensor.yaml", "-0.1", "0.0", r"T_BS of .*cam0 and cam1.*apart"),
    ],
)
def test_the_error_names_an_invalid_file_and_fault(euroc: Path, name: str, old: str, new: str, message: str) -> None:
    path = euroc / "mav0" / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(SequenceError, match=message):
        open_sequence(euroc, "stereo")


FAULTS = [
    (",0.70710678", ",half", "a stamp, a position and a quaternion"),
    (",0.70710678,9,9,9", "", "a stamp, a position and a quaternion"),
    ("0.70710678", "0", "pose 1 has a quaternion of zero length"),
    (",0,1,0,", ",nan,1,0,", "pose 2 holds no position"),
    (",0.70710678,9,9,9", ",nan,9,9,9", "not a finite one"),
    ("1403715273050000000", "1403715273000000000", "stamp 2 is not after the previous one"),
    ("1403715273050000000", "14037152730500000000", "too large"),
]


@pytest.mark.parametrize(("old", "new", "message"), FAULTS)
def test_invalid_ground_truth_is_dropped_and_its_error_reported(euroc: Path, old: str, new: str, message: str) -> None:
    path = euroc / "mav0" / "state_groundtruth_estimate0" / "data.csv"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    sequence = open_sequence(euroc, "stereo")
    assert sequence.ground_truth is None
    assert str(path) in sequence.ground_truth_fault
    assert message in sequence.ground_truth_fault


def test_stereo_without_a_common_stamp_is_refused_with_the_difference(
    euroc: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    right = euroc / "mav0" / "cam1" / "data.csv"
    right.write_text(right.read_text().replace("0000000,", "6000000,"))  # 6 ms later
    with pytest.raises(NoFramesError, match=r"cam1 has the stamp of one of cam0, the nearest are 6000000 ns apart"):
        open_sequence(euroc, "stereo")
    assert main(["run", str(euroc), "--mode", "stereo", "--output", str(tmp_path / "out")]) == 1
    assert "6000000 ns apart" in capsys.readouterr().err
    assert len(open_sequence(euroc, "mono")) == 4


def test_right_images_slightly_later_are_paired_and_the_difference_is_reported(euroc: Path) -> None:
    right = euroc / "mav0" / "cam1" / "data.csv"
    right.write_text(right.read_text().replace("000000,", "001000,"))  # a microsecond later
    sequence = open_sequence(euroc, "stereo")
    assert [int(frame.right[0, 0]) for frame in sequence if frame.right is not None] == [10, 11, 13]
    assert sequence.notes == (
        "left and right images are paired with stamps up to 0.001 ms apart",
        "1 of 4 left images have no right one: left out",
    )


def test_list_as_windows_and_spreadsheets_write_it(euroc: Path) -> None:
    listing = euroc / "mav0" / "cam0" / "data.csv"
    listing.write_bytes(b"\xef\xbb\xbf" + listing.read_bytes().replace(b"#timestamp", b"timestamp"))
    assert len(open_sequence(euroc, "mono")) == 4


def test_missing_right_camera_is_named(euroc: Path) -> None:
    (euroc / "mav0" / "cam1").rename(euroc / "unused")
    with pytest.raises(SequenceError, match=r"cam1 is missing, so there is no right camera"):
        open_sequence(euroc, "stereo")


def test_depth_is_refused(euroc: Path) -> None:
    with pytest.raises(SequenceError, match="no depth images"):
        open_sequence(euroc, "rgbd")


def test_recorded_sequence(recorded: Callable[[str], Path]) -> None:
    """SIFT matches of both raw images lie on the epipolar curves of the calibration, at distances of the room."""
    sequence = open_sequence(recorded("euroc/V1_01_static"), "stereo")
    assert len(sequence) == 24
    assert sequence.rig is not None
    assert sequence.rig.baseline == pytest.approx(0.110, abs=1e-3)
    assert sequence.ground_truth is not None
    assert sequence.ground_truth.length < 0.01
    frame = sequence[0]
    assert frame.right is not None
    sift = cv2.SIFT_create(1000)
    (keys_a, described_a), (keys_b, described_b) = (
        sift.detectAndCompute(image, None) for image in (frame.image, frame.right)
    )
    found = cv2.BFMatcher(crossCheck=True).match(described_a, described_b)
    good = sorted(found, key=lambda match: match.distance)[:150]
    points_a = np.array([keys_a[match.queryIdx].pt for match in good], np.float32)
    points_b = np.array([keys_b[match.trainIdx].pt for match in good], np.float32)
    matches = Matches(points_a, points_b, np.ones(len(good), np.float32), np.arange(len(good)))
    depths = depths_from_stereo(matches, sequence.camera, sequence.rig, threshold_px=1.0)
    assert len(depths) > 120
    assert 1.5 < np.median(1 / depths.value) < 6
