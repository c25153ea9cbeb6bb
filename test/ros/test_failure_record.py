"""The last frames: bounded in memory, and written so that a run replays them."""

import json

import numpy as np
import pytest

from loftr_ros.messages.camera_info import fields_of_camera
from loftr_ros.odometry.geometry.camera import Camera
from loftr_ros.odometry.geometry.stereo_rig import StereoRig
from loftr_ros.odometry.images.frame import Frame
from loftr_ros.output import OutputError
from loftr_ros.ros.failure_record import FailureRecord, FailureRecordError
from loftr_ros.ros.parameters.table import VoParameters
from loftr_ros.sequences.formats import open_sequence

CAMERA = Camera(64, 48, np.array([[50.0, 0, 31.5], [0, 50, 23.5], [0, 0, 1]]), "plumb_bob", np.array([0.1, 0, 0, 0, 0]))
RIG = StereoRig.rectified(Camera(64, 48, CAMERA.K), 0.2)
START_NS = 1_700_000_000_000_000_000


def frame(index, mode="mono", camera=CAMERA):
    image = np.random.default_rng(index).integers(0, 256, (48, 64), np.uint8)
    right = image[:, ::-1].copy() if mode == "stereo" else None
    depth = (image / np.float32(100)) if mode == "rgbd" else None
    camera, rig = (RIG.right, RIG) if mode == "stereo" else (camera, None)
    return Frame(START_NS + index * 10**8, image, camera, right, depth, rig)


def filled(*indices, capacity=10**6, **options):
    record = FailureRecord(capacity)
    for index in indices:
        record.add(frame(index, **options))
    return record


@pytest.mark.parametrize("mode", ["mono", "stereo", "rgbd"])
def test_the_frames_are_those_that_a_run_replays(tmp_path, mode):
    record = filled(1, 2, 3, mode=mode)
    record.add_error("the matcher raised")
    said = record.write(tmp_path / "new", VoParameters(mode=mode))
    folder = tmp_path / "new" / f"failure_{START_NS + 3 * 10**8}"
    assert said == f"wrote 3 frames of 0.2 s; replay them: loftr-ros run {folder / 'frames.mcap'} --mode {mode}"
    replayed = list(open_sequence(folder / "frames.mcap", mode))
    assert len(replayed) == 3
    for got, index in zip(replayed, (1, 2, 3), strict=True):
        wanted = frame(index, mode)
        assert got.stamp_ns == wanted.stamp_ns
        for name in ("image", "right", "depth"):
            np.testing.assert_array_equal(getattr(got, name), getattr(wanted, name))
        assert str(fields_of_camera(got.camera)) == str(fields_of_camera(wanted.camera))
    written = json.loads((folder / "estimates.json").read_text())
    assert written["parameters"]["mode"] == mode
    assert [entry.get("error") for entry in written["frames"]] == [None, None, "the matcher raised"]


def test_memory_is_bounded_and_the_newest_stay(tmp_path):
    record = filled(*range(20), capacity=5 * 48 * 64 + 100)
    assert [one.frame.stamp_ns for one in record._kept] == [START_NS + index * 10**8 for index in range(15, 20)]
    assert filled(1, 2, capacity=48 * 64 - 1)._kept == filled(1, 2, capacity=0)._kept
    with pytest.raises(FailureRecordError, match="set record_failure_memory"):
        filled(1, capacity=0).write(tmp_path, VoParameters())
    with pytest.raises(FailureRecordError, match="no frame arrived"):
        filled().write(tmp_path, VoParameters())


def test_another_camera_or_an_earlier_time_restarts_the_record(tmp_path):
    for later in (frame(0), frame(5), frame(9, camera=Camera(64, 48, CAMERA.K))):
        record = filled(3, 4, 5)
        record.add(later)
        assert [one.frame.stamp_ns for one in record._kept] == [later.stamp_ns]
        assert record._size == 48 * 64


def test_no_earlier_record_is_overwritten_and_no_file_in_the_way(tmp_path):
    record = filled(1)
    for name in ("", "_1", "_2"):
        assert f"/failure_{START_NS + 10**8}{name}/frames.mcap" in record.write(tmp_path, VoParameters())
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be created"):
        record.write(tmp_path / "file", VoParameters())
