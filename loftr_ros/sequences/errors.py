"""Errors of recorded sequences."""

from loftr_ros.errors import LoftrRosError


class SequenceError(LoftrRosError):
    """A recorded sequence that cannot be used; the message names the file and the fix."""


class NoFramesError(SequenceError):
    """A readable sequence without frames: images of both sensors do not pair, or all are damaged."""

    exit_code = 1


class MissingSensorError(SequenceError):
    """The mode needs a right camera or depth images, which the sequence lacks; another mode may work."""


class DamagedImageError(SequenceError):
    """An image file that cannot be read or decoded; others may be valid."""


class ImageSizeError(SequenceError):
    """An image whose size differs from that of the calibration; others may be valid."""
