"""What the first images of a sequence say about how all of them are read, for the user to check before a long run."""

from __future__ import annotations

import re
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from loftr_ros.odometry.images.depth_counts import described
from loftr_ros.odometry.images.gray_levels import STRETCHED
from loftr_ros.sequences.errors import DamagedImageError
from loftr_ros.sequences.images import is_turned, pixel_type, read_depth
from loftr_ros.sequences.sequence import Sequence

IMAGES = 16  # that are looked at for the EXIF orientation, which may differ between them
# Names of the sequences of the TUM benchmark, whose unit is known.
_BENCHMARK = re.compile(r"freiburg|\bfr[123]\b")
# The benchmark's cameras (Kinect, Xtion) see nothing nearer than this, metres: the first hundredth of its depths is
# from 0.5 m (specified) on, 0.74 m in freiburg1_desk. Millimeters read by its unit are nearer up to 2 m.
_NEAREST_OF_BENCHMARK = 0.4


def unknown_depth_unit(sequence: Sequence) -> str | None:
    """Warn about depth images of integers whose unit nothing tells. Raises SequenceError."""
    if not sequence.depth_units_assumed or _BENCHMARK.search(sequence.name):
        return None
    found = _first_depth(sequence)
    if found is None or found[1]:
        return None
    known = found[0][found[0] > 0]
    nearest = float(np.percentile(known, 1)) if known.size else np.inf
    units = f"{sequence.depth_units_per_metre:g} counts in a meter"
    if nearest < _NEAREST_OF_BENCHMARK:
        return (
            f"depths from {nearest:.2g} m on, read as the TUM benchmark's {units}, are nearer than its camera sees: if "
            "they are in millimeters, set --depth-scale 1000, else lengths are a fifth of the true ones"
        )
    return (
        f"nothing tells the unit of the depth, which is taken to be that of the TUM benchmark, {units}: set "
        "--depth-scale or write depth_scale.txt; if it is millimeters, 1000, lengths are a fifth of the true ones"
    )


def first_look(sequence: Sequence) -> list[str]:
    """Return remarks on the depth unit, on 16 bits and on EXIF orientation. Raises SequenceError."""
    return [*_depth(sequence), *gray_levels(sequence), *orientation(sequence)]


def _depth(sequence: Sequence) -> list[str]:
    found = _first_depth(sequence)
    if found is None:
        return []
    depth, floats, name = found
    unit = f"{sequence.depth_units_per_metre:g} counts a meter ({sequence.depth_units_source})"
    return [f"depth in {'meters' if floats else unit}, {described(depth)} in {name}"]


def _first_depth(sequence: Sequence) -> tuple[NDArray[np.float32], bool, str] | None:
    """Return the first depth image that can be read, whether it is of floating-point numbers, and its name."""
    for entry in islice(sequence.entries, IMAGES):
        if entry.depth is None:
            return None
        try:
            depth = read_depth(entry.depth, sequence.depth_units_per_metre)
            return depth, pixel_type(entry.depth).kind == "f", entry.depth.name
        except DamagedImageError:
            continue
    return None


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
