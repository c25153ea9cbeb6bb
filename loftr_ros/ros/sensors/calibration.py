"""The cameras of a mode, made anew only when a calibration message says something else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sensor_msgs.msg import CameraInfo

from loftr_ros.odometry.geometry.calibration_check import unlikely
from loftr_ros.odometry.geometry.camera import Camera
from loftr_ros.odometry.geometry.stereo_rig import StereoRig
from loftr_ros.ros.messages.conversions import camera_from_info, full_camera_from_info, rig_from_infos


class Calibration:
    """Remembers what the last calibration messages said: they come with every image, and hardly ever change."""

    def __init__(
        self,
        baseline: Callable[[CameraInfo, CameraInfo], float],
        *,
        rectified: bool,
        warn: Callable[[str], object] = lambda _: None,
        topics: Sequence[str] = (),
    ) -> None:
        """Start with none.

        Args:
            baseline: tells the distance in metres of a left and a right camera, or raises CameraError.
            rectified: whether the images are.
            warn: told once of a calibration that is unlikely.
            topics: of the images.
        """
        self.warning: str | None = None
        self._baseline = baseline
        self._warn = warn
        self._rectified = rectified
        self._named_rectified = [topic for topic in topics if topic.rpartition("/")[2].startswith("image_rect")]
        self._content: list[Any] | None = None
        self._cameras: tuple[Camera, StereoRig | None] | None = None

    def cameras(self, infos: tuple[CameraInfo, ...]) -> tuple[Camera, StereoRig | None]:
        """Return the left (or only) camera, and for the messages of a pair the rig.

        Raises:
            CameraError: a calibration is missing or impossible, or nothing tells the baseline.
        """
        content = [_content(info) for info in infos]
        if self._cameras is None or content != self._content:
            left, *right = infos
            camera = camera_from_info(left, rectified=self._rectified)
            rig = self._rig(left, right[0]) if right else None
            self._check(infos, rig)
            self._cameras, self._content = (camera, rig), content
        return self._cameras

    def _check(self, infos: tuple[CameraInfo, ...], rig: StereoRig | None) -> None:
        """Log what is unlikely, once until it changes."""
        left, *right = (full_camera_from_info(info, rectified=self._rectified) for info in infos)
        doubts = [*unlikely(left, right[0] if right else None, rig.baseline if rig else None)]
        if self._named_rectified and not self._rectified and left.distortion.any():
            doubts.append(
                f"{self._named_rectified[0]} has rectified images by its name, but its calibration has distortion: "
                f"set {'stereo_rectified' if right else 'rectified'} to true"
            )
        doubt = "; ".join(doubts) or None
        if doubt and doubt != self.warning:
            self._warn(doubt)
        self.warning = doubt

    def _rig(self, left: CameraInfo, right: CameraInfo) -> StereoRig:
        return rig_from_infos(left, right, self._baseline(left, right), rectified=self._rectified)


def _content(info: CameraInfo) -> tuple[Any, ...]:
    """All of a message that cameras are made of."""
    frame = info.header.frame_id
    arrays = (bytes(memoryview(numbers)) for numbers in (info.d, info.k, info.r, info.p))
    roi = info.roi
    region = (roi.x_offset, roi.y_offset, roi.width, roi.height, info.binning_x, info.binning_y)
    return (frame, info.width, info.height, info.distortion_model, *region, *arrays)
