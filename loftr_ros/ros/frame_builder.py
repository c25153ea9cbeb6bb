"""Messages of one moment to the frame that the odometry works on."""

from __future__ import annotations

from loftr_ros.odometry.frame import Frame
from loftr_ros.ros.calibration import Calibration
from loftr_ros.ros.camera_input import CameraMessages
from loftr_ros.ros.messages import nanoseconds
from loftr_ros.ros.streams import Stream


class FrameBuilder:
    """Makes the frames of one mode."""

    def __init__(self, streams: tuple[Stream, ...], calibration: Calibration, mode: str) -> None:
        """Take what the images of a set are, and what tells their cameras."""
        self._streams = streams
        self._calibration = calibration
        self._mode = mode

    def frame(self, messages: CameraMessages) -> Frame:
        """Return the frame of a set of messages.

        Raises:
            ImageError: an image cannot be converted.
            CameraError: a calibration cannot be used.
        """
        camera, rig = self._calibration.cameras(messages.infos)
        image, *second = (s.decode(m, s.topic) for s, m in zip(self._streams, messages.images, strict=True))
        return Frame(
            stamp_ns=nanoseconds(messages.images[0].header.stamp),
            image=image,
            camera=camera,
            right=second[0] if self._mode == "stereo" else None,
            depth=second[0] if self._mode == "rgbd" else None,
            rig=rig,
        )
