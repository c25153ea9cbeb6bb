"""ScanNet as its SensReader exports it: color/0.jpg, depth/0.png (millimeters), pose/0.txt, intrinsic/*.txt.

Color images are larger than depth images. With depth they are resized to its size, and so is their calibration.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from loftr_ros.odometry.geometry.camera import Camera
from loftr_ros.sequences.datasets.layout import (
    Layout,
    Options,
    images_of,
    pinhole,
    rate_note,
    read_numbers,
    read_poses,
    size_of,
    truth_of,
)
from loftr_ros.sequences.errors import MissingSensorError, SequenceError
from loftr_ros.sequences.images import ImageFile, StoredImage, read_as_stored, read_gray
from loftr_ros.sequences.sequence import Entry, Sequence
from loftr_ros.sequences.stamps import stamps_at

_FPS, _UNITS_PER_METER = 30.0, 1000.0


def is_scannet(folder: Path) -> bool:
    """Return whether a folder is an exported scene of ScanNet."""
    return (folder / "color").is_dir() and (folder / "intrinsic" / "intrinsic_color.txt").is_file()


def open_scannet(folder: Path, options: Options) -> Sequence:
    """Open a scene. Raises SequenceError."""
    if options.mode == "stereo":
        raise MissingSensorError(f"{folder} is a scene of ScanNet, which has no right camera; use mode mono or rgbd.")
    colors = images_of(folder / "color")
    images: dict[int, StoredImage] = dict(colors)
    camera = _camera(folder / "intrinsic" / "intrinsic_color.txt", size_of(colors.values()))
    depths: dict[int, Path] = {}
    notes: tuple[str, ...] = ()
    if options.mode == "rgbd":
        if not (folder / "depth").is_dir():
            raise MissingSensorError(f"{folder / 'depth'} is missing; use mode mono.")
        depths = images_of(folder / "depth")
        size = size_of(depths.values())
        images = {i: ResizedImage(image, size) for i, image in colors.items() if i in depths}
        if not images:
            raise SequenceError(f"No image of {folder / 'depth'} has the number of one of color/.")
        notes = (f"color images are resized from {camera.width}x{camera.height} to {size[0]}x{size[1]}, as the depth",)
        camera = camera.scaled(*size)
    fps, rate = rate_note(options.fps, _FPS)
    stamps = stamps_at(images, fps, folder)
    # The poses are not finite where the camera was lost.
    truth, fault = truth_of(folder / "pose", stamps, lambda: read_poses(folder / "pose" / f"{i}.txt" for i in images))
    return Sequence(
        name=f"ScanNet {folder.resolve().name}",
        camera=camera,
        entries=tuple(Entry(t, images[i], depth=depths.get(i)) for i, t in zip(images, stamps, strict=True)),
        ground_truth=truth,
        ground_truth_fault=fault,
        depth_units_per_meter=options.depth_scale or _UNITS_PER_METER,
        depth_units_source="--depth-scale" if options.depth_scale else "ScanNet",
        notes=(*rate, *notes),
    )


def _camera(path: Path, size: tuple[int, int]) -> Camera:
    K = read_numbers(path)
    if K.shape not in ((3, 3), (4, 4)):
        raise SequenceError(f"{path} must hold a camera matrix of 3 or 4 rows.")
    return pinhole(path, size, K[0, 0], K[1, 1], K[0, 2], K[1, 2])


@dataclass(frozen=True, eq=False)
class ResizedImage(ImageFile):
    """An image file that is resized when it is read."""

    size: tuple[int, int]

    def gray(self) -> NDArray[np.uint8]:
        """Return the (H, W) gray image of the new size."""
        return np.asarray(cv2.resize(read_gray(self.path), self.size, interpolation=cv2.INTER_AREA), np.uint8)

    def depth(self, units_per_meter: float) -> NDArray[np.float32]:
        """Raise SequenceError: it is no depth."""
        raise SequenceError(f"{self.path} is an image, and no depth.")

    def as_stored(self) -> NDArray[Any]:
        """Return the image as it is stored, with its own size."""
        return read_as_stored(self.path)


SCANNET = Layout(is_scannet, open_scannet, "color/ and intrinsic/ (ScanNet export)")
