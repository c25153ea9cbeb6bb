"""Each data set in its original layout: images, stamps, calibration, ground truth in the optical frame, and units."""

import json
import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from scipy.spatial.transform import Rotation

from loftr_ros import open_sequence
from loftr_ros.evaluation.trajectory import tum_rows
from loftr_ros.sequences.errors import MissingSensorError, SequenceError
from loftr_ros.sequences.formats import layout_of
from loftr_ros.sequences.sequence import Sequence

WIDTH, HEIGHT = 64, 48
VGA = (640, 480)
REPLICA_CAMERA = {"w": WIDTH, "h": HEIGHT, "fx": 60.0, "fy": 60.0, "cx": 31.5, "cy": 23.5, "scale": 6553.5}
# Optical axes in a world with x forward, y left, z up.
R_WORLD_OPTICAL = np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]])


def write(path: Path, value: int, dtype: type = np.uint8, size: tuple[int, int] = (WIDTH, HEIGHT)) -> None:
    """Write an image whose every pixel is `value`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), np.full(size[::-1], value, dtype))


def levels(sequence: Sequence) -> list[int]:
    return [int(frame.image[0, 0]) for frame in sequence]


def positions(sequence: Sequence) -> np.ndarray:
    assert sequence.ground_truth is not None, sequence.ground_truth_fault
    return sequence.ground_truth.positions


def optical_axes(sequence: Sequence) -> np.ndarray:
    """The direction in which the camera looks, of each pose of the ground truth."""
    assert sequence.ground_truth is not None, sequence.ground_truth_fault
    return sequence.ground_truth.poses[:, :3, 2]


@pytest.fixture
def kitti_raw(tmp_path: Path) -> Path:
    """Three frames 0.1 s apart, 11.1 m to the north; the IMU looks east, its axes are those of the velodyne."""
    date = tmp_path / "2011_09_26"
    drive = date / "2011_09_26_drive_0001_sync"
    stamps = [f"2011-09-26 13:02:25.{i}00000001" for i in (1, 2, 3)]
    for camera in range(4):
        folder = drive / f"image_{camera:02d}"
        for i in range(3):
            write(folder / "data" / f"{i:010d}.png", 10 * camera + i)
        (folder / "timestamps.txt").write_text("\n".join(stamps) + "\n")
    (drive / "oxts" / "data").mkdir(parents=True)
    for i in range(3):
        latitude = 1e-4 * i  # 11.13 m each
        (drive / "oxts" / "data" / f"{i:010d}.txt").write_text(f"{latitude} 0 100 0 0 0 {' '.join(['9'] * 24)}\n")
    (drive / "oxts" / "timestamps.txt").write_text("\n".join(stamps) + "\n")
    rows = ["calib_time: 09-Jan-2012 13:57:47", "R_rect_00: 1 0 0 0 1 0 0 0 1"]
    for camera, x in enumerate((0.0, 0.5, -0.1, 0.4)):
        rows += [f"S_rect_{camera:02d}: 6.4e+01 4.8e+01", f"P_rect_{camera:02d}: 50 0 31 {-50 * x} 0 50 23 0 0 0 1 0"]
    (date / "calib_cam_to_cam.txt").write_text("\n".join(rows))
    (date / "calib_imu_to_velo.txt").write_text("R: 1 0 0 0 1 0 0 0 1\nT: -1 0 0\n")
    (date / "calib_velo_to_cam.txt").write_text("R: 0 -1 0 0 0 -1 1 0 0\nT: 0 0 0\n")
    return drive


def test_kitti_raw(kitti_raw: Path) -> None:
    assert layout_of(kitti_raw) == "KITTI raw"
    sequence = open_sequence(kitti_raw, "stereo")
    assert levels(sequence) == [0, 1, 2]
    assert [int(frame.right[0, 0]) for frame in sequence] == [10, 11, 12]
    assert np.diff([entry.stamp_ns for entry in sequence.entries]).tolist() == [100_000_000] * 2
    assert sequence.entries[0].stamp_ns == 1317042145_100000001
    assert sequence.rig.baseline == pytest.approx(0.5)
    np.testing.assert_allclose(np.diff(positions(sequence), axis=0), [[0, 11.132, 0]] * 2, atol=1e-3)
    np.testing.assert_allclose(positions(sequence)[0], [1, 0, 0], atol=1e-9)  # the camera is 1 m before the IMU
    np.testing.assert_allclose(optical_axes(sequence), [[1, 0, 0]] * 3, atol=1e-9)
    for camera in (0, 1):
        (kitti_raw / f"image_{camera:02d}").rename(kitti_raw / f"gray_{camera}")
    color = open_sequence(kitti_raw, "stereo")
    assert levels(color) == [20, 21, 22]
    np.testing.assert_allclose(positions(color)[0], [1, 0.1, 0], atol=1e-9)  # 0.1 m to the left of camera 0
    (kitti_raw.parent / "calib_cam_to_cam.txt").unlink()
    with pytest.raises(SequenceError, match=r"calib_cam_to_cam.txt is missing: unpack the calibration of the date"):
        open_sequence(kitti_raw)


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [("2011-", "2311-", "is out of range"), ("2011-", "0001-", "is out of range"), ("25.", "25.-", "is no number")],
)
@pytest.mark.parametrize("file", ["image_00/timestamps.txt", "oxts/timestamps.txt"])
def test_dates_of_kitti_raw_out_of_range(kitti_raw: Path, file: str, before: str, after: str, message: str) -> None:
    path = kitti_raw / file
    path.write_text(path.read_text().replace(before, after))
    try:
        fault = open_sequence(kitti_raw).ground_truth_fault
    except SequenceError as error:
        fault = str(error)
    assert re.search(rf"{file} must hold a date and time a line: .*{message}", fault)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("latitude", ["95", "-90", "1e300"])
def test_latitude_of_kitti_raw_out_of_range(kitti_raw: Path, latitude: str) -> None:
    (kitti_raw / "oxts" / "data" / "0000000001.txt").write_text(f"{latitude} 0 100 0 0 0\n")
    assert "0000000001.txt must hold one row that begins with latitude" in open_sequence(kitti_raw).ground_truth_fault


def test_byte_order_marks_in_kitti_raw(kitti_raw: Path) -> None:
    for path in sorted(kitti_raw.parent.rglob("*.txt")):
        path.write_text(f"\ufeff{path.read_text()}")
    assert len(positions(open_sequence(kitti_raw))) == 3


@pytest.fixture
def tum_vi(tmp_path: Path) -> Path:
    """Three 16-bit fisheye pairs; the IMU moves along y, and its axes are those of camera 0, 0.2 m above it."""
    folder = tmp_path / "dataset-room1_512_16"
    stamps = [1520530308_000000000 + 50_000_000 * i for i in range(3)]
    for camera in (0, 1):
        for i, stamp in enumerate(stamps):
            write(folder / "mav0" / f"cam{camera}" / "data" / f"{stamp}.png", 1000 * i, np.uint16)
        rows = "\n".join(["#timestamp [ns],filename", *(f"{stamp},{stamp}.png" for stamp in stamps)])
        (folder / "mav0" / f"cam{camera}" / "data.csv").write_text(rows)
    chain = {}
    for camera, x in enumerate((0.0, 0.1)):
        T_cam_imu = np.eye(4)
        T_cam_imu[:3, 3] = -x, -0.2, 0
        chain[f"cam{camera}"] = {
            "T_cam_imu": T_cam_imu.tolist(),
            "camera_model": "pinhole",
            "distortion_model": "equidistant",
            "distortion_coeffs": [0.01, 0.002, 0.0, 0.0],
            "intrinsics": [30.0, 30.0, 31.0, 23.0],
            "resolution": [WIDTH, HEIGHT],
        }
    (folder / "dso").mkdir()
    (folder / "dso" / "camchain.yaml").write_text(yaml.safe_dump(chain))
    (folder / "mav0" / "mocap0").mkdir()
    rows = "\n".join(["#timestamp [ns], p_RS_R_x [m]", *(f"{stamp},0,{i},0,1,0,0,0" for i, stamp in enumerate(stamps))])
    (folder / "mav0" / "mocap0" / "data.csv").write_text(rows)
    return folder


def test_tum_vi(tum_vi: Path) -> None:
    assert layout_of(tum_vi) == "TUM-VI"
    sequence = open_sequence(tum_vi, "stereo")
    assert sequence.camera.distortion_model == "equidistant"
    np.testing.assert_allclose(sequence.rig.T_left_right[:3, 3], [0.1, 0, 0], atol=1e-12)
    np.testing.assert_allclose(positions(sequence), [[0, 0.2, 0], [0, 1.2, 0], [0, 2.2, 0]], atol=1e-12)
    assert len(list(sequence)) == 3
    with pytest.raises(MissingSensorError, match=r"TUM-VI, which has no depth images; use mono or stereo"):
        open_sequence(tum_vi, "rgbd")
    chain = tum_vi / "dso" / "camchain.yaml"
    chain.write_text(chain.read_text().replace("intrinsics", "unknown"))
    with pytest.raises(SequenceError, match=r"camchain.yaml is no usable calibration of cam0: no intrinsics"):
        open_sequence(tum_vi)


def test_stamps_of_tum_vi_in_microseconds(tum_vi: Path) -> None:
    """Taken for nanoseconds, velocities would be a thousand times too large."""
    for path in sorted(tum_vi.rglob("data.csv")):
        path.write_text(re.sub(r"^(\d{16})000,", r"\1,", path.read_text(), flags=re.MULTILINE))
    sequence = open_sequence(tum_vi)
    stamps = [1520530308_000000000 + 50_000_000 * i for i in range(3)]
    assert [entry.stamp_ns for entry in sequence.entries] == stamps
    assert sequence.ground_truth.stamps_ns.tolist() == stamps
    assert sequence.notes == ("cam0/data.csv has microseconds",)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("1520530308000000000,1520530308050000000.png", "lists two images with one stamp"),
        ("9999999999999999999,1520530308050000000.png", "9999999999999999999 is too large for nanoseconds"),
    ],
)
def test_lists_of_tum_vi_with_faulty_stamps(tum_vi: Path, row: str, message: str) -> None:
    path = tum_vi / "mav0" / "cam0" / "data.csv"
    path.write_text(f"{path.read_text()}\n{row}\n")
    with pytest.raises(SequenceError, match=rf"cam0/data.csv .*{message}"):
        open_sequence(tum_vi)


@pytest.fixture
def icl_nuim(tmp_path: Path) -> Path:
    """The y axis of its poses is up: a camera that rises and nods down has a smaller y, and looks down, in optics."""
    folder = tmp_path / "living_room_traj0_frei_png"
    for i in (0, 1, 2, 10):
        write(folder / "rgb" / f"{i}.png", i, size=VGA)
        write(folder / "depth" / f"{i}.png", 5000 * (i < 3) + 10000 * (i == 10), np.uint16, VGA)
    (folder / "associations.txt").write_text("".join(f"{i} depth/{i}.png {i} rgb/{i}.png\n" for i in (0, 1, 2, 10)))
    down = Rotation.from_rotvec([0.1, 0, 0]).as_quat()  # with y up: z turns to -y, which is down
    rows = [f"{i} 0 {0.5 * i} -2.25 {' '.join(map(str, down))}" for i in (1, 2, 10)]
    (folder / "livingRoom0.gt.freiburg").write_text("\n".join(rows))
    return folder


def test_icl_nuim(icl_nuim: Path) -> None:
    assert layout_of(icl_nuim) == "ICL-NUIM"
    sequence = open_sequence(icl_nuim, "rgbd")
    assert levels(sequence) == [0, 1, 2, 10]
    assert [round(entry.stamp_ns * 30 / 1e9) for entry in sequence.entries] == [0, 1, 2, 10]
    assert sequence.camera.K[1, 1] == 480
    assert [float(frame.depth[0, 0]) for frame in sequence] == [1, 1, 1, 2]
    assert sequence.ground_truth.stamps_ns.tolist() == [entry.stamp_ns for entry in sequence.entries[1:]]
    np.testing.assert_allclose(positions(sequence), [[0, -0.5 * i, -2.25] for i in (1, 2, 10)])
    np.testing.assert_allclose(optical_axes(sequence)[0], [0, np.sin(0.1), np.cos(0.1)], atol=1e-12)
    assert np.linalg.det(sequence.ground_truth.poses[0, :3, :3]) == pytest.approx(1)


@pytest.fixture
def tartanair(tmp_path: Path) -> Path:
    """Three frames; the body (x forward, y right, z down) moves down, and looks along x."""
    folder = tmp_path / "abandonedfactory" / "Easy" / "P000"
    for i in range(3):
        write(folder / "image_left" / f"{i:06d}_left.png", i, size=VGA)
        write(folder / "image_right" / f"{i:06d}_right.png", 100 + i, size=VGA)
        depth = folder / "depth_left" / f"{i:06d}_left_depth.npy"
        depth.parent.mkdir(exist_ok=True)
        np.save(depth, np.full((480, 640), 2.5 + i, np.float32))
    (folder / "pose_left.txt").write_text("".join(f"0 0 {i} 0 0 0 1\n" for i in range(3)))
    return folder


def test_tartanair(tartanair: Path) -> None:
    assert layout_of(tartanair) == "TartanAir"
    sequence = open_sequence(tartanair, "stereo")
    assert levels(sequence) == [0, 1, 2]
    assert int(sequence[2].right[0, 0]) == 102
    assert sequence.rig.baseline == 0.25
    np.testing.assert_array_equal(sequence.camera.K, [[320, 0, 320], [0, 320, 240], [0, 0, 1]])
    np.testing.assert_allclose(positions(sequence), [[0, 0, i] for i in range(3)])
    np.testing.assert_allclose(sequence.ground_truth.poses[0, :3, :3].T, [[0, 1, 0], [0, 0, 1], [1, 0, 0]], atol=1e-12)
    assert any("taking 10 per second; set --fps" in note for note in sequence.notes)
    assert float(open_sequence(tartanair, "rgbd", fps=20)[1].depth[0, 0]) == 3.5
    assert open_sequence(tartanair, "rgbd", fps=20).entries[1].stamp_ns == 50_000_000
    (tartanair / "depth_left" / "000001_left_depth.npy").write_bytes(b"\x93NUMPY")
    skipped: list[str] = []
    assert len(list(open_sequence(tartanair, "rgbd").readable(skipped))) == 2
    assert "000001_left_depth.npy is no array of NumPy" in skipped[0]
    (tartanair / "pose_left.txt").write_text("0 0 0 0 0 0 1\n")
    assert "has 1 rows, and the frames are numbered to 2" in open_sequence(tartanair).ground_truth_fault


@pytest.mark.parametrize(
    "header",
    [
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1048576, 1048576), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (480, 1000000000000000000000), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (480, 640), ",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (0, 0), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-480, -640), }",
        "(" * 3000,
        "[]",
    ],
)
def test_damaged_header_of_a_depth_array(tartanair: Path, header: str) -> None:
    path = tartanair / "depth_left" / "000001_left_depth.npy"
    path.write_bytes(b"\x93NUMPY\x01\x00" + (len(header) + 1).to_bytes(2, "little") + header.encode() + b"\n")
    skipped: list[str] = []
    assert len(list(open_sequence(tartanair, "rgbd").readable(skipped))) == 2
    assert re.search(r"000001_left_depth.npy (is no array of NumPy|must hold a depth)", skipped[0])
    path.write_bytes(b"PK\x03\x04 an archive that is none")
    assert len(list(open_sequence(tartanair, "rgbd").readable(skipped))) == 2
    assert "000001_left_depth.npy is no array of NumPy" in skipped[1]


@pytest.fixture
def seven_scenes(tmp_path: Path) -> Path:
    folder = tmp_path / "chess" / "seq-01"
    for i in range(3):
        write(folder / f"frame-{i:06d}.color.png", i, size=VGA)
        write(folder / f"frame-{i:06d}.depth.png", 65535 if i == 2 else 1500, np.uint16, VGA)
        pose = f"1.0\t 0\t 0\t {i}\n0\t 1\t 0\t 0\n0\t 0\t 1\t 0\n0\t 0\t 0\t 1\n"
        (folder / f"frame-{i:06d}.pose.txt").write_text(pose)
    return folder


def test_seven_scenes(seven_scenes: Path, write_calibration: Callable[..., None]) -> None:
    assert layout_of(seven_scenes) == "7-Scenes"
    sequence = open_sequence(seven_scenes, "rgbd")
    assert levels(sequence) == [0, 1, 2]
    assert [float(frame.depth[0, 0]) for frame in sequence] == [1.5, 1.5, 0]
    assert sequence.camera.K[0, 0] == 525
    np.testing.assert_allclose(positions(sequence), [[i, 0, 0] for i in range(3)])
    assert any("no calibration of its color camera: taking 525 px" in note for note in sequence.notes)
    for i in range(3):
        write(seven_scenes / f"frame-{i:06d}.color.png", i)
    with pytest.raises(SequenceError, match=r"seq-01 has images of 64x48, and .* 640x480: put a camera.yaml of theirs"):
        open_sequence(seven_scenes)
    write_calibration(seven_scenes / "camera.yaml")
    assert open_sequence(seven_scenes).camera.K[0, 0] == 50
    (seven_scenes / "frame-000001.pose.txt").unlink()
    assert re.search(r"frame-000001.pose.txt cannot be read", open_sequence(seven_scenes).ground_truth_fault)


@pytest.fixture
def scannet(tmp_path: Path) -> Path:
    folder = tmp_path / "scene0000_00"
    for i in (0, 1, 2, 10):
        write(folder / "color" / f"{i}.png", i, size=(2 * WIDTH, 2 * HEIGHT))
        write(folder / "depth" / f"{i}.png", 1500, np.uint16)
        x = "-inf" if i == 1 else str(i)  # the camera was lost
        (folder / "pose").mkdir(exist_ok=True)
        (folder / "pose" / f"{i}.txt").write_text(f"1 0 0 {x}\n0 1 0 0\n0 0 1 0\n0 0 0 1\n")
    (folder / "intrinsic").mkdir()
    (folder / "intrinsic" / "intrinsic_color.txt").write_text("100 0 62 0\n0 100 46 0\n0 0 1 0\n0 0 0 1\n")
    return folder


def test_scannet(scannet: Path) -> None:
    assert layout_of(scannet) == "ScanNet"
    mono = open_sequence(scannet)
    assert levels(mono) == [0, 1, 2, 10]
    assert mono.camera.width == 2 * WIDTH
    assert mono.entries[3].stamp_ns == round(1e10 / 30)
    np.testing.assert_allclose(positions(mono)[:, 0], [0, 2, 10])
    rgbd = open_sequence(scannet, "rgbd")
    frame = rgbd[3]
    assert frame.image.shape == frame.depth.shape == (HEIGHT, WIDTH)
    assert float(frame.depth[0, 0]) == 1.5
    np.testing.assert_allclose(rgbd.camera.K, [[50, 0, 30.75], [0, 50, 22.75], [0, 0, 1]])  # centers of pixels at 0
    assert any("resized from 128x96 to 64x48" in note for note in rgbd.notes)


@pytest.fixture
def replica(tmp_path: Path) -> Path:
    folder = tmp_path / "Replica" / "room0"
    for i in range(3):
        write(folder / "results" / f"frame{i:06d}.jpg", 10 * i)
        write(folder / "results" / f"depth{i:06d}.png", 6553, np.uint16)
    (folder / "traj.txt").write_text("".join(f"1 0 0 {i} 0 1 0 0 0 0 1 0 0 0 0 1\n" for i in range(3)))
    (tmp_path / "Replica" / "cam_params.json").write_text(json.dumps({"camera": REPLICA_CAMERA}))
    return folder


def test_replica(replica: Path) -> None:
    assert layout_of(replica) == "Replica"
    sequence = open_sequence(replica, "rgbd")
    assert levels(sequence) == [0, 10, 20]
    assert sequence.camera.K[0, 0] == 60
    assert float(sequence[0].depth[0, 0]) == pytest.approx(6553 / 6553.5)
    np.testing.assert_allclose(positions(sequence), [[i, 0, 0] for i in range(3)])
    parameters = replica.parent / "cam_params.json"
    parameters.write_text("{")
    with pytest.raises(SequenceError, match=r"cam_params.json must hold the field camera"):
        open_sequence(replica)
    parameters.unlink()
    with pytest.raises(SequenceError, match=r"cam_params.json is missing, and the images are not 1200x680"):
        open_sequence(replica)


@pytest.mark.parametrize(
    ("parameter", "value", "message"),
    [
        ("w", 64.7, "must hold w, h, fx, fy, cx, cy and scale: 64.7 is no whole number"),
        ("w", np.inf, "must hold w, h, fx, fy, cx, cy and scale: cannot convert float infinity"),
        ("fx", 10**400, "must hold w, h, fx, fy, cx, cy and scale: int too large"),
        ("scale", 0.001, "holds 0.001, which is not the counts in a meter: 1000 for millimeters"),
        ("scale", np.inf, "holds inf, which is not the counts in a meter"),
    ],
)
def test_parameters_of_replica_out_of_range(replica: Path, parameter: str, value: float, message: str) -> None:
    (replica.parent / "cam_params.json").write_text(json.dumps({"camera": {**REPLICA_CAMERA, parameter: value}}))
    with pytest.raises(SequenceError, match=rf"cam_params.json {message}"):
        open_sequence(replica, "rgbd")


def test_byte_order_mark_before_the_parameters_of_replica(replica: Path) -> None:
    path = replica.parent / "cam_params.json"
    path.write_text(f"\ufeff{path.read_text()}")
    assert open_sequence(replica).camera.K[0, 0] == 60


@pytest.mark.parametrize("scale", [0.0, 0.001, -1.0, np.inf, np.nan])
def test_depth_scale_that_is_given_out_of_range(replica: Path, scale: float) -> None:
    with pytest.raises(SequenceError, match=r"depth_scale holds .* not the counts in a meter: 1000 for millimeters"):
        open_sequence(replica, "rgbd", depth_scale=scale)


@pytest.mark.parametrize("number", ["nan", "inf", "-inf", "1e300", "1e12", "-1e12"])
def test_frame_numbers_of_icl_nuim_out_of_range(icl_nuim: Path, number: str) -> None:
    path = icl_nuim / "livingRoom0.gt.freiburg"
    path.write_text(f"{path.read_text()}\n{number} 0 0 0 0 0 0 1\n")
    sequence = open_sequence(icl_nuim)
    assert sequence.ground_truth is None
    assert re.search(r"gt.freiburg( must hold a frame number|: frame 1.* has no stamp)", sequence.ground_truth_fault)


@pytest.mark.parametrize(
    ("name", "file"), [("replica", "traj.txt"), ("scannet", "pose/2.txt"), ("seven_scenes", "frame-000001.pose.txt")]
)
def test_poses_that_are_written_column_by_column(name: str, file: str, request: pytest.FixtureRequest) -> None:
    """All positions would be 0."""
    folder: Path = request.getfixturevalue(name)
    poses = np.loadtxt(folder / file).reshape(-1, 4, 4)
    np.savetxt(folder / file, np.swapaxes(poses, 1, 2).reshape(-1, 16 if name == "replica" else 4))
    sequence = open_sequence(folder)
    assert sequence.ground_truth is None
    assert re.search(r"the last row of pose 2 is not 0 0 0 1: write it row by row", sequence.ground_truth_fault)


def test_modes_that_a_data_set_does_not_have(seven_scenes: Path, kitti_raw: Path, tartanair: Path) -> None:
    for folder, mode in ((seven_scenes, "stereo"), (kitti_raw, "rgbd")):
        with pytest.raises(MissingSensorError, match=r"which has no (right camera|depth images); use mono or "):
            open_sequence(folder, mode)
    (tartanair / "depth_left").rename(tartanair / "other")
    with pytest.raises(MissingSensorError, match=r"depth_left is missing; use mode mono"):
        open_sequence(tartanair, "rgbd")


def test_dates_for_frame_numbers_are_no_stamps(scannet: Path) -> None:
    for path in sorted(scannet.rglob("*.*")):
        if path.stem.isdecimal():
            path.rename(path.with_stem(f"20240101{int(path.stem):06d}"))
    with pytest.raises(
        SequenceError, match=r"scene0000_00: frame 20240101000010 at 30 frames per second has no stamp: number the"
    ):
        open_sequence(scannet)


@pytest.mark.parametrize(
    ("name", "file", "number"),
    [
        ("kitti_raw", "../calib_imu_to_velo.txt", "R: 1"),
        ("kitti_raw", "../calib_cam_to_cam.txt", "R_rect_00: 1"),
        ("tum_vi", "dso/camchain.yaml", "T_cam_imu:\n  - - 1.0"),
        ("euroc", "mav0/cam0/sensor.yaml", "data:\n  - 0\n  - 0\n  - 1"),
    ],
)
@pytest.mark.parametrize("other", ["-1.0", "2.0", "1.0e+300"])
def test_extrinsics_that_mirror_or_scale(
    name: str, file: str, number: str, other: str, request: pytest.FixtureRequest
) -> None:
    folder: Path = request.getfixturevalue(name)
    path = folder / file
    whole = path.read_text()
    assert number in whole
    path.write_text(whole.replace(number, f"{number.rpartition(' ')[0]} {other}", 1))
    try:
        fault = open_sequence(folder).ground_truth_fault
    except SequenceError as error:
        fault = str(error)
    assert re.search(rf"{path.name} .*no rotation", fault)


WORDS = (
    b"",
    b"nan",
    b"-inf",
    b"1e400",
    b"1e300",
    b"-1e300",
    b"9" * 400,
    b"-1",
    b"0",
    b"1e-320",
    b"1,5",
    b",",
    b"\0",
    b"word",
)
LAYOUTS = ("kitti_raw", "tum_vi", "tartanair", "seven_scenes", "scannet", "replica", "icl_nuim")


def damaged(whole: bytes, rng: random.Random) -> Iterator[bytes]:
    """Yield a text file as a bad disk, download or script leaves it."""
    yield from (b"", b"\0\xff\xfe", b"word\n", b"nan nan nan\n", b"1e999,1\n", whole[: len(whole) // 2], whole * 2)
    yield from (whole.replace(b"0", b"-inf"), whole.replace(b"1", b"0"), b",\n" + whole)
    parts = re.split(rb"([\s,]+)", whole)
    for word in WORDS:
        changed = list(parts)
        changed[rng.randrange(0, len(parts), 2)] = word
        yield b"".join(changed)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", LAYOUTS)
def test_damaged_text_files_are_refused_or_reported(name: str, request: pytest.FixtureRequest) -> None:
    folder: Path = request.getfixturevalue(name)
    root = folder.parent if name in ("kitti_raw", "replica") else folder
    rng = random.Random(name)
    for path in sorted(
        file for ending in ("txt", "csv", "yaml", "json", "freiburg") for file in root.rglob(f"*.{ending}")
    ):
        whole = path.read_bytes()
        for content in damaged(whole, rng):
            path.write_bytes(content)
            try:
                sequence = open_sequence(folder)
                fault = sequence.ground_truth_fault
                assert sequence.ground_truth is None or all(tum_rows(sequence.ground_truth))
            except SequenceError as error:
                fault = str(error)
            assert "\n" not in fault
            assert not fault or str(path.parent.parent) in fault
        path.write_bytes(whole)
    assert open_sequence(folder).ground_truth is not None
