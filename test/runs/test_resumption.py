"""The pose and its covariance where a run goes on."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from loftr_ros.matches import Matches
from loftr_ros.odometry.estimate import OdometryEstimate
from loftr_ros.odometry.geometry import se3
from loftr_ros.odometry.states import TrackingState
from loftr_ros.reports.run_log import FrameRecord
from loftr_ros.runs.journal import JOURNAL_FILE, Journal, JournalWriter
from loftr_ros.runs.resumption import ResumeError, Seam, start_of

IDENTITY: dict[str, Any] = {"mode": "stereo", "stride": 1}
ERROR = 0.01  # relative error of all lengths


def pose(x: float, yaw: float = 0.0) -> NDArray[np.float64]:
    return se3.transform(se3.exp_rotation([0.0, yaw, 0.0]), [x, 0.0, 0.0])


def covariance(position: float, rotation: float = 1e-6) -> NDArray[np.float64]:
    """Of standard deviations in all directions."""
    return np.diag(np.repeat([position**2, rotation**2], 3))


def estimate(stamp_ns: int, T: NDArray[np.float64], sigma: float, known: bool = True) -> OdometryEstimate:
    return OdometryEstimate(
        stamp_ns=stamp_ns, T_odom_camera=T, pose_covariance=covariance(sigma), twist=np.zeros(6),
        twist_covariance=np.eye(6), state=TrackingState.TRACKING, matches=Matches.empty(), inliers=np.zeros(0, bool),
        reference=None, parallax_px=0.0, timings_ms={"pose": 1.0}, scale_known=known, is_keyframe=False,
    )  # fmt: skip


def test_poses_are_composed() -> None:
    seam = Seam(3, 30, pose(10, yaw=np.pi / 2), covariance(0.1))
    moved = seam.moved(estimate(40, pose(2), 0.01))
    np.testing.assert_allclose(moved.T_odom_camera[:3, 3], [10, 0, -2], atol=1e-12)


def test_a_common_error_of_the_lengths_adds_up_linearly() -> None:
    """As that of the calibration: ten meters before and five after have an error of fifteen."""
    moved = Seam(3, 30, pose(10), covariance(10 * ERROR)).moved(estimate(40, pose(5), 5 * ERROR))
    np.testing.assert_allclose(np.sqrt(np.diag(moved.pose_covariance)[:3]), 15 * ERROR, rtol=1e-3)


def test_the_covariance_goes_on_from_that_of_the_seam() -> None:
    moved = Seam(3, 30, pose(10), covariance(0.1)).moved(estimate(40, pose(0), 1e-9))
    np.testing.assert_allclose(np.sqrt(np.diag(moved.pose_covariance)[:3]), 0.1, rtol=1e-3)


def test_independent_errors_are_within_the_bound() -> None:
    seam, later = Seam(3, 30, pose(10, yaw=0.4), covariance(0.1, 0.01)), estimate(40, pose(5), 0.05)
    moved = seam.moved(later).pose_covariance
    composed = se3.composed_covariance(seam.T_odom_camera, seam.covariance, later.T_odom_camera, later.pose_covariance)
    assert np.all(np.diag(moved) >= np.diag(composed))


def journal_of(folder: Path, known: bool = True) -> None:
    with JournalWriter(folder, Journal(IDENTITY)) as journal:
        for i in range(3):
            one = estimate(10 * i, pose(i), 0.1 * (i + 1), known)
            journal.add(FrameRecord.of(one), one.pose_covariance, ["bad image"] if i == 2 else [])


def test_journal_is_read_as_it_was_written(tmp_path: Path) -> None:
    journal_of(tmp_path)
    found = start_of(tmp_path, IDENTITY, single_camera=False)
    assert found is not None
    journal, seam = found
    assert seam is not None
    assert (seam.index, seam.stamp_ns, journal.resumed_at, journal.skipped) == (2, 20, [3], [(2, "bad image")])
    np.testing.assert_array_equal(seam.T_odom_camera, pose(2))
    np.testing.assert_array_equal(seam.covariance, covariance(0.1 * 3))
    assert vars(journal.records[1]).keys() == vars(FrameRecord.of(estimate(10, pose(1), 0.2))).keys()
    assert journal.records[1].milliseconds == {"pose": 1.0}


@pytest.mark.parametrize(("single", "known"), [(True, True), (False, False)])
def test_without_a_known_scale_it_starts_again(tmp_path: Path, single: bool, known: bool) -> None:
    journal_of(tmp_path, known)
    assert start_of(tmp_path, IDENTITY, single_camera=single) == (Journal(IDENTITY), None)


@pytest.mark.parametrize(("lines", "characters", "last"), [(0, 1, 2), (0, 50, 1), (1, 50, 0)])
def test_lines_of_a_killed_run_may_end_anywhere(tmp_path: Path, lines: int, characters: int, last: int) -> None:
    """The last lines are missing, and the last characters of the one before."""
    journal_of(tmp_path)
    path = tmp_path / JOURNAL_FILE
    left = path.read_text().splitlines(keepends=True)
    path.write_text("".join(left[: len(left) - lines])[:-characters])
    found = start_of(tmp_path, IDENTITY, single_camera=False)
    assert found is not None
    assert found[1] is not None
    assert found[1].index == last


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("stamp_ns", float("inf")), ("stamp_ns", 2**70), ("matches", "x"), ("state", None), ("keyframe", 3)),
        *(("remarks", [1]), ("milliseconds", {"pose": []}), ("speed", None), ("speed", 10**400)),
        *(("T_odom_camera", np.zeros((4, 4)).tolist()), ("T_odom_camera", np.diag([1.0, 1, -1, 1]).tolist())),
        *(("pose_covariance", [0.0] * 36), ("pose_covariance", [1e-3] * 35 + [-1.0])),
    ],
)
def test_a_record_with_a_field_of_another_type_ends_the_journal(tmp_path: Path, field: str, value: object) -> None:
    """At the end of a run of hours it would cost all results."""
    journal_of(tmp_path)
    path = tmp_path / JOURNAL_FILE
    lines = path.read_text().splitlines()
    lines[-1] = json.dumps({**json.loads(lines[-1]), field: value})
    path.write_text("\n".join(lines) + "\n")
    journal = Journal.read(tmp_path)
    assert journal is not None
    assert len(journal.records) == 2
    assert journal.trajectory is not None


@pytest.mark.parametrize(
    "head", ['{"identity": {}, "resumed_at": [null]}', '{"identity": [1], "resumed_at": []}', "[]"]
)
def test_a_damaged_head_is_no_journal(tmp_path: Path, head: str) -> None:
    journal_of(tmp_path)
    path = tmp_path / JOURNAL_FILE
    path.write_text("\n".join([head, *path.read_text().splitlines()[1:]]))
    assert Journal.read(tmp_path) is None
    assert start_of(tmp_path, IDENTITY, single_camera=False) == (Journal(IDENTITY), None)


def test_a_report_that_is_nested_too_deeply_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("[" * 100_000)
    with pytest.raises(ResumeError, match=r"has a run.json without what --resume needs"):
        start_of(tmp_path, IDENTITY, single_camera=False)


def test_an_empty_folder_starts_and_a_foreign_one_is_refused(tmp_path: Path) -> None:
    assert start_of(tmp_path, IDENTITY, single_camera=False) == (Journal(IDENTITY), None)
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(ResumeError, match=r"has a run.json without what --resume needs"):
        start_of(tmp_path, IDENTITY, single_camera=False)
    journal_of(tmp_path)
    with pytest.raises(ResumeError, match=r"another stride \(1, now 2\)"):
        start_of(tmp_path, {**IDENTITY, "stride": 2}, single_camera=False)
