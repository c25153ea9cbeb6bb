"""The error of this layer."""

from loftr_ros.errors import LoftrRosError


class SequenceError(LoftrRosError):
    """Recorded input that cannot be used; the message names the file and the fix."""
