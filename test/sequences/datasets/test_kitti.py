import os
import shutil
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest

from loftr_ros.sequences.errors import SequenceError
from loftr_ros.sequences.formats import open_sequence


def test_stereo_frames_hold_both_cameras_of_the_gray_pair(kitti: Path) -> None:
    sequence = open_sequence(kitti, "stereo")
    frames = list(sequence)
    assert [frame.stamp_ns for frame in frames] == [0, 104_498_900, 207_793_500]
    assert [int(frame.image[0, 0]) for frame in frames] == [0, 1, 2]
    assert [int(frame.right[0, 0]) for frame in frames if frame.right is not None] == [10, 11, 12]
    assert sequence.rig is not None
    assert sequence.rig.baseline == pytest.approx(0.4)
    assert sequence.name == "KITTI 07"


def test_mono_frames_have_no_right_camera(kitti: Path) -> None:
    sequence = open_sequence(kitti, "mono")
    assert next(iter(sequence)).right is None
    assert sequence.rig is None


def test_without_gray_images_the_color_pair_is_used_with_ground_truth_of_camera_2(kitti: Path) -> None:
    for camera in (0, 1):
        (kitti / f"image_{camera}").rename(kitti / f"unused_{camera}")
    sequence = open_sequence(kitti, "stereo")
    assert int(next(iter(sequence)).image[0, 0]) == 20
    assert sequence.rig is not None
    assert sequence.rig.baseline == pytest.approx(0.4)
    assert sequence.ground_truth is not None
    np.testing.assert_allclose(sequence.ground_truth.positions, [[-0.06, 0, z] for z in range(3)])


def test_a_right_camera_with_its_own_intrinsics(kitti: Path) -> None:
    rows = ["P0: 50 0 31 5 0 50 23 0 0 0 1 0", "P1: 40 0 35 -12 0 41 20 0 0 0 1 0"]
    (kitti / "calib.txt").write_text("\n".join(rows) + "\n")
    rig = open_sequence(kitti, "stereo").rig
    assert rig is not None
    assert rig.baseline == pytest.approx(5 / 50 + 12 / 40)
    np.testing.assert_array_equal(rig.right.K, [[40, 0, 35], [0, 41, 20], [0, 0, 1]])


def test_ground_truth_is_optional(kitti: Path) -> None:
    (kitti.parents[1] / "poses" / "07.txt").unlink()
    assert open_sequence(kitti, "mono").ground_truth is None


def test_stride_keeps_every_nth_frame_and_all_of_the_truth(kitti: Path) -> None:
    sequence = open_sequence(kitti, "mono").every(2)
    assert [int(frame.image[0, 0]) for frame in sequence] == [0, 2]
    assert sequence.ground_truth is not None
    assert len(sequence.ground_truth) == 3


@pytest.mark.parametrize("stride", [0, -1])
def test_stride_below_one_is_refused(kitti: Path, stride: int) -> None:
    with pytest.raises(SequenceError, match="stride"):
        open_sequence(kitti, "mono").every(stride)


def test_missing_right_camera_is_named(kitti: Path) -> None:
    (kitti / "image_1").rename(kitti / "unused")
    with pytest.raises(SequenceError, match=r"image_1 is missing.*use mode mono"):
        open_sequence(kitti, "stereo")


def test_missing_right_image_is_found_before_the_run(kitti: Path) -> None:
    (kitti / "image_1" / "000002.png").unlink()
    with pytest.raises(SequenceError, match=r"image_1/000002.png is missing"):
        open_sequence(kitti, "stereo")


ROW = "0 31 0 0 50 23 0 0 0 1 0"  # of a projection matrix, after fx


