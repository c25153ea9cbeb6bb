"""Bags of ROS 1 and ROS 2: what is read from them, and in which unit."""

import random
import re
import sqlite3
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from loftr_ros import open_sequence
from loftr_ros.sequences.errors import MissingSensorError, NoFramesError, SequenceError
from loftr_ros.sequences.formats import layout_of, open_best

HEIGHT, WIDTH = 48, 64
START, STEP = 1_700_000_000_000_000_000, 100_000_000
STAMPS = [START + i * STEP for i in range(4)]
KINDS = ["a.mcap", "a.db3", "a.bag"]

MakeBag = Callable[..., Any]


def flat(value: int, dtype: type = np.uint8) -> np.ndarray:
    """An image whose every pixel is `value`."""
    return np.full((HEIGHT, WIDTH), value, dtype)


def png(pixels: np.ndarray) -> bytes:
    return cv2.imencode(".png", pixels)[1].tobytes()


def write_pair(bag: Any, late_ns: int = 0) -> Any:
    """Four stereo pairs of `left/image_rect` and `right/image_rect`; the images hold i and 100 + i."""
    for i, stamp in enumerate(STAMPS):
        for side, baseline in (("right", 0.4), ("left", 0.0)):
            offset = late_ns if side == "right" else 0
            bag.info(f"/{side}/camera_info", stamp + offset, side, baseline)
            bag.image(f"/{side}/image_rect", stamp + offset, flat(i + 100 * (side == "right")), frame=side)
    return bag


def write_mono(bag: Any) -> Any:
    for i, stamp in enumerate(STAMPS):
        bag.info("/cam/camera_info", stamp)
        bag.image("/cam/image_raw", stamp, flat(10 * i))
    return bag


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("form", ["folder", "file"])
def test_images_stamps_and_calibration_of_every_kind_of_bag(name: str, form: str, make_bag: MakeBag) -> None:
    bag = write_mono(make_bag(name))
    path = bag.close() if form == "folder" else bag.close_as_file()
    assert layout_of(path) == "bag"
    sequence = open_sequence(path)
    assert [entry.stamp_ns for entry in sequence.entries] == STAMPS
    assert [int(frame.image[0, 0]) for frame in sequence] == [0, 10, 20, 30]
    assert sequence[0].image.flags.writeable
    np.testing.assert_array_equal(sequence.camera.K, [[50, 0, 31], [0, 50, 23], [0, 0, 1]])
    assert sequence.ground_truth is None
    assert sequence.notes == ("images from /cam/image_raw",)


@pytest.mark.parametrize(
    ("name", "compression"),
    [("a.mcap", "storage"), ("a.mcap", "message"), ("a.db3", "file"), ("a.bag", "lz4"), ("a.bag", "bz2")],
)
def test_compressed_bags(name: str, compression: str, make_bag: MakeBag) -> None:
    sequence = open_sequence(write_mono(make_bag(name, compression)).close())
    assert [int(frame.image[0, 0]) for frame in sequence] == [0, 10, 20, 30]


@pytest.mark.parametrize("name", KINDS)
def test_stereo_pair_is_found_by_its_names(name: str, make_bag: MakeBag) -> None:
    sequence = open_sequence(write_pair(make_bag(name), late_ns=1_000_000).close(), "stereo")
    assert sequence.rig is not None
    assert sequence.rig.baseline == pytest.approx(0.4)
    frames = list(sequence)
    assert [(int(frame.image[0, 0]), int(frame.right[0, 0])) for frame in frames] == [(i, 100 + i) for i in range(4)]
    assert [entry.offset_ns for entry in sequence.entries] == [1_000_000] * 4
    assert "left and right images are paired with stamps up to 1 ms apart" in sequence.notes


def test_frames_can_be_read_in_any_order(make_bag: MakeBag) -> None:
    sequence = open_sequence(write_pair(make_bag("a.mcap")).close(), "stereo")
    for i in (3, 0, 2, 1, 1):
        assert (int(sequence[i].image[0, 0]), int(sequence[i].right[0, 0])) == (i, 100 + i)
    assert [int(frame.image[0, 0]) for frame in sequence.every(2)] == [0, 2]


