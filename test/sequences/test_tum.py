from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from loftr_ros.sequences.errors import SequenceError
from loftr_ros.sequences.formats import open_sequence


def test_mono_keeps_every_image_and_its_exact_stamp(tum: Path) -> None:
    sequence = open_sequence(tum, "mono")
    frames = list(sequence)
    assert [frame.stamp_ns for frame in frames] == [1305031453_359684000, 1305031453_459684000, 1305031453_559684000]
    assert [int(frame.image[0, 0]) for frame in frames] == [0, 1, 2]
    assert all(frame.depth is None for frame in frames)


def test_depth_is_paired_by_time_and_read_in_metres(tum: Path) -> None:
    frames = list(open_sequence(tum, "rgbd"))
    # The third depth image is 30 ms away.
    assert [int(frame.image[0, 0]) for frame in frames] == [0, 1]
    assert [float(frame.depth[0, 0]) for frame in frames if frame.depth is not None] == [0.0, 2.0]
    assert frames[1].depth is not None
    assert frames[1].depth.dtype == np.float32


def test_depth_scale_defaults_to_that_of_the_benchmark(tum: Path) -> None:
    (tum / "depth_scale.txt").unlink()
    depth = list(open_sequence(tum, "rgbd"))[1].depth
    assert depth is not None
    assert float(depth[0, 0]) == pytest.approx(0.4)


def test_ground_truth(tum: Path) -> None:
    truth = open_sequence(tum, "mono").ground_truth
    assert truth is not None
    np.testing.assert_allclose(truth.positions[:, 0], [0, 1, 2])
    (tum / "groundtruth.txt").unlink()
    assert open_sequence(tum, "mono").ground_truth is None


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("rgb.txt", "# nothing\n", "must list"),
        ("rgb.txt", "1.0\n", "must list"),
        ("rgb.txt", "1305031453.36 rgb/none.png\n", "none.png is missing"),
        ("rgb.txt", f"1305031453.36 {'a' * 5000}.png\n", "is missing"),
        ("rgb.txt", "1305031453359684000 rgb/none.png\n", "rgb.txt has '1305031453359684000'.*looks like nanoseconds"),
        ("depth.txt", "1305031453359.684 rgb/none.png\n", "depth.txt has '1305031453359.684'.*looks like milliseconds"),
        ("depth_scale.txt", "inf\n", "finite"),
        ("camera.yaml", "[" * 5000, "no valid YAML"),
        ("camera.yaml", "a: &a [1]\nb: *a\n", "no valid YAML: it has an alias"),
        ("camera.yaml", "a: 2024-99-99\n", "no valid YAML"),
        ("depth.txt", "9.0 depth/1305031453.364684.png\n", "within 20 ms"),
        ("depth_scale.txt", "many\n", "one number"),
        ("depth_scale.txt", "0\n", "above 0"),
        ("camera.yaml", "a: [1\n", "no valid YAML"),
        ("camera.yaml", "words\n", "no calibration"),
        ("camera.yaml", "image_width: 64\n", "has no camera_matrix"),
    ],
)
def test_bad_file_is_named_with_its_fault(tum: Path, name: str, text: str, message: str) -> None:
    (tum / name).write_text(text)
    with pytest.raises(SequenceError, match=message):
        open_sequence(tum, "rgbd")


def test_missing_calibration_says_what_to_put_where(tum: Path) -> None:
    (tum / "camera.yaml").unlink()
    with pytest.raises(SequenceError, match=r"camera.yaml cannot be read.*camera_calibration"):
        open_sequence(tum, "mono")


@pytest.mark.parametrize("size", [float("inf"), 10**400, "wide"])
def test_size_that_is_no_number_of_pixels(tum: Path, write_calibration: Callable[..., None], size: object) -> None:
    write_calibration(tum / "camera.yaml", image_width=size)
    with pytest.raises(SequenceError, match=r"camera.yaml is no usable calibration"):
        open_sequence(tum, "mono")


def test_depth_that_is_infinite_is_unknown(tum: Path) -> None:
    path = tum / "depth" / "1305031453.474684.png"
    listing = tum / "depth.txt"
    listing.write_text(listing.read_text().replace(path.name, "far.tiff"))
    assert cv2.imwrite(str(path.with_name("far.tiff")), np.full((48, 64), np.inf, np.float32))
    depth = list(open_sequence(tum, "rgbd"))[1].depth
    assert depth is not None
    assert not depth.any()


def test_calibration_of_a_camera_that_cannot_be_is_refused(tum: Path, write_calibration: Callable[..., None]) -> None:
    write_calibration(tum / "camera.yaml", distortion_model="magic", distortion_coefficients={"data": [0.1]})
    with pytest.raises(SequenceError, match=r"camera.yaml is no usable calibration.*magic"):
        open_sequence(tum, "mono")


def test_colour_depth_image_is_refused(tum: Path) -> None:
    cv2.imwrite(str(tum / "depth" / "1305031453.364684.png"), np.zeros((48, 64, 3), np.uint8))
    with pytest.raises(SequenceError, match="3 channels"):
        next(iter(open_sequence(tum, "rgbd")))


def test_stereo_is_refused(tum: Path) -> None:
    with pytest.raises(SequenceError, match="no right camera"):
        open_sequence(tum, "stereo")


def test_recorded_sequence(recorded: Callable[[str], Path]) -> None:
    sequence = open_sequence(recorded("tum/fr1_desk"), "rgbd")
    frame = next(iter(sequence))
    assert len(sequence) == 9
    assert sequence.camera.distortion_model == "plumb_bob"
    assert frame.depth is not None
    assert 0.3 < float(np.median(frame.depth[frame.depth > 0])) < 3.0
