"""Refuses frames that the odometry cannot use, before anything is computed from them."""

from __future__ import annotations

from loftr_ros.errors import LoftrRosError


class FrameError(LoftrRosError):
    """Images that do not fit the mode, the camera or each other; the message says which."""


class StampError(FrameError):
    """A frame that is not later than the one before it."""
