"""Results of a run over a sequence: one record per frame, and the files written from them."""

from __future__ import annotations

import json
import platform
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from loftr_ros import __version__
from loftr_ros.errors import LoftrRosError
from loftr_ros.evaluation.ate import TrajectoryErrors, evaluate
from loftr_ros.evaluation.plotting import plot_trajectory
from loftr_ros.evaluation.trajectory import Trajectory, TrajectoryError, write_kitti, write_tum
from loftr_ros.odometry.checks.input_fault import InputFault, InputWarning
from loftr_ros.odometry.estimate import OdometryEstimate
from loftr_ros.odometry.states import TrackingState
from loftr_ros.output import REPORT_FILE, writing
from loftr_ros.validation import refuse_pipe

TRAJECTORY_FILE, TRUTH_FILE = "trajectory.tum", "groundtruth.tum"
KITTI_FILE, PICTURE_FILE = "trajectory.kitti", "trajectory.png"
RESULT_FILES = (TRAJECTORY_FILE, KITTI_FILE, TRUTH_FILE, REPORT_FILE, PICTURE_FILE)

_LENS_FAULTS = InputFault.FOCAL_LENGTH, InputFault.PRINCIPAL_POINT, InputFault.DISTORTION
# Relative error of a focal length above which the motion does not confirm it.
_MAX_FOCAL_ERROR = 0.1
MEASURED = {TrackingState.TRACKING.value, TrackingState.STATIONARY.value}


class RunLogError(LoftrRosError):
    """A folder without a run."""


@dataclass(frozen=True)
class FrameRecord:
    """Figures of an OdometryEstimate, without its images and matches, which would fill the memory in a long run.

    The standard deviations are the largest in any direction; `speed` is in m/s, or units/s.
    """

    stamp_ns: int
    T_odom_camera: NDArray[np.float64]
    state: str
    lost_reason: str | None
    remarks: tuple[str, ...]
    input_warnings: tuple[InputWarning, ...]
    matches: int
    inliers: int
    keyframe: bool
    revisit: bool
    scale_known: bool
    speed: float
    position_sigma: float
    rotation_sigma_deg: float
    focal_sigma: float
    milliseconds: Mapping[str, float]

    @staticmethod
    def of(estimate: OdometryEstimate) -> FrameRecord:
        """Extract the figures of an estimate."""
        return FrameRecord(
            stamp_ns=estimate.stamp_ns,
            T_odom_camera=estimate.T_odom_camera,
            state=estimate.state.value,
            lost_reason=estimate.lost_reason.value if estimate.lost_reason else None,
            remarks=estimate.remarks,
            input_warnings=estimate.input_warnings,
            matches=estimate.num_matches,
            inliers=estimate.num_inliers,
            keyframe=estimate.is_keyframe,
            revisit=estimate.is_revisit,
            scale_known=estimate.scale_known,
            speed=float(np.linalg.norm(estimate.twist[:3])),
            position_sigma=_largest_sigma(estimate.pose_covariance[:3, :3]),
            rotation_sigma_deg=float(np.degrees(_largest_sigma(estimate.pose_covariance[3:, 3:]))),
            focal_sigma=estimate.focal_sigma,
            milliseconds=estimate.timings_ms,
        )


