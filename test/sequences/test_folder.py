from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from loftr_ros.odometry import se3
from loftr_ros.sequences.errors import SequenceError
from loftr_ros.sequences.formats import open_sequence


def test_counted_names_are_sorted_by_number_and_stamped_by_the_frame_rate(stereo_folder: Path) -> None:
    frames = list(open_sequence(stereo_folder, "stereo", fps=10.0))
    assert [int(frame.image[0, 0]) for frame in frames] == [2, 9, 10]
    assert [int(frame.right[0, 0]) for frame in frames if frame.right is not None] == [102, 109, 110]
    assert [frame.stamp_ns for frame in frames] == [0, 100_000_000, 200_000_000]


def test_rectified_pair(stereo_folder: Path) -> None:
    rig = open_sequence(stereo_folder, "stereo").rig
    assert rig is not None
    np.testing.assert_allclose(rig.T_left_right, se3.transform(np.eye(3), [0.4, 0, 0]))


def test_baseline_of_a_pair_that_is_calibrated_to_another_camera(
    stereo_folder: Path, write_calibration: Callable[..., None]
) -> None:
    write_calibration(stereo_folder / "left.yaml", baseline=-0.1)
    write_calibration(stereo_folder / "right.yaml", baseline=0.4)
    rig = open_sequence(stereo_folder, "stereo").rig
    assert rig is not None
    assert rig.baseline == pytest.approx(0.5)


def test_left_camera_alone(stereo_folder: Path) -> None:
    sequence = open_sequence(stereo_folder, "mono")
    assert len(sequence) == 3
    assert sequence.rig is None


@pytest.mark.parametrize(
    ("names", "stamps"),
    [
        (["1403715273262142976", "1403715273312143104"], [1403715273262142976, 1403715273312143104]),
        (["1305031453.359684", "1305031453.391690"], [1305031453359684000, 1305031453391690000]),
        (["000000", "000001"], [0, 33_333_333]),
        (["12.5", "frame1"], [0, 33_333_333]),
        (["frame²", "frame٣"], [0, 33_333_333]),
        (["9999999999999999998", "9999999999999999999"], [0, 33_333_333]),
    ],
)
def test_stamps_come_from_the_names(
    tmp_path: Path,
    write_image: Callable[..., None],
    write_calibration: Callable[..., None],
    names: list[str],
    stamps: list[int],
) -> None:
    for name in names:
        write_image(tmp_path / f"{name}.png")
    write_calibration(tmp_path / "ost.yaml")
    assert [frame.stamp_ns for frame in open_sequence(tmp_path, "mono")] == stamps


def test_raw_stereo(tmp_path: Path, write_calibration: Callable[..., None]) -> None:
    """A point drawn into both raw images lies where the calibration says that both cameras see it."""
    width, height, f, baseline = 320, 240, 220.0, 0.3
    K = np.array([[f, 0, 160], [0, f, 120], [0, 0, 1]])
    point = np.array([0.25, -0.2, 2.0])  # in the rectified frame of the left camera
    for name, offset, turn in (("left", 0.0, 0.02), ("right", baseline, -0.03)):
        R, _ = cv2.Rodrigues(np.array([turn, 0.5 * turn, 0.7 * turn]))
        D = np.array([-0.25, 0.08, 0.001, -0.0005, 0.0])
        in_raw = R.T @ (point - [offset, 0, 0])
        pixel = cv2.projectPoints(in_raw[None], np.zeros(3), np.zeros(3), K, D)[0].ravel()
        v, u = np.mgrid[:height, :width]
        blob = np.exp(-((u - pixel[0]) ** 2 + (v - pixel[1]) ** 2) / 18)
        (tmp_path / name).mkdir()
        cv2.imwrite(str(tmp_path / name / "0.png"), np.asarray(255 * blob, np.uint8))
        P = np.c_[K, [-f * baseline * (name == "right"), 0, 0]]
        write_calibration(
            tmp_path / f"{name}.yaml",
            image_width=width,
            image_height=height,
            camera_matrix={"data": K.ravel().tolist()},
            distortion_coefficients={"data": D.tolist()},
            rectification_matrix={"data": R.ravel().tolist()},
            projection_matrix={"data": P.ravel().tolist()},
        )
    frame = next(iter(open_sequence(tmp_path, "stereo")))
    assert frame.right is not None
    assert frame.rig is not None
    left, right = (_centre_of_mass(image) for image in (frame.image, frame.right))
    R_left, _ = cv2.Rodrigues(np.array([0.02, 0.01, 0.014]))
    in_left = R_left.T @ point
    np.testing.assert_allclose(left, frame.camera.project(in_left[None])[0], atol=0.1)
    rays = frame.camera.normalize(left)
    np.testing.assert_allclose(right, frame.rig.project(rays, np.array([1 / in_left[2]]))[0], atol=0.2)


def _centre_of_mass(image: np.ndarray) -> np.ndarray:
    v, u = np.mgrid[: image.shape[0], : image.shape[1]]
    weights = image / image.sum()
    return np.array([(u * weights).sum(), (v * weights).sum()])


