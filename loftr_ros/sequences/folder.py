"""A folder of images with a calibration of ROS beside them; left/ and right/ with left.yaml and right.yaml for stereo.

The images are raw, as the cameras took them and as the calibration says, or rectified and then so is the calibration.
"""

from __future__ import annotations

import re
from pathlib import Path

from loftr_ros.odometry.camera import CameraError
from loftr_ros.odometry.config import Mode
from loftr_ros.odometry.trajectory import why_no_stamp
from loftr_ros.sequences.camera_yaml import read_calibration
from loftr_ros.sequences.errors import SequenceError
from loftr_ros.sequences.images import list_images
from loftr_ros.sequences.sequence import Entry, Sequence
from loftr_ros.sequences.stamps import seconds_to_ns

LOOKED_FOR = "images with camera.yaml, or left/ and right/ with left.yaml and right.yaml (image folder)"


def is_folder(folder: Path) -> bool:
    """Whether a folder holds images, or holds left/."""
    return (folder / "left").is_dir() or bool(list_images(folder))


def open_folder(folder: Path, mode: Mode, fps: float) -> Sequence:
    """Open a folder; `fps` gives the stamps where the file names do not. Raises SequenceError."""
    if mode == "rgbd":
        raise SequenceError(f"{folder} is an image folder without depth; use mode mono or stereo.")
    return _open_stereo(folder, fps) if mode == "stereo" else _open_mono(folder, fps)


def _open_mono(folder: Path, fps: float) -> Sequence:
    left = folder / "left"
    images, calibration = (left, folder / "left.yaml") if left.is_dir() else (folder, _find_calibration(folder))
    entries = tuple(Entry(stamp, image) for stamp, image in _stamped(images, fps))
    return Sequence(folder.resolve().name, read_calibration(calibration).raw, entries)


def _open_stereo(folder: Path, fps: float) -> Sequence:
    if not ((folder / "left").is_dir() and (folder / "right").is_dir()):
        raise SequenceError(f"{folder} has no left/ and right/, so there is no right camera; use mode mono.")
    left, right = read_calibration(folder / "left.yaml"), read_calibration(folder / "right.yaml")
    try:
        rig = left.rig(right)
    except CameraError as error:
        raise SequenceError(f"{folder / 'right.yaml'} is no usable calibration: {error}") from error
    pairs = _stamped(folder / "left", fps)
    entries = tuple(Entry(stamp, image, right=folder / "right" / image.name) for stamp, image in pairs)
    return Sequence(folder.resolve().name, left.raw, entries, rig=rig)


def _find_calibration(folder: Path) -> Path:
    """Return camera.yaml, or the only YAML file under another name."""
    named = folder / "camera.yaml"
    others = [*folder.glob("*.yaml"), *folder.glob("*.yml")]
    return others[0] if not named.exists() and len(others) == 1 else named


def _stamped(folder: Path, fps: float) -> list[tuple[int, Path]]:
    """Images in order of time: by the stamps in their names, else by number at `fps`."""
    images = list_images(folder)
    if not images:
        raise SequenceError(f"{folder} holds no images.")
    if not fps > 0:
        raise SequenceError(f"The frame rate is {fps}; it must be above 0.")
    stamps = [_name_to_ns(image.stem) for image in images]
    if None not in stamps:
        return sorted((stamp, image) for stamp, image in zip(stamps, images, strict=True) if stamp is not None)
    return [(round(i * 1e9 / fps), image) for i, image in enumerate(sorted(images, key=_natural))]


def _name_to_ns(stem: str) -> int | None:
    """Nanoseconds for 1403715273262142976 (EuRoC) and 1305031453.359684 (TUM); None for a plain counter.

    Raises:
        SequenceError: it is a number with decimals, but in no seconds.
    """
    if re.fullmatch(r"\d{18,19}", stem):
        return seconds_to_ns(f"{stem}e-9")
    if not re.fullmatch(r"\d+\.\d+", stem):
        return None
    if reason := why_no_stamp(float(stem)):
        raise SequenceError(f"The name of the image {stem} is no stamp: {reason}.")
    return seconds_to_ns(stem)


def _natural(path: Path) -> list[tuple[int, str]]:
    """Sort key that puts frame2 before frame10."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", path.stem)]
