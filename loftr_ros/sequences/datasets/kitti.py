"""KITTI odometry layout: sequences/NN with image_0 to image_3, calib.txt and times.txt; poses in ../../poses/NN.txt."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from loftr_ros.errors import quoted, shortened
from loftr_ros.evaluation.trajectory import Trajectory, checked_trajectory, read_kitti
from loftr_ros.odometry.config import Mode
from loftr_ros.odometry.geometry.camera import Camera, CameraError, checked, projection_offset, stereo_baseline
from loftr_ros.odometry.geometry.stereo_rig import StereoRig
from loftr_ros.sequences.errors import DamagedImageError, MissingSensorError, SequenceError
from loftr_ros.sequences.ground_truth import read_ground_truth
from loftr_ros.sequences.images import list_camera_images, read_gray
from loftr_ros.sequences.sequence import Entry, Sequence
from loftr_ros.sequences.stamps import read_rows, read_stamps

EXPECTED_FILES = "image_0/ or image_2/ (KITTI odometry)"
_NUMBER = re.compile(r"[0-9]{1,18}")
SIZE_SAMPLES = 3  # images that vote on the size: a single one may differ
PAIRS = ((0, 1), (2, 3))  # the gray and the color cameras


def is_kitti(folder: Path) -> bool:
    """Return whether a folder has the layout of a KITTI odometry sequence."""
    return any((folder / f"image_{left}").is_dir() for left, _ in PAIRS)


def open_kitti(folder: Path, mode: Mode) -> Sequence:
    """Open a sequence folder: the gray cameras, else the color cameras. Raises SequenceError."""
    if mode == "rgbd":
        raise MissingSensorError(f"{folder} is a KITTI sequence, which has no depth images; use mode mono or stereo.")
    left, right = next(pair for pair in PAIRS if (folder / f"image_{pair[0]}").is_dir())
    times, unit = _read_times(folder / "times.txt")
    images, stamps, numbering = _stamped(folder / f"image_{left}", times)
    rights = _right_images(folder / f"image_{right}", images) if mode == "stereo" else [None] * len(images)

    calibration = folder / "calib.txt"
    projections = _read_projections(calibration)
    P_left = _projection(projections, left, folder)
    height, width = _image_size(images)
    try:
        camera, rig = checked(Camera(width, height, P_left[:, :3])), None
        offset = projection_offset(P_left.ravel().tolist())
        if mode == "stereo":
            P_right = _projection(projections, right, folder)
            baseline = stereo_baseline(P_left.ravel().tolist(), P_right.ravel().tolist())
            rig = StereoRig.rectified(checked(Camera(width, height, P_right[:, :3])), baseline)
    except CameraError as error:
        raise SequenceError(f"{calibration} is no usable calibration: {error}") from error
    truth, fault = _ground_truth(folder, times, offset)
    return Sequence(
        name=f"KITTI {folder.resolve().name}",
        camera=camera,
        entries=tuple(map(Entry, stamps, images, rights)),
        ground_truth=truth,
        ground_truth_fault=fault,
        rig=rig,
        notes=(*unit, *numbering, *_short_truth_note(truth, times)),
    )


def _read_times(path: Path) -> tuple[list[int], tuple[str, ...]]:
    """Return the stamps, nanoseconds, and notes on their unit. Raises SequenceError."""
    rows = read_rows(path)
    if not rows or any(len(row) != 1 for row in rows):
        raise SequenceError(f"{path} must hold one stamp in seconds a line, with a decimal point, and nothing else.")
    return read_stamps(rows, path)


def _stamped(folder: Path, times: list[int]) -> tuple[list[Path], list[int], tuple[str, ...]]:
    """Return images, stamps in nanoseconds, and notes; image 000005 has the stamp in row 5 of times.txt.

    Raises:
        SequenceError: there are no images, or images and stamps cannot be associated.
    """
    images = list_camera_images(folder)
    numbered = all(_NUMBER.fullmatch(image.stem) for image in images)
    if numbered:
        images.sort(key=lambda image: int(image.stem))
        first, last = int(images[0].stem), int(images[-1].stem)
        if last < len(times):
            return (
                images,
                [times[int(image.stem)] for image in images],
                _missing_images_note(folder, images, len(times)),
            )
    if len(images) != len(times):
        names = f"numbered from {first} to {last}" if numbered else "without numbers for names"
        raise SequenceError(
            f"{folder.parent / 'times.txt'} has {len(times)} stamps for {len(images)} images {names}: name each image "
            "by the row of its stamp, the first 000000."
        )
    names = f"names from {first} to {last}" if numbered else "names that are no numbers"
    return images, times, (f"{folder.name} has {names}: taking the {len(times)} stamps in order",)


def _image_size(images: list[Path]) -> tuple[int, int]:
    """Return height and width of most of the first readable images, as calib.txt has no image size."""
    damage: list[DamagedImageError] = []
    sizes: list[tuple[int, int]] = []
    for image in images:
        try:
            height, width = read_gray(image).shape
            sizes.append((height, width))
        except DamagedImageError as error:
            damage.append(error)
        if len(sizes) == SIZE_SAMPLES:
            break
    if not sizes:
        raise damage[0]
    return Counter(sizes).most_common(1)[0][0]


def _missing_images_note(folder: Path, images: list[Path], times: int) -> tuple[str, ...]:
    """Return a note if the number of images differs from that of the stamps."""
    if len(images) == times:
        return ()
    count = f"{folder.name} has {len(images)} images for {times} stamps"
    missing = int(images[-1].stem) - int(images[0].stem) + 1 - len(images)
    gaps = f", {missing} missing between the first and the last" if missing else ""
    return (f"{count}{gaps}: each takes the stamp and the pose of its number",)


def _short_truth_note(truth: Trajectory | None, times: list[int]) -> tuple[str, ...]:
    if truth is None or len(truth) == len(times):
        return ()
    return (f"the ground truth has {len(truth)} poses for {len(times)} stamps: the last images are not compared",)


def _right_images(folder: Path, lefts: list[Path]) -> list[Path | None]:
    if not folder.is_dir():
        raise MissingSensorError(f"{folder} is missing, so there is no right camera; use mode mono.")
    return [folder / left.name for left in lefts]


def _read_projections(path: Path) -> dict[str, NDArray[np.float64]]:
    """Return the (3, 4) projection matrices, pixels, by name, from rows of `P0: ` and 12 numbers; ignore other rows."""
    found: dict[str, NDArray[np.float64]] = {}
    for name, *words in read_rows(path):
        try:
            numbers = np.array(words, np.float64)
        except ValueError as error:
            raise SequenceError(f"{path} has a value that is no number: {shortened(error)}.") from error
        if numbers.size != 12:
            continue
        P = numbers.reshape(3, 4)
        if not np.array_equal(found.setdefault(name.rstrip(":"), P), P, equal_nan=True):
            raise SequenceError(f"{path} has two rows {quoted(name)} that differ: keep one.")
    return found


def _projection(projections: dict[str, NDArray[np.float64]], camera: int, folder: Path) -> NDArray[np.float64]:
    if f"P{camera}" not in projections:
        raise SequenceError(f"{folder / 'calib.txt'} has no row 'P{camera}:' with 12 numbers.")
    return projections[f"P{camera}"]


def _ground_truth(folder: Path, stamps: list[int], offset: NDArray[np.float64]) -> tuple[Trajectory | None, str]:
    """Return T_world_camera and the error, see `read_ground_truth`; the file has the poses of camera 0.

    Args:
        folder: of the sequence.
        stamps: nanoseconds.
        offset: (3,) of camera 0 in this camera, meters.
    """
    T_camera0_camera = np.eye(4)
    T_camera0_camera[:3, 3] = -offset

    def read(path: Path) -> Trajectory:
        camera_0 = read_kitti(path, np.array(stamps, np.int64))
        return checked_trajectory(path, camera_0.stamps_ns, camera_0.poses @ T_camera0_camera)

    here = folder.resolve()
    return read_ground_truth(here.parent.parent / "poses" / f"{here.name}.txt", read)
