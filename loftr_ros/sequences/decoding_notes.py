"""Notes on depth unit, bit depth and EXIF orientation, from the first images of a sequence.

They tell the user before a long run how the images are interpreted.
"""

from __future__ import annotations

import re
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from loftr_ros.odometry.images.depth_counts import described
from loftr_ros.odometry.images.gray_levels import STRETCHED
from loftr_ros.sequences.errors import DamagedImageError
from loftr_ros.sequences.images import has_exif_rotation, pixel_type, read_depth
from loftr_ros.sequences.sequence import Sequence

MAX_IMAGES = 16  # that are checked: the EXIF orientation may differ between them
# Names of sequences of the TUM benchmark, whose depth unit is known.
_BENCHMARK = re.compile(r"freiburg|\bfr[123]\b")
# Lower bound of the 1 % quantile of depth in the benchmark, meters: the cameras (Kinect, Xtion) are specified from
# 0.5 m, and freiburg1_desk has 0.74 m. Depths up to 2 m in millimeters, read in its unit, are below.
_MIN_BENCHMARK_DEPTH_M = 0.4


def depth_unit_warning(sequence: Sequence) -> str | None:
    """Return a warning if the unit of integer depth images is unknown, else None. Raises SequenceError."""
    if not sequence.depth_units_assumed or _BENCHMARK.search(sequence.name):
        return None
    found = _first_depth(sequence)
    if found is None:
        return None
    depth, is_metric, _ = found
    if is_metric:
        return None
    valid = depth[depth > 0]
    nearest = float(np.percentile(valid, 1)) if valid.size else np.inf
    units = f"{sequence.depth_units_per_meter:g} counts in a meter"
    if nearest < _MIN_BENCHMARK_DEPTH_M:
        return (
            f"depths from {nearest:.2g} m on, read as the TUM benchmark's {units}, are nearer than its camera sees: if "
            "they are in millimeters, set --depth-scale 1000, else lengths are a fifth of the true ones"
        )
    return (
        f"nothing tells the unit of the depth, which is taken to be that of the TUM benchmark, {units}: set "
        "--depth-scale or write depth_scale.txt; if it is millimeters, 1000, lengths are a fifth of the true ones"
    )


def decoding_notes(sequence: Sequence) -> list[str]:
    """Return notes on depth unit, bit depth and EXIF orientation. Raises SequenceError."""
    return [*_depth_unit(sequence), *bit_depth(sequence), *exif_orientation(sequence)]


def _depth_unit(sequence: Sequence) -> list[str]:
    found = _first_depth(sequence)
    if found is None:
        return []
    depth, is_metric, name = found
    unit = f"{sequence.depth_units_per_meter:g} counts a meter ({sequence.depth_units_source})"
    return [f"depth in {'meters' if is_metric else unit}, {described(depth)} in {name}"]


def _first_depth(sequence: Sequence) -> tuple[NDArray[np.float32], bool, str] | None:
    """Return the first readable depth image, meters, whether it is stored as floating point, and its file name."""
    for entry in islice(sequence.entries, MAX_IMAGES):
        if entry.depth is None:
            return None
        try:
            depth = read_depth(entry.depth, sequence.depth_units_per_meter)
            return depth, pixel_type(entry.depth).kind == "f", entry.depth.name
        except DamagedImageError:
            continue
    return None


def bit_depth(sequence: Sequence) -> list[str]:
    """Return a note if images have 16 bits, which are scaled to 8. Raises SequenceError."""
    try:
        sixteen = pixel_type(sequence.entries[0].image) == np.uint16
    except DamagedImageError:
        return []
    return [STRETCHED] if sixteen else []


def exif_orientation(sequence: Sequence) -> list[str]:
    """Return a note if an image has an EXIF orientation, which is ignored. Raises SequenceError."""
    for entry in islice(sequence.entries, MAX_IMAGES):
        try:
            if has_exif_rotation(entry.image):
                return [f"the EXIF orientation of {entry.image.name} is ignored: images stay as the camera made them"]
        except DamagedImageError:
            continue
    return []
