"""The errors of this layer."""

from loftr_ros.errors import LoftrRosError


class SequenceError(LoftrRosError):
    """Recorded input that cannot be used; the message names the file and the fix."""


class NoFramesError(SequenceError):
    """Recorded input that can be read, but no image of one camera has one of the other at its time."""

    exit_code = 1


class MissingSensorError(SequenceError):
    """A mode that needs a right camera or depth images, and a source that has none: another mode may be fine."""


class DamagedImageError(SequenceError):
    """One image file that cannot be read or decoded; the others may be fine."""


class ImageSizeError(SequenceError):
    """One image of another size than the calibration; the others may be fine."""
