"""Folders as export scripts, cameras and simulators write them: read as meant, or refused with the fix."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from loftr_ros.sequences.errors import SequenceError
from loftr_ros.sequences.formats import open_sequence


def rewrite(path: Path, change: Callable[[list[str]], list[str]], separator: str = " ") -> None:
    """Change the columns of each row of a list."""
    rows = [line.split(separator) for line in path.read_text().splitlines() if not line.startswith("#")]
    path.write_text("".join(separator.join(change(row)) + "\n" for row in rows))


@pytest.mark.parametrize(
    ("names", "stamps"),
    [
        (["1403715273262142976_0000", "1403715273312143104_0001"], [1403715273262142976, 1403715273312143104]),
        (["1305031453.359684_000", "1305031453.391690_001"], [1305031453359684000, 1305031453391690000]),
        (["01403715273262142976", "01403715273312143104"], [1403715273262142976, 1403715273312143104]),
        (["n015-2018-07-24-11-22-45__CAM__1532402927612460", "n015-2018-07-24-11-22-45__CAM__1532402927712460"],
         [1532402927612460000, 1532402927712460000]),
        (["IMG_20240501_100000_BURST000", "IMG_20240501_100000_BURST001"], [0, 33_333_333]),
    ],
)  # fmt: skip
def test_stamps_beside_a_counter_or_a_date(
    tmp_path: Path,
    write_image: Callable[..., None],
    write_calibration: Callable[..., None],
    names: list[str],
    stamps: list[int],
) -> None:
    for name in names:
        write_image(tmp_path / f"{name}.png")
    write_calibration(tmp_path / "CAMERA.YAML")
    assert [frame.stamp_ns for frame in open_sequence(tmp_path, "mono")] == stamps


@pytest.mark.parametrize(
    ("names", "note"),
    [
        ([f"{i}" for i in range(8)], ""),
        ([f"{i * 33333333}" for i in range(8)], "rise by 33333333: if they are times"),
        (["1", "2", "3", "14", "15", "16"], "gaps in their numbers (1) take no time"),
    ],
)
def test_numbers_that_are_no_count_are_noted(
    tmp_path: Path,
    write_image: Callable[..., None],
    write_calibration: Callable[..., None],
    names: list[str],
    note: str,
) -> None:
    for name in names:
        write_image(tmp_path / f"{name}.png")
    write_calibration(tmp_path / "camera.yaml")
    (said,) = open_sequence(tmp_path, "mono").notes
    assert said.endswith("set --fps") if not note else note in said


def test_copies_of_an_image_are_of_another_kind(
    tmp_path: Path, write_image: Callable[..., None], write_calibration: Callable[..., None]
) -> None:
    for name in [*(f"{i:04d}" for i in range(8)), "0003 (1)"]:
        write_image(tmp_path / f"{name}.png")
    write_calibration(tmp_path / "camera.yaml")
    with pytest.raises(SequenceError, match=r"2 kinds, 8 such as 0000\.png and 1 such as 0003 \(1\)\.png"):
        open_sequence(tmp_path, "mono")


def test_right_images_numbered_in_another_way_are_refused(stereo_folder: Path) -> None:
    """Paired by the numbers that both have, the right image would be one frame late."""
    right = stereo_folder / "right"
    (right / "frame2.png").rename(right / "frame1.png")
    with pytest.raises(SequenceError, match="need the same number or stamp"):
        open_sequence(stereo_folder, "stereo")


def test_right_images_padded_in_another_way_are_paired(stereo_folder: Path) -> None:
    for image in list((stereo_folder / "right").iterdir()):
        image.rename(image.with_name(f"right_{int(image.stem.removeprefix('frame')):04d}.png"))
    rights = [int(frame.right[0, 0]) for frame in open_sequence(stereo_folder, "stereo") if frame.right is not None]
    assert rights == [102, 109, 110]


@pytest.mark.parametrize("place", ["left.yml", "left/camera.yaml"])
def test_calibrations_of_a_pair_in_other_places(stereo_folder: Path, place: str) -> None:
    (stereo_folder / "left.yaml").rename(stereo_folder / place)
    assert open_sequence(stereo_folder, "stereo").rig is not None


def test_a_pair_with_two_focal_lengths_in_p_is_refused(
    stereo_folder: Path, write_calibration: Callable[..., None]
) -> None:
    """Its baseline, P[3] / fx, would be wrong by the same factor."""
    P = [80.0, 0, 31, -20, 0, 80.0, 23, 0, 0, 0, 1, 0]
    write_calibration(stereo_folder / "right.yaml", projection_matrix={"data": P})
    with pytest.raises(SequenceError, match="for the left and 80 for the right camera"):
        open_sequence(stereo_folder, "stereo")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda row: row[::-1], "must list one 'stamp filename' a line"),
        (lambda row: [row[0], row[0], row[1], row[1]], "must list one 'stamp filename' a line"),
        (lambda row: [row[0], row[1], row[1]], "two files, but one stamp"),
    ],
)
def test_columns_in_another_order_are_refused_with_the_format(
    tum: Path, change: Callable[[list[str]], list[str]], message: str
) -> None:
    rewrite(tum / "rgb.txt", change)
    with pytest.raises(SequenceError, match=message):
        open_sequence(tum, "rgbd")


def test_fractions_without_leading_zeros_in_a_list(tum: Path, write_image: Callable[..., None]) -> None:
    """Python 2 wrote `%d.%d` of seconds and nanoseconds: a tenth of a second after .95 is .50000000."""
    stamps = ["1305031453.950000000", "1305031454.50000000", "1305031454.150000000"]
    write_image(tum / "rgb" / "a.png")
    (tum / "rgb.txt").write_text("".join(f"{stamp} rgb\\a.png\n" for stamp in stamps))
    sequence = open_sequence(tum, "mono")
    assert [entry.stamp_ns % 10**10 for entry in sequence.entries] == [3_950000000, 4_050000000, 4_150000000]
    assert "without leading zeros" in sequence.notes[0]


@pytest.mark.parametrize(("name", "file"), [("tum", "rgb.txt"), ("tum", "depth.txt"), ("kitti", "calib.txt")])
def test_rows_of_separators_alone_are_empty(name: str, file: str, request: pytest.FixtureRequest) -> None:
    """A spreadsheet writes empty rows so."""
    path = request.getfixturevalue(name) / file
    path.write_text(f",\n,,\n{path.read_text()}, ,\n")
    assert len(open_sequence(path.parent, "mono" if name == "kitti" else "rgbd")) > 0


def test_frame_numbers_as_stamps_are_noted(tum: Path) -> None:
    rows = (tum / "rgb.txt").read_text().splitlines()[1:]
    (tum / "rgb.txt").write_text("".join(f"{i} {row.split()[1]}\n" for i, row in enumerate(rows)))
    assert "if they are frame numbers, velocities are wrong" in open_sequence(tum, "mono").notes[0]


@pytest.mark.parametrize("stamp_ns", [2**31 * 10**9, 2**63, -(2**63)])
def test_stamps_beyond_those_of_ros_are_refused(tum: Path, stamp_ns: int) -> None:
    """As of a damaged bag whose messages have no stamps: the trajectory could not hold them."""
    sequence = open_sequence(tum, "mono")
    with pytest.raises(SequenceError, match=r"The stamp of .*png is .*, but stamps are in seconds and end at"):
        replace(sequence, entries=(replace(sequence.entries[0], stamp_ns=stamp_ns),))


def test_equal_stamps_are_refused_with_the_stamp(tum: Path) -> None:
    rewrite(tum / "rgb.txt", lambda row: ["1305031453", row[1]])
    with pytest.raises(SequenceError, match=r"both have 1305031453\.000000 s; write stamps with all digits"):
        open_sequence(tum, "mono")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda stamp: f"{int(stamp) // 1000}", "microseconds"),
        (lambda stamp: f"{int(stamp) // 10**6}", "milliseconds"),
        (lambda stamp: f"{int(stamp) / 1e9:.3f}", "seconds"),
        (lambda stamp: f"{(int(stamp) - 1403715273_000000000) // 50_000_000}", "look like microseconds or more"),
        (lambda stamp: f"{float(stamp)}s", "'1.403715273e"),
    ],
)
def test_stamps_of_euroc_in_other_units(euroc: Path, change: Callable[[str], str], expected: str) -> None:
    """Taken for nanoseconds, velocities would be a thousand times too large."""
    for camera in ("cam0", "cam1"):
        rewrite(euroc / "mav0" / camera / "data.csv", lambda row: [change(row[0]), row[1]], ",")
    if not expected.endswith("seconds"):
        with pytest.raises(SequenceError, match=expected):
            open_sequence(euroc, "stereo")
        return
    sequence = open_sequence(euroc, "stereo")
    assert [entry.stamp_ns for entry in sequence.entries] == [1403715273_000000000 + i * 50_000_000 for i in (0, 1, 3)]
    assert sequence.notes[0] == f"cam0/data.csv has {expected}"


def test_transposed_extrinsics_are_refused(euroc: Path) -> None:
    path = euroc / "mav0" / "cam0" / "sensor.yaml"
    fields = yaml.safe_load(path.read_text().partition("\n")[2])
    fields["T_BS"]["data"] = np.reshape(fields["T_BS"]["data"], (4, 4)).T.ravel().tolist()
    path.write_text(yaml.safe_dump(fields))
    with pytest.raises(SequenceError, match=r"the last row of T_BS is .* but must be 0 0 0 1"):
        open_sequence(euroc, "mono")


@pytest.mark.parametrize(
    ("folders", "hint"),
    [
        (("rgb", "depth"), "write rgb.txt with one 'stamp rgb/FILE' a line"),
        (("Left", "Right"), "name the folders Left and Right left and right"),
        (("cam0", "cam1"), "for one camera give cam0"),
    ],
)
def test_folders_of_two_sensors_are_refused_with_the_fix(
    tmp_path: Path, write_image: Callable[..., None], folders: tuple[str, str], hint: str
) -> None:
    for folder in folders:
        write_image(tmp_path / folder / "000000.png")
    with pytest.raises(SequenceError, match=hint):
        open_sequence(tmp_path, "rgbd")


def test_a_folder_deep_in_a_sequence_names_the_sequence(euroc: Path, kitti: Path) -> None:
    for inside, whole in (
        (euroc / "mav0" / "cam0" / "data", euroc),
        (kitti / "image_0", kitti),
        (kitti.parent, kitti),
    ):
        with pytest.raises(SequenceError, match=f"{whole} looks like one"):
            open_sequence(inside, "mono")


def test_a_listed_sensor_of_euroc_without_its_list(euroc: Path) -> None:
    shutil.move(euroc / "mav0" / "cam0" / "data.csv", euroc / "images.csv")
    with pytest.raises(SequenceError, match=r"data\.csv cannot be read"):
        open_sequence(euroc, "mono")
