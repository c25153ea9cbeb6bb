"""A run as a recording for the viewer Rerun: camera, image, matches, points, trajectory and figures over time."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from loftr_ros.arrays import Array
from loftr_ros.evaluation.trajectory import Trajectory
from loftr_ros.odometry.estimate import OdometryEstimate
from loftr_ros.odometry.images.frame import Frame
from loftr_ros.output import OutputError, check_writable
from loftr_ros.reports.anchored_truth import AnchoredTruth
from loftr_ros.reports.drawing import confidence_colors

INSTALL = "pip install 'loftr_ros[rerun]', or pip install rerun-sdk"
_WORLD, _CAMERA, _IMAGE = "odom", "odom/camera", "odom/camera/image"
_ESTIMATE, _TRUTH, _OUTLIER = (0, 114, 178), (242, 178, 92), (230, 60, 60)  # RGB
_QUALITY = 80  # of the JPEG images
# The paths are written whenever they have grown by this factor, and not in every frame.
_GROWTH = 1.25


def rerun_for(path: Path) -> Any:
    """Return the module rerun, to write this file. Raises OutputError."""
    if path.suffix.lower() != ".rrd":
        raise OutputError(f"{path} cannot be written: a recording of Rerun is written as .rrd.")
    try:
        return importlib.import_module("rerun")
    except ImportError as error:
        raise OutputError(f"--rerun needs the package rerun-sdk ({error}): {INSTALL}.") from error


@contextmanager
def recording_rerun(path: Path, name: str, truth: Trajectory | None) -> Iterator[RerunRecorder]:
    """Yield a recording to write to; it is kept if the run ends early.

    Args:
        path: file to write.
        name: of the sequence.
        truth: ground truth, or None.

    Raises:
        OutputError: it cannot be written, or Rerun is not installed.
    """
    rerun = rerun_for(path)
    check_writable(path, "wb")
    recorder = RerunRecorder(rerun, path, name, truth)
    try:
        yield recorder
    finally:
        recorder.finish()


class RerunRecorder:
    """Writes each frame at the time of its stamp."""

    def __init__(self, rerun: Any, path: Path, name: str, truth: Trajectory | None) -> None:
        """Open the file; `rerun` is the module."""
        self._rerun, self._truth = rerun, AnchoredTruth(truth)
        self._stream = rerun.RecordingStream(f"loftr_ros: {name}")
        self._stream.save(path)
        # Camera axes: x right, y down, z forward.
        self._stream.log(_WORLD, rerun.ViewCoordinates.RDF, static=True)
        self._path: list[Array] = []
        self._written = 0  # poses in the last path

    def add(self, frame: Frame, estimate: OdometryEstimate) -> None:
        """Write a frame."""
        rerun, log, T = self._rerun, self._stream.log, estimate.T_odom_camera
        self._stream.set_time("stamp", duration=np.timedelta64(estimate.stamp_ns, "ns"))
        log(_CAMERA, rerun.Transform3D(translation=T[:3, 3], mat3x3=T[:3, :3]))
        camera = frame.camera
        log(_IMAGE, rerun.Pinhole(image_from_camera=camera.K, resolution=[camera.width, camera.height]))
        _, jpeg = cv2.imencode(".jpg", frame.image, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
        log(_IMAGE, rerun.EncodedImage(contents=jpeg.tobytes(), media_type="image/jpeg"))
        rgb = np.where(
            estimate.inliers[:, None], confidence_colors(estimate.matches.confidence)[:, ::-1], _OUTLIER
        ).astype(np.uint8)
        log(f"{_IMAGE}/matches", rerun.Points2D(estimate.matches.points_b, colors=rgb, radii=2.0))
        if estimate.is_keyframe and estimate.landmarks is not None:
            points = estimate.landmarks.points()
            log(f"{_CAMERA}/points", rerun.Points3D(points[np.isfinite(points).all(axis=1) & estimate.inliers]))
        ratio = estimate.num_inliers / max(estimate.num_matches, 1)
        log("figures/inlier_ratio", rerun.Scalars([ratio]))
        log("figures/state", rerun.TextLog(", ".join([estimate.state.value, *estimate.remarks])))
        self._path.append(T[:3, 3])
        self._truth.add(estimate)
        if len(self._path) >= _GROWTH * self._written:
            self._write_paths()

    def finish(self) -> None:
        """Write the whole paths, and close the file."""
        if len(self._path) > self._written:
            self._write_paths()
        self._stream.flush()
        self._stream.disconnect()

    def _write_paths(self) -> None:
        for name, path, color in (("trajectory", self._path, _ESTIMATE), ("ground_truth", self._truth.path, _TRUTH)):
            if len(path) > 1:
                self._stream.log(f"{_WORLD}/{name}", self._rerun.LineStrips3D([np.array(path)], colors=[color]))
        self._written = len(self._path)