@pytest.mark.parametrize("name", ["calib.txt", "times.txt"])
def test_missing_text_file_is_named(kitti: Path, name: str) -> None:
    (kitti / name).unlink()
    with pytest.raises(SequenceError, match=name):
        open_sequence(kitti, "mono")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("times.txt", "0\n0.1\n", "2 stamps for 3 images numbered from 0 to 2"),
        ("times.txt", "0\nsoon\n1\n", "'soon' where a stamp"),
        ("times.txt", "0\n0.2\n0.1\n", "not after"),
        ("times.txt", "0\n1\n1403715273262142976\n", "times.txt has '1403715273262142976'.*looks like nanoseconds"),
        ("times.txt", "0\n1\n1403715273262143\n", "looks like microseconds"),
        ("times.txt", "0\n1\n1403715273262\n", "looks like milliseconds"),
        ("times.txt", "0\n1\n1e999999999\n", "stamps are in seconds"),
        ("times.txt", "0\n103.6\n207.1\n", r"103.55 apart \(median\).*milliseconds"),
        ("calib.txt", "P0: 1 2 3 4 1 2 3 4 0 0 0 0\n", "calib.txt is no usable calibration: .*parallel"),
        ("calib.txt", "P0: 50 0 31 0 0 50 23 0 0 0 0 0\n", "calib.txt is no usable calibration: .*last row"),
        ("calib.txt", "P0: 50 0 31 inf 0 50 23 0 0 0 1 0\n", "calib.txt is no usable calibration: .*not finite"),
        ("calib.txt", "P0: 50 0 80 0 0 50 23 0 0 0 1 0\n", r"\(80, 23\) is outside the image of 64x48"),
        ("calib.txt", f"P0: nan {ROW}\n", "calib.txt is no usable calibration: The camera matrix K is"),
        ("calib.txt", "P1: 1 2 3\n", "no row 'P0:'"),
        ("calib.txt", "P0: one two\n", "no number"),
        ("calib.txt", f"P0: 50 {ROW}\nP0: 60 {ROW}\n", "calib.txt has two rows 'P0:' that differ: keep one"),
    ],
)
def test_the_error_names_an_invalid_text_file_and_its_fault(kitti: Path, name: str, text: str, message: str) -> None:
    (kitti / name).write_text(text)
    with pytest.raises(SequenceError, match=message):
        open_sequence(kitti, "mono")


def test_an_impossible_offset_of_the_camera_leaves_the_ground_truth_out(kitti: Path) -> None:
    (kitti / "calib.txt").write_text("P0: 50 0 31 1e300 0 50 23 0 0 0 1 0\n")
    sequence = open_sequence(kitti, "mono")
    assert sequence.ground_truth is None
    assert "pose 1 holds no position in meters" in sequence.ground_truth_fault


def test_missing_image_keeps_the_stamps_and_the_truth_of_the_others(kitti: Path) -> None:
    for camera in range(4):
        (kitti / f"image_{camera}" / "000001.png").unlink()
    sequence = open_sequence(kitti, "stereo")
    assert [entry.stamp_ns for entry in sequence.entries] == [0, 207_793_500]
    assert sequence.ground_truth is not None
    np.testing.assert_allclose(sequence.ground_truth.positions[:, 2], [0, 1, 2])
    assert sequence.ground_truth.stamps_ns.tolist() == [0, 104_498_900, 207_793_500]
    assert sequence.notes == (
        "image_0 has 2 images for 3 stamps, 1 missing between the first and the last: each takes the stamp and the "
        "pose of its number",
    )


def test_numbers_that_start_later_take_all_stamps_in_order(kitti: Path) -> None:
    for image in sorted((kitti / "image_0").iterdir(), reverse=True):
        image.rename(image.with_name(f"{int(image.stem) + 30:06d}.png"))
    sequence = open_sequence(kitti, "mono")
    assert [entry.stamp_ns for entry in sequence.entries] == [0, 104_498_900, 207_793_500]
    assert sequence.notes == ("image_0 has names from 30 to 32: taking the 3 stamps in order",)


def test_images_without_numbers_need_a_stamp_each(kitti: Path) -> None:
    for image in list((kitti / "image_0").iterdir()):
        image.rename(image.with_name(f"frame_{image.name}"))
    assert len(open_sequence(kitti, "mono")) == 3
    (kitti / "image_0" / "frame_000001.png").unlink()
    with pytest.raises(SequenceError, match=r"3 stamps for 2 images without numbers for names"):
        open_sequence(kitti, "mono")


def test_ground_truth_of_fewer_frames_is_reported(kitti: Path) -> None:
    poses = kitti.parents[1] / "poses" / "07.txt"
    poses.write_text("".join(poses.read_text().splitlines(keepends=True)[:2]))
    assert open_sequence(kitti, "mono").notes == (
        "the ground truth has 2 poses for 3 stamps: the last images are not compared",
    )


def test_stamps_since_1970_in_nanoseconds_are_recognized(kitti: Path) -> None:
    stamps = [1403715273262142976 + i * 103_000_000 for i in range(3)]
    (kitti / "times.txt").write_text("".join(f"{stamp}\n" for stamp in stamps))
    sequence = open_sequence(kitti, "mono")
    assert [entry.stamp_ns for entry in sequence.entries] == stamps
    assert sequence.notes == ("times.txt has stamps in nanoseconds",)


def test_stray_image_is_refused(kitti: Path, write_image: Callable[..., None]) -> None:
    write_image(kitti / "image_0" / "mask.png")
    with pytest.raises(SequenceError, match=r"3 such as 000000.png and 1 such as mask.png"):
        open_sequence(kitti, "mono")