@dataclass(frozen=True)
class RunLog:
    """A finished or interrupted run.

    Attributes:
        name: name of the sequence.
        settings: settings of the run for run.json, with at least mode and checkpoint.
        records: one per frame, at least one.
        truth: ground truth T_world_camera, or None.
        truth_fault: why existing ground truth cannot be used; empty otherwise.
    """

    name: str
    settings: Mapping[str, Any]
    records: Sequence[FrameRecord]
    truth: Trajectory | None
    truth_fault: str = ""

    @property
    def trajectory(self) -> Trajectory:
        """T_odom_camera of all frames."""
        stamps = np.array([record.stamp_ns for record in self.records], np.int64)
        return Trajectory(stamps, np.array([record.T_odom_camera for record in self.records]))

    @property
    def metric(self) -> bool:
        """Whether the trajectory is in meters."""
        return self.records[-1].scale_known

    def errors(self) -> TrajectoryErrors | None:
        """Errors against ground truth; None without it, or if it covers fewer than two frames."""
        if self.truth is None:
            return None
        try:
            return evaluate(self.trajectory, self.truth, with_scale=not self.metric)
        except TrajectoryError:
            return None

    @property
    def lost(self) -> dict[str, int]:
        """Number of lost frames by reason, the most frequent first."""
        return dict(Counter(record.lost_reason for record in self.records if record.lost_reason).most_common())

    @property
    def input_warnings(self) -> dict[str, str]:
        """The last warning of each input fault; `remarks` has the number of frames."""
        return {warning.fault.value: warning.text for record in self.records for warning in record.input_warnings}

    def why_no_pose(self) -> str:
        """Return the most frequent reason if no pose was measured; empty otherwise."""
        if any(record.state in MEASURED for record in self.records):
            return ""
        if len(self.records) == 1:
            return "No pose was measured: a motion requires two frames, and there was one"
        if not self.lost:
            return (
                f"No pose was measured in {len(self.records)} frames: the camera moved too little for a single camera "
                "to initialize"
            )
        reason, count = next(iter(self.lost.items()))
        return (
            f"No pose was measured in {len(self.records)} frames: {count} of them are lost with the reason '{reason}'"
        )

    def _summary(self, errors: TrajectoryErrors | None) -> dict[str, Any]:
        return {
            **self.settings,
            "versions": _versions(),
            "frames": len(self.records),
            "states": dict(Counter(record.state for record in self.records)),
            "lost": self.lost,
            "remarks": dict(Counter(remark for record in self.records for remark in record.remarks)),
            "input_warnings": self.input_warnings,
            "focal_length_sigma": sigma if np.isfinite(sigma := self.records[-1].focal_sigma) else None,
            "keyframes": sum(record.keyframe for record in self.records),
            "revisits": sum(record.revisit for record in self.records),
            "median_matches": _median(record.matches for record in self.records[1:]),
            "median_inliers": _median(record.inliers for record in self.records[1:]),
            "median_milliseconds": self._median_milliseconds(),
            "scale_known": self.metric,
            "path_length": self.trajectory.length,
            "ground_truth": self.truth is not None,
            "ground_truth_fault": self.truth_fault,
            "errors": asdict(errors) if errors else None,
        }

    def write(self, folder: Path) -> dict[str, Any]:
        """Write trajectory.tum, trajectory.kitti, trajectory.png and run.json; return the summary.

        Ground truth, if any, is written to groundtruth.tum, so that the folder can be evaluated later.

        Raises:
            OutputError: a file cannot be written; files are written in order, the trajectory first.
        """
        with writing(folder / TRAJECTORY_FILE) as path:
            write_tum(path, self.trajectory)
        with writing(folder / KITTI_FILE) as path:
            write_kitti(path, self.trajectory)
        (folder / TRUTH_FILE).unlink(missing_ok=True)  # left by an earlier run
        if self.truth is not None:
            with writing(folder / TRUTH_FILE) as path:
                write_tum(path, self.truth)
        errors = self.errors()
        summary = self._summary(errors)
        frames = [_as_json(record) for record in self.records]
        with writing(folder / REPORT_FILE) as path:
            path.write_text(json.dumps({"summary": summary, "frames": frames}, indent=1) + "\n")
        truth = self.truth if errors else None
        plot_trajectory(folder / PICTURE_FILE, self.trajectory, truth, self._title(errors), self.metric)
        return summary

    def _title(self, errors: TrajectoryErrors | None) -> str:
        accuracy = f", ATE {errors.ate_m:.3f} m ({errors.ate_percent:.2f} %)" if errors else ""
        guess = f", {guess}" if (guess := self.settings.get("calibration_guess")) else ""
        return f"{self.name}, {self.settings['mode']}, checkpoint {self.settings['checkpoint']}{accuracy}{guess}"

    def _median_milliseconds(self) -> dict[str, float]:
        """Median by stage over the frames that had it, and per frame; without the first frame (warm-up)."""
        timings = [record.milliseconds for record in self.records[1:]]
        stages = dict.fromkeys(stage for timing in timings for stage in timing)
        medians = {stage: _median(timing[stage] for timing in timings if stage in timing) for stage in stages}
        return {**medians, "frame": _median(sum(timing.values()) for timing in timings)}


def focal_length_test(summary: Mapping[str, Any]) -> str:
    """Return how well the motion of a run confirms the focal length; empty if it contradicts it, or is unknown."""
    if "focal_length_sigma" not in summary or any(f.value in summary.get("input_warnings", {}) for f in _LENS_FAULTS):
        return ""
    sigma = summary["focal_length_sigma"]
    if sigma is None or 3.0 * sigma > _MAX_FOCAL_ERROR:
        return "not tested: the camera hardly turned while it moved"
    return f"agrees with the motion within {3.0 * sigma:.1%} (3 sigma)"


def load_report(folder: Path) -> Any:
    """Return the content of run.json. Raises OSError, ValueError or RecursionError if it cannot be read."""
    path = folder / REPORT_FILE
    refuse_pipe(path)
    return json.loads(path.read_text(encoding="utf-8"))


def read_scale_known(folder: Path) -> bool:
    """Read from the report of a run whether its scale is known. Raises RunLogError."""
    try:
        return bool(load_report(folder)["summary"]["scale_known"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise RunLogError(
            f"{folder} is not a folder of a run: it has no valid {REPORT_FILE} of `loftr-ros run`; "
            "give such a folder, or a trajectory file."
        ) from error


def _median(values: Any) -> float:
    numbers = list(values)
    return round(float(np.median(numbers)), 3) if numbers else 0.0


def _as_json(record: FrameRecord) -> dict[str, Any]:
    return {
        "stamp_ns": record.stamp_ns,
        "state": record.state,
        "remarks": record.remarks,
        "matches": record.matches,
        "inliers": record.inliers,
        "keyframe": record.keyframe,
        "revisit": record.revisit,
        "speed": _significant(record.speed),
        "position_sigma": _significant(record.position_sigma),
        "rotation_sigma_deg": _significant(record.rotation_sigma_deg),
        "milliseconds": {stage: round(value, 3) for stage, value in record.milliseconds.items()},
    }


def _largest_sigma(covariance: NDArray[np.float64]) -> float:
    """Return the largest standard deviation in any direction."""
    return float(np.sqrt(max(np.linalg.eigvalsh(covariance)[-1], 0.0)))


def _significant(value: float) -> float:
    return float(f"{value:.4g}")


def _versions() -> dict[str, str]:
    return {
        "loftr_ros": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "opencv": cv2.__version__,
        "torch": version("torch"),
    }