def test_left_camera_of_a_pair_in_mode_mono(make_bag: MakeBag) -> None:
    sequence = open_sequence(write_pair(make_bag("a.mcap")).close(), "mono")
    assert int(sequence[1].image[0, 0]) == 1
    assert "of the pair, /left/image_rect is used; --topics image=TOPIC chooses" in sequence.notes


@pytest.mark.parametrize("depth", ["16UC1", "32FC1"])
@pytest.mark.parametrize("compressed", [False, True])
def test_depth_in_meters(depth: str, compressed: bool, make_bag: MakeBag) -> None:
    bag = make_bag("a.mcap")
    packed = "/aligned_depth/image/compressedDepth"
    counts = flat(1500, np.uint16)
    counts[0, 0], counts[0, 1] = 0, 65535  # unknown
    meters = np.where(counts == 1500, 1.5, np.nan).astype(np.float32)
    for stamp in STAMPS:
        bag.info("/color/camera_info", stamp)
        bag.image("/color/image_raw", stamp, np.full((HEIGHT, WIDTH, 3), 9, np.uint8), "rgb8")
        if not compressed:
            bag.image("/aligned_depth/image", stamp, counts if depth == "16UC1" else meters, depth)
        elif depth == "16UC1":
            bag.compressed(packed, stamp, bytes(12) + png(counts), "16UC1; compressedDepth png")
        else:  # a / depth + b, with a = 1500 and b = 0, and depth 1.5 m
            header = np.array([(0, 1500.0, 0.0)], "<i4,<f4,<f4").tobytes()
            inverse = np.where(counts == 1500, 1000, 0).astype(np.uint16)
            bag.compressed(packed, stamp, header + png(inverse), "32FC1; compressedDepth png")
    path = bag.close()
    topics = {"image": "/color/image_raw", "depth": "/aligned_depth/image"}  # by two transports: not found by itself
    sequence = open_sequence(path, "rgbd", topics=topics if compressed else None)
    frame = sequence[0]
    assert frame.image[0, 0] == 9
    np.testing.assert_array_equal(frame.depth[0, :2], 0)
    np.testing.assert_array_equal(frame.depth[1:], np.float32(1.5))
    scaled = open_sequence(
        path, "rgbd", depth_scale=5000, topics={"image": "/color/image_raw", "depth": "/aligned_depth/image"}
    )
    assert scaled[0].depth[1, 0] == (np.float32(0.3) if depth == "16UC1" else np.float32(1.5))


def test_compressed_images_by_the_name_without_the_transport(make_bag: MakeBag) -> None:
    bag = make_bag("a.bag")
    for i, stamp in enumerate(STAMPS):
        bag.info("/cam/camera_info", stamp)
        bag.compressed("/cam/image_raw/compressed", stamp, png(flat(i)))
    path = bag.close()
    for topics in (None, {"image": "/cam/image_raw"}, {"image": "/cam/image_raw/compressed"}):
        assert [int(frame.image[0, 0]) for frame in open_sequence(path, topics=topics)] == [0, 1, 2, 3]


def test_parts_of_a_split_bag_without_metadata(make_bag: MakeBag, tmp_path: Path) -> None:
    (tmp_path / "split").mkdir()
    for part in (10, 9):
        bag = make_bag(f"split/all_{part}.mcap")
        bag.info("/cam/camera_info", START + part * STEP)
        bag.image("/cam/image", START + part * STEP, flat(part))
        bag.close_as_file()
    assert [int(frame.image[0, 0]) for frame in open_sequence(tmp_path / "split")] == [9, 10]
    (tmp_path / "split" / "other.mcap").write_bytes((tmp_path / "split" / "all_9.mcap").read_bytes())
    with pytest.raises(SequenceError, match=r"holds several bags, other.mcap, all_9.*: give one of them"):
        open_sequence(tmp_path / "split")


