"""Frame-by-frame visual odometry against a keyframe."""

from __future__ import annotations

from typing import Generic

from loftr_ros.matches import FeaturesT, Matcher
from loftr_ros.odometry.config import OdometryConfig
from loftr_ros.odometry.estimate import OdometryEstimate
from loftr_ros.odometry.frame import Frame


class VisualOdometry(Generic[FeaturesT]):
    """Turns frames into poses. Not thread-safe: one worker owns it."""

    def __init__(self, matcher: Matcher[FeaturesT], config: OdometryConfig | None = None) -> None:
        """Start at the origin of odom, with nothing seen yet."""
        self._matcher = matcher
        self._config = config or OdometryConfig()

    def reset(self) -> None:
        """Forget everything; the next frame is the origin of odom again."""

    def process(self, frame: Frame) -> OdometryEstimate:
        """Estimate the pose of the next frame.

        Raises:
            FrameError: the images do not fit the mode, the camera or the frames before.
            StampError: the stamp is not after that of the frame before.
        """
        raise NotImplementedError
