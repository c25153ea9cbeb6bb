"""Conversion of synchronized messages to the frames of the odometry."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from numpy.typing import NDArray
from sensor_msgs.msg import CameraInfo

from loftr_ros.errors import quoted
from loftr_ros.messages.calibration import Calibration
from loftr_ros.messages.image_decoding import check_claimed_size
from loftr_ros.odometry.geometry.camera import Camera, CameraError
from loftr_ros.odometry.images.frame import Frame
from loftr_ros.ros.messages.time import nanoseconds
from loftr_ros.ros.sensors.camera_subscriber import CameraMessages
from loftr_ros.ros.sensors.streams import Stream


class FrameBuilder:
    """Converts the messages of one mode.

    Attributes:
        warning: of depth that is not registered to the images; None otherwise.
    """

    def __init__(
        self,
        streams: tuple[Stream, ...],
        calibration: Calibration,
        mode: str,
        warn: Callable[[str], object] = lambda _: None,
    ) -> None:
        """Set up the conversion.

        Args:
            streams: of the mode.
            calibration: of the cameras.
            mode: decides what the second image is.
            warn: called once with the warning.
        """
        self.warning: str | None = None
        self._streams = streams
        self._calibration = calibration
        self._mode = mode
        self._warn = warn

    def frame(self, messages: CameraMessages) -> Frame:
        """Return the frame of a set of messages.

        Raises:
            ImageError: an image cannot be converted.
            CameraError: a calibration cannot be used.
        """
        camera, rig = self._calibration.cameras(messages.infos)
        for stream, message, info in zip(self._streams, messages.images, _per_image(messages), strict=True):
            check_claimed_size(message, stream.topic, info.width, info.height)
        image, *second = (s.decode(m, s.topic) for s, m in zip(self._streams, messages.images, strict=True))
        _check_read_out(image, messages.infos[0], camera, self._streams[0].topic)
        if self._mode == "rgbd":
            self._check_registration(messages)
        return Frame(
            stamp_ns=nanoseconds(messages.images[0].header.stamp),
            image=image,
            camera=camera,
            right=second[0] if self._mode == "stereo" else None,
            depth=second[0] if self._mode == "rgbd" else None,
            rig=rig,
        )

    def _check_registration(self, messages: CameraMessages) -> None:
        """Warn about depth in the frame of another camera, once until that changes."""
        frame, depth_frame = (message.header.frame_id.lstrip("/") for message in messages.images)
        warning = None
        if depth_frame and frame != depth_frame:
            warning = (
                f"the depth images on {self._streams[1].topic} are in the frame {quoted(depth_frame)}, the "
                f"images in {quoted(frame)}: subscribe to depth that is registered (aligned) to the images"
            )
        if warning and warning != self.warning:
            self._warn(warning)
        self.warning = warning


def _per_image(messages: CameraMessages) -> Sequence[CameraInfo]:
    """Return the calibration of each image; that of depth is that of the images, to which it is registered."""
    return (*messages.infos, *messages.infos[:1])[: len(messages.images)]


def _check_read_out(image: NDArray[Any], info: CameraInfo, camera: Camera, topic: str) -> None:
    """Raise CameraError for full images whose calibration has binning or a region of interest."""
    if image.shape == (info.height, info.width) != (camera.height, camera.width):
        raise CameraError(
            f"The images on {topic} are {info.width}x{info.height}, the full size of their camera info, but its "
            f"binning and roi make them {camera.width}x{camera.height}: set width, height, K and P to those of the "
            "full image (REP-104), or binning_x, binning_y and roi to 0 if they are those of the images."
        )