def test_calibration_from_a_file(make_bag: MakeBag, write_calibration: Callable[..., None], tmp_path: Path) -> None:
    bag = make_bag("a.mcap")
    for stamp in STAMPS:
        for side in ("left", "right"):
            bag.image(f"/{side}/image_raw", stamp, flat(1))
    path = bag.close()
    with pytest.raises(SequenceError, match=r"has no CameraInfo of the images on /left/image_raw, /right/.*--camera"):
        open_sequence(path)
    with pytest.raises(MissingSensorError, match=r"have no CameraInfo: give it, --camera"):
        open_sequence(path, "stereo")
    files = [tmp_path / "left.yaml", tmp_path / "right.yaml"]
    write_calibration(files[0])
    write_calibration(files[1], baseline=0.25)
    assert open_sequence(path, "stereo", camera=files).rig.baseline == pytest.approx(0.25)
    assert open_sequence(path, topics={"image": "/right/image_raw"}, camera=files[:1]).camera.width == WIDTH
    with pytest.raises(SequenceError, match=r"--camera names 1 files; mode stereo takes two: left.yaml right.yaml"):
        open_sequence(path, "stereo", camera=files[:1])


def test_baseline_and_rotation_of_a_raw_pair_from_tf_static(make_bag: MakeBag) -> None:
    bag = make_bag("a.mcap")
    bag.transform("/tf_static", START, "base", "left", (1.0, 0.0, 0.0))
    bag.transform("/tf_static", START, "base", "right", (1.2, 0.0, 0.0), (0.0, np.sin(0.05), 0.0, np.cos(0.05)))
    for stamp in STAMPS:
        for side in ("left", "right"):
            bag.info(f"/{side}/camera_info", stamp, side, p=np.zeros(12))
            bag.image(f"/{side}/image_raw", stamp, flat(1), frame=side)
    rig = open_sequence(bag.close(), "stereo").rig
    assert rig is not None
    np.testing.assert_allclose(rig.T_left_right[:3, 3], [0.2, 0, 0], atol=1e-12)
    np.testing.assert_allclose(rig.T_left_right[0, 2], np.sin(0.1), atol=1e-12)


def test_pair_without_baseline(make_bag: MakeBag) -> None:
    bag = make_bag("a.mcap")
    for side in ("left", "right"):
        bag.info(f"/{side}/camera_info", START, side)
        bag.image(f"/{side}/image_raw", START, flat(1), frame=side)
    path = bag.close()
    with pytest.raises(SequenceError, match=r"baseline is unknown.* no fixed transform from 'right' .*--camera left"):
        open_sequence(path, "stereo")
    mode, sequence = open_best(path)
    assert mode == "mono"
    assert re.search(r"^not stereo: .* baseline is unknown", sequence.notes[0])
    with pytest.raises(SequenceError, match=r"is no folder"):
        open_best(path / "nowhere")


@pytest.mark.parametrize("name", KINDS)
def test_ground_truth_is_moved_to_the_camera(name: str, make_bag: MakeBag) -> None:
    bag = write_mono(make_bag(name))
    bag.transform("/tf_static", START, "base_link", "camera", (0.0, 0.0, 0.5), (-0.5, 0.5, -0.5, 0.5))
    for i, stamp in enumerate(STAMPS):
        bag.odometry("/ground_truth/odom", stamp, (i, 0, 0))
        bag.odometry("/wheels", stamp, (9 * i, 0, 0))
    sequence = open_sequence(bag.close())
    truth = sequence.ground_truth
    assert truth is not None
    assert truth.stamps_ns.tolist() == STAMPS
    np.testing.assert_allclose(truth.positions, [[i, 0, 0.5] for i in range(4)], atol=1e-12)
    np.testing.assert_allclose(truth.poses[0, :3, 2], [1, 0, 0], atol=1e-12)  # the optical axis looks ahead
    assert "the ground truth is /ground_truth/odom (nav_msgs/msg/Odometry)" in sequence.notes


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("length", [0.0, 1e-7, 1e200, np.inf, np.nan])
def test_transforms_that_are_no_motion_are_left_out(length: float, make_bag: MakeBag) -> None:
    bag = write_mono(make_bag("a.mcap"))
    bag.transform("/tf_static", START, "base_link", "camera", (0.0, 0.0, 0.5), (0, 0, 0, length))
    for i, stamp in enumerate(STAMPS):
        bag.odometry("/ground_truth/odom", stamp, (i, 0, 0))
    truth = open_sequence(bag.close()).ground_truth
    assert truth is not None
    np.testing.assert_allclose(truth.positions, [[i, 0, 0] for i in range(4)])


