"""The last frames and estimates, kept in memory; `record_failure` writes a bag that `loftr-ros run` replays."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loftr_ros import __version__
from loftr_ros.errors import LoftrRosError
from loftr_ros.odometry.estimate import OdometryEstimate
from loftr_ros.odometry.images.frame import Frame
from loftr_ros.output import make_new_folder, writing
from loftr_ros.ros.parameters.table import VoParameters

BAG_FILE, ESTIMATES_FILE = "frames.mcap", "estimates.json"


class FailureRecordError(LoftrRosError):
    """There is nothing to record."""


@dataclass
class _Kept:
    """A frame, the message of its error, or the figures of its estimate; neither if it is in work."""

    frame: Frame
    size: int
    result: Mapping[str, Any]


class FailureRecord:
    """A ring of frames, bounded in bytes. The worker adds to it; any thread may write it."""

    def __init__(self, capacity: int) -> None:
        """Keep the newest frames of up to `capacity` bytes; 0 keeps none."""
        self._capacity = capacity
        self._kept: deque[_Kept] = deque()
        self._size = 0

    def add(self, frame: Frame) -> None:
        """Add the next frame, before it is processed; another camera or an earlier time restarts the record."""
        size = sum(image.nbytes for image in (frame.image, frame.right, frame.depth) if image is not None)
        if self._kept:
            last = self._kept[-1].frame
            if frame.stamp_ns <= last.stamp_ns or frame.camera is not last.camera or frame.rig is not last.rig:
                self._kept, self._size = deque(), 0
        while self._kept and self._size + size > self._capacity:
            self._size -= self._kept.popleft().size
        if size <= self._capacity:
            # A copy, as a frame also keeps the structure tensor of its image.
            kept = Frame(frame.stamp_ns, frame.image, frame.camera, frame.right, frame.depth, frame.rig)
            self._kept.append(_Kept(kept, size, {}))
            self._size += size

    def add_estimate(self, estimate: OdometryEstimate) -> None:
        """Add the result of the frame that was added last."""
        if self._kept and self._kept[-1].frame.stamp_ns == estimate.stamp_ns:
            self._kept[-1].result = _figures(estimate)

    def add_error(self, message: str) -> None:
        """Add why the frame that was added last has no estimate."""
        if self._kept and not self._kept[-1].result:
            self._kept[-1].result = {"error": message}

    def write(self, parent: Path, parameters: VoParameters) -> str:
        """Write the frames into a new folder of `parent`; returns a message with the command that replays them.

        Raises:
            FailureRecordError: there are no frames.
            OutputError: the folder cannot be written.
        """
        from loftr_ros.sequences.recordings.sequence_bag import write_sequence  # takes a second

        kept = list(self._kept)  # an atomic copy
        if not kept:
            hint = "no frame arrived" if self._capacity else "set record_failure_memory and start the node again"
            raise FailureRecordError(f"there are no frames to record: {hint}")
        folder = make_new_folder(parent, f"failure_{kept[-1].frame.stamp_ns}")
        compressed = parameters.mode != "rgbd"  # depth stays raw, and both have one transport
        write_sequence(folder / BAG_FILE, (one.frame for one in kept), None, compressed=compressed)
        content = {
            "version": __version__,
            "parameters": asdict(parameters),
            "frames": [{"stamp_ns": one.frame.stamp_ns, **one.result} for one in kept],
        }
        with writing(folder / ESTIMATES_FILE) as path:
            path.write_text(json.dumps(content, indent=1) + "\n")
        seconds = 1e-9 * (kept[-1].frame.stamp_ns - kept[0].frame.stamp_ns)
        return (
            f"wrote {len(kept)} frames of {seconds:.1f} s; replay them: "
            f"loftr-ros run {folder / BAG_FILE} --mode {parameters.mode}"
        )


def _figures(estimate: OdometryEstimate) -> dict[str, Any]:
    return {
        "state": estimate.state.value,
        "remarks": estimate.remarks,
        "matches": estimate.num_matches,
        "inliers": estimate.num_inliers,
        "keyframe": estimate.is_keyframe,
        "T_odom_camera": _numbers(estimate.T_odom_camera),
        "position_sigmas": _numbers(np.sqrt(np.diag(estimate.pose_covariance)[:3])),
        "twist": _numbers(estimate.twist),
        "milliseconds": {stage: round(value, 3) for stage, value in estimate.timings_ms.items()},
    }


def _numbers(array: NDArray[np.float64]) -> list[float]:
    return [float(f"{value:.9g}") for value in np.ravel(array)]