def test_stereo_without_a_right_camera(tmp_path: Path, write_image: Callable[..., None]) -> None:
    write_image(tmp_path / "0.png")
    with pytest.raises(SequenceError, match="no right camera"):
        open_sequence(tmp_path, "stereo")


def test_swapped_cameras_are_found(stereo_folder: Path, write_calibration: Callable[..., None]) -> None:
    write_calibration(stereo_folder / "right.yaml", baseline=-0.4)
    with pytest.raises(SequenceError, match=r"right.yaml is no usable calibration.*swapped"):
        open_sequence(stereo_folder, "stereo")


def test_right_images_have_the_size_of_the_right_calibration(
    stereo_folder: Path, write_calibration: Callable[..., None]
) -> None:
    write_calibration(stereo_folder / "right.yaml", baseline=0.4, image_width=32)
    with pytest.raises(SequenceError, match=r"right/frame2.png has 64x48 pixels, but the camera has 32x48"):
        next(iter(open_sequence(stereo_folder, "stereo")))


def test_stamps_in_milliseconds_are_refused(tmp_path: Path, write_image: Callable[..., None]) -> None:
    write_image(tmp_path / "1305031453359.684.png")
    with pytest.raises(SequenceError, match=r"1305031453359.684 is no stamp: .*looks like milliseconds"):
        open_sequence(tmp_path, "mono")


@pytest.mark.parametrize("fisheye", [0, 1])
def test_calibration_as_opencv_writes_it(tmp_path: Path, write_image: Callable[..., None], fisheye: int) -> None:
    write_image(tmp_path / "0.png")
    storage = cv2.FileStorage(str(tmp_path / "camera.yaml"), cv2.FILE_STORAGE_WRITE)
    storage.write("image_width", 64)
    storage.write("image_height", 48)
    storage.write("camera_matrix", np.array([[50.0, 0, 31], [0, 51, 23], [0, 0, 1]]))
    storage.write("fisheye_model", fisheye)
    storage.write("distortion_coefficients", np.array([[-0.2, 0.1, 0, 0.001]]))
    storage.release()
    camera = open_sequence(tmp_path, "mono").camera
    np.testing.assert_array_equal(camera.K, [[50, 0, 31], [0, 51, 23], [0, 0, 1]])
    np.testing.assert_array_equal(camera.distortion, [-0.2, 0.1, 0, 0.001])
    assert camera.distortion_model == ("equidistant" if fisheye else "plumb_bob")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cam0": {"camera_model": "omni", "intrinsics": [1.0]}}, "camera.yaml is a camchain of Kalibr; write"),
        ({"Camera.type": "PinHole", "Camera1.fx": 320.0}, "camera.yaml is a settings file of ORB-SLAM; write"),
        ({"roi": {"x_offset": 10, "y_offset": 0, "width": 64, "height": 48}}, r"region of interest \(roi\).*subtract"),
        ({"binning_x": 2, "binning_y": 2}, "binning_x or binning_y.*divide"),
        ({"camera_matrix": {"data": [50.0] * 8}}, "K of the camera info has 8 numbers; it must have 9"),
        ({"distortion_model": "mei", "distortion_coefficients": {"data": [0.1] * 5}}, "'mei'; use one of"),
    ],
)
def test_calibrations_that_cannot_be_used_are_refused_by_name(
    tmp_path: Path,
    write_image: Callable[..., None],
    write_calibration: Callable[..., None],
    changes: dict[str, object],
    message: str,
) -> None:
    write_image(tmp_path / "0.png")
    write_calibration(tmp_path / "camera.yaml", **changes)
    with pytest.raises(SequenceError, match=message):
        open_sequence(tmp_path, "mono")


@pytest.mark.parametrize("roi", [None, {"x_offset": 0, "y_offset": 0, "width": 0, "height": 0, "do_rectify": False}])
def test_an_empty_region_and_no_binning_are_read(
    tmp_path: Path, write_image: Callable[..., None], write_calibration: Callable[..., None], roi: object
) -> None:
    write_image(tmp_path / "0.png")
    write_calibration(tmp_path / "camera.yaml", roi=roi, binning_x=1, binning_y=0)
    assert len(open_sequence(tmp_path, "mono")) == 1


def test_images_without_a_calibration(tmp_path: Path, write_image: Callable[..., None]) -> None:
    write_image(tmp_path / "0.png")
    with pytest.raises(SequenceError, match=r"camera.yaml cannot be read"):
        open_sequence(tmp_path, "mono")


def test_frame_rate_must_be_positive(stereo_folder: Path) -> None:
    with pytest.raises(SequenceError, match="frame rate"):
        open_sequence(stereo_folder, "mono", fps=0.0)


def test_depth_is_refused(stereo_folder: Path) -> None:
    with pytest.raises(SequenceError, match="without depth"):
        open_sequence(stereo_folder, "rgbd")


def test_folder_that_is_no_sequence_lists_what_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(SequenceError, match=r"no sequence.*image_0.*rgb\.txt.*camera\.yaml"):
        open_sequence(tmp_path)


def test_path_that_is_no_folder(tmp_path: Path) -> None:
    with pytest.raises(SequenceError, match="no folder"):
        open_sequence(tmp_path / "nothing")
