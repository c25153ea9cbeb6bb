"""Findings of topics, from messages that came."""

import numpy as np
import pytest
from builtin_interfaces.msg import Time
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from loftr_ros.checkup.findings import Level
from loftr_ros.ros.checkup.topic_findings import extrinsics_finding, pair_findings, stream_findings
from loftr_ros.ros.checkup.topic_log import TopicLog
from loftr_ros.ros.parameters.table import VoParameters

MS, NOW = 1_000_000, 1_800_000_000 * 10**9


def log_of(stamps_ns, frame_ids=("camera_optical_frame",), delay_ns=10 * MS):
    log = TopicLog(keep=3)
    for i, stamp in enumerate(stamps_ns):
        time = Time(sec=stamp // 10**9, nanosec=stamp % 10**9)
        message = Image(header=Header(stamp=time, frame_id=frame_ids[i % len(frame_ids)]))
        message.data.frombytes(bytes(1000))
        log.add(message, NOW + i * 50 * MS + delay_ns)
    return log


def regular(count=20):
    return [NOW + i * 50 * MS for i in range(count)]


def findings(log):
    return {finding.name: finding for finding in stream_findings("/image", log, "base_link")}


def faults(found):
    return {name: finding.advice for name, finding in found.items() if finding.level is not Level.OK}


def test_a_good_camera():
    log = log_of(regular())
    found = findings(log)
    assert faults(found) == {}
    assert len(log.messages) == 3
    assert found["received"].values == pytest.approx({"images": 20, "arrival_hz": 20.0, "mb_per_s": 0.02})
    assert found["stamps"].values["age_s"] == pytest.approx(0.01)
    assert found["rate"].values["rate_hz"] == pytest.approx(20.0)


def test_a_recording_is_no_fault():
    found = findings(log_of([stamp - 10**17 for stamp in regular()]))
    assert faults(found) == {}
    assert "as in a recording" in found["stamps"].figure


@pytest.mark.parametrize(
    ("stamps", "level", "word"),
    [
        ([0] * 20, "error", "they are zero"),
        ([NOW] * 20, "error", "do not increase"),
        ([regular()[i // 2] for i in range(20)], "warning", "sends images twice"),
        ([*regular(10), NOW, *regular(20)[11:]], "warning", "images are reordered"),
        ([stamp - 3 * 10**9 for stamp in regular()], "warning", "high latency"),
        ([stamp + 10**9 for stamp in regular()], "warning", "in the future"),
    ],
)
def test_stamps(stamps, level, word):
    found = findings(log_of(stamps))["stamps"]
    assert found.level.value == level
    assert word in found.advice


@pytest.mark.parametrize(
    ("frames", "word"), [(("",), "is empty"), (("/camera",), "leading slash"), (("a", "b"), "two cameras")]
)
def test_frames(frames, word):
    assert word in faults(findings(log_of(regular(), frames)))["frame_id"]


def test_pairs_and_frame_of_the_depth():
    left = log_of(regular())
    (same,) = pair_findings(("/left", "/right"), (left, log_of(regular())), "stereo", "exact")
    assert (same.level, same.values["equal_share"]) == (Level.OK, 1.0)
    late = log_of([stamp + 7 * MS for stamp in regular()], ("depth",))
    (never,) = pair_findings(("/left", "/right"), (left, late), "stereo", "exact")
    assert (never.level, never.values["median_ms"]) == (Level.ERROR, pytest.approx(7.0))
    assert "sync_slop to more than 0.0070" in never.advice
    assert pair_findings(("/left", "/right"), (left, late), "stereo", "approximate")[0].level is Level.OK
    half = log_of([stamp + i % 2 * 7 * MS for i, stamp in enumerate(regular())])
    assert pair_findings(("/left", "/right"), (left, half), "stereo", "exact")[0].level is Level.WARNING
    _, frame = pair_findings(("/image", "/depth"), (left, late), "rgbd", "approximate")
    assert (frame.level, "registered" in frame.advice) == (Level.WARNING, True)


def test_place_of_the_camera():
    T = np.eye(4)
    T[:3, 3] = 0.2, 0.0, 0.5
    known = extrinsics_finding(VoParameters(), "camera", T, True)
    assert (known.level, known.values) == (Level.OK, {"x_m": 0.2, "y_m": 0.0, "z_m": 0.5})
    assert extrinsics_finding(VoParameters(camera_x=0.1), "camera", None, False).level is Level.OK
    unknown = extrinsics_finding(VoParameters(), "camera", None, True)
    assert (unknown.level, unknown.figure) == (Level.WARNING, "TF has no transform from camera to base_link")
    assert "not installed" in extrinsics_finding(VoParameters(), "camera", None, False).figure
    assert "is empty" in extrinsics_finding(VoParameters(), "", None, True).advice
