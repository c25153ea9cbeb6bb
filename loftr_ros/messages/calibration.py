"""The camera models of a mode, rebuilt only when a calibration message changes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from loftr_ros.messages.camera_info import CameraInfo, camera_from_info, full_camera_from_info, rig_from_infos
from loftr_ros.odometry.geometry.calibration_check import unlikely
from loftr_ros.odometry.geometry.camera import Camera
from loftr_ros.odometry.geometry.stereo_rig import StereoRig


class Calibration:
    """Caches the camera models: calibration messages arrive with every image and hardly ever change.

    Attributes:
        warning: of an implausible calibration; None if it is plausible.
    """

    def __init__(
        self,
        baseline: Callable[[CameraInfo, CameraInfo], float],
        *,
        rectified: bool,
        warn: Callable[[str], object] = lambda _: None,
        topics: Sequence[str] = (),
    ) -> None:
        """Start without a calibration.

        Args:
            baseline: returns the baseline in meters of a left and a right camera, or raises CameraError.
            rectified: whether the images are rectified.
            warn: called once with each warning.
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
        """Return the left (or only) camera, and the rig of a pair.

        Raises:
            CameraError: a calibration is missing or invalid, or the baseline is unknown.
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
        """Warn about an implausible calibration, once until the warning changes."""
        left, *right = (full_camera_from_info(info, rectified=self._rectified) for info in infos)
        warnings = [*unlikely(left, right[0] if right else None, rig.baseline if rig else None)]
        if self._named_rectified and not self._rectified and left.has_lens:
            warnings.append(
                f"{self._named_rectified[0]} is rectified according to its name, but its calibration has distortion: "
                f"set {'stereo_rectified' if right else 'rectified'} to true"
            )
        warning = "; ".join(warnings) or None
        if warning and warning != self.warning:
            self._warn(warning)
        self.warning = warning

    def _rig(self, left: CameraInfo, right: CameraInfo) -> StereoRig:
        return rig_from_infos(left, right, self._baseline(left, right), rectified=self._rectified)


def _content(info: CameraInfo) -> tuple[Any, ...]:
    """Return the content of a message that the camera models depend on."""
    frame = info.header.frame_id
    arrays = (bytes(memoryview(numbers)) for numbers in (info.d, info.k, info.r, info.p))
    roi = info.roi
    region = (roi.x_offset, roi.y_offset, roi.width, roi.height, info.binning_x, info.binning_y)
    return (frame, info.width, info.height, info.distortion_model, *region, *arrays)
