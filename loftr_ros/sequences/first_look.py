"""What the first images of a sequence say about how all of them are read, for the user to check before a long run."""

from __future__ import annotations

from itertools import islice

import numpy as np

from loftr_ros.odometry.depth_image import described
from loftr_ros.odometry.gray_levels import STRETCHED
from loftr_ros.sequences.errors import DamagedImageError
from loftr_ros.sequences.images import is_turned, pixel_type, read_depth
from loftr_ros.sequences.sequence import Sequence

IMAGES = 16  # that are looked at for the EXIF orientation, which may differ between them


def first_look(sequence: Sequence) -> list[str]:
    """Return remarks on the depth unit, on 16 bits and on EXIF orientation. Raises SequenceError."""
    return [*_depth(sequence), *gray_levels(sequence), *orientation(sequence)]


def _depth(sequence: Sequence) -> list[str]:
    for entry in islice(sequence.entries, IMAGES):
        if entry.depth is None:
            return []
        try:
            depth = read_depth(entry.depth, sequence.depth_units_per_metre)
            floats = pixel_type(entry.depth).kind == "f"
        except DamagedImageError:
            continue
        unit = f"{sequence.depth_units_per_metre:g} counts a meter ({sequence.depth_units_source})"
        return [f"depth in {'meters' if floats else unit}, {described(depth)} in {entry.depth.name}"]
    return []


def gray_levels(sequence: Sequence) -> list[str]:
    """Tell that images of 16 bits lose levels. Raises SequenceError."""
    try:
        sixteen = pixel_type(sequence.entries[0].image) == np.uint16
    except DamagedImageError:
        return []
    return [STRETCHED] if sixteen else []


def orientation(sequence: Sequence) -> list[str]:
    """Tell that the EXIF orientation of an image is ignored. Raises SequenceError."""
    for entry in islice(sequence.entries, IMAGES):
        try:
            if is_turned(entry.image):
                return [f"the EXIF orientation of {entry.image.name} is ignored: images stay as the camera made them"]
        except DamagedImageError:
            continue
    return []
