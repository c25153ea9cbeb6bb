"""TUM RGB-D layout: rgb.txt, depth.txt, groundtruth.txt, and beside them camera.yaml and depth_scale.txt."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from loftr_ros.odometry.config import Mode
from loftr_ros.odometry.trajectory import read_tum
from loftr_ros.sequences.camera_yaml import read_calibration
from loftr_ros.sequences.errors import NoFramesError, SequenceError
from loftr_ros.sequences.ground_truth import read_ground_truth
from loftr_ros.sequences.sequence import Entry, Sequence
from loftr_ros.sequences.stamps import read_rows, read_stamps

LOOKED_FOR = "rgb.txt (TUM RGB-D)"
MAX_STAMP_DIFFERENCE_NS = 20_000_000
UNITS_PER_METRE = 5000.0  # of the benchmark's own depth images

Listing = list[tuple[int, Path]]


def is_tum(folder: Path) -> bool:
    """Whether a folder looks like a sequence of the TUM RGB-D benchmark."""
    return (folder / "rgb.txt").is_file()


def open_tum(folder: Path, mode: Mode) -> Sequence:
    """Open a sequence; with mode "rgbd", images without a depth image within 20 ms are left out.

    Raises:
        SequenceError: something is missing or cannot be used.
    """
    if mode == "stereo":
        raise SequenceError(f"{folder} is a TUM RGB-D sequence, which has no right camera; use mode mono.")
    entries = [Entry(stamp, image) for stamp, image in _read_listing(folder / "rgb.txt")]
    if mode == "rgbd":
        entries = _with_depth(entries, _read_listing(folder / "depth.txt"))
    truth, fault = read_ground_truth(folder / "groundtruth.txt", read_tum)
    return Sequence(
        name=folder.resolve().name,
        camera=read_calibration(folder / "camera.yaml").raw,
        entries=tuple(entries),
        ground_truth=truth,
        ground_truth_fault=fault,
        depth_units_per_metre=_read_depth_scale(folder / "depth_scale.txt"),
    )


def _read_listing(path: Path) -> Listing:
    """Read rows of `stamp filename`."""
    rows = read_rows(path)
    if not rows or any(len(row) < 2 for row in rows):
        raise SequenceError(f"{path} must list one 'stamp filename' a line.")
    return [(stamp, path.parent / row[1]) for stamp, row in zip(read_stamps(rows, path), rows, strict=True)]


def _with_depth(entries: list[Entry], depths: Listing) -> list[Entry]:
    """Add to each entry the depth image nearest in time; drop those that have none near enough."""
    stamps = np.array([stamp for stamp, _ in depths], np.int64)
    nearest = [int(np.abs(stamps - entry.stamp_ns).argmin()) for entry in entries]
    paired = [
        Entry(entry.stamp_ns, entry.image, depth=depths[i][1])
        for entry, i in zip(entries, nearest, strict=True)
        if abs(depths[i][0] - entry.stamp_ns) <= MAX_STAMP_DIFFERENCE_NS
    ]
    if not paired:
        raise NoFramesError(f"No depth image is within 20 ms of an image of {entries[0].image.parent}; use mode mono.")
    return paired


def _read_depth_scale(path: Path) -> float:
    if not path.exists():
        return UNITS_PER_METRE
    try:
        scale = float(path.read_text())
    except (OSError, ValueError) as error:
        raise SequenceError(f"{path} must hold one number, the depth units per metre.") from error
    if not 0 < scale < np.inf:
        raise SequenceError(f"{path} holds {scale}; the depth units per metre must be above 0, and finite.")
    return scale