def test_ground_truth_that_is_moved_beyond_meters_is_left_out(make_bag: MakeBag) -> None:
    bag = write_mono(make_bag("a.mcap"))
    bag.transform("/tf_static", START, "base_link", "camera", (1e300, 0.0, 0.0))
    for i, stamp in enumerate(STAMPS):
        bag.odometry("/ground_truth/odom", stamp, (i, 0, 0))
    sequence = open_sequence(bag.close())
    assert sequence.ground_truth is None
    assert "pose 1 holds no position in meters" in sequence.ground_truth_fault


def test_other_poses_are_ground_truth_only_on_request(make_bag: MakeBag) -> None:
    bag = write_mono(make_bag("a.mcap"))
    for i, stamp in enumerate(STAMPS):
        bag.odometry("/odom", stamp, (i, 0, 0))
        bag.transform("/tf", stamp, "world", "camera", (2 * i, 0, 0))
    path = bag.close()
    sequence = open_sequence(path)
    assert sequence.ground_truth is None
    assert any("no ground truth is used" in note and "/odom" in note for note in sequence.notes)
    requested = open_sequence(path, topics={"truth": "/odom"})
    assert requested.ground_truth.positions[3].tolist() == [3, 0, 0]
    assert any("'base_link', and tf has no fixed transform to 'camera'" in note for note in requested.notes)
    assert open_sequence(path, topics={"truth": "/tf:world:camera"}).ground_truth.positions[3].tolist() == [6, 0, 0]
    with pytest.raises(SequenceError, match=r"has no poses on /tf; it has them on /odom; .*truth=/tf:PARENT:CHILD"):
        open_sequence(path, topics={"truth": "/tf"})


def test_wheel_odometry_on_request(make_bag: MakeBag) -> None:
    bag = write_mono(make_bag("a.mcap"))
    for i, stamp in enumerate(STAMPS):
        bag.odometry("/odom", stamp, (i, 0, 0))
        bag.transform("/tf", stamp, "odom", "base_link", (2 * i, 0, 0))
    path = bag.close()
    assert open_sequence(path).wheels is None
    for topic, speed in (("/odom", 1), ("/tf:odom:base_link", 2)):
        wheels = open_sequence(path, topics={"wheels": topic, "truth": "/odom"}).wheels
        assert wheels is not None
        assert wheels.stamps_ns.tolist() == STAMPS
        np.testing.assert_allclose(wheels.positions[:, 0], [speed * i for i in range(4)])
    with pytest.raises(SequenceError, match=r"no poses on /wheels; it has them on /odom; .*wheels=/tf:PARENT:CHILD"):
        open_sequence(path, topics={"wheels": "/wheels"})
    with pytest.raises(SequenceError, match=r"has 0 valid poses on /tf from odom to base"):
        open_sequence(path, topics={"wheels": "/tf:odom:base"})


def test_fixed_transforms_of_tf_connect_the_ground_truth_to_the_camera(make_bag: MakeBag) -> None:
    """As in the bags of TUM RGB-D: all transforms are on /tf, the moving one among them is the truth."""
    bag = write_mono(make_bag("a.bag"))
    for i, stamp in enumerate(STAMPS):
        bag.transform("/tf", stamp, "/world", "/kinect", (i, 0, 0))
        bag.transform("/tf", stamp + 1, "/kinect", "/openni", (0, 0, 0.5))
        bag.transform("/tf", stamp + 2, "/openni", "/camera", (0, 0.25, 0))
        bag.transform("/tf", stamp + 3, "/world", "/camera", (0, 0, 9 * i))
    sequence = open_sequence(bag.close(), topics={"truth": "/tf:world:kinect"})
    np.testing.assert_allclose(sequence.ground_truth.positions, [[i, 0.25, 0.5] for i in range(4)])
    assert not any("taking them as those of the camera" in note for note in sequence.notes)


