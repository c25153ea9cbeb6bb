import os
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from loftr_ros.odometry.geometry import se3
from loftr_ros.sequences.errors import SequenceError
from loftr_ros.sequences.formats import open_best, open_sequence


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


def test_mono_uses_the_left_camera(stereo_folder: Path) -> None:
    sequence = open_sequence(stereo_folder, "mono")
    assert len(sequence) == 3
    assert sequence.rig is None


@pytest.mark.parametrize(
    ("names", "stamps"),
    [
        (["1403715273262142976", "1403715273312143104"], [1403715273262142976, 1403715273312143104]),
        (["1305031453.359684", "1305031453.391690"], [1305031453359684000, 1305031453391690000]),
        (["000000", "000001"], [0, 33_333_333]),
        (["1403715273", "1403715275"], [1403715273_000000000, 1403715275_000000000]),
        (["1403715273262", "1403715273362"], [1403715273_262000000, 1403715273_362000000]),
        (["1403715273262142", "1403715273362142"], [1403715273_262142000, 1403715273_362142000]),
        (["frame_1403715273262142976", "frame_1403715273312143104"], [1403715273262142976, 1403715273312143104]),
        (["1305031453359.684", "1305031453391.690"], [1305031453_359684000, 1305031453_391690000]),
        (["1403715273_262142976", "1403715273_312143104"], [1403715273_262142976, 1403715273_312143104]),
        (["1403715273_999142976", "1403715274_12143104"], [1403715273_999142976, 1403715274_012143104]),
        (
            ["1403715273.962142976", "1403715273.995142976", "1403715274.28142976", "1403715274.61142976"],
            [1403715273_962142976, 1403715273_995142976, 1403715274_028142976, 1403715274_061142976],
        ),
        (
            ["1403715273.9", "1403715273.950001", "1403715274", "1403715274.05"],
            [1403715273_900000000, 1403715273_950001000, 1403715274_000000000, 1403715274_050000000],
        ),
        (["100", "100.05", "100.1"], [100_000000000, 100_050000000, 100_100000000]),
        (["left-1403715273-262", "left-1403715273-362"], [1403715273_262000000, 1403715273_362000000]),
        (["2026-01-02_10-00-59.9", "2026-01-02_10-01-00.0"], [1767348059_900000000, 1767348060_000000000]),
        (["20260102T100059_123Z", "20260102T100059_223Z"], [1767348059_123000000, 1767348059_223000000]),
        (["2026-02-31_10-00-59", "2026-02-31_10-01-00"], [0, 33_333_333]),
        (["20260102_100059_0001", "20260102_100059_0002"], [0, 33_333_333]),
        (["1403715273_0001", "1403715273_0002"], [0, 33_333_333]),
        (["0000000000", "0000000001"], [0, 33_333_333]),
        (["cam1_0001", "cam1_0002", "cam2_0003", "cam2_0004"], [0, 33_333_333, 66_666_667, 100_000_000]),
        (["2026990210005998", "2026990210005999"], [0, 33_333_333]),
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
    """A point drawn into both raw images projects as the calibration predicts."""
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
    left, right = (_center_of_mass(image) for image in (frame.image, frame.right))
    R_left, _ = cv2.Rodrigues(np.array([0.02, 0.01, 0.014]))
    in_left = R_left.T @ point
    np.testing.assert_allclose(left, frame.camera.project(in_left[None])[0], atol=0.1)
    rays = frame.camera.normalize(left)
    np.testing.assert_allclose(right, frame.rig.project(rays, np.array([1 / in_left[2]]))[0], atol=0.2)


def _center_of_mass(image: np.ndarray) -> np.ndarray:
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


def test_stamps_in_no_unit_are_refused(tmp_path: Path, write_image: Callable[..., None]) -> None:
    write_image(tmp_path / "130503145335.684.png")
    with pytest.raises(SequenceError, match=r"130503145335.684 is no stamp: .*looks like milliseconds"):
        open_sequence(tmp_path, "mono")


@pytest.mark.parametrize(
    ("names", "kinds"),
    [
        (["0001", "0002", "mask"], r"2 kinds, 2 such as 0001.png and 1 such as mask.png"),
        (["1305031453.26", "1305031453.36", "mask"], r"2 such as 1305031453.26.png and 1 such as mask.png"),
        (["left_1", "right_1", "left_2", "right_2"], r"2 such as left_1.png and 2 such as right_1.png"),
        (["cam0_1", "cam0_2", "cam1_1", "cam1_2"], r"2 such as cam0_1.png and 2 such as cam1_1.png"),
        (["1_0", "1_1", "2_0", "2_1"], r"2 such as 1_0.png and 2 such as 1_1.png"),
        (["cam0_1.5", "cam0_1.6", "cam1_1.501", "cam1_1.601"], r"2 such as cam0_1.5.png and 2 such as cam1_1.501.png"),
        (["1_color", "1_depth", "2_color", "2_depth"], r"2 such as 1_color.png and 2 such as 1_depth.png"),
    ],
)
def test_images_of_two_kinds_are_refused(
    tmp_path: Path, write_image: Callable[..., None], names: list[str], kinds: str
) -> None:
    for name in names:
        write_image(tmp_path / f"{name}.png")
    with pytest.raises(SequenceError, match=kinds):
        open_sequence(tmp_path, "mono")


def test_color_and_depth_that_differ_by_their_format_are_refused(
    tmp_path: Path, write_image: Callable[..., None]
) -> None:
    for name in ("1.jpg", "1.png", "2.JPEG", "2.png"):
        write_image(tmp_path / name)
    with pytest.raises(SequenceError, match=r"2 such as 1.jpg and 2 such as 1.png"):
        open_sequence(tmp_path, "mono")


def test_system_files_beside_images_are_skipped(stereo_folder: Path) -> None:
    for name in ("._frame2.png", ".DS_Store", "Thumbs.db"):
        (stereo_folder / "left" / name).write_bytes(b"\0")
    assert len(list(open_sequence(stereo_folder, "stereo"))) == 3


def test_an_assumed_frame_rate_is_reported(stereo_folder: Path) -> None:
    gaps = "; gaps in their numbers (1) take no time"
    assert open_sequence(stereo_folder, "mono").notes == (
        f"no stamps in the names of left/: taking 30 frames per second; set --fps{gaps}",
    )
    assert open_sequence(stereo_folder, "mono", fps=10.0).notes == (
        f"no stamps in the names of left/: taking 10 frames per second{gaps}",
    )


def test_the_unit_of_stamps_in_file_names_is_reported(
    tmp_path: Path, write_image: Callable[..., None], write_calibration: Callable[..., None]
) -> None:
    write_image(tmp_path / "1403715273262.png")
    write_calibration(tmp_path / "ost.yaml")
    assert "hold stamps: milliseconds" in open_sequence(tmp_path, "mono").notes[0]


def test_several_calibrations_are_named(
    tmp_path: Path, write_image: Callable[..., None], write_calibration: Callable[..., None]
) -> None:
    write_image(tmp_path / "0.png")
    write_calibration(tmp_path / "ost.yaml")
    write_calibration(tmp_path / "._ost.yaml")
    assert len(open_sequence(tmp_path, "mono")) == 1
    write_calibration(tmp_path / "old.yml")
    with pytest.raises(SequenceError, match=r"several YAML files, old.yml, ost.yaml: name the calibration camera.yaml"):
        open_sequence(tmp_path, "mono")


def test_images_whose_names_differ_by_a_word_are_paired_by_number(stereo_folder: Path) -> None:
    for image in (stereo_folder / "right").iterdir():
        image.rename(image.with_name(image.name.replace("frame", "right_")))
    frames = list(open_sequence(stereo_folder, "stereo"))
    assert [int(frame.right[0, 0]) for frame in frames if frame.right is not None] == [102, 109, 110]
    (stereo_folder / "right" / "right_9.png").unlink()
    with pytest.raises(SequenceError, match=r"right/frame9.png is missing"):
        open_sequence(stereo_folder, "stereo")


def test_images_named_by_stamps_are_paired_by_time(stereo_folder: Path) -> None:
    """The right camera is 2 ms and 3 ms late; one of its images is missing."""
    for i, late in ((2, 2), (9, None), (10, 3)):
        left, right = (stereo_folder / side / f"frame{i}.png" for side in ("left", "right"))
        left.rename(left.with_name(f"{1403715273000 + 50 * i}.png"))
        if late is None:
            right.unlink()
        else:
            right.rename(right.with_name(f"{1403715273000 + 50 * i + late}.png"))
    sequence = open_sequence(stereo_folder, "stereo")
    assert [int(frame.image[0, 0]) for frame in sequence] == [2, 10]
    assert [int(frame.right[0, 0]) for frame in sequence if frame.right is not None] == [102, 110]
    assert sequence.notes[1:] == (
        "left and right images are paired with stamps up to 3 ms apart",
        "1 of 3 left images have no right one: left out",
    )


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
    path = tmp_path / "camera.yaml"
    path.write_text(path.read_text().replace(f"fisheye_model: {fisheye}", f"fisheye_model: '{fisheye}'"))
    assert open_sequence(tmp_path, "mono").camera.distortion_model == camera.distortion_model


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
def test_calibrations_of_other_programs_are_refused_by_name(
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


@pytest.mark.parametrize("fps", [0.0, 1e-320, 1e-12, 1e10, np.inf, np.nan])
def test_frame_rate_must_give_stamps(stereo_folder: Path, fps: float) -> None:
    with pytest.raises(
        SequenceError, match=r"left: frame \d at .* frames per second has no stamp.* --fps to the frame rate"
    ):
        open_sequence(stereo_folder, "mono", fps=fps)


def test_depth_is_refused(stereo_folder: Path) -> None:
    with pytest.raises(SequenceError, match="without depth"):
        open_sequence(stereo_folder, "rgbd")


def test_the_error_of_an_unknown_folder_lists_the_supported_layouts(tmp_path: Path) -> None:
    with pytest.raises(SequenceError, match=r"no sequence.*image_0.*rgb\.txt.*camera\.yaml"):
        open_sequence(tmp_path)


def test_calibration_with_the_first_line_of_opencv_twice(
    tmp_path: Path, write_image: Callable[..., None], write_calibration: Callable[..., None]
) -> None:
    write_image(tmp_path / "0.png")
    write_calibration(tmp_path / "camera.yaml")
    text = (tmp_path / "camera.yaml").read_text()
    (tmp_path / "camera.yaml").write_text(f"\ufeff%YAML:1.0\n---\n%YAML:1.0\n{text}", encoding="utf-8")
    assert len(open_sequence(tmp_path, "mono")) == 1


@pytest.mark.parametrize(
    ("name", "message"),
    [("drive_0.mcap.zstd", "part of a bag; give"), ("a.tar.gz", "unpack")],
)
def test_recordings_in_other_containers_are_recognized(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / name).touch()
    for path in (tmp_path, tmp_path / name):
        with pytest.raises(SequenceError, match=f"{name} is .*{message}"):
            open_sequence(path)


def test_the_error_names_a_sequence_above_or_below_the_folder(kitti: Path, euroc: Path) -> None:
    for given, meant in ((kitti.parent, kitti), (kitti / "image_0", kitti), (euroc / "mav0", euroc)):
        with pytest.raises(SequenceError, match=f"is no sequence, but {meant} looks like one: give that"):
            open_sequence(given)


def test_path_with_a_null_character() -> None:
    with pytest.raises(SequenceError, match="a b is no path: it has a null character"):
        open_sequence("a\0b")


def test_a_pipe_named_metadata_is_no_bag(tmp_path: Path) -> None:
    """Opening it would wait for ever."""
    os.mkfifo(tmp_path / "metadata.yaml")
    with pytest.raises(SequenceError, match="is no sequence"):
        open_sequence(tmp_path)


def test_a_folder_in_place_of_the_calibration_is_told_once(tmp_path: Path, write_image: Callable[..., None]) -> None:
    write_image(tmp_path / "0.png")
    (tmp_path / "camera.yaml").mkdir()
    with pytest.raises(
        SequenceError, match=r"camera.yaml cannot be read \(Is a directory\): put the calibration there"
    ):
        open_sequence(tmp_path)


def test_path_that_is_no_folder(tmp_path: Path) -> None:
    with pytest.raises(SequenceError, match="no folder"):
        open_sequence(tmp_path / "nothing")


def test_calibration_in_another_place(
    tmp_path: Path, write_image: Callable[..., None], write_calibration: Callable[..., None]
) -> None:
    for name in ("left/0.png", "right/0.png"):
        write_image(tmp_path / "images" / name)
    files = [tmp_path / f"{side}.yaml" for side in ("left", "right")]
    for file, baseline in zip(files, (0.0, 0.1), strict=True):
        write_calibration(file, baseline)
    assert open_sequence(tmp_path / "images", "mono", camera=files[:1]).rig is None
    rig = open_sequence(tmp_path / "images", "stereo", camera=files).rig
    assert rig is not None
    assert rig.baseline == pytest.approx(0.1)
    assert open_best(tmp_path / "images", camera=files[:1])[0] == "mono"
