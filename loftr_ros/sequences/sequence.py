"""A recorded sequence: images with stamps and calibration, decoded frame by frame."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace

from loftr_ros.errors import shortened
from loftr_ros.evaluation.trajectory import Trajectory, why_no_stamp
from loftr_ros.odometry.geometry.calibration_check import resize_hint, unlikely
from loftr_ros.odometry.geometry.camera import Camera
from loftr_ros.odometry.geometry.stereo_rig import StereoRig
from loftr_ros.odometry.images.frame import Frame
from loftr_ros.sequences.errors import DamagedImageError, ImageSizeError, NoFramesError, SequenceError
from loftr_ros.sequences.images import RecordedImage, StoredImage, read_depth, read_gray

MAX_SIZE_MISMATCHES = 16  # at the start of a sequence, after which the calibration is likely wrong, not the images


@dataclass(frozen=True)
class Entry:
    """The images of one frame: files, or images inside of a recording.

    Attributes:
        stamp_ns: of the image, nanoseconds.
        image: of the left (or only) camera.
        right, depth: paired right or depth image.
        offset_ns: stamp of the paired image minus `stamp_ns`; None if it has no own stamp.
    """

    stamp_ns: int
    image: StoredImage
    right: StoredImage | None = None
    depth: StoredImage | None = None
    offset_ns: int | None = None


@dataclass(frozen=True)
class Sequence:
    """A recorded sequence on disk. Iterating decodes one frame at a time; no frame is kept.

    Attributes:
        name: for titles and reports.
        camera: calibration of the left (or only) camera.
        entries: files of each frame, in order of time.
        ground_truth: T_world_camera of the optical frame of that camera, or None.
        ground_truth_fault: error of a ground truth file that is not valid, else empty.
        depth_units_per_meter: counts of an integer depth image per meter; floating-point depth is in meters.
        depth_units_source: origin of that unit, for the user.
        depth_units_assumed: whether that unit is unknown, so the default of the layout is assumed.
        rig: stereo calibration, if the entries have right images.
        wheels: T_odom_base by the wheels of the robot, if the recording has it and it was asked for.
        notes: assumptions and dropped images, for the user.
        calibration_guess: what the calibration was guessed from; empty for a real one.
    """

    name: str
    camera: Camera
    entries: tuple[Entry, ...]
    ground_truth: Trajectory | None = None
    ground_truth_fault: str = ""
    depth_units_per_meter: float = 1000.0
    depth_units_source: str = ""
    depth_units_assumed: bool = False
    rig: StereoRig | None = None
    wheels: Trajectory | None = None
    notes: tuple[str, ...] = ()
    calibration_guess: str = ""

    def __post_init__(self) -> None:
        """Raise SequenceError for missing files and for stamps out of order or range: a run would stop halfway."""
        if not self.entries:
            raise SequenceError(f"{self.name} holds no frames.")
        for entry in self.entries:
            for path in (entry.image, entry.right, entry.depth):
                if path is None or isinstance(path, RecordedImage):
                    continue
                if not os.path.isfile(path):  # noqa: PTH113  see open_sequence
                    fix = (
                        "restore it, or remove the left image of its pair"
                        if path == entry.right
                        else "names in lists are relative to the folder of the list"
                    )
                    raise SequenceError(f"{shortened(path, 300)} is missing, but {self.name} lists it: {fix}.")
        for before, after in zip(self.entries, self.entries[1:], strict=False):
            if after.stamp_ns <= before.stamp_ns:
                fault = _order_fault(before, after)
                raise SequenceError(f"The stamp of {after.image} is not after that of {before.image.name}: {fault}.")
        for entry in (self.entries[0], self.entries[-1]):
            if reason := why_no_stamp(entry.stamp_ns / 1e9):
                raise SequenceError(f"The stamp of {entry.image} is {entry.stamp_ns / 1e9:.9g}, but {reason}.")

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, index: int) -> Frame:
        """Decode one frame. Raises SequenceError for an image that cannot be decoded or has another size."""
        return self._load(self.entries[index])

    def __iter__(self) -> Iterator[Frame]:
        """Decode all frames in order. Raises SequenceError for an image that cannot be decoded or has another size."""
        return map(self._load, self.entries)

    def readable(self, skipped: list[str]) -> Iterator[Frame]:
        """Decode all frames in order, and skip those with an image that is damaged or has another size.

        Args:
            skipped: output, to which the errors of skipped frames are appended.

        Raises:
            SequenceError: an image has an unsupported format, or the first images all have another size.
            NoFramesError: every frame has a damaged image.
        """
        first_error: ImageSizeError | None = None
        none_decoded = True
        for i, entry in enumerate(self.entries):
            try:
                frame = self._load(entry)
            except (DamagedImageError, ImageSizeError) as error:
                skipped.append(str(error))
                if isinstance(error, ImageSizeError):
                    first_error = first_error or error
            else:
                none_decoded = False
                yield frame
            if none_decoded and first_error and i + 1 >= min(len(self), MAX_SIZE_MISMATCHES):
                skipped.clear()
                raise first_error
        if none_decoded:
            raise NoFramesError(f"All {len(self)} frames of {self.name} have a damaged image.")

    @property
    def calibration_warnings(self) -> tuple[str, ...]:
        """Implausible values of the calibration, each with its likely cause."""
        rig = self.rig
        return unlikely(self.camera, rig.right if rig else None, rig.baseline if rig else None)

    def every(self, stride: int) -> Sequence:
        """Return the sequence of every `stride`-th frame from the first on. Raises SequenceError for stride < 1."""
        if stride < 1:
            raise SequenceError(f"The stride is {stride}; it must be 1 or more.")
        return replace(self, entries=self.entries[::stride])

    def _load(self, entry: Entry) -> Frame:
        image, right, depth = read_gray(entry.image), None, None
        _check_size(image.shape, self.camera, entry.image)
        if entry.right is not None and self.rig is not None:
            right = read_gray(entry.right)
            _check_size(right.shape, self.rig.right, entry.right)
        if entry.depth is not None:
            depth = read_depth(entry.depth, self.depth_units_per_meter)
            _check_size(depth.shape, self.camera, entry.depth)
        return Frame(entry.stamp_ns, image, self.camera, right, depth, self.rig)


def _order_fault(before: Entry, after: Entry) -> str:
    """Return the stamps of two frames out of order, and what to do."""
    earlier, later = (f"{stamp_ns / 1e9:.6f} s" for stamp_ns in (before.stamp_ns, after.stamp_ns))
    if before.stamp_ns == after.stamp_ns:
        return f"both have {later}; write stamps with all digits, and each image once"
    return f"{later} comes after {earlier}; sort the images by time"


def _check_size(shape: tuple[int, ...], camera: Camera, path: StoredImage) -> None:
    height, width = shape
    if (width, height) != (camera.width, camera.height):
        raise ImageSizeError(
            f"{path} has {width}x{height} pixels, but the camera has {camera.width}x{camera.height}: "
            f"all images of a sequence must have the size of the calibration{resize_hint(camera, width, height)}."
        )