def test_two_cameras_are_asked_for(make_bag: MakeBag) -> None:
    bag = make_bag("a.mcap")
    for camera in ("front", "rear"):
        bag.info(f"/{camera}/camera_info", START)
        bag.image(f"/{camera}/image_raw", START, flat(len(camera)))
    path = bag.close()
    with pytest.raises(SequenceError, match=r"2 cameras for mode mono, /front/image_raw; /rear/.*--topics image=TOPIC"):
        open_sequence(path)
    assert int(open_sequence(path, topics={"image": "/rear/image_raw"})[0].image[0, 0]) == 4
    with pytest.raises(SequenceError, match=r"has no images on /up; it has them on /front/image_raw, /rear/image_raw"):
        open_sequence(path, topics={"image": "/up"})
    with pytest.raises(SequenceError, match=r"--topics names left; mode stereo takes right too"):
        open_sequence(path, "stereo", topics={"left": "/front/image_raw"})


def test_stamps(make_bag: MakeBag) -> None:
    bag = make_bag("late.mcap")
    for recorded, i in enumerate((0, 2, 1, 1, 3)):
        bag.info("/cam/camera_info", STAMPS[i])
        bag.image("/cam/image", STAMPS[i], flat(i), recorded_ns=START + recorded)
    sequence = open_sequence(bag.close())
    assert [int(frame.image[0, 0]) for frame in sequence] == [0, 1, 2, 3]
    assert "1 of 5 images on /cam/image repeat a stamp: left out" in sequence.notes

    bag = make_bag("twice.mcap")
    for recorded, i in enumerate((20, 21, 0, 1)):
        bag.info("/cam/camera_info", START)
        bag.image("/cam/image", START + i * STEP, flat(i), recorded_ns=START + recorded * STEP)
    with pytest.raises(SequenceError, match=r"stamps on /cam/image that jump back by 2.1 s: two recordings"):
        open_sequence(bag.close())


def test_images_without_stamps_have_the_times_of_recording(make_bag: MakeBag) -> None:
    bag = make_bag("a.mcap")
    for i in range(3):
        bag.info("/cam/camera_info", 0)
        header = bag.header(0, "camera")
        bag.image("/cam/image", START + i * STEP, flat(i), header=header)
    sequence = open_sequence(bag.close())
    assert [entry.stamp_ns for entry in sequence.entries] == [START + i * STEP + 5_000_000 for i in range(3)]
    assert [int(frame.image[0, 0]) for frame in sequence] == [0, 1, 2]
    assert any("have no stamps" in note for note in sequence.notes)


@pytest.mark.parametrize("mode", ["mono", "rgbd"])
def test_times_of_recording_beyond_all_stamps_are_refused(mode: str, make_bag: MakeBag) -> None:
    bag = make_bag("a.mcap")
    for i in range(3):
        bag.info("/cam/camera_info", 0)
        bag.image("/cam/image", 0, flat(i), recorded_ns=2**63 + i * STEP)
        bag.image("/cam/depth/image", 0, flat(1000, np.uint16), "16UC1", recorded_ns=2**63 + i * STEP)
    with pytest.raises(SequenceError, match=r"/cam/image at .* but stamps are in seconds and end at"):
        open_sequence(bag.close(), mode)


