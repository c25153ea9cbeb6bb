"""bench/engine.py on a few small frames, and its oracle matcher."""

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from loftr_ros.odometry.config import Mode, OdometryConfig
from loftr_ros.odometry.geometry import se3
from loftr_ros.odometry.geometry.camera import Camera
from loftr_ros.odometry.visual_odometry import VisualOdometry

Bench = Callable[[str], ModuleType]

CAMERA = Camera(160, 120, np.array([[110.0, 0, 79.5], [0, 110.0, 59.5], [0, 0, 1]]))


@pytest.mark.parametrize("mode", ["stereo", "rgbd"])
def test_odometry_on_oracle_matches(bench: Bench, mode: Mode) -> None:
    oracle = bench("oracle_matcher")
    frames, poses = oracle.room_frames(4, CAMERA)
    odometry = VisualOdometry(oracle.OracleMatcher(frames, poses, 200), OdometryConfig(mode=mode))
    for frame in frames:
        T_odom_camera = odometry.process(frame).T_odom_camera
    truth = se3.inverse(poses[0]) @ poses[3]
    assert np.linalg.norm(truth[:3, 3]) > 0.2
    np.testing.assert_allclose(T_odom_camera[:3, 3], truth[:3, 3], atol=0.05)
    np.testing.assert_allclose(T_odom_camera[:3, :3], truth[:3, :3], atol=0.02)


def test_oracle_is_repeatable(bench: Bench) -> None:
    oracle = bench("oracle_matcher")
    frames, poses = oracle.room_frames(2, CAMERA)
    matcher = oracle.OracleMatcher(frames, poses, 50)
    a, b, right = (matcher.extract(image) for image in (frames[0].image, frames[1].image, frames[0].right))
    assert len(matcher.match(a, b)) == len(matcher.match(a, right)) == 50
    assert matcher.match(a, b) is matcher.match(a, b)
    disparity = np.median(matcher.match(a, right).points_a - matcher.match(a, right).points_b, axis=0)
    assert disparity[0] > 1.0
    assert abs(disparity[1]) < 0.2


def test_table(bench: Bench, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--frames", "4", "--size", "160", "120", "--matches", "100", "--modes", "mono", "stereo"]
    outputs = ["--output", str(tmp_path / "out.json"), "--output", str(tmp_path / "out.md")]
    assert bench("engine").main([*options, "--profile", "--threads", str(torch.get_num_threads()), *outputs]) == 0

    assert "calcOpticalFlowPyrLK" in capsys.readouterr().out, "the profile"
    fast, slow = json.loads((tmp_path / "out.json").read_text())["tables"]
    assert all(a["keyframes"] >= b["keyframes"] for a, b in zip(fast["costs"], slow["costs"], strict=True))
    costs = {(cost["name"], cost["refinement"]): cost for cost in fast["costs"]}
    assert set(costs) == {(mode, refinement) for mode in ("mono", "stereo") for refinement in (True, False)}
    for cost in costs.values():
        assert {"subpixel", "pose", "keyframe"} <= set(cost["stages"])
        assert not {"extract", "match"} & set(cost["stages"])
        assert 0 < cost["frame"][0] <= cost["frame"][1]
        assert cost["mean"] > 0
        assert 0 < cost["processor"][0] <= cost["processor"][1]
        assert 0 <= cost["keyframes"] <= 100
        assert 25 <= cost["matches"] <= 100
    assert costs["stereo", True]["stages"]["subpixel"][0] > costs["stereo", False]["stages"]["subpixel"][0]
    assert "| mono | on |" in (tmp_path / "out.md").read_text()
