"""TartanAir: a trajectory P000 with image_left, image_right, depth_left (.npy, meters) and pose_left.txt."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loftr_ros.arrays import Array
from loftr_ros.errors import shortened
from loftr_ros.evaluation.trajectory import poses_of
from loftr_ros.odometry.geometry.stereo_rig import StereoRig
from loftr_ros.sequences.datasets.layout import (
    Layout,
    Options,
    images_of,
    own_camera,
    published,
    rate_note,
    read_numbers,
    rows_at,
    truth_of,
)
from loftr_ros.sequences.errors import DamagedImageError, MissingSensorError, SequenceError
from loftr_ros.sequences.images import ImageFile, StoredImage, known_depth
from loftr_ros.sequences.sequence import Entry, Sequence
from loftr_ros.sequences.stamps import stamps_at

_CAMERA, _BASELINE_M = (320.0, 320.0, 320.0, 240.0), 0.25  # of all environments
_FPS = 10.0
# Axes of the poses (x forward, y right, z down) to optical axes.
_T_NED_OPTICAL = np.array([[0, 0, 1, 0], [1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1.0]])


def is_tartanair(folder: Path) -> bool:
    """Return whether a folder is a trajectory of TartanAir."""
    return (folder / "image_left").is_dir() and (folder / "pose_left.txt").is_file()


def open_tartanair(folder: Path, options: Options) -> Sequence:
    """Open a trajectory. Raises SequenceError."""
    lefts = images_of(folder / "image_left")
    camera, own = own_camera(folder, lambda: published(folder, lefts, _CAMERA))
    fps, notes = rate_note(options.fps, _FPS)
    stamps = stamps_at(lefts, fps, folder)
    seconds = _second(folder, list(lefts), options)
    rights, depths = (seconds if options.mode == mode else {} for mode in ("stereo", "rgbd"))
    entries = tuple(
        Entry(stamp, image, rights.get(i), depths.get(i))
        for (i, image), stamp in zip(lefts.items(), stamps, strict=True)
    )
    path = folder / "pose_left.txt"
    truth, fault = truth_of(path, stamps, lambda: rows_at(path, _poses(path), list(lefts)))
    return Sequence(
        name=f"TartanAir {folder.resolve().name}",
        camera=camera,
        entries=entries,
        ground_truth=truth,
        ground_truth_fault=fault,
        depth_units_source="meters",
        rig=StereoRig.rectified(camera, _BASELINE_M) if options.mode == "stereo" else None,
        notes=(*notes, *own),
    )


def _second(folder: Path, numbers: list[int], options: Options) -> dict[int, StoredImage]:
    """Return the right or depth images by number. Raises SequenceError."""
    if options.mode == "mono":
        return {}
    name = "image_right" if options.mode == "stereo" else "depth_left"
    if not (folder / name).is_dir():
        raise MissingSensorError(f"{folder / name} is missing; use mode mono.")
    if options.mode == "stereo":
        return {i: folder / name / f"{i:06d}_right.png" for i in numbers}
    files = (folder / name / f"{i:06d}_left_depth.npy" for i in numbers)
    return {i: DepthArray(file) for i, file in zip(numbers, files, strict=True)}


def _poses(path: Path) -> Array:
    """Return T_world_camera, optical, from rows of x, y, z, qx, qy, qz, qw. Raises SequenceError, TrajectoryError."""
    table = read_numbers(path, 7)
    return poses_of(path, table[:, :3], table[:, 3:]) @ _T_NED_OPTICAL


@dataclass(frozen=True, eq=False)
class DepthArray(ImageFile):
    """A depth image in meters as an array of NumPy (.npy)."""

    def gray(self) -> NDArray[np.uint8]:
        """Raise SequenceError: depth is no image."""
        raise SequenceError(f"{self.path} is depth, and no image.")

    def depth(self, units_per_meter: float) -> NDArray[np.float32]:
        """Return (H, W) depth in meters; the unit is that of the data set."""
        return known_depth(self.as_stored(), 1.0)

    def as_stored(self) -> NDArray[Any]:
        """Read the array."""
        try:
            # Mapped, as the header of a small file may claim any size.
            depth = np.load(self.path, mmap_mode="r", allow_pickle=False)
        except OSError as error:
            raise DamagedImageError(f"{self.path} cannot be read: {error.strerror or shortened(error)}.") from error
        except Exception as error:  # of many kinds, from a damaged header
            raise DamagedImageError(f"{self.path} is no array of NumPy: {shortened(error)}.") from error
        if not isinstance(depth, np.ndarray) or depth.ndim != 2 or not depth.size or depth.dtype.kind != "f":
            raise DamagedImageError(f"{self.path} must hold a depth in meters for each pixel.")
        return np.array(depth)


TARTANAIR = Layout(is_tartanair, open_tartanair, "image_left/ and pose_left.txt (TartanAir)")