def test_damaged_image_in_the_middle_is_skipped(make_bag: MakeBag) -> None:
    bag = make_bag("a.mcap")
    for i, stamp in enumerate(STAMPS):
        bag.info("/cam/camera_info", stamp)
        data = png(flat(i))
        bag.compressed("/cam/image_raw/compressed", stamp, data[: len(data) // 2] if i == 2 else data)
    sequence = open_sequence(bag.close())
    skipped: list[str] = []
    assert [int(frame.image[0, 0]) for frame in sequence.readable(skipped)] == [0, 1, 3]
    assert len(skipped) == 1
    assert re.search(
        r"a: the image on /cam/image_raw/compressed at 1700000000.2\d* s is damaged: .* ends early", skipped[0]
    )


def test_faults_of_the_content(make_bag: MakeBag) -> None:
    bag = make_bag("none.mcap")
    bag.odometry("/odom", START, (0, 0, 0))
    with pytest.raises(SequenceError, match=r"none holds no images .*; its topics are /odom \(nav_msgs/msg/Odometry\)"):
        open_sequence(bag.close())
    with pytest.raises(SequenceError, match=r"empty holds no messages"):
        open_sequence(make_bag("empty.mcap").close())

    bag = make_bag("odd.mcap")
    bag.info("/cam/camera_info", START)
    bag.image("/cam/image", START, flat(1), "yuv999")
    with pytest.raises(SequenceError, match=r"odd cannot be used: images on /cam/image have the encoding 'yuv999'"):
        open_sequence(bag.close())[0]

    bag = make_bag("size.mcap")
    for stamp in STAMPS:
        bag.info("/cam/camera_info", stamp, width=2 * WIDTH, height=2 * HEIGHT)
        bag.image("/cam/image", stamp, flat(1))
    with pytest.raises(SequenceError, match=r"size: the image on /cam/image at .* has 64x48 pixels, .*128x96"):
        next(open_sequence(bag.close()).readable([]))

    bag = make_bag("uncalibrated.mcap")
    bag.info("/cam/camera_info", START, k=np.zeros(9))
    bag.image("/cam/image", START, flat(1))
    with pytest.raises(SequenceError, match=r"no usable calibration on /cam/camera_info: K .* is empty; .*--camera"):
        open_sequence(bag.close())

    bag = write_mono(make_bag("apart.mcap"))
    bag.image("/cam/depth", START + STEP // 2, flat(1, np.uint16), "16UC1")
    with pytest.raises(NoFramesError, match=r"No image on /cam/depth has the stamp of one on /cam/image_raw"):
        open_sequence(bag.close(), "rgbd")


@pytest.mark.parametrize("name", KINDS)
def test_truncated_file(name: str, make_bag: MakeBag) -> None:
    path = write_mono(make_bag(name)).close_as_file()
    whole = path.read_bytes()
    fix = {".mcap": "mcap recover", ".db3": r"sqlite3 FILE \.recover", ".bag": "rosbag reindex"}[path.suffix]
    shares = (0.0, 0.001, 0.3, 0.6) if path.suffix == ".db3" else (0.0, 0.001, 0.3, 0.6, 0.95)
    for share in shares:  # the end of a database may hold nothing of the messages
        path.write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(SequenceError, match=rf"{re.escape(str(path))}.*({fix}|seems to be empty|no messages)"):
            open_sequence(path)


def test_damaged_chunk_and_unknown_compression(make_bag: MakeBag) -> None:
    path = write_mono(make_bag("a.mcap", "storage")).close_as_file()
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"zstd", b"zst7"))
    with pytest.raises(SequenceError, match=r"a.mcap cannot be read: Unsupported chunk .*'zst7'; write it anew"):
        open_sequence(path)
    start = whole.index(b"\x28\xb5\x2f\xfd")  # the magic number of zstd
    path.write_bytes(whole[: start + 60] + bytes(40) + whole[start + 100 :])
    with pytest.raises(SequenceError, match=r"a.mcap cannot be read: it is damaged .*mcap recover"):
        open_sequence(path)


def test_faults_of_the_metadata(make_bag: MakeBag) -> None:
    folder = write_mono(make_bag("a.mcap")).close()
    (folder / "a.mcap").rename(folder / "b.mcap")
    with pytest.raises(SequenceError, match=r"a cannot be read: .* files are missing.*copy the whole folder"):
        open_sequence(folder)
    (folder / "metadata.yaml").write_text("rosbag2_bagfile_information: [")
    with pytest.raises(SequenceError, match=r"a cannot be read: it is damaged"):
        open_sequence(folder)


def test_definitions_are_not_needed(make_bag: MakeBag) -> None:
    path = write_mono(make_bag("a.db3")).close_as_file()
    with sqlite3.connect(path) as database:
        database.execute("DELETE FROM message_definitions")
    database.close()
    assert len(list(open_sequence(path))) == 4


def test_messages_that_are_missing(make_bag: MakeBag) -> None:
    """A database that counts more messages than it has, as the metadata of a recorder that was killed."""
    folder = write_mono(make_bag("a.db3")).close()
    with sqlite3.connect(folder / "a.db3") as database:
        database.execute("DELETE FROM messages WHERE timestamp > ?", (STAMPS[2],))
    database.close()
    sequence = open_sequence(folder)
    assert [int(frame.image[0, 0]) for frame in sequence] == [0, 10]
    assert "4 images on /cam/image_raw were recorded, but 2 can be read" in sequence.notes
    with sqlite3.connect(folder / "a.db3") as database:
        database.execute("DELETE FROM messages")
    database.close()
    with pytest.raises(SequenceError, match=r"a is damaged \(no message on /cam/image_raw can be read\); recover it"):
        open_sequence(folder)


def test_memory_is_that_of_a_few_images(make_bag: MakeBag) -> None:
    bag = make_bag("a.mcap", "storage")
    pixels = np.zeros((480, 640, 3), np.uint8)
    for i in range(60):  # 55 MB
        bag.info("/cam/camera_info", START + i * STEP, width=640, height=480)
        bag.image("/cam/image_raw", START + i * STEP, pixels, "bgr8")
    path = bag.close()
    tracemalloc.start()
    try:
        assert sum(1 for _ in open_sequence(path)) == 60
        assert tracemalloc.get_traced_memory()[1] < 20e6
    finally:
        tracemalloc.stop()


def test_database_that_is_still_open(make_bag: MakeBag) -> None:
    folder = write_mono(make_bag("a.db3")).close()
    database = sqlite3.connect(folder / "a.db3")
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("DELETE FROM messages WHERE timestamp > ?", (STAMPS[2],))
    database.commit()
    for path in (folder, folder / "a.db3"):
        with pytest.raises(SequenceError, match=r"a.db3 is still open or was not closed: .* wal_checkpoint"):
            open_sequence(path)
    database.close()
    assert len(open_sequence(folder)) == 2


@pytest.mark.parametrize("name", KINDS)
def test_any_damage_is_refused_with_a_sentence_or_skipped(name: str, make_bag: MakeBag) -> None:
    path = write_pair(make_bag(name)).close_as_file()
    whole = path.read_bytes()
    rng = random.Random(7)
    refused: list[str] = []
    for i in range(24):
        damaged = bytearray(whole)
        start, length = rng.randrange(len(whole)), rng.choice((1, 8, 60))
        damaged[start : start + length] = rng.randbytes(length if i % 2 else rng.randrange(60))
        path.write_bytes(damaged)
        try:
            list(open_sequence(path, "stereo").readable([]))
        except SequenceError as error:
            refused.append(str(error))
    assert 0 < len(refused) < 24
    assert all(str(path) in error for error in refused)


@pytest.mark.parametrize("name", KINDS)
def test_no_permission(name: str, make_bag: MakeBag, monkeypatch: pytest.MonkeyPatch) -> None:
    """Raised by a stand-in, as the superuser may read everything."""
    path = write_mono(make_bag(name)).close_as_file()
    opened = Path.open

    def refuse(self: Path, *arguments: Any, **options: Any) -> Any:
        if self == path:
            raise PermissionError(13, "Permission denied", str(self))
        return opened(self, *arguments, **options)

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(SequenceError, match=rf"{re.escape(str(path))} cannot be read: Permission denied; check"):
        open_sequence(path)
