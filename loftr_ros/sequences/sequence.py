"""A recorded sequence: where its images lie, and the frames made from them one at a time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from loftr_ros.errors import shortened
from loftr_ros.evaluation.trajectory import Trajectory
from loftr_ros.odometry.geometry.calibration_check import resize_hint, unlikely
from loftr_ros.odometry.geometry.camera import Camera
from loftr_ros.odometry.geometry.stereo_rig import StereoRig
from loftr_ros.odometry.images.frame import Frame
from loftr_ros.sequences.errors import DamagedImageError, ImageSizeError, NoFramesError, SequenceError
from loftr_ros.sequences.images import read_depth, read_grey

MAX_MISFITS = 16  # images of another size in a row at the start: the calibration is of another one, not the images


@dataclass(frozen=True)
class Entry:
    """The files of one frame, and its time in integer nanoseconds.

    Attributes:
        stamp_ns: of the image.
        image: of the left (or only) camera.
        right, depth: the image paired with it.
        offset_ns: stamp of that image minus `stamp_ns`; None if it has no stamp of its own.
    """

    stamp_ns: int
    image: Path
    right: Path | None = None
    depth: Path | None = None
    offset_ns: int | None = None


@dataclass(frozen=True)
class Sequence:
    """Frames on disk. Iterating decodes one frame after the other; nothing is kept.

    Attributes:
        name: for titles and reports.
        camera: calibration of the left (or only) camera.
        entries: what makes up each frame, in order of time.
        ground_truth: T_world_camera of that camera, in its optical frame, or None.
        ground_truth_fault: why the file that holds the ground truth cannot be used; empty if it can, or there is none.
        depth_units_per_metre: what a depth image of integers counts in; numbers with decimals are metres.
        depth_units_source: where that is from, for the user to check.
        depth_units_assumed: whether nothing tells them.
        rig: what the right camera is and where; set where the entries have right images.
        notes: what was assumed or left out when it was opened, for the user to check.
    """

    name: str
    camera: Camera
    entries: tuple[Entry, ...]
    ground_truth: Trajectory | None = None
    ground_truth_fault: str = ""
    depth_units_per_metre: float = 1000.0
    depth_units_source: str = ""
    depth_units_assumed: bool = False
    rig: StereoRig | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Raise SequenceError now for what would stop the run halfway."""
        if not self.entries:
            raise SequenceError(f"{self.name} holds no frames.")
        for entry in self.entries:
            for path in (entry.image, entry.right, entry.depth):
                if path is not None and not os.path.isfile(path):  # noqa: PTH113  see open_sequence
                    raise SequenceError(f"{shortened(path, 300)} is missing, but {self.name} lists it.")
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

    def readable(self, skipped: list[str]) -> Iterator[Frame]:
        """Decode frame after frame without those that have an image that is damaged or of another size.

        Args:
            skipped: their faults are added to it.

        Raises:
            SequenceError: an image is of a kind that cannot be used, or the first ones all have another size.
            NoFramesError: every frame has a damaged image.
        """
        first: ImageSizeError | None = None
        none_fits = True
        for i, entry in enumerate(self.entries):
            try:
                frame = self._load(entry)
            except (DamagedImageError, ImageSizeError) as error:
                skipped.append(str(error))
                if isinstance(error, ImageSizeError):
                    first = first or error
            else:
                none_fits = False
                yield frame
            if none_fits and first and i + 1 >= min(len(self), MAX_MISFITS):
                skipped.clear()
                raise first
        if none_fits:
            raise NoFramesError(f"All {len(self)} frames of {self.name} have a damaged image.")

    @property
    def calibration_warnings(self) -> tuple[str, ...]:
        """What the calibration says that hardly any camera has, each with its likely cause."""
        rig = self.rig
        return unlikely(self.camera, rig.right if rig else None, rig.baseline if rig else None)

    def every(self, stride: int) -> Sequence:
        """Return the sequence of the first frame and every `stride`-th after it."""
        if stride < 1:
            raise SequenceError(f"The stride is {stride}; it must be 1 or more.")
        return replace(self, entries=self.entries[::stride])

    def _load(self, entry: Entry) -> Frame:
        image, right, depth = read_grey(entry.image), None, None
        _check_size(image.shape, self.camera, entry.image)
        if entry.right is not None and self.rig is not None:
            right = read_grey(entry.right)
            _check_size(right.shape, self.rig.right, entry.right)
        if entry.depth is not None:
            depth = read_depth(entry.depth, self.depth_units_per_metre)
            _check_size(depth.shape, self.camera, entry.depth)
        return Frame(entry.stamp_ns, image, self.camera, right, depth, self.rig)


def _check_size(shape: tuple[int, ...], camera: Camera, path: Path) -> None:
    height, width = shape
    if (width, height) != (camera.width, camera.height):
        raise ImageSizeError(
            f"{path} has {width}x{height} pixels, but the camera has {camera.width}x{camera.height}: "
            f"all images of a sequence must have the size of the calibration{resize_hint(camera, width, height)}."
        )
