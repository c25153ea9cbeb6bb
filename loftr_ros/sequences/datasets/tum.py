"""TUM RGB-D layout: rgb.txt, depth.txt, groundtruth.txt, and additionally camera.yaml and depth_scale.txt.

associations.txt, with color and depth image in each row, replaces rgb.txt and depth.txt.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

from loftr_ros.evaluation.trajectory import read_tum
from loftr_ros.odometry.config import Mode
from loftr_ros.sequences.datasets.layout import Layout, counts_per_meter
from loftr_ros.sequences.datasets.tum_camera import camera_of
from loftr_ros.sequences.errors import MissingSensorError, NoFramesError, SequenceError
from loftr_ros.sequences.ground_truth import read_ground_truth
from loftr_ros.sequences.guessed_camera import FieldOfView
from loftr_ros.sequences.images import EXTENSIONS
from loftr_ros.sequences.pairing import MAX_DEPTH_DIFFERENCE_NS, pair_depth_stamps
from loftr_ros.sequences.sequence import Entry, Sequence
from loftr_ros.sequences.stamps import read_stamps, read_table, read_text

EXPECTED_FILES = "rgb.txt or associations.txt (TUM RGB-D)"
LISTINGS = ("rgb.txt", "associations.txt", "association.txt", "associate.txt", "assoc.txt", "rgbd_assoc.txt")
_FORMAT = "'stamp filename' a line, or in an association file 'stamp image stamp depth'"
UNITS_PER_METER = 5000.0  # of the TUM benchmark
_ASSUMED = "assumed as in the TUM benchmark"


@dataclass(frozen=True)
class Listing:
    """Images of a listing, as (stamp in nanoseconds, path), and the depth images if it is an association file."""

    files: list[tuple[int, Path]]
    depths: list[tuple[int, Path]]  # empty, or one per file
    notes: tuple[str, ...]


def is_tum(folder: Path) -> bool:
    """Return whether a folder has the layout of the TUM RGB-D benchmark."""
    return any((folder / name).is_file() for name in LISTINGS)


def open_tum(folder: Path, mode: Mode, depth_scale: float | None = None, fov: FieldOfView | None = None) -> Sequence:
    """Open a sequence folder; mode "rgbd" drops images without a depth image within 20 ms.

    Args:
        folder: of the sequence.
        mode: sensors that the frames must have.
        depth_scale: counts of an integer depth image per meter; None: that of depth_scale.txt, else 5000.
        fov: guess the calibration from it.

    Raises:
        SequenceError: a file is missing or not valid.
    """
    if mode == "stereo":
        raise MissingSensorError(f"{folder} is a TUM RGB-D sequence, which has no right camera; use mode mono.")
    images = read_listing(next(folder / name for name in LISTINGS if (folder / name).is_file()))
    entries, notes = [Entry(stamp, image) for stamp, image in images.files], images.notes
    if mode == "rgbd":
        depths = images.depths
        if not depths and not (folder / "depth.txt").exists():
            unlisted = (folder / "depth").is_dir()
            fix = f"list the images of depth/ there, one {_FORMAT}" if unlisted else "use mode mono"
            raise MissingSensorError(f"{folder} has no depth.txt, so there are no depth images; {fix}.")
        if not depths:
            listing = read_listing(folder / "depth.txt")
            depths, notes = listing.files, notes + listing.notes
        entries, pairing = with_depth(entries, depths)
        notes += pairing
    units, source = _depth_scale(folder / "depth_scale.txt", depth_scale)
    truth, fault = read_ground_truth(folder / "groundtruth.txt", read_tum)
    camera, of_camera, guess = camera_of(folder, [entry.image for entry in entries], fov)
    return Sequence(
        name=folder.resolve().name,
        camera=camera,
        entries=tuple(entries),
        ground_truth=truth,
        ground_truth_fault=fault,
        depth_units_per_meter=units,
        depth_units_source=source,
        depth_units_assumed=source == _ASSUMED,
        notes=(*of_camera, *notes),
        calibration_guess=guess,
    )


def read_listing(path: Path) -> Listing:
    """Read rows of `stamp filename`, or `stamp filename stamp filename` with color and depth. Raises SequenceError."""
    rows = read_table(path)
    if not rows or any(len(row) < 2 or _is_file_name(row[0]) for row in rows):
        raise SequenceError(f"{path} must list one {_FORMAT}.")
    if any(len(row) == 3 and "/" in row[1] and "/" in row[2] for row in rows):  # a name with a space has one
        raise SequenceError(f"{path} has two files, but one stamp in a line; it must list one {_FORMAT}.")
    if any(len(row) > 2 and row[1].isdecimal() for row in rows):  # a decimal comma was split, too
        raise SequenceError(f"{path} must list one 'stamp filename' a line, the stamp with a decimal point.")
    if any(len(row) < 4 for row in rows):
        files, notes = _stamped_files(rows, path)
        return Listing(files, [], notes)
    if any(_is_file_name(row[2]) or not _is_file_name(row[1]) for row in rows):
        raise SequenceError(f"{path} must list one {_FORMAT}.")
    pairs = [row[:2] for row in rows], [row[2:4] for row in rows]
    depth_first = all("depth" in first[1] and "depth" not in second[1] for first, second in zip(*pairs, strict=True))
    files, notes = _stamped_files(pairs[depth_first], path)
    depths, _ = _stamped_files(pairs[not depth_first], path)
    order = f"{path.name} lists the depth images first" if depth_first else ""
    return Listing(files, depths, (*notes, order) if order else notes)


def _is_file_name(word: str) -> bool:
    """Return whether a word is a file name rather than a stamp."""
    return word.lower().endswith(EXTENSIONS)


def _stamped_files(rows: list[list[str]], path: Path) -> tuple[list[tuple[int, Path]], tuple[str, ...]]:
    stamps, notes = read_stamps(rows, path)
    return [(stamp, _file(path.parent, row[1:])) for stamp, row in zip(stamps, rows, strict=True)], notes


def _file(folder: Path, words: list[str]) -> Path:
    """Return the file named by the words of a row: a name with spaces if it exists, else the first word."""
    whole = folder / " ".join(words)
    is_whole = len(words) > 1 and os.path.exists(whole)  # noqa: PTH110  see open_sequence
    path = whole if is_whole else folder / words[0]
    if "\\" in words[0] and not os.path.exists(path):  # noqa: PTH110
        return folder / words[0].replace("\\", "/")  # written on Windows
    return path


def with_depth(entries: list[Entry], depths: list[tuple[int, Path]]) -> tuple[list[Entry], tuple[str, ...]]:
    """Add the nearest depth image to each entry, and drop entries without one within 20 ms; return notes on both."""
    files = dict(reversed(depths))  # the first of two with one stamp
    pairs, notes = pair_depth_stamps([entry.stamp_ns for entry in entries], list(files), MAX_DEPTH_DIFFERENCE_NS)
    if not pairs:
        raise NoFramesError(f"No depth image is within 20 ms of an image of {entries[0].image.parent}; use mode mono.")
    paired = [(entry, pairs[entry.stamp_ns]) for entry in entries if entry.stamp_ns in pairs]
    return [replace(entry, depth=files[t], offset_ns=t - entry.stamp_ns) for entry, t in paired], notes


def _depth_scale(path: Path, given: float | None) -> tuple[float, str]:
    """Return the counts per meter, and their origin. Raises SequenceError."""
    if given is not None:
        return given, "--depth-scale"
    if not path.exists():
        return UNITS_PER_METER, _ASSUMED
    return _read_depth_scale(path), path.name


def _read_depth_scale(path: Path) -> float:
    try:
        scale = float(read_text(path))
    except (SequenceError, ValueError) as error:
        raise SequenceError(f"{path} must hold one number, the counts of depth images in a meter.") from error
    return counts_per_meter(scale, path)


TUM_RGBD = Layout(is_tum, lambda path, o: open_tum(path, o.mode, o.depth_scale, o.fov), EXPECTED_FILES)
