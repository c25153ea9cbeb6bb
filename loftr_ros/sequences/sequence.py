"""A recorded sequence: where its images lie, and the frames made from them one at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from loftr_ros.odometry.camera import Camera
from loftr_ros.odometry.frame import Frame
from loftr_ros.odometry.trajectory import Trajectory
from loftr_ros.sequences.errors import SequenceError
from loftr_ros.sequences.images import read_depth, read_grey
from loftr_ros.sequences.rectification import Rectification


@dataclass(frozen=True)
class Entry:
    """The files of one frame, and its time in integer nanoseconds."""

    stamp_ns: int
    image: Path
    right: Path | None = None
    depth: Path | None = None


@dataclass(frozen=True)
class Sequence:
    """Frames on disk. Iterating decodes one frame after the other; nothing is kept.

    Attributes:
        name: for titles and reports.
        camera: calibration of the frames that come out: of the left (or only) camera, rectified if `rectification`.
        entries: what makes up each frame, in order of time.
        ground_truth: T_world_camera of that camera, in its optical frame, or None.
        depth_units_per_metre: what a depth image counts in.
        rectification: how a raw stereo pair is rectified, or None if it already is.
    """

    name: str
    camera: Camera
    entries: tuple[Entry, ...]
    ground_truth: Trajectory | None = None
    depth_units_per_metre: float = 1000.0
    rectification: Rectification | None = None

    def __post_init__(self) -> None:
        """Raise SequenceError now for what would stop the run halfway."""
        for entry in self.entries:
            for path in (entry.image, entry.right, entry.depth):
                if path is not None and not path.is_file():
                    raise SequenceError(f"{path} is missing, but {self.name} lists it.")
        for before, after in zip(self.entries, self.entries[1:], strict=False):
            if after.stamp_ns <= before.stamp_ns:
                raise SequenceError(f"The stamp of {after.image} is not after that of {before.image.name}.")

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, index: int) -> Frame:
        """Decode one frame. Raises SequenceError as iterating does."""
        return self._load(self.entries[index])

    def __iter__(self) -> Iterator[Frame]:
        """Decode frame after frame. Raises SequenceError for an image that cannot be read or has another size."""
        return map(self._load, self.entries)

    def every(self, stride: int) -> Sequence:
        """Return the sequence of the first frame and every `stride`-th after it."""
        if stride < 1:
            raise SequenceError(f"The stride is {stride}; it must be 1 or more.")
        return replace(self, entries=self.entries[::stride])

    def _load(self, entry: Entry) -> Frame:
        image = self._checked(read_grey(entry.image), entry.image)
        right = None if entry.right is None else self._checked(read_grey(entry.right), entry.right)
        if self.rectification is not None and right is not None:
            image, right = self.rectification.apply(image, right)
        depth = None
        if entry.depth is not None:
            depth = read_depth(entry.depth, self.depth_units_per_metre)
            self._check_size(depth.shape, entry.depth)
        return Frame(entry.stamp_ns, image, self.camera, right, depth)

    def _checked(self, image: NDArray[np.uint8], path: Path) -> NDArray[np.uint8]:
        self._check_size(image.shape, path)
        return image

    def _check_size(self, shape: tuple[int, ...], path: Path) -> None:
        height, width = shape
        if (width, height) != (self.camera.width, self.camera.height):
            raise SequenceError(
                f"{path} has {width}x{height} pixels, but the camera has {self.camera.width}x{self.camera.height}: "
                "all images of a sequence must have the size of the calibration."
            )
