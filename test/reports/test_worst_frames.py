"""The worst frames of a run: the lowest inlier ratios, one per stretch."""

from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np

from loftr_ros.matches import Matches
from loftr_ros.odometry.states import TrackingState
from loftr_ros.reports.worst_frames import FOLDER, WorstFrames

IMAGE = np.zeros((48, 64), np.uint8)


def estimate(ratio: float, state: TrackingState = TrackingState.TRACKING) -> SimpleNamespace:
    points = np.full((10, 2), 20, np.float32)
    matches = Matches(points, points, np.ones(10, np.float32), np.arange(10))
    inliers = np.arange(10) < 10 * ratio
    return SimpleNamespace(
        state=state, matches=matches, inliers=inliers, num_matches=10, num_inliers=int(inliers.sum()), remarks=(),
        parallax_px=1.0, reference=SimpleNamespace(image=IMAGE),
    )  # fmt: skip


def written(tmp_path: Path, ratios: dict[int, float], count: int = 3) -> list[tuple[int, float]]:
    worst = WorstFrames(count)
    for index in range(max(ratios) + 1):
        worst.add(index, SimpleNamespace(image=IMAGE), estimate(ratios.get(index, 0.9)))  # type: ignore[arg-type]
    entries = worst.write(tmp_path)
    for entry in entries:
        picture = cv2.imread(str(tmp_path / FOLDER / str(entry["file"])))
        assert picture is not None
        assert picture.shape[1] == 128, "keyframe and frame side by side"
    return [(int(entry["index"]), float(entry["inlier_ratio"])) for entry in entries]


def test_lowest_ratios_first(tmp_path: Path) -> None:
    assert written(tmp_path, {5: 0.5, 20: 0.1, 40: 0.3, 60: 0.8}) == [(20, 0.1), (40, 0.3), (5, 0.5)]


def test_one_of_a_stretch(tmp_path: Path) -> None:
    assert written(tmp_path, {20: 0.3, 21: 0.1, 22: 0.2}, count=2)[0] == (21, 0.1)
    assert [index for index, ratio in written(tmp_path, {20: 0.3, 21: 0.1, 22: 0.2}, count=2) if ratio < 0.5] == [21]


def test_lost_frames_are_worst_and_those_without_measurement_are_left_out(tmp_path: Path) -> None:
    worst = WorstFrames(2)
    none = estimate(0.0)
    none.matches = none.matches.select(np.zeros(10, bool))
    frame = SimpleNamespace(image=IMAGE)
    worst.add(0, frame, none)  # type: ignore[arg-type]
    worst.add(10, frame, estimate(0.1))  # type: ignore[arg-type]
    worst.add(20, frame, estimate(0.9, TrackingState.LOST))  # type: ignore[arg-type]
    assert [entry["index"] for entry in worst.write(tmp_path)] == [20, 10]