@pytest.mark.parametrize("name", ["times.txt", "calib.txt"])
def test_byte_order_mark_and_windows_line_ends(kitti: Path, name: str) -> None:
    content = (kitti / name).read_bytes()
    (kitti / name).write_bytes(b"\xef\xbb\xbf" + content.replace(b"\n", b"\r\n"))
    assert len(open_sequence(kitti, "stereo")) == 3


def test_damaged_image_is_skipped_and_reported(kitti: Path) -> None:
    (kitti / "image_1" / "000001.png").write_bytes(b"not an image")
    skipped: list[str] = []
    frames = list(open_sequence(kitti, "stereo").readable(skipped))
    assert [int(frame.image[0, 0]) for frame in frames] == [0, 2]
    assert len(skipped) == 1
    assert "image_1/000001.png cannot be decoded" in skipped[0]


def test_sequence_below_the_root_of_the_file_system(kitti: Path) -> None:
    """As mounted in containers, without a folder two levels up."""
    if not os.access("/", os.W_OK):
        pytest.skip("only root may make a folder there")
    with TemporaryDirectory(dir="/") as root:
        shutil.copytree(kitti, root, dirs_exist_ok=True)
        assert len(open_sequence(Path(root), "stereo")) == 3


@pytest.mark.parametrize("name", ["image_0/000000.png", "image_0/000001.png", "image_1/000002.png"])
def test_image_of_another_size_is_skipped_and_reported(
    kitti: Path, write_image: Callable[..., None], name: str
) -> None:
    write_image(kitti / name, width=60)
    skipped: list[str] = []
    assert len(list(open_sequence(kitti, "stereo").readable(skipped))) == 2
    (fault,) = skipped
    assert f"{name} has 60x48 pixels, but the camera has 64x48" in fault


def test_a_sequence_with_a_damaged_first_image_opens(kitti: Path) -> None:
    (kitti / "image_0" / "000000.png").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")
    skipped: list[str] = []
    assert len(list(open_sequence(kitti, "stereo").readable(skipped))) == 2
    assert "git lfs pull" in skipped[0]


def test_right_images_that_all_have_another_size_are_one_error(kitti: Path, write_image: Callable[..., None]) -> None:
    for i in range(3):
        write_image(kitti / "image_1" / f"{i:06d}.png", width=60)
    skipped: list[str] = []
    with pytest.raises(SequenceError, match=r"image_1/000000.png has 60x48 pixels"):
        list(open_sequence(kitti, "stereo").readable(skipped))
    assert skipped == []


@pytest.mark.parametrize("times", ["0 0.0\n1 0.1\n2 0.2\n", "0,0\n0,1\n0,2\n", "a.png 0.0\nb.png 0.1\n"])
def test_times_with_other_columns_or_decimal_commas_are_refused(kitti: Path, times: str) -> None:
    (kitti / "times.txt").write_text(times)
    with pytest.raises(SequenceError, match=r"times.txt must hold one stamp in seconds a line, with a decimal point"):
        open_sequence(kitti, "mono")


def test_depth_is_refused(kitti: Path) -> None:
    with pytest.raises(SequenceError, match="no depth images"):
        open_sequence(kitti, "rgbd")


def test_image_of_another_size_is_named(kitti: Path, write_image: Callable[..., None]) -> None:
    write_image(kitti / "image_1" / "000001.png", width=60)
    frames = iter(open_sequence(kitti, "stereo"))
    next(frames)
    with pytest.raises(SequenceError, match=r"image_1/000001.png has 60x48 pixels, but the camera has 64x48"):
        next(frames)


@pytest.mark.parametrize("content", [b"", b"not an image", b"\x89PNG\r\n\x1a\n"])
def test_damaged_image_is_named(kitti: Path, content: bytes) -> None:
    (kitti / "image_0" / "000001.png").write_bytes(content)
    frames = iter(open_sequence(kitti, "mono"))
    next(frames)
    with pytest.raises(SequenceError, match=r"000001.png cannot be decoded"):
        next(frames)


def test_recorded_sequence(recorded: Callable[[str], Path]) -> None:
    sequence = open_sequence(recorded("kitti/sequences/06"), "stereo")
    frame = next(iter(sequence))
    assert len(sequence) == 51
    assert frame.right is not None
    assert frame.image.shape == frame.right.shape == (370, 1226)
    assert sequence.rig is not None
    assert sequence.rig.baseline == pytest.approx(0.5371, abs=1e-3)
    assert sequence.ground_truth is not None
    assert sequence.ground_truth.length == pytest.approx(59.86, abs=0.1)
