"""What the layouts of data sets share: images by number, text files of numbers, cameras, and ground truth."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from loftr_ros.arrays import Array
from loftr_ros.errors import shortened
from loftr_ros.evaluation.trajectory import Trajectory, checked_trajectory
from loftr_ros.odometry.config import Mode
from loftr_ros.odometry.geometry.camera import Camera, CameraError, checked
from loftr_ros.sequences import sequence
from loftr_ros.sequences.camera_yaml import read_calibration
from loftr_ros.sequences.errors import DamagedImageError, SequenceError
from loftr_ros.sequences.ground_truth import read_ground_truth
from loftr_ros.sequences.guessed_camera import FieldOfView
from loftr_ros.sequences.images import list_images, read_gray
from loftr_ros.sequences.stamps import read_rows

CAMERA_FILE = "camera.yaml"
_NUMBER = re.compile(r"\D*(\d{1,18})\D*")
_SIZE_SAMPLES = 3


class Options(NamedTuple):
    """What the user says about a source: see `open_sequence`."""

    mode: Mode
    fps: float | None = None
    depth_scale: float | None = None
    fov: FieldOfView | None = None


class Layout(NamedTuple):
    """A layout of a data set: how it is recognized and opened, and the files that show it, for messages."""

    is_there: Callable[[Path], bool]
    open: Callable[[Path, Options], sequence.Sequence]
    expected: str


def numbered(images: Iterable[Path]) -> dict[int, Path]:
    """Return images by the only number in their names, in its order; others are left out."""
    found = ((_NUMBER.fullmatch(image.stem), image) for image in images)
    return dict(sorted((int(match[1]), image) for match, image in found if match))


def images_of(folder: Path) -> dict[int, Path]:
    """Return the images of a folder by number. Raises SequenceError if there are none."""
    images = numbered(list_images(folder))
    if not images:
        raise SequenceError(f"{folder} holds no images with numbers for names.")
    return images


def read_numbers(path: Path, columns: int | None = None) -> Array:
    """Read rows of numbers, (N, columns). Raises SequenceError."""
    rows = read_rows(path)
    try:
        table = np.array(rows, np.float64)
    except ValueError as error:
        raise SequenceError(f"{path} must hold rows of numbers: {shortened(error)}.") from error
    if table.ndim != 2 or columns not in (None, table.shape[1]):
        raise SequenceError(f"{path} must hold rows of {columns or 'equally many'} numbers.")
    return table


def read_poses(files: Iterable[Path]) -> Array:
    """Return (N, 4, 4) poses of files with a row of 4 numbers a line. Raises SequenceError."""
    poses = {file: read_numbers(file, 4) for file in files}
    if wrong := [file for file, pose in poses.items() if pose.shape != (4, 4)]:
        raise SequenceError(f"{wrong[0]} must hold a pose of 4 rows.")
    return np.array(list(poses.values()))


def pinhole(path: Path, size: tuple[int, int], fx: float, fy: float, cx: float, cy: float) -> Camera:
    """Return a camera without distortion.

    Args:
        path: where its numbers are from, for messages.
        size: width and height.
        fx, fy, cx, cy: pixels.

    Raises:
        SequenceError: the numbers are no camera.
    """
    try:
        return checked(Camera(*size, np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1.0]])))
    except CameraError as error:
        raise SequenceError(f"{path} is no usable calibration: {error}") from error


def published(
    folder: Path,
    images: Mapping[int, Path],
    intrinsics: tuple[float, float, float, float],
    size: tuple[int, int] = (640, 480),
) -> Camera:
    """Return the camera that a data set publishes, of images of a size.

    Args:
        folder: of the sequence.
        images: of the camera.
        intrinsics: fx, fy, cx, cy in pixels.
        size: width and height.

    Raises:
        SequenceError: the images have another size.
    """
    found = size_of(images.values())
    if found != size:
        raise SequenceError(
            f"{folder} has images of {found[0]}x{found[1]}, and those of the data set are {size[0]}x{size[1]}: put a "
            f"{CAMERA_FILE} of theirs there, as camera_calibration writes it."
        )
    return pinhole(folder, size, *intrinsics)


def own_camera(folder: Path, default: Callable[[], Camera]) -> tuple[Camera, tuple[str, ...]]:
    """Return the camera of a camera.yaml in the folder, else the default of the data set, and a note on the former."""
    path = folder / CAMERA_FILE
    if path.exists():
        return read_calibration(path).raw, (f"the calibration is that of {CAMERA_FILE}",)
    return default(), ()


def size_of(images: Iterable[Path]) -> tuple[int, int]:
    """Return width and height of the first readable image. Raises SequenceError."""
    damage: DamagedImageError | None = None
    for image in list(images)[:_SIZE_SAMPLES]:
        try:
            height, width = read_gray(image).shape
        except DamagedImageError as error:
            damage = damage or error
        else:
            return width, height
    raise damage or SequenceError("There are no images.")


def counts_per_meter(scale: float, origin: str | Path) -> float:
    """Return the counts of integer depth images per meter. Raises SequenceError if it is no such scale."""
    if not 1 <= scale < np.inf:
        raise SequenceError(f"{origin} holds {scale:g}, which is not the counts in a meter: 1000 for millimeters.")
    return scale


def rate_note(fps: float | None, nominal: float) -> tuple[float, tuple[str, ...]]:
    """Return the frame rate, given or nominal, and a note on the latter."""
    if fps:
        return fps, ()
    return nominal, (f"frames have numbers and no stamps: taking {nominal:g} per second; set --fps",)


def truth_of(path: Path, stamps_ns: Sequence[int], poses: Callable[[], Array]) -> tuple[Trajectory | None, str]:
    """Return the ground truth of a file, or None and the error of one that is not valid.

    Args:
        path: the file or folder; without it there is no ground truth.
        stamps_ns: of the poses; those that are not finite are left out.
        poses: reads (N, 4, 4) T_world_camera.
    """

    def read(path: Path) -> Trajectory:
        all_poses = poses()
        if len(all_poses) != len(stamps_ns):
            raise SequenceError(f"{path} has {len(all_poses)} poses for {len(stamps_ns)} frames.")
        known = np.isfinite(all_poses).all(axis=(1, 2))
        return checked_trajectory(path, np.array(stamps_ns, np.int64)[known], all_poses[known])

    return read_ground_truth(path, read)


def rows_at(path: Path, table: Array, numbers: Sequence[int]) -> Array:
    """Return the rows of the frame numbers. Raises SequenceError if there are fewer."""
    if max(numbers) >= len(table):
        raise SequenceError(f"{path} has {len(table)} rows, and the frames are numbered to {max(numbers)}.")
    return table[list(numbers)]
