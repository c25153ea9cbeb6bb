"""Resumes an interrupted run.

The state of the odometry (keyframes, map of revisits, velocity, disparity bias) is not saved, so a run does not go on
exactly as it would have. With metric depth it goes on from the last measured pose: the odometry restarts at that
frame, and its poses are composed with that pose. The trajectory is continuous there, and drifts as after a loss of
tracking. A single camera has no length in common with a new start, so its run starts again from the first frame.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from loftr_ros.arrays import Array
from loftr_ros.errors import LoftrRosError
from loftr_ros.odometry.estimate import OdometryEstimate, bounded_covariance
from loftr_ros.odometry.geometry import se3
from loftr_ros.output import REPORT_FILE
from loftr_ros.reports.run_log import MEASURED, load_report
from loftr_ros.runs.journal import Journal
from loftr_ros.sequences.errors import SequenceError
from loftr_ros.sequences.sequence import Sequence

FROM_THE_START = "starting from the first frame, as there is no measured pose with known scale to go on from"


class ResumeError(LoftrRosError):
    """The folder is that of another run."""


@dataclass(frozen=True)
class Seam:
    """Where a run goes on: frame, its number, pose and covariance."""

    index: int
    stamp_ns: int
    T_odom_camera: Array
    covariance: Array

    @property
    def note(self) -> str:
        """What the user should know."""
        return (
            f"resumed at frame {self.index + 1}: the odometry restarts there, at the pose of frame {self.index}, "
            "without the map of the frames before"
        )

    def rest_of(self, sequence: Sequence) -> Sequence:
        """Return the sequence from this frame on."""
        return replace(sequence, entries=tuple(e for e in sequence.entries if e.stamp_ns >= self.stamp_ns))

    def check_readable(self, sequence: Sequence) -> None:
        """Raise ResumeError if this frame can no longer be read: poses after it are relative to it."""
        try:
            found = self.rest_of(sequence)[0].stamp_ns
        except SequenceError as error:
            raise ResumeError(f"Frame {self.index}, at which the run goes on, cannot be read: {error}") from error
        if found != self.stamp_ns:
            raise ResumeError(f"Frame {self.index}, at which the run goes on, is missing: run without --resume.")

    def moved(self, estimate: OdometryEstimate) -> OdometryEstimate:
        """Return an estimate of the odometry that started at this frame, in the frame odom of the whole run.

        The covariance allows for any correlation of the errors before and after, as those of the calibration have.
        """
        T = estimate.T_odom_camera
        lever = se3.translation_adjoint(self.T_odom_camera[:3, :3] @ T[:3, 3])
        turn = se3.rotation_adjoint(self.T_odom_camera[:3, :3])
        before, after = lever @ self.covariance @ lever.T, turn @ estimate.pose_covariance @ turn.T
        covariance = bounded_covariance(se3.symmetric(_sum_of_correlated(before, after)))
        return replace(estimate, T_odom_camera=self.T_odom_camera @ T, pose_covariance=covariance)


def _sum_of_correlated(a: Array, b: Array) -> Array:
    """Bound the covariance of a sum whose correlation is unknown: standard deviations add up.

    (A + B)(A + B)ᵀ <= (1 + e) A Aᵀ + (1 + 1/e) B Bᵀ for any e > 0, and the smallest trace is at e = sigma_b / sigma_a.
    Position and rotation have one e each.
    """
    sigma_a, sigma_b = (np.sqrt([np.trace(c[:3, :3]), np.trace(c[3:, 3:])]) for c in (a, b))
    gain_a, gain_b = (np.repeat(np.sqrt(1 + ratio), 3) for ratio in (sigma_b / sigma_a, sigma_a / sigma_b))
    bound: Array = a * np.outer(gain_a, gain_a) + b * np.outer(gain_b, gain_b)
    return bound


def start_of(folder: Path, identity: Mapping[str, Any], single_camera: bool) -> tuple[Journal, Seam | None] | None:
    """Return from where the run in a folder goes on; None if it is finished with a pose.

    Args:
        folder: of the run; one without a run gives an empty journal.
        identity: of the run that is asked for.
        single_camera: whether there is no metric depth.

    Raises:
        ResumeError: it is the folder of another run.
    """
    journal = Journal.read(folder)
    summary = _summary(folder) if journal is None else None
    _check_same(folder, journal.identity if journal else summary and summary["identity"], identity)
    if journal is None:
        has_pose = summary is not None and bool(MEASURED & set(summary["states"]))
        return None if has_pose else (Journal(identity), None)
    usable = (i for i, one in enumerate(journal.records) if one.state in MEASURED and one.scale_known)
    last = max(usable, default=None)
    if single_camera or last is None:
        return Journal(identity), None
    record = journal.records[last]
    seam = Seam(last, record.stamp_ns, record.T_odom_camera, journal.covariances[last])
    return journal.kept(last + 1), seam


def _summary(folder: Path) -> dict[str, Any] | None:
    """Return the summary of a finished run; None if there is none."""
    try:
        summary = load_report(folder)["summary"]
        return {**summary, "identity": dict(summary["identity"]), "states": dict(summary["states"])}
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ResumeError(f"{folder} has a {REPORT_FILE} without what --resume needs: run without it.") from error


def _check_same(folder: Path, there: Mapping[str, Any] | None, asked: Mapping[str, Any]) -> None:
    for name, value in asked.items() if there is not None else ():
        if there is not None and there.get(name) != value:
            raise ResumeError(
                f"{folder} is a run with another {name} ({_short(there.get(name))}, now {_short(value)}): repeat its "
                "command with --resume, or run with another --output."
            )


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:59]}…"
