"""Journal of a run: one line of JSON for each frame as it is estimated, from which an interrupted run goes on.

It exists from the start of a run until its end, so a folder with a journal is that of an unfinished run.
"""

from __future__ import annotations

import json
import operator
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from loftr_ros.arrays import Array
from loftr_ros.evaluation.trajectory import Trajectory, is_rigid
from loftr_ros.odometry.checks.input_fault import InputFault, InputWarning
from loftr_ros.output import OutputError, writing
from loftr_ros.reports.run_log import FrameRecord
from loftr_ros.validation import refuse_pipe

JOURNAL_FILE = "run.live.jsonl"


@dataclass
class Journal:
    """What is known of an unfinished run.

    Attributes:
        identity: what the run computes, as JSON values; only the same run can go on.
        records: of the frames.
        covariances: (6, 6) of their poses.
        skipped: errors of unusable images, each with the number of frames before it.
        resumed_at: numbers of the frames at which it was resumed.
    """

    identity: Mapping[str, Any]
    records: list[FrameRecord] = field(default_factory=list)
    covariances: list[Array] = field(default_factory=list)
    skipped: list[tuple[int, str]] = field(default_factory=list)
    resumed_at: list[int] = field(default_factory=list)

    @staticmethod
    def read(folder: Path) -> Journal | None:
        """Read the journal of a folder up to its first damaged line; None if there is none."""
        path = folder / JOURNAL_FILE
        try:
            refuse_pipe(path)
            lines = path.read_text(encoding="utf-8").split("\n")
        except (OSError, ValueError):
            return None
        journal: Journal | None = None
        # The last line of a killed run may end anywhere, and a disk may damage any.
        with suppress(ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError):
            head = json.loads(lines[0])
            journal = Journal({**head["identity"]}, resumed_at=[operator.index(frame) for frame in head["resumed_at"]])
            for line in filter(None, lines[1:]):
                journal._add(json.loads(line))
        return journal

    def _add(self, entry: dict[str, Any]) -> None:
        if "skipped" in entry:
            self.skipped.append((len(self.records), str(entry["skipped"])))
            return
        covariance = np.array(entry.pop("pose_covariance"), np.float64).reshape(6, 6)
        record = _record(entry)
        if not _is_sound(record):
            raise ValueError("no record of a frame")
        is_later = not self.records or record.stamp_ns > self.records[-1].stamp_ns
        if not (is_later and is_rigid(record.T_odom_camera) and _is_covariance(covariance)):
            raise ValueError("no pose of the frame after the last one")
        self.records.append(record)
        self.covariances.append(covariance)

    @property
    def trajectory(self) -> Trajectory | None:
        """T_odom_camera of the frames; None without any."""
        if not self.records:
            return None
        stamps = np.array([record.stamp_ns for record in self.records], np.int64)
        return Trajectory(stamps, np.array([record.T_odom_camera for record in self.records]))

    def kept(self, frames: int) -> Journal:
        """Return the journal of the first frames, going on from there."""
        return Journal(
            identity=self.identity,
            records=self.records[:frames],
            covariances=self.covariances[:frames],
            skipped=[(before, text) for before, text in self.skipped if before < frames],
            resumed_at=[frame for frame in self.resumed_at if frame < frames] + [frames],
        )

    def lines(self) -> list[str]:
        """Return the lines of the file."""
        entries: list[Mapping[str, Any]] = [{"identity": self.identity, "resumed_at": self.resumed_at}]
        for index, record in enumerate(self.records):
            entries += [{"skipped": text} for before, text in self.skipped if before == index]
            entries.append(_entry(record, self.covariances[index]))
        return [json.dumps(entry) + "\n" for entry in entries]


class JournalWriter:
    """Appends to the journal of a folder; a full disk is reported when the results are written."""

    def __init__(self, folder: Path, start: Journal) -> None:
        """Write the start in place of an earlier journal. Raises OutputError."""
        self._path = folder / JOURNAL_FILE
        self._skipped = 0
        with writing(self._path) as part:
            part.write_text("".join(start.lines()), encoding="utf-8")
        try:
            self._file = self._path.open("a", buffering=1, encoding="utf-8")
        except OSError as error:
            raise OutputError(f"{self._path} cannot be written: {error.strerror}.") from error

    def __enter__(self) -> JournalWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):
            self._file.close()

    def add(self, record: FrameRecord, covariance: Array, skipped: Sequence[str]) -> None:
        """Append a frame, and the images skipped since the last one; `skipped` are all of this process."""
        entries = [{"skipped": text} for text in skipped[self._skipped :]] + [_entry(record, covariance)]
        self._skipped = len(skipped)
        with suppress(OSError):
            self._file.writelines(json.dumps(entry) + "\n" for entry in entries)

    def finish(self) -> None:
        """Remove the file: the run is finished."""
        self.__exit__(None, None, None)
        self._path.unlink(missing_ok=True)


def _entry(record: FrameRecord, covariance: Array) -> dict[str, Any]:
    return {
        **vars(record),
        "T_odom_camera": record.T_odom_camera.tolist(),
        "input_warnings": [(warning.fault.name, warning.text) for warning in record.input_warnings],
        "milliseconds": dict(record.milliseconds),
        "pose_covariance": covariance.ravel().tolist(),
    }


def _record(entry: dict[str, Any]) -> FrameRecord:
    warnings = tuple(InputWarning(InputFault[name], text) for name, text in entry["input_warnings"])
    T = np.array(entry["T_odom_camera"], np.float64).reshape(4, 4)
    remarks = tuple(entry["remarks"])
    return FrameRecord(**{**entry, "T_odom_camera": T, "remarks": remarks, "input_warnings": warnings})


def _is_sound(record: FrameRecord) -> bool:
    """Return whether all fields are of their types: the results are made of them at the end of the run."""
    counts = (record.stamp_ns, record.matches, record.inliers)
    switches = (record.keyframe, record.revisit, record.scale_known)
    # The standard deviation of the focal length is infinite until it is known.
    figures = (record.speed, record.position_sigma, record.rotation_sigma_deg, record.focal_sigma)
    texts = (record.state, record.lost_reason or "", *record.remarks, *(w.text for w in record.input_warnings))
    return (
        all(type(count) is int and abs(count) < 2**63 for count in counts)
        and all(isinstance(switch, bool) for switch in switches)
        and all(_is_figure(figure) for figure in (*figures, *record.milliseconds.values()))
        and all(isinstance(text, str) for text in texts)
    )


def _is_figure(value: Any) -> bool:
    """Return whether a value is a number that a float holds."""
    return isinstance(value, float) or (isinstance(value, int) and abs(value) < 2**63)


def _is_covariance(matrix: Array) -> bool:
    """Return whether a (6, 6) matrix is symmetric and positive definite, as those of estimates are."""
    is_symmetric = np.isfinite(matrix).all() and np.allclose(matrix, matrix.T, rtol=1e-6, atol=0)
    return bool(is_symmetric and np.linalg.eigvalsh(matrix)[0] > 0)
